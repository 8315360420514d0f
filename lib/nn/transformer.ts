/** Transformer blocks: pre-norm (ViT, CLIP) and post-norm (BERT). @module */
import * as tf from "@tensorflow/tfjs";
import { fusedBlock } from "../tensor/kernels/block/api.ts";
import type { DropoutOptions } from "../tensor/kernels/dropout/api.ts";
import { tidy } from "../tensor/ops.ts";
import { namedTensors } from "../tensor/params.ts";
import { deriveSeed } from "../tensor/random.ts";
import { ofRank } from "../tensor/shape.ts";
import { add, mul } from "../tensor/typed.ts";
import type { Tensor, Tensor1D, Tensor2D, Tensor3D, Tensor4D } from "../tensor/types.ts";
import { type AffinityKind, type AttentionParams, selfAttention, type SelfAttentionOptions } from "./attention.ts";
import { bottleneck, type BottleneckParams } from "./bottleneck.ts";
import { dropExtra, extendMasks, insertAfterFirst } from "./extra_tokens.ts";
import { layerNorm, layerNormFork, type LayerNormParams } from "./layer_norm.ts";
import { type Activation, mlp, type MlpParams } from "./mlp.ts";
import { tokenAt } from "./read_token.ts";
import { recomputed } from "./recompute.ts";
import { extendRotary, type RotaryTable } from "./rotary.ts";
import type { Windows } from "./windows.ts";

/** Weights of one block. */
export interface BlockParams {
  /** Before the attention (pre-norm), or after its residual (post-norm). */
  norm1: LayerNormParams;
  /** Self-attention. */
  attention: AttentionParams;
  /** Before the feed-forward part (pre-norm), or after its residual (post-norm). */
  norm2: LayerNormParams;
  /** Feed-forward part. */
  mlp: MlpParams;
  /** LayerScale: factor of what the attention adds, `[D]`. @default {none} */
  scale1?: Tensor1D;
  /** Likewise of what the feed-forward part adds. @default {none} */
  scale2?: Tensor1D;
  /** Bottleneck adapter after the feed-forward part, before its residual. @default {none} */
  adapter?: BottleneckParams;
  /** Learned tokens that stand after token 0 in this block alone, `[P, D]`; their outputs are dropped. @default {none} */
  prompts?: Tensor2D;
}

/** Options of {@linkcode transformer}. */
export interface TransformerOptions {
  /** Number of heads. */
  heads: number;
  /** LayerNorm epsilon. */
  epsilon: number;
  /** `pre`: `x + f(norm(x))`; `post`: `norm(x + f(x))`. */
  order: "pre" | "post";
  /** 1 for a real token, 0 for a pad; shape `[B, N]`. @default {all real} */
  keyMask?: Tensor2D;
  /** Each token sees only itself and those before it. @default {false} */
  causal?: boolean;
  /** Of the feed-forward parts. @default {"gelu"} */
  activation?: Activation;
  /** Which attention of the last block's query of token 0 (or of `read`) to return. @default {none} */
  affinity?: AffinityKind;
  /** Return token 0 (or `read`) only: the last block then computes just that row. @default {false} */
  clsOnly?: boolean;
  /** 1 at the token of each sample that `affinity` and `clsOnly` mean, else 0; shape `[B, N]`. @default {token 0} */
  read?: Tensor2D;
  /** Factor of the last block's attention probabilities, `[B, H, N, N]`, for their gradient. @default {none} */
  gate?: Tensor4D;
  /** Turns queries and keys by their tokens' places. @default {they are as they are} */
  rotary?: RotaryTable;
  /** The samples are the windows of a map, whose `relativeBias` is added to the scores; no masks then. @default {they are not} */
  windows?: Windows;
  /** Dropout after the feed-forward part, and after attention parts without LoRA, while training. @default {0} */
  hiddenDropout?: number;
  /** Dropout of the attention probabilities, in attention parts without LoRA, while training. @default {0} */
  attentionDropout?: number;
  /** Seed of the dropout masks; without it the blocks are in evaluation mode. */
  seed?: number;
  /**
   * Compute the inside of each block again for its gradient instead of keeping it: the tensors whose gradients are wanted.
   * Less memory for one more forward pass; the numbers are the same. @default {keep everything}
   */
  recompute?: ReadonlySet<Tensor>;
}

