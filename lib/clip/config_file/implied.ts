/** The configuration of checkpoints that come without a file of it, where their names leave one choice. @module */
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { layoutLabel } from "../checkpoint/find_layout.ts";
import { BIOMED_CLIP_LAYOUT, type ClipLayout } from "../checkpoint/layout.ts";
import { BIOMED_CLIP, MINI } from "../architectures.ts";
import type { ClipConfig } from "../config.ts";
import type { JsonRecord } from "./fields.ts";
import { publishedModel } from "./published.ts";
import { parseClipConfig } from "./parse.ts";
import type { ClipSizes } from "./sizes.ts";

/** What an open_clip configuration would say of one layout; sizes are read from the weights. */
interface ImpliedConfig {
  /** Names it applies to. */
  layout: Partial<ClipLayout>;
  /** What is taken for granted. */
  assumed: string;
  /** Sizes of the model itself, where it is one. @default {all must be told by the weights} */
  base?: typeof BIOMED_CLIP;
  /** Source: OpenAI `clip/model.py` `build_model`; UniMed-CLIP `run_configs`; BiomedCLIP's open_clip_config.json. */
  model: (sizes: ClipSizes) => JsonRecord;
}

/** Numbers of one head, as in every published CLIP. */
const HEAD_WIDTH = 64;

const bert = ({ text }: ClipSizes, headWidth = HEAD_WIDTH, contextLength = 256): JsonRecord => ({
  hf_model_name: "bert",
  hf_pooler_type: "cls_last_hidden_state_pooler",
  hf_proj_type: text.headWidth === undefined ? "linear" : "mlp",
  context_length: Math.min(contextLength, text.positions ?? contextLength),
  heads: headsOf(text.width, headWidth),
});
const causal = ({ text }: ClipSizes): JsonRecord => ({ heads: headsOf(text.width, HEAD_WIDTH) });
const visual = ({ vision: { width = HEAD_WIDTH } }: ClipSizes, headWidth = HEAD_WIDTH): JsonRecord => ({
  head_width: Math.min(headWidth, width),
});

function headsOf(width = HEAD_WIDTH, headWidth: number): number {
  return Math.max(1, Math.round(width / headWidth));
}

/** BiomedCLIP's kind: timm's ViT and open_clip's BERT. */
function biomed(sizes: ClipSizes, headWidth?: number, contextLength?: number): JsonRecord {
  return {
    vision_cfg: { ...visual(sizes, headWidth), timm_model_name: "vit_base_patch16_224", timm_pool: "" },
    text_cfg: bert(sizes, headWidth, contextLength),
  };
}

const MINI_IMPLIED: ImpliedConfig = {
  layout: BIOMED_CLIP_LAYOUT,
  assumed: "the shipped mini model (heads of 24, 48 tokens, the CLS token read)",
  base: MINI,
  model: (sizes) => biomed(sizes, MINI.vision.width / MINI.vision.heads, MINI.text.contextLength),
};

/** Whether a checkpoint has the shipped mini model's widths. */
export function isMini({ layout, sizes }: Pick<Checkpoint, "layout" | "sizes">): boolean {
  return layout.vision === "timm" && sizes.vision.width === MINI.vision.width &&
    (sizes.embedding ?? MINI.embedding) === MINI.embedding;
}

/** The sizes of BiomedCLIP's kind; what no tensor tells is `base`'s, so that the report of missing tensors names it. */
function withBase(sizes: ClipSizes, { vision, text, embedding }: typeof BIOMED_CLIP): ClipSizes {
  const { imageSize, patchSize, width, mlpWidth } = vision;
  const { vocabularySize, positions, tokenTypes, headWidth } = text;
  return {
    ...sizes,
    embedding: sizes.embedding ?? embedding,
    vision: { imageSize, patchSize, width, mlpWidth, ...sizes.vision },
    text: {
      ...{ vocabularySize, positions, width: text.width, mlpWidth: text.mlpWidth, tokenTypes, headWidth },
      ...sizes.text,
    },
  };
}

const IMPLIED: readonly ImpliedConfig[] = [
  {
    layout: { vision: "open_clip", text: "open_clip", textPrefix: "" },
    assumed: "OpenAI's CLIP (quick GELU, heads of 64)",
    model: (sizes) => ({ quick_gelu: true, vision_cfg: visual(sizes), text_cfg: causal(sizes) }),
  },
  {
    layout: { vision: "clip_resnet", text: "open_clip", textPrefix: "" },
    assumed: "OpenAI's CLIP (quick GELU, heads of 64)",
    model: (sizes) => ({
      quick_gelu: true,
      vision_cfg: { layers: sizes.vision.stages ?? [] },
      text_cfg: causal(sizes),
    }),
  },
  {
    layout: { vision: "open_clip", text: "open_clip_bert", textPrefix: "text_encoder.transformer." },
    assumed: "UniMed-CLIP (quick GELU, heads of 64, 256 tokens, the CLS token read)",
    model: (sizes) => ({ quick_gelu: true, vision_cfg: visual(sizes), text_cfg: bert(sizes) }),
  },
  {
    layout: BIOMED_CLIP_LAYOUT,
    assumed: "BiomedCLIP (heads of 64, 256 tokens, the CLS token read)",
    base: BIOMED_CLIP,
    model: (sizes) => biomed(sizes),
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
  const published = publishedModel(checkpoint);
  if (published) {
    note(`"${path}" is taken for ${published.name}`);
    return published.config;
  }
  const fits = (candidate: ImpliedConfig): boolean =>
    Object.entries(candidate.layout).every(([key, value]) => layout[key as keyof ClipLayout] === value);
  const mini = isMini(checkpoint);
  const implied = (mini ? [MINI_IMPLIED] : IMPLIED).find(fits);
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
  if (!isOpenAi && !mini) note(`"${path}" comes without a configuration: taken for ${implied.assumed}`);
  const config = `${path}, taken for ${implied.assumed}`;
  const known = implied.base ? withBase(sizes, implied.base) : sizes;
  return parseClipConfig(JSON.stringify(implied.model(known)), { config, weights: path, sizes: known });
}
