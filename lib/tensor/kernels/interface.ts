/**
 * The one interface of the kernels. Each backend has one table (cpu/kernels.ts, wasm/kernels.ts, webgpu/kernels.ts) that
 * `satisfies` {@linkcode Kernels}: a kernel that is missing, or has other inputs or outputs, is a type error. Where a backend
 * has no kernel of its own the table says so: {@linkcode COMPOSED} or {@linkcode TFJS}.
 *
 * @module
 */
import type * as tf from "@tensorflow/tfjs";
import type {
  AdamwAttributes,
  AffinityAttributes,
  AttentionAttributes,
  BlockAttributes,
  BlockLayer,
  ConvAttributes,
  DropoutAttributes,
  LoraAttributes,
  MlpAttributes,
  MlpGradAttributes,
  NoAttributes,
  PoolAttributes,
} from "./attributes.ts";

/** tf.js's reference to a tensor's data, as kernels see it. */
export type TensorInfo = tf.TensorInfo;

/** The backend has no kernel of its own: api.ts, or for linear layers lib/nn/linear.ts, takes the steps one by one. */
export const COMPOSED = "composed";

/** The backend keeps tf.js's own kernel. */
export const TFJS = "tfjs";

/** Tensors by name; tf.js hands over absent optional ones as undefined. */
export type Named<Names extends string, Optional extends string = never> =
  & Record<Names, TensorInfo>
  & Partial<Record<Optional, TensorInfo | undefined>>;

/** Kernels that every backend has. */
export interface OwnKernels {
  /** `y = (x - mean) rstd gain + bias` over the last axis; also mean and rstd `[rows]`. */
  AceLayerNorm: {
    inputs: Named<"x" | "gain" | "bias">;
    attrs: { epsilon: number };
    outputs: [y: TensorInfo, mean: TensorInfo, rstd: TensorInfo];
  };
  /** `dx = rstd (g - mean(g) - n mean(g n)) + addend` with `g = dy gain`, n the normalised x; addend with a fork only. */
  AceLayerNormGradX: {
    inputs: Named<"dy" | "x" | "gain" | "mean" | "rstd", "addend">;
    attrs: NoAttributes;
    outputs: TensorInfo;
  };
  /** `dGain = sum over rows of dy n`, `dBias = sum of dy`. */
  AceLayerNormGradParams: {
    inputs: Named<"dy" | "x" | "mean" | "rstd">;
    attrs: NoAttributes;
    outputs: [dGain: TensorInfo, dBias: TensorInfo];
  };
  /** `x (1 + erf(x / sqrt(2))) / 2`. */
  AceGelu: { inputs: Named<"x">; attrs: NoAttributes; outputs: TensorInfo };
  /** `dy (P(Z < x) + x density(x))` of the standard normal. */
  AceGeluGrad: { inputs: Named<"dy" | "x">; attrs: NoAttributes; outputs: TensorInfo };
  /** Context `[B, M, W]` and the log of each row's sum of exponentials, `[B, heads, M]`. */
  AceAttention: {
    inputs: Named<"query" | "key" | "value", "keyMask">;
    attrs: AttentionAttributes;
    outputs: [context: TensorInfo, logSumExp: TensorInfo];
  };
  /** A masked score is a constant: it has no gradient. */
  AceAttentionGrad: {
    inputs: Named<"dy" | "query" | "key" | "value" | "context" | "logSumExp", "keyMask">;
    attrs: AttentionAttributes;
    outputs: [dQuery: TensorInfo, dKey: TensorInfo, dValue: TensorInfo];
  };
  /** `x / (1 - rate)` where the element's hash is at least `rate 2^32`, else 0. */
  AceDropout: { inputs: Named<"x">; attrs: DropoutAttributes; outputs: TensorInfo };
  /** The new parameter and moments. */
  AceAdamw: {
    inputs: Named<"param" | "grad" | "m" | "v">;
    attrs: AdamwAttributes;
    outputs: [param: TensorInfo, m: TensorInfo, v: TensorInfo];
  };
}

