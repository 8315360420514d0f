/** Transformer blocks: pre-norm (ViT) and post-norm (BERT). @module */
import * as tf from "@tensorflow/tfjs";
import type { DropoutOptions } from "../tensor/kernels/dropout/api.ts";
import { tidy } from "../tensor/ops.ts";
import { namedTensors } from "../tensor/params.ts";
import { deriveSeed } from "../tensor/random.ts";
import type { Tensor, Tensor2D, Tensor3D } from "../tensor/types.ts";
import { type AttentionParams, selfAttention, type SelfAttentionOptions } from "./attention.ts";
import { bottleneck, type BottleneckParams } from "./bottleneck.ts";
import { dropAfterFirst, dropFirstColumns, extendMask, insertAfterFirst } from "./extra_tokens.ts";
import { layerNorm, layerNormFork, type LayerNormParams } from "./layer_norm.ts";
import { type Activation, mlp, type MlpParams } from "./mlp.ts";
import { recomputed } from "./recompute.ts";

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
  /** Which attention of the last block's CLS query to return. @default {none} */
  affinity?: "logits" | "probabilities";
  /** Return token 0 only: the last block then computes just that row. @default {false} */
  clsOnly?: boolean;
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
  /** Shape `[B, N - 1]`, when asked for. */
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
  const { affinity: kind, clsOnly = false, seed } = options;
  return tidy(() => {
    let state: TransformerResult = { tokens: x };
    blocks.forEach((block, i) => {
      const last = i === blocks.length - 1;
      const how = {
        ...without(options),
        ...(seed === undefined ? {} : { seed: deriveSeed(seed, `block ${i}`) }),
        ...(last && kind ? { affinity: kind } : {}),
        ...(last && clsOnly ? { clsOnly } : {}),
      };
      // The block with the affinity has two results; it alone keeps its inside.
      const again = options.recompute !== undefined && how.affinity === undefined;
      state = again
        ? { tokens: recomputedBlock(block, state.tokens, how, options.recompute!) }
        : transformerBlock(block, state.tokens, how);
    });
    return state;
  });
}

function without(options: TransformerOptions): TransformerOptions {
  const { affinity: _affinity, clsOnly: _clsOnly, seed: _seed, recompute: _recompute, ...rest } = options;
  return rest;
}

function recomputedBlock(
  block: BlockParams,
  x: Tensor3D,
  options: TransformerOptions,
  wanted: ReadonlySet<Tensor>,
): Tensor3D {
  const { keyMask } = options;
  return recomputed<Tensor3D>({
    x,
    constants: keyMask ? [keyMask] : [],
    leaves: [...namedTensors(block).values()].filter((leaf) => wanted.has(leaf)),
    f: (input, [mask]) =>
      transformerBlock(block, input, { ...options, ...(mask ? { keyMask: mask as Tensor2D } : {}) }).tokens,
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
  const { order, epsilon, activation = "gelu", clsOnly = false, hiddenDropout = 0, attentionDropout = 0, seed } =
    options;
  const dropped = (name: string, rate = hiddenDropout): DropoutOptions | undefined =>
    seed === undefined || rate === 0 ? undefined : { rate, seed: deriveSeed(seed, name) };
  if (params.prompts) return promptedBlock(params, x, options);
  // `residual + drop(mlp(y))`, or with a bottleneck between the two.
  const feed = (y: Tensor3D, residual: Tensor3D): Tensor3D => {
    const drop = dropped("mlp");
    const how = { activation, ...(drop ? { drop } : {}) };
    if (!params.adapter) return mlp(params.mlp, y, { ...how, addend: residual });
    return tf.add(residual, bottleneck(params.adapter, mlp(params.mlp, y, how)));
  };
  const finish = (attended: Tensor3D): Tensor3D => {
    if (order === "pre") {
      const { normed, x: passed } = layerNormFork(params.norm2, attended, epsilon);
      return feed(normed, passed);
    }
    const normed = layerNorm(params.norm1, attended, epsilon);
    return layerNorm(params.norm2, feed(normed, normed), epsilon);
  };
  return tidy(() => {
    const { normed: input, x: kept } = order === "pre" ? layerNormFork(params.norm1, x, epsilon) : { normed: x, x };
    const residual = clsOnly ? tf.slice(kept, [0, 0, 0], [x.shape[0], 1, x.shape[2]]) : kept;
    // The released layers with LoRA replace the whole attention module, and with it its dropout.
    const own = !carriesLora(params.attention);
    const outputDrop = own ? dropped("attention") : undefined;
    const probabilityDrop = own ? dropped("probabilities", attentionDropout) : undefined;
    const attentionOptions: SelfAttentionOptions = {
      ...options,
      residual,
      ...(outputDrop ? { outputDrop } : {}),
      ...(probabilityDrop ? { probabilityDrop } : {}),
    };
    const { output: attended, affinity } = selfAttention(params.attention, input, attentionOptions);
    const tokens = finish(attended);
    return affinity ? { tokens, affinity } : { tokens };
  });
}

/** Puts the block's prompts in, runs it, and takes what became of them out: deep prompts, replaced in every block. */
function promptedBlock(params: BlockParams, x: Tensor3D, options: TransformerOptions): TransformerResult {
  const { prompts, ...block } = params;
  const count = prompts!.shape[0];
  return tidy(() => {
    const keyMask = options.keyMask && extendMask(options.keyMask, count);
    const result = transformerBlock(block, insertAfterFirst(x, prompts!), {
      ...options,
      ...(keyMask ? { keyMask } : {}),
    });
    const tokens = options.clsOnly ? result.tokens : dropAfterFirst(result.tokens, count);
    return result.affinity ? { tokens, affinity: dropFirstColumns(result.affinity, count) } : { tokens };
  });
}

/** Whether any projection of the attention layer carries LoRA, or what stands in its place. */
export function carriesLora(params: AttentionParams): boolean {
  return [params.query, params.key, params.value, params.output].some(({ update }) => update?.method.replacesDropout);
}
