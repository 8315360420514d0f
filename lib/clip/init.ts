/** Random weights, for tests, benches and pre-training. @module */
import type { BiomedClipParams } from "./towers/biomed_clip.ts";
import { initClip } from "./build.ts";
import type { BiomedClipConfig } from "./config.ts";
import { asClipConfig } from "./biomed_clip.ts";

/**
 * A freshly initialised model: normal weights of standard deviation `1/√fanIn` (0.02 for embeddings), zero biases, unit
 * gains, logit scale `log(1 / 0.07)`.
 *
 * @param config Sizes.
 * @param seed The same seed gives the same weights.
 * @returns New tensors, freed by `disposeParams`.
 */
export function initBiomedClip(config: BiomedClipConfig, seed: number): BiomedClipParams {
  return initClip(asClipConfig(config), seed) as BiomedClipParams;
}