/** Kernels that a backend may leave to a composition of others. */
export interface ComposableKernels {
  /** AceLayerNorm with `x` itself as a fourth output, whose gradient is added on the way back. */
  AceLayerNormFork: {
    inputs: Named<"x" | "gain" | "bias">;
    attrs: { epsilon: number };
    outputs: [y: TensorInfo, mean: TensorInfo, rstd: TensorInfo, same: TensorInfo];
  };
  /** `x / max(|x|, 1e-12)` along the last axis. */
  AceL2Normalise: { inputs: Named<"x">; attrs: NoAttributes; outputs: TensorInfo };
  /** Its gradient. */
  AceL2NormaliseGrad: { inputs: Named<"dy" | "x">; attrs: NoAttributes; outputs: TensorInfo };
  /** Softmax over the k largest allowed entries of a row, 0 elsewhere, and their places; `allowed` may repeat. */
  AceTopKSoftmax: {
    inputs: Named<"scores", "allowed">;
    attrs: { k: number };
    outputs: [weights: TensorInfo, indices: TensorInfo];
  };
  /** The gradient of a softmax by its result, `w (dy - sum of w dy)`. */
  AceTopKSoftmaxGrad: { inputs: Named<"dy" | "weights">; attrs: NoAttributes; outputs: TensorInfo };
  /** `drop(x W' + b) + addend`. */
  AceLinear: { inputs: Named<"x" | "weight", "bias" | "addend">; attrs: DropoutAttributes; outputs: TensorInfo };
  /**
   * `gain (W * x) + bias + addend`, no number below 0 where `relu` is set. W `[out, kernel · kernel · in]`, gain and bias `[out]`;
   * zeros, `(kernel - 1) / 2` wide, round each image.
   */
  AceConv: { inputs: Named<"x" | "weight" | "gain" | "bias", "addend">; attrs: ConvAttributes; outputs: TensorInfo };
  /** `softmax(Q K' / sqrt(W/H) + bias) V` per head, bias `[G, H, N, N]`: sample b has that of `b mod G`. */
  AceBiasedAttention: { inputs: Named<"query" | "key" | "value" | "bias">; attrs: NoAttributes; outputs: TensorInfo };
  /** `x cos + swapped(x) sin`, tables `[N, D]`, the two of each pair swapped; `back`: minus. */
  AceRotate: { inputs: Named<"x" | "cos" | "sin">; attrs: { back: boolean }; outputs: TensorInfo };
  /** The largest of 3 x 3 pixels at every second place, or means of 2 x 2. */
  AcePool: { inputs: Named<"x">; attrs: PoolAttributes; outputs: TensorInfo };
  /**
   * `drop(f(x W1' + b1) W2' + b2) + addend`, and what the way back needs where `keep` is set: for a GELU f's argument, for
   * leaky ReLU its result.
   */
  AceMlp: {
    inputs: Named<"x" | "weight1" | "weight2", "bias1" | "bias2" | "addend">;
    attrs: MlpAttributes;
    outputs: [y: TensorInfo, ...kept: TensorInfo[]];
  };
  /** A transformer block with GELU, keyMask `[B, N]`: its tokens, or nothing where its layers are as fast one by one. No gradient. */
  AceBlock: {
    inputs: Named<"x" | `${"gain" | "offset"}${1 | 2}` | `${BlockLayer}Weight`, "keyMask" | `${BlockLayer}Bias`>;
    attrs: BlockAttributes;
    outputs: [tokens: TensorInfo] | [];
  };
  /** `(dy W2) f'(kept)`, the gradient of f's argument. */
  AceMlpGradHidden: { inputs: Named<"dy" | "weight2" | "kept">; attrs: MlpGradAttributes; outputs: TensorInfo };
  /** `(dy W2) f'(kept) W1`: the gradient of x alone, where the weights are frozen. */
  AceMlpGradX: { inputs: Named<"dy" | "weight1" | "weight2" | "kept">; attrs: MlpGradAttributes; outputs: TensorInfo };
  /** `dy W + addend`. */
  AceLinearGradX: { inputs: Named<"dy" | "weight" | "addend">; attrs: NoAttributes; outputs: TensorInfo };
  /** `dy' x` and the sums of dy over rows. */
  AceLinearGradParams: {
    inputs: Named<"dy" | "x">;
    attrs: NoAttributes;
    outputs: [dWeight: TensorInfo, dBias: TensorInfo];
  };
  /** The low-rank products `[rows, L R]`, or more a row where a backend keeps its masks there, then `x W_l' + b_l + scaling_l drop_l(x) A_l' B_l'` of each layer l. */
  AceLoraLinear: {
    inputs: Named<"x" | `weight${number}` | `loraA${number}` | `loraB${number}`, `bias${number}`>;
    attrs: LoraAttributes & { names: readonly string[] };
    outputs: [low: TensorInfo, ...results: TensorInfo[]];
  };
  /** The gradients of every A, then of every B, then of the low-rank products. */
  AceLoraLinearGrad: {
    inputs: Named<"x" | "low" | `dy${number}` | `loraA${number}` | `loraB${number}`>;
    attrs: LoraAttributes;
    outputs: TensorInfo[];
  };
  /** `sum over l of dy_l W_l + drop_l(dLow_l A_l)`. */
  AceLoraLinearGradX: {
    inputs: Named<"dLow" | "low" | `dy${number}` | `weight${number}` | `loraA${number}` | `loraB${number}`>;
    attrs: LoraAttributes;
    outputs: TensorInfo;
  };
  /** InfoNCE of products times a scale, and the logs of the sums of exponentials of rows, then columns. */
  AceInfoNce: {
    inputs: Named<"products" | "scale", "pairMask">;
    attrs: NoAttributes;
    outputs: [loss: TensorInfo, sums: TensorInfo];
  };
  /** Its gradients. */
  AceInfoNceGrad: {
    inputs: Named<"dy" | "products" | "scale" | "sums", "pairMask">;
    attrs: NoAttributes;
    outputs: [dProducts: TensorInfo, dScale: TensorInfo];
  };
  /**
   * The k + 1 hyperedges of the first token and its share in each; for the way back each member's place and its nearest's,
   * `[B, k, k + 1]`, and the member's weight, its nearest's and their cosines, `[B, k, 2 k + 1]`.
   */
  AceHyperedges: {
    inputs: Named<"tokens" | "affinity">;
    attrs: { k: number };
    outputs: [edges: TensorInfo, incoming: TensorInfo, places: TensorInfo, shares: TensorInfo];
  };
  /** Their gradients. */
  AceHyperedgesGrad: {
    inputs: Named<"dEdges" | "dIncoming" | "tokens" | "places" | "shares">;
    attrs: { k: number };
    outputs: [dTokens: TensorInfo, dAffinity: TensorInfo];
  };
  /**
   * `sum over i of w_i (f(x_i W1' + b1) W2' + b2)` of each sample, f a leaky ReLU of slope 0.2, x `[B, K, E]` and w `[B, K, 1]`, or x
   * `[B, E]` without w; and what f gives, for the way back.
   */
  AceMessages: {
    inputs: Named<"x" | "weight1" | "bias1" | "weight2" | "bias2", "incoming">;
    attrs: NoAttributes;
    outputs: [y: TensorInfo, hidden: TensorInfo];
  };
  /** The gradients of f's argument and of w; and `sum over i of w_i hidden_i`, with the sum of w behind it. */
  AceMessagesGrad: {
    inputs: Named<"dy" | "hidden" | "incoming" | "weight2" | "bias2">;
    attrs: NoAttributes;
    outputs: [dHidden: TensorInfo, dIncoming: TensorInfo, between: TensorInfo];
  };
  /** The gradients of both layers; `between` is AceMessagesGrad's, or hidden where there is no w. */
  AceMessagesGradParams: {
    inputs: Named<"dy" | "between" | "dHidden" | "x">;
    attrs: NoAttributes;
    outputs: [dWeight1: TensorInfo, dBias1: TensorInfo, dWeight2: TensorInfo, dBias2: TensorInfo];
  };
  /**
   * The mean over heads of `scale q_0 k_n`, or of its softmax over n, for n from `from` on, `[B, N - from]`; and the
   * probabilities, `[B, heads, N]`, or nothing without a softmax. A key that the mask leaves out has a score 1e9 lower.
   */
  AceAffinity: {
    inputs: Named<"query" | "key", "keyMask">;
    attrs: AffinityAttributes;
    outputs: [affinity: TensorInfo, probabilities: TensorInfo];
  };
  /** Its gradients. */
  AceAffinityGrad: {
    inputs: Named<"dy" | "query" | "key" | "probabilities">;
    attrs: AffinityAttributes;
    outputs: [dQuery: TensorInfo, dKey: TensorInfo];
  };
  /** The numbers rounded to float16, at two bytes each in memory; products widen what they read of them. */
  AceNarrow: { inputs: Named<"x">; attrs: NoAttributes; outputs: TensorInfo };
  /** All inputs one after the other; the length may be rounded up. */
  AcePack: { inputs: Named<`part${number}`>; attrs: NoAttributes; outputs: TensorInfo };
  /** The reverse. */
  AceUnpack: { inputs: Named<"flat">; attrs: { shapes: readonly (readonly number[])[] }; outputs: TensorInfo[] };
}

