/** The numbers and flags that kernels are given beside their tensors. @module */

/** No numbers and no flags. */
export type NoAttributes = Record<never, never>;

/** The numbers of a step of AdamW; `step` counts from 1. */
export interface AdamwAttributes {
  learningRate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
  step: number;
}

/** The numbers of an attention. */
export interface AttentionAttributes {
  /** Heads: consecutive slices of the columns. */
  heads: number;
  /** Factor of the scores. */
  scale: number;
  /** Whether query i sees keys 0..i only. */
  causal: boolean;
}

/** Dropout by the hash of an element's index and a seed. */
export interface DropoutAttributes {
  /** Share set to 0, in `[0, 1)`. */
  rate: number;
  /** Unsigned 32-bit seed. */
  seed: number;
}

/** Low-rank updates of layers that share their input; one number a layer. */
export interface LoraAttributes {
  /** Factors of the updates. */
  scalings: readonly number[];
  /** Dropout of the updates' input. */
  rates: readonly number[];
  /** Seeds of the masks. */
  seeds: readonly number[];
}

/** The numbers of one query's attention, averaged over heads; without a softmax all heads are one. */
export interface AffinityAttributes extends Omit<AttentionAttributes, "causal"> {
  /** Whether a softmax over the keys is taken before the mean. */
  isSoftmax: boolean;
  /** The first key whose affinity is given. */
  from: number;
}

/** The linear layers of a transformer block. */
export const BLOCK_LAYERS = ["query", "key", "value", "output", "fc1", "fc2"] as const;

/** One of them. */
export type BlockLayer = typeof BLOCK_LAYERS[number];

/** The numbers of a transformer block. */
export interface BlockAttributes {
  /** Heads: consecutive slices of the columns. */
  heads: number;
  /** Of both norms. */
  epsilon: number;
  /** `pre`: `x + f(norm(x))`; `post`: `norm(x + f(x))`. */
  order: "pre" | "post";
  /** Whether query i sees keys 0..i only. */
  causal: boolean;
}

/** What lies between the two layers of a perceptron; a leaky ReLU's slope is 0.2. */
export type MlpActivation = "gelu" | "quick-gelu" | "leaky-relu";

/** The numbers of a perceptron of two layers. */
export interface MlpAttributes extends DropoutAttributes {
  /** f. */
  activation: MlpActivation;
  /** Whether a gradient will be asked for. */
  keep: boolean;
  /** Whether x itself is added last, instead of an addend; its gradient then joins that of the layers. */
  isResidual: boolean;
  /** Whether the weights' gradients will be, too: then they are computed with their biases'. */
  trained: boolean;
}

/** Those that its gradients need. */
export type MlpGradAttributes = Pick<MlpAttributes, "activation">;

/** The numbers of a convolution. */
export interface ConvAttributes {
  /** Side of the kernel, odd. */
  kernel: number;
  /** Step. */
  stride: 1 | 2;
  /** Whether negative results become 0. */
  relu: boolean;
}

/** What is made of neighbouring pixels: `max` of 3 x 3 with half of them shared, `mean` of 2 x 2. */
export interface PoolAttributes {
  kind: "max" | "mean";
}
