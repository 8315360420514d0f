/** What a Swin is: by the shapes of its weights, against which a configuration is checked where there is one. @module */
import type { SwinConfig } from "../config.ts";
import { choiceField, type ClipSource, type JsonRecord, positiveField, refuseField, sizeField } from "./fields.ts";
import type { ClipSizes } from "./sizes.ts";

/** A Swin; sizes that no tensor tells are Swin-T's. The last stage's map is one window, as in every published one. */
export function swin({ vision }: ClipSizes, own: Pick<SwinConfig, "pool" | "head">): SwinConfig {
  const { stages = [2, 2, 6, 2], stageHeads = [3, 6, 12, 24], window = 7, patchSize = 4, width = 768 } = vision;
  const { mlpWidth, headWidth } = vision;
  const halvings = 2 ** (stages.length - 1);
  return {
    kind: "swin",
    imageSize: patchSize * window * halvings,
    patchSize,
    width,
    stages: stages.map((depth, stage) => ({ depth, heads: stageHeads[stage]! })),
    window,
    mlpRatio: mlpWidth === undefined ? 4 : mlpWidth * halvings / width,
    epsilon: 1e-5,
    activation: "gelu",
    ...(headWidth === undefined ? {} : { headWidth }),
    ...own,
  };
}

/** Side, patch and window as a configuration has them; whatever differs from the weights is refused. */
function checked(tower: SwinConfig, source: ClipSource, declared: Readonly<Record<string, unknown>>): SwinConfig {
  const stored = [tower.imageSize, tower.patchSize, tower.window];
  Object.entries(declared).forEach(([field, value], i) => sizeField(source, field, value, { stored: stored[i] }));
  return tower;
}

/** timm's name of a Swin, its patch, window and image. */
const TIMM_SWIN = /^swin_(?:tiny|small|base|large)_patch(\d+)_window(\d+)_(\d+)/;

/** Whether timm's name is of a Swin whose windows are all of one size. */
export function isTimmSwin(name: unknown): boolean {
  return TIMM_SWIN.test(String(name));
}

/** timm's Swin in open_clip, read at the mean of its tokens. Source: open_clip 3.3 `TimmModel`; timm 1.0 `swin_transformer.py`. */
export function openClipSwin(json: JsonRecord, source: ClipSource): SwinConfig {
  const tower = swin(sizesOf(source), { pool: "mean", head: "linear" });
  choiceField(source, "vision_cfg.timm_pool", json["timm_pool"], [[undefined, true], ["", true], ["avg", true]]);
  for (const name of ["layers", "width", "head_width", "mlp_ratio"]) {
    choiceField(source, `vision_cfg.${name}`, json[name], [[undefined, true]]);
  }
  return checked(tower, source, {
    "vision_cfg.image_size": json["image_size"],
    "vision_cfg.patch_size": json["patch_size"],
  });
}

/** transformers' `SwinModel` in a pair, read at the mean of its tokens. */
export function hfSwin(json: JsonRecord, source: ClipSource): SwinConfig {
  const fieldOf = (name: string): string => `vision_config.${name}`;
  choiceField(source, fieldOf("num_channels"), json["num_channels"], [[undefined, 3], [3, 3]]);
  choiceField(source, fieldOf("qkv_bias"), json["qkv_bias"], [[undefined, true], [true, true]]);
  choiceField(source, fieldOf("use_absolute_embeddings"), json["use_absolute_embeddings"], [[undefined, 0], [
    false,
    0,
  ]]);
  choiceField(source, fieldOf("hidden_act"), json["hidden_act"], [[undefined, "gelu"], ["gelu", "gelu"]]);
  const tower = checked(swin(sizesOf(source), { pool: "mean", head: "linear" }), source, {
    [fieldOf("image_size")]: json["image_size"],
    [fieldOf("patch_size")]: json["patch_size"],
    [fieldOf("window_size")]: json["window_size"],
  });
  const lists = { depths: tower.stages.map(({ depth }) => depth), num_heads: tower.stages.map(({ heads }) => heads) };
  for (const [name, stored] of Object.entries(lists)) {
    const declared = json[name];
    if (declared !== undefined && `${declared}` !== `${stored}`) {
      refuseField(source, fieldOf(name), `[${stored}] to fit the weights`, declared);
    }
  }
  return { ...tower, epsilon: positiveField(source, fieldOf("layer_norm_eps"), json["layer_norm_eps"], 1e-5) };
}

function sizesOf({ sizes, config }: ClipSource): ClipSizes {
  if (sizes?.vision.stageHeads) return sizes;
  throw new SyntaxError(
    `Cannot read "${config}" as a CLIP configuration as the weights must be a Swin's: they are not`,
  );
}