/** Kernels of tf.js that some backend of ours replaces. Each gets tf.js's own for the calls it does not take. */
export interface ReplacedKernels {
  /** `A B`, batch axes broadcast. */
  BatchMatMul: { inputs: Named<"a" | "b">; attrs: tf.BatchMatMulAttrs; outputs: TensorInfo };
  /** `activation(A B + bias)`. */
  _FusedMatMul: {
    inputs: Named<"a" | "b", "bias" | "preluActivationWeights">;
    attrs: Pick<tf._FusedMatMulAttrs, "transposeA" | "transposeB" | "activation"> & { leakyreluAlpha?: number };
    outputs: TensorInfo;
  };
  /** `a + b`, broadcast. */
  Add: { inputs: Named<"a" | "b">; attrs: NoAttributes; outputs: TensorInfo };
  /** A tensor as another type. */
  Cast: { inputs: Named<"x">; attrs: Pick<tf.CastAttrs, "dtype">; outputs: TensorInfo };
  /** A clone. */
  Identity: { inputs: Named<"x">; attrs: NoAttributes; outputs: TensorInfo };
  /** A part of a tensor. */
  Slice: { inputs: Named<"x">; attrs: { begin: number[]; size: number[] }; outputs: TensorInfo };
  /** Parts along one axis. */
  SplitV: { inputs: Named<"x">; attrs: tf.SplitVAttrs; outputs: TensorInfo[] };
  /** A tensor with a constant round it. */
  PadV2: { inputs: Named<"x">; attrs: tf.PadV2Attrs; outputs: TensorInfo };
  /** A tensor repeated. */
  Tile: { inputs: Named<"x">; attrs: tf.TileAttrs; outputs: TensorInfo };
  /** Slices of a tensor by index. */
  GatherV2: { inputs: Named<"x" | "indices">; attrs: tf.GatherV2Attrs; outputs: TensorInfo };
  /** The k largest of each row and their places. */
  TopK: { inputs: Named<"x">; attrs: tf.TopKAttrs; outputs: [values: TensorInfo, indices: TensorInfo] };
  /** `x`, or `alpha x` where it is negative. */
  LeakyRelu: { inputs: Named<"x">; attrs: tf.LeakyReluAttrs; outputs: TensorInfo };
}

