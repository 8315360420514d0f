/** The configuration of checkpoints that come without a file of it, where their names leave one choice. @module */
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { layoutLabel } from "../checkpoint/find_layout.ts";
import type { ClipLayout } from "../checkpoint/names.ts";
import type { ClipConfig } from "../config.ts";
import type { JsonRecord } from "./fields.ts";
import { parseClipConfig } from "./parse.ts";
import type { ClipSizes } from "./sizes.ts";

/** What an open_clip configuration would say of one layout; sizes are read from the weights. */
interface ImpliedConfig {
  /** Names it applies to. */
  layout: Partial<ClipLayout>;
  /** What is taken for granted. */
  assumed: string;
  /** Source: OpenAI `clip/model.py` `build_model`; UniMed-CLIP `run_configs`; BiomedCLIP's open_clip_config.json. */
  model: (sizes: ClipSizes) => JsonRecord;
}

/** Numbers of one head, as in every published CLIP. */
const HEAD_WIDTH = 64;

const bert = ({ text }: ClipSizes): JsonRecord => ({
  hf_model_name: "bert",
  hf_pooler_type: "cls_last_hidden_state_pooler",
  hf_proj_type: text.headWidth === undefined ? "linear" : "mlp",
  context_length: Math.min(256, text.positions ?? 256),
});
const causal = ({ text: { width = HEAD_WIDTH } }: ClipSizes): JsonRecord => ({
  heads: Math.max(1, Math.round(width / HEAD_WIDTH)),
});
const visual = ({ vision: { width = HEAD_WIDTH } }: ClipSizes): JsonRecord => ({
  head_width: Math.min(HEAD_WIDTH, width),
});

const IMPLIED: readonly ImpliedConfig[] = [
  {
    layout: { vision: "open_clip", text: "open_clip", textPrefix: "" },
    assumed: "OpenAI's CLIP (quick GELU, heads of 64)",
    model: (sizes) => ({ quick_gelu: true, vision_cfg: visual(sizes), text_cfg: causal(sizes) }),
  },
  {
    layout: { vision: "open_clip", text: "open_clip_bert", textPrefix: "text_encoder.transformer." },
    assumed: "UniMed-CLIP (quick GELU, heads of 64, 256 tokens, the CLS token read)",
    model: (sizes) => ({ quick_gelu: true, vision_cfg: visual(sizes), text_cfg: bert(sizes) }),
  },
  {
    layout: { vision: "timm", text: "open_clip_bert", textPrefix: "text.transformer." },
    assumed: "BiomedCLIP (heads of 64, 256 tokens, the CLS token read)",
    model: (sizes) => ({
      vision_cfg: { ...visual(sizes), timm_model_name: "vit_base_patch16_224", timm_pool: "" },
      text_cfg: bert(sizes),
    }),
  },
];

/**
 * The configuration of a checkpoint that has no file of it.
 *
 * A training checkpoint of open_clip has OpenAI's names whatever its activation is; it is refused, as the names do not tell
 * GELU from quick GELU. A bare state dict under these names is taken for OpenAI's, as those of CheXzero and PubMedCLIP are.
 *
 * @param note Takes what was assumed, where another model could have the same names.
 * @throws {SyntaxError} If the layout's models differ in what no tensor tells; the message names the layout and the missing file.
 */
export function impliedConfig(checkpoint: Checkpoint, note: (text: string) => void = () => {}): ClipConfig {
  const { file: { path, metadata }, layout, shapes, sizes } = checkpoint;
  const implied = IMPLIED.find((one) =>
    Object.entries(one.layout).every(([key, value]) => layout[key as keyof ClipLayout] === value)
  );
  const isOpenAi = shapes.has("input_resolution"); // only OpenAI's own files have it
  const isOpenClips = typeof metadata["name"] === "string" && typeof metadata["epoch"] === "number" &&
    layout.text === "open_clip" && !isOpenAi;
  if (!implied || isOpenClips) {
    const what = `${layoutLabel(layout)}${isOpenClips ? ", saved by open_clip's training" : ""}`;
    const file = layout.vision.startsWith("hf") ? "config.json" : "open_clip_config.json";
    throw new SyntaxError(
      `Cannot load "${path}" (${what}) without its configuration: put its ${file} beside it, or name the file`,
    );
  }
  if (!isOpenAi) note(`"${path}" comes without a configuration: taken for ${implied.assumed}`);
  const config = `${path}, taken for ${implied.assumed}`;
  return parseClipConfig(JSON.stringify(implied.model(sizes)), { config, weights: path, sizes });
}
