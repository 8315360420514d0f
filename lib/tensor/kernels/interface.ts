/**
 * The one interface of the kernels. Each backend has one table (cpu/kernels.ts, wasm/kernels.ts, webgpu/kernels.ts) that
 * `satisfies` {@linkcode Kernels}: a kernel that is missing, or has other inputs or outputs, is a type error. Where a backend
 * has no kernel of its own the table says so: {@linkcode COMPOSED} or {@linkcode TFJS}.
 *
 * @module
 */
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
import type { Info1D, Info2D, Info3D, Info4D, InfoOf, Named, Optional, ShapedAs, TensorInfo } from "./info.ts";
import type { ReplacedKernels } from "./replaced.ts";

/** The backend has no kernel of its own: api.ts, or for linear layers lib/nn/linear.ts, takes the steps one by one. */
export const COMPOSED = "composed";

/** The backend keeps tf.js's own kernel. */
export const TFJS = "tfjs";

/** Kernels that every backend has. */
export interface OwnKernels {
  /** `y = (x - mean) rstd gain + bias` over the last axis; also mean and rstd `[rows]`. */
  AceLayerNorm: {
    inputs: Named<"x"> & Named<"gain" | "bias", Info1D>;
    attrs: { epsilon: number };
    outputs: [y: ShapedAs<"x">, mean: Info1D, rstd: Info1D];
  };
  /** `dx = rstd (g - mean(g) - n mean(g n)) + addend` with `g = dy gain`, n the normalised x; addend with a fork only. */
  AceLayerNormGradX: {
    inputs: Named<"dy" | "x"> & Named<"gain" | "mean" | "rstd", Info1D> & Optional<"addend">;
    attrs: NoAttributes;
    outputs: ShapedAs<"x">;
  };
  /** `dGain = sum over rows of dy n`, `dBias = sum of dy`. */
  AceLayerNormGradParams: {
    inputs: Named<"dy" | "x"> & Named<"mean" | "rstd", Info1D>;
    attrs: NoAttributes;
    outputs: [dGain: Info1D, dBias: Info1D];
  };
  /** `x (1 + erf(x / sqrt(2))) / 2`. */
  AceGelu: { inputs: Named<"x">; attrs: NoAttributes; outputs: ShapedAs<"x"> };
  /** `dy (P(Z < x) + x density(x))` of the standard normal. */
  AceGeluGrad: { inputs: Named<"dy" | "x">; attrs: NoAttributes; outputs: ShapedAs<"x"> };
  /** Context `[B, M, W]` and the log of each row's sum of exponentials, `[B, heads, M]`. */
  AceAttention: {
    inputs: Named<"query" | "key" | "value", Info3D> & Optional<"keyMask", Info2D>;
    attrs: AttentionAttributes;
    outputs: [context: Info3D, logSumExp: Info3D];
  };
  /** A masked score is a constant: it has no gradient. */
  AceAttentionGrad: {
    inputs: Named<"dy" | "query" | "key" | "value" | "context" | "logSumExp", Info3D> & Optional<"keyMask", Info2D>;
    attrs: AttentionAttributes;
    outputs: [dQuery: Info3D, dKey: Info3D, dValue: Info3D];
  };
  /** `x / (1 - rate)` where the element's hash is at least `rate 2^32`, else 0. */
  AceDropout: { inputs: Named<"x">; attrs: DropoutAttributes; outputs: ShapedAs<"x"> };
  /** The new parameter and moments. */
  AceAdamw: {
    inputs: Named<"param" | "grad" | "m" | "v">;
    attrs: AdamwAttributes;
    outputs: [param: ShapedAs<"param">, m: ShapedAs<"param">, v: ShapedAs<"param">];
  };
}