/** What {@linkcode transformer} returns. */
export interface TransformerResult {
  /** Shape `[B, N, D]`, or `[B, 1, D]` with `clsOnly`. */
  tokens: Tensor3D;
  /** Shape `[B, N - 1]`, or `[B, N]` with `read`, when asked for. */
  affinity?: Tensor2D;
}

/**
 * Runs the blocks in order.
 *
 * @param blocks Weights, first block first.
 * @param x Shape `[B, N, D]`.
 * @returns Tokens and affinity. The caller disposes both.
 */
export function transformer(
  blocks: readonly BlockParams[],
  x: Tensor3D,
  options: TransformerOptions,
): TransformerResult {
  const { affinity, clsOnly, read, gate, seed, recompute, ...shared } = options;
  const ofLast = {
    ...(affinity ? { affinity } : {}),
    ...(clsOnly ? { clsOnly } : {}),
    ...(read ? { read } : {}),
    ...(gate ? { gate } : {}),
  };
  return tidy(() => {
    let state: TransformerResult = { tokens: x };
    blocks.forEach((block, i) => {
      const blockOptions: TransformerOptions = {
        ...shared,
        ...(seed === undefined ? {} : { seed: deriveSeed(seed, `block ${i}`) }),
        ...(i === blocks.length - 1 ? ofLast : {}),
      };
      // The block with the affinity has two results; it alone keeps its inside.
      state = recompute !== undefined && blockOptions.affinity === undefined
        ? { tokens: recomputedBlock(block, state.tokens, blockOptions, recompute) }
        : transformerBlock(block, state.tokens, blockOptions);
    });
    return state;
  });
}

function recomputedBlock(
  block: BlockParams,
  x: Tensor3D,
  options: TransformerOptions,
  wanted: ReadonlySet<Tensor>,
): Tensor3D {
  const { keyMask, read, rotary } = options;
  const held = Object.entries({ keyMask, read, cos: rotary?.cos, sin: rotary?.sin }).flatMap(([name, tensor]) =>
    tensor ? [{ name, tensor }] : []
  );
  return recomputed<Tensor3D>({
    x,
    constants: held.map(({ tensor }) => tensor),
    leaves: [...namedTensors(block).values()].filter((leaf) => wanted.has(leaf)),
    f: (input, constants) => {
      const { cos, sin, ...masks } = Object.fromEntries(held.map(({ name }, i) => [name, constants[i]]));
      const turned = cos && sin ? { rotary: { cos: ofRank(cos, 2, "cos"), sin: ofRank(sin, 2, "sin") } } : {};
      return transformerBlock(block, input, { ...options, ...masks, ...turned }).tokens;
    },
  });
}

/**
 * Runs one block.
 *
 * @param params Weights.
 * @param x Shape `[B, N, D]`.
 * @returns Tokens and affinity. The caller disposes both.
 */
