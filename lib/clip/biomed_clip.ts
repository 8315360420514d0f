/** BiomedCLIP as one of the CLIPs: its tree, its sizes and its checkpoint's names are theirs. @module */
import type { BiomedClipParams } from "./towers/biomed_clip.ts";
import type { ClipLayout } from "./checkpoint/names.ts";
import type { ClipConfig } from "./clip_config.ts";
import { buildClip, type MakeLeaf } from "./build.ts";
import type { BiomedClipConfig } from "./config.ts";

/** open_clip's names: timm's image tower, `transformers`' BERT. */
export const BIOMED_CLIP_LAYOUT: ClipLayout = {
  vision: "timm",
  visionPrefix: "visual.trunk.",
  text: "open_clip_bert",
  textPrefix: "text.transformer.",
};

/** The sizes, with what every BiomedCLIP has: GELU, the CLS token read on both sides, two layers after the text's. */
export function asClipConfig({ vision, text, ...rest }: BiomedClipConfig): ClipConfig {
  return {
    ...rest,
    vision: { ...vision, kind: "vit", activation: "gelu", pooler: false },
    text: { ...text, kind: "bert", tokenTypes: 2, pool: "cls", head: "mlp" },
  };
}

/**
 * Builds a model's tree, asking `leaf` for every tensor in order.
 *
 * @param config Sizes.
 * @param leaf Called once for each tensor.
 */
export function buildBiomedClip(config: BiomedClipConfig, leaf: MakeLeaf): BiomedClipParams {
  return buildClip(asClipConfig(config), leaf) as BiomedClipParams;
}
