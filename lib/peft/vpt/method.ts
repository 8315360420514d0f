/** Deep visual prompts. @module */
import * as tf from "@tensorflow/tfjs";
import type { ClipConfig } from "../../clip/config.ts";
import { mapBlocks, type TowerBlocks } from "../../nn/towers.ts";
import { kaimingUniform } from "../../tensor/init.ts";
import { checkSize, type PeftMethod, peftMethod, withSettings } from "../method.ts";
import { mul } from "../../tensor/typed.ts";

/** Settings of visual prompts. */
export interface VisualPromptConfig {
  /** Learned tokens a block, P. */
  prompts: number;
}

/** Five prompts in every block: the default of the method's own code (KMnP/vpt, `MODEL.PROMPT.NUM_TOKENS`), with `DEEP` on. Jia et al. 2022, arXiv 2203.12119. */
const VPT: VisualPromptConfig = { prompts: 5 };

/** Learned tokens after CLS in every block of the image tower, new in each; the text tower is left alone. */
export function vptMethod(encoders: ClipConfig, given?: Partial<VisualPromptConfig>): PeftMethod {
  const settings = withSettings(VPT, given, "visual prompts");
  checkSize(settings.prompts, "the number of prompts");
  const { vision } = encoders;
  if (!("patchSize" in vision) || vision.kind === "swin") {
    throw new RangeError(`Cannot put prompts into the image tower as it must be a ViT: it is a ${vision.kind}`);
  }
  return peftMethod(encoders, {
    name: "vpt",
    label: "VPT-Deep",
    settings,
    trains: (leaf) => leaf.endsWith(".prompts"),
    add: (base, seed) => injectPrompts(base, settings, { seed, patch: vision.patchSize }),
  });
}

/**
 * A new tree with prompts in each image block, uniform in `±√(6 / (3 P² + D))` with P the patch side, as the method's code has it.
 *
 * @param options `seed` (@default 1) and `patch`, the side of a patch in pixels (@default 16).
 */
function injectPrompts<T extends TowerBlocks>(
  params: T,
  config: VisualPromptConfig = VPT,
  options: { seed?: number; patch?: number } = {},
): T {
  const { seed = 1, patch = 16 } = options;
  return mapBlocks(params, ["image"], (block, { name }) => {
    const width = block.norm1.weight.shape[0];
    const bound = Math.sqrt(6 / (3 * patch * patch + width));
    const prompts = tf.tidy(() =>
      // ±1/√D, brought to the bound
      mul(kaimingUniform([config.prompts, width], seed, `prompts ${name}`), bound * Math.sqrt(width))
    );
    return { ...block, prompts };
  });
}