/** Kernels that a backend may leave to a composition of others. */
export interface ComposableKernels {
  /** AceLayerNorm with `x` itself as a fourth output, whose gradient is added on the way back. */
  AceLayerNormFork: {
    inputs: Named<"x"> & Named<"gain" | "bias", Info1D>;
    attrs: { epsilon: number };
    outputs: [y: ShapedAs<"x">, mean: Info1D, rstd: Info1D, same: ShapedAs<"x">];
  };
  /** `x / max(|x|, 1e-12)` along the last axis. */
  AceL2Normalise: { inputs: Named<"x">; attrs: NoAttributes; outputs: ShapedAs<"x"> };
  /** Its gradient. */
  AceL2NormaliseGrad: { inputs: Named<"dy" | "x">; attrs: NoAttributes; outputs: ShapedAs<"x"> };
  /** Softmax over the k largest allowed entries of a row, 0 elsewhere, and their places; `allowed` may repeat. */
  AceTopKSoftmax: {
    inputs: Named<"scores"> & Optional<"allowed">;
    attrs: { k: number };
    outputs: [weights: ShapedAs<"scores">, indices: TensorInfo];
  };
  /** The gradient of a softmax by its result, `w (dy - sum of w dy)`. */
  AceTopKSoftmaxGrad: { inputs: Named<"dy" | "weights">; attrs: NoAttributes; outputs: ShapedAs<"weights"> };
  /** `drop(x W' + b) + addend`. */
  AceLinear: {
    inputs: Named<"x" | "weight", Info2D> & Optional<"bias", Info1D> & Optional<"addend", Info2D>;
    attrs: DropoutAttributes;
    outputs: Info2D;
  };
  /**
   * `gain (W * x) + bias + addend`, no number below 0 where `relu` is set. W `[out, kernel · kernel · in]`, gain and bias `[out]`;
   * zeros, `(kernel - 1) / 2` wide, round each image.
   */
  AceConv: {
    inputs: Named<"x", Info4D> & Named<"weight", Info2D> & Named<"gain" | "bias", Info1D> & Optional<"addend", Info4D>;
    attrs: ConvAttributes;
    outputs: Info4D;
  };
  /** `softmax(Q K' / sqrt(W/H) + bias) V` per head, bias `[G, H, N, N]`: sample b has that of `b mod G`. */
  AceBiasedAttention: {
    inputs: Named<"query" | "key" | "value", Info3D> & Named<"bias", Info4D>;
    attrs: NoAttributes;
    outputs: Info3D;
  };
  /** `x cos + swapped(x) sin`, tables `[N, D]`, the two of each pair swapped; `back`: minus. */
  AceRotate: { inputs: Named<"x", Info3D> & Named<"cos" | "sin", Info2D>; attrs: { back: boolean }; outputs: Info3D };
  /** The largest of 3 x 3 pixels at every second place, or means of 2 x 2. */
  AcePool: { inputs: Named<"x", Info4D>; attrs: PoolAttributes; outputs: Info4D };
  /**
   * `drop(f(x W1' + b1) W2' + b2) + addend`, and what the way back needs where `keep` is set: for a GELU f's argument, for
   * leaky ReLU its result.
   */
  AceMlp: {
    inputs:
      & Named<"x" | "weight1" | "weight2", Info2D>
      & Optional<"bias1" | "bias2", Info1D>
      & Optional<"addend", Info2D>;
    attrs: MlpAttributes;
    outputs: [y: Info2D, ...kept: Info2D[]];
  };
  /** A transformer block with GELU, keyMask `[B, N]`: its tokens, or nothing where its layers are as fast one by one. No gradient. */
  AceBlock: {
    inputs:
      & Named<"x", Info3D>
      & Named<`${"gain" | "offset"}${1 | 2}`, Info1D>
      & Named<`${BlockLayer}Weight`, Info2D>
      & Optional<`${BlockLayer}Bias`, Info1D>
      & Optional<"keyMask", Info2D>;
    attrs: BlockAttributes;
    outputs: [tokens: Info3D] | [];
  };
  /** `(dy W2) f'(kept)`, the gradient of f's argument. */
  AceMlpGradHidden: { inputs: Named<"dy" | "weight2" | "kept", Info2D>; attrs: MlpGradAttributes; outputs: Info2D };
  /** `(dy W2) f'(kept) W1`: the gradient of x alone, where the weights are frozen. */
  AceMlpGradX: {
    inputs: Named<"dy" | "weight1" | "weight2" | "kept", Info2D>;
    attrs: MlpGradAttributes;
    outputs: Info2D;
  };
  /** `dy W + addend`. */
  AceLinearGradX: { inputs: Named<"dy" | "weight" | "addend", Info2D>; attrs: NoAttributes; outputs: Info2D };
  /** `dy' x` and the sums of dy over rows. */
  AceLinearGradParams: {
    inputs: Named<"dy" | "x", Info2D>;
    attrs: NoAttributes;
    outputs: [dWeight: Info2D, dBias: Info1D];
  };
  /** The low-rank products `[rows, L R]`, or more a row where a backend keeps its masks there, then `x W_l' + b_l + scaling_l drop_l(x) A_l' B_l'` of each layer l. */
  AceLoraLinear: {
    inputs:
      & Named<"x" | `weight${number}` | `loraA${number}` | `loraB${number}`, Info2D>
      & Optional<`bias${number}`, Info1D>;
    attrs: LoraAttributes & { names: readonly string[] };
    outputs: [low: Info2D, ...results: Info2D[]];
  };
  /** The gradients of every A, then of every B, then of the low-rank products. */
  AceLoraLinearGrad: {
    inputs: Named<"x" | "low" | `dy${number}` | `loraA${number}` | `loraB${number}`, Info2D>;
    attrs: LoraAttributes;
    outputs: Info2D[];
  };
  /** `sum over l of dy_l W_l + drop_l(dLow_l A_l)`. */
  AceLoraLinearGradX: {
    inputs: Named<"dLow" | "low" | `dy${number}` | `weight${number}` | `loraA${number}` | `loraB${number}`, Info2D>;
    attrs: LoraAttributes;
    outputs: Info2D;
  };
  /** InfoNCE of products times a scale, and the logs of the sums of exponentials of rows, then columns. */
  AceInfoNce: {
    inputs: Named<"products", Info2D> & Named<"scale"> & Optional<"pairMask", Info2D>;
    attrs: NoAttributes;
    outputs: [loss: InfoOf<[]>, sums: Info1D];
  };
  /** Its gradients. */
  AceInfoNceGrad: {
    inputs: Named<"dy" | "scale"> & Named<"products", Info2D> & Named<"sums", Info1D> & Optional<"pairMask", Info2D>;
    attrs: NoAttributes;
    outputs: [dProducts: Info2D, dScale: InfoOf<[]>];
  };
  /**
   * The k + 1 hyperedges of the first token and its share in each; for the way back each member's place and its nearest's,
   * `[B, k, k + 1]`, and the member's weight, its nearest's and their cosines, `[B, k, 2 k + 1]`.
   */
  AceHyperedges: {
    inputs: Named<"tokens", Info3D> & Named<"affinity", Info2D>;
    attrs: { k: number };
    outputs: [edges: Info3D, incoming: Info3D, places: Info3D, shares: Info3D];
  };
  /** Their gradients. */
  AceHyperedgesGrad: {
    inputs: Named<"dEdges" | "dIncoming" | "tokens" | "places" | "shares", Info3D>;
    attrs: { k: number };
    outputs: [dTokens: Info3D, dAffinity: Info2D];
  };
  /**
   * `sum over i of w_i (f(x_i W1' + b1) W2' + b2)` of each sample, f a leaky ReLU of slope 0.2, x `[B, K, E]` and w `[B, K, 1]`, or x
   * `[B, E]` without w; and what f gives, for the way back.
   */
  AceMessages: {
    inputs:
      & Named<"x", Info2D | Info3D>
      & Named<"weight1" | "weight2", Info2D>
      & Named<"bias1" | "bias2", Info1D>
      & Optional<"incoming", Info3D>;
    attrs: NoAttributes;
    outputs: [y: Info2D, hidden: Info2D | Info3D];
  };
  /** The gradients of f's argument and of w; and `sum over i of w_i hidden_i`, with the sum of w behind it. */
  AceMessagesGrad: {
    inputs: Named<"dy" | "weight2", Info2D> & Named<"hidden" | "incoming", Info3D> & Named<"bias2", Info1D>;
    attrs: NoAttributes;
    outputs: [dHidden: Info3D, dIncoming: Info3D, between: Info2D];
  };
  /** The gradients of both layers; `between` is AceMessagesGrad's, or hidden where there is no w. */
  AceMessagesGradParams: {
    inputs: Named<"dy" | "between", Info2D> & Named<"dHidden" | "x", Info2D | Info3D>;
    attrs: NoAttributes;
    outputs: [dWeight1: Info2D, dBias1: Info1D, dWeight2: Info2D, dBias2: Info1D];
  };
  /**
   * The mean over heads of `scale q_0 k_n`, or of its softmax over n, for n from `from` on, `[B, N - from]`; and the
   * probabilities, `[B, heads, N]`, or nothing without a softmax. A key that the mask leaves out has a score 1e9 lower.
   */
  AceAffinity: {
    inputs: Named<"query" | "key", Info3D> & Optional<"keyMask", Info2D>;
    attrs: AffinityAttributes;
    outputs: [affinity: Info2D, probabilities: TensorInfo];
  };
  /** Its gradients. */
  AceAffinityGrad: {
    inputs: Named<"dy", Info2D> & Named<"query" | "key", Info3D> & Named<"probabilities">;
    attrs: AffinityAttributes;
    outputs: [dQuery: Info3D, dKey: Info3D];
  };
  /** The numbers rounded to float16, at two bytes each in memory; products widen what they read of them. */
  AceNarrow: { inputs: Named<"x">; attrs: NoAttributes; outputs: ShapedAs<"x"> };
  /** All inputs one after the other; the length may be rounded up. */
  AcePack: { inputs: Named<`part${number}`>; attrs: NoAttributes; outputs: Info1D };
  /** The reverse. */
  AceUnpack: {
    inputs: Named<"flat", Info1D>;
    attrs: { shapes: readonly (readonly number[])[] };
    outputs: TensorInfo[];
  };
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