export function transformerBlock(params: BlockParams, x: Tensor3D, options: TransformerOptions): TransformerResult {
  const { order, epsilon, activation = "gelu", clsOnly, read, hiddenDropout = 0, attentionDropout = 0, seed } = options;
  const dropped = (name: string, rate = hiddenDropout): DropoutOptions | undefined =>
    seed === undefined || rate === 0 ? undefined : { rate, seed: deriveSeed(seed, name) };
  if (params.prompts) return promptedBlock(params, x, options);
  // `residual + drop(mlp(y))`, or with a factor and a bottleneck between the two.
  const feed = (y: Tensor3D, residual: Tensor3D): Tensor3D => {
    const drop = dropped("mlp");
    const mlpOptions = { activation, epsilon, ...(drop ? { drop } : {}) };
    const { adapter, scale2 } = params;
    if (!adapter && !scale2) return mlp(params.mlp, y, { ...mlpOptions, addend: residual });
    const plain = mlp(params.mlp, y, mlpOptions);
    const scaled = scale2 ? mul(plain, scale2) : plain;
    return tf.add(residual, adapter ? bottleneck(adapter, scaled) : scaled);
  };
  const finish = (attended: Tensor3D): Tensor3D => {
    if (order === "pre") {
      const { normed, x: passed } = layerNormFork(params.norm2, attended, epsilon);
      return feed(normed, passed);
    }
    const normed = layerNorm(params.norm1, attended, epsilon);
    return layerNorm(params.norm2, feed(normed, normed), epsilon);
  };
  const whole = frozenBlock(params, x, options);
  if (whole) return { tokens: whole };
  return tidy(() => {
    const { normed: input, x: kept } = order === "pre" ? layerNormFork(params.norm1, x, epsilon) : { normed: x, x };
    const residual = clsOnly ? tokenAt(kept, read) : kept;
    // The released layers with LoRA replace the whole attention module, and with it its dropout.
    const own = !carriesLora(params.attention);
    const outputDrop = own ? dropped("attention") : undefined;
    const probabilityDrop = own ? dropped("probabilities", attentionDropout) : undefined;
    const attentionOptions: SelfAttentionOptions = {
      ...options,
      ...(params.scale1 ? {} : { residual }),
      ...(outputDrop ? { outputDrop } : {}),
      ...(probabilityDrop ? { probabilityDrop } : {}),
    };
    const { output, affinity } = selfAttention(params.attention, input, attentionOptions);
    const attended = params.scale1 ? add(residual, mul(output, params.scale1)) : output;
    const tokens = finish(attended);
    return affinity ? { tokens, affinity } : { tokens };
  });
}

/**
 * The tokens that the block makes of `x`, to the bit those of its layers one by one; undefined where they are to be computed so. What the
 * kernel has is listed here, so that whatever a block may have besides, now or later, is left to the layers.
 *
 * @param x Shape `[B, N, D]`.
 * @returns Shape of `x`. The caller disposes it.
 */
function frozenBlock(params: BlockParams, x: Tensor3D, options: TransformerOptions): Tensor3D | undefined {
  const { heads, epsilon, order, keyMask, causal = false, activation = "gelu", ...others } = options;
  const { read: _read, recompute: _recompute, seed, hiddenDropout = 0, attentionDropout = 0, ...asked } = others;
  const isDropped = seed !== undefined && (hiddenDropout > 0 || attentionDropout > 0);
  if (activation !== "gelu" || isDropped || Object.values(asked).some(Boolean)) return undefined;
  const { norm1, attention: { query, key, value, output, ...ofAttention }, norm2, mlp, ...ofBlock } = params;
  const { fc1, fc2, ...ofMlp } = mlp;
  const layers = { query, key, value, output, fc1, fc2 };
  const parts = [ofAttention, ofBlock, ofMlp].flatMap((part) => Object.values(part));
  const isFrozen = Object.values(layers).every(({ weight: _weight, bias: _bias, ...more }) =>
    Object.values(more).every((part) => part === undefined)
  );
  if (!isFrozen || parts.some((part) => part !== undefined)) return undefined;
  return fusedBlock(x, { norm1, norm2, layers }, {
    ...{ heads, epsilon, order, causal },
    ...(keyMask ? { keyMask } : {}),
  });
}

/** Puts the block's prompts in, runs it, and takes what became of them out: deep prompts, replaced in every block. */
function promptedBlock(params: BlockParams, x: Tensor3D, options: TransformerOptions): TransformerResult {
  const { prompts, ...block } = params;
  return tidy(() => {
    const masks = extendMasks(options, prompts!.shape[0]);
    const rotary = options.rotary ? { rotary: extendRotary(options.rotary, prompts!.shape[0]) } : {};
    const result = transformerBlock(block, insertAfterFirst(x, prompts!), { ...options, ...masks, ...rotary });
    return dropExtra(result, prompts!.shape[0], options);
  });
}

/** Whether any projection of the attention layer carries LoRA, or what stands in its place. */
function carriesLora(params: AttentionParams): boolean {
  return [params.query, params.key, params.value, params.output].some(({ update }) => update?.method.replacesDropout);
}