/** Every kernel's inputs, numbers and outputs. */
export interface Contracts extends OwnKernels, ComposableKernels, ReplacedKernels {}

/** A kernel's name. */
export type KernelName = keyof Contracts;

/** The name of a kernel that tf.js does not have. */
export type FusedName = keyof OwnKernels | keyof ComposableKernels;

/** What tf.js hands to a kernel of a backend. */
export interface KernelCall<Name extends KernelName, Backend> {
  /** Tensors by name, borrowed. */
  inputs: Contracts[Name]["inputs"];
  /** Numbers and flags. */
  attrs: Contracts[Name]["attrs"];
  /** The backend that owns the tensors. */
  backend: Backend;
}

/** What a kernel returns: tensors that nobody owns yet. */
export type KernelResult<Name extends KernelName> = Contracts[Name]["outputs"];

/** A kernel of one backend. */
export type Kernel<Name extends KernelName, Backend> = (call: KernelCall<Name, Backend>) => KernelResult<Name>;

/** A kernel in the place of tf.js's, which it may call. */
export type Replacement<Name extends keyof ReplacedKernels, Backend> = (
  call: KernelCall<Name, Backend>,
  tfjs: Kernel<Name, Backend>,
) => KernelResult<Name>;

/** All kernels of one backend. */
export type Kernels<Backend> =
  & { readonly [Name in keyof OwnKernels]: Kernel<Name, Backend> }
  & { readonly [Name in keyof ComposableKernels]: Kernel<Name, Backend> | typeof COMPOSED }
  & { readonly [Name in keyof ReplacedKernels]: Replacement<Name, Backend> | typeof TFJS };
