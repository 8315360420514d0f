/** What training and evaluation ask of a model: pure functions over a params tree. @module */
import { INTEGER, RECORD, type Rules } from "../platform/options.ts";
import type { Scalar, Tensor, Tensor2D, Tensor3D, Tensor4D } from "../tensor/types.ts";

/** Options of a feature function. */
export interface FeatureOptions {
  /** Seed of the dropout masks; without it the model is in evaluation mode. */
  seed?: number;
  /** Compute each block's inside again for the gradients of these tensors instead of keeping it. @default {keep it} */
  recompute?: ReadonlySet<Tensor>;
}

/** What they must be. */
export const FEATURE_RULES: Rules<FeatureOptions> = { seed: INTEGER, recompute: RECORD };

/** Images and texts of one batch. */
export interface PairTensors {
  /** Normalised images, shape `[B, S, S, 3]`. */
  pixels: Tensor4D;
  /** Token ids, shape `[B, N + 1]` int32. */
  ids: Tensor2D;
}

/** Options of the loss of a batch of pairs. */
export interface ContrastiveLossOptions extends FeatureOptions {
  /** Pairs that take part, from `falseNegativeMask`; shape `[B, B]`. @default {all: plain InfoNCE} */
  pairMask?: Tensor2D;
}

/** What they must be. */
export const LOSS_RULES: Rules<ContrastiveLossOptions> = { ...FEATURE_RULES, pairMask: RECORD };

/** Options of the features of prompts. */
export interface PromptOptions {
  /** Whether the mean of a text is over all its ids, pads too. @default {false} */
  readsPads?: boolean;
}

/** Parts of images and texts that are compared beside their features. */
export interface LocalParts<T> {
  /** Places of normalised images `[B, S, S, 3]`, `[B, P, E]`. */
  places(params: T, pixels: Tensor4D): Tensor3D;
  /** Tokens of ids `[B, N]`, in their order but for the first, `[B, N, E]`. */
  tokens(params: T, ids: Tensor2D): Tensor3D;
}

/** An image-text model over a params tree of type `T`. Every function borrows its tensors and returns new ones. */
export interface ContrastiveModel<T> {
  /** Short name for tables and logs. */
  name: string;
  /** Whether training changes the leaf of this dotted name. */
  isTrainable(name: string): boolean;
  /** Unit features `[B, E]` of normalised images `[B, S, S, 3]`. */
  imageFeatures(params: T, pixels: Tensor4D, options?: FeatureOptions): Tensor2D;
  /** Unit features `[B, E]` of token ids `[B, N]` int32. */
  textFeatures(params: T, ids: Tensor2D, options?: FeatureOptions): Tensor2D;
  /** Unit features `[C, E]` of `C` classes from the ids `[C·P, N]` of their P prompts each. */
  promptFeatures(params: T, ids: Tensor2D, prompts: number, options?: PromptOptions): Tensor2D;
  /** What a local similarity compares. @default {features alone are compared} */
  local?: LocalParts<T>;
  /** The similarity's scale s, a new tensor. */
  scale(params: T): Scalar;
  /** The similarity's bias b, a new tensor. @default {none: probabilities are a softmax over the texts} */
  bias?(params: T): Scalar;
  /**
   * The loss of a batch's unit features `[B, E]`, a scalar: what `fit` trains.
   *
   * @param options `pairMask` `[B, B]`: 0 for pairs that leave the loss. @default {all pairs}
   */
  loss(params: T, features: { image: Tensor2D; text: Tensor2D }, options?: { pairMask?: Tensor2D }): Scalar;
  /** The tree to evaluate: updates merged where that is exact; shares leaves with `params`. */
  forEvaluation(params: T): T;
}
