/** Random weights, for tests, benches and pre-training. @module */
import * as tf from "@tensorflow/tfjs";
import { normal, ones, zeros } from "../tensor/init.ts";
import type { BiomedClipParams } from "./biomed_clip.ts";
import type { BiomedClipConfig } from "./config.ts";
import { buildBiomedClip } from "./skeleton.ts";

/**
 * A freshly initialised model: normal weights of standard deviation `1/√fanIn` (0.02 for embeddings), zero biases, unit
 * gains, logit scale `log(1 / 0.07)`.
 *
 * @param config Sizes.
 * @param seed The same seed gives the same weights.
 * @returns New tensors, freed by `disposeParams`.
 */
export function initBiomedClip(config: BiomedClipConfig, seed: number): BiomedClipParams {
  return buildBiomedClip(config, (name, shape, role) => {
    switch (role) {
      case "weight":
        return normal(shape, 1 / Math.sqrt(shape[1]!), seed, name);
      case "embedding":
        return normal(shape, 0.02, seed, name);
      case "gain":
        return ones(shape);
      case "bias":
        return zeros(shape);
      case "logitScale":
        return tf.scalar(Math.log(1 / 0.07));
    }
  });
}
