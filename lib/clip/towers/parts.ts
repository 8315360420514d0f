/** What the trees of towers are built of, whoever fills them: random weights, a checkpoint, a count. @module */
import type { AttentionPoolParams } from "../../nn/attention_pool.ts";
import type { AttentionParams } from "../../nn/attention.ts";
import type { LayerNormParams } from "../../nn/layer_norm.ts";
import type { LinearParams } from "../../nn/linear.ts";
import type { MlpParams } from "../../nn/mlp.ts";
import type { BlockParams } from "../../nn/transformer.ts";
import type { Tensor, Tensor2D, TensorOf } from "../../tensor/types.ts";

/** What a leaf is for; it decides how the leaf starts out. */
export type LeafRole = "weight" | "bias" | "gain" | "embedding" | "logitScale" | "logitBias";

/** Makes the tensor of one leaf, given its dotted name, shape and role. */
export type MakeLeaf = (name: string, shape: number[], role: LeafRole) => Tensor;

/** What some towers' blocks have. */
export interface BlockExtras {
  /** Factors of what attention and feed-forward part add. @default {false} */
  layerScale?: boolean;
  /** EVA-02's: a SwiGLU, LayerNorms before its contraction and the attention's output, keys without bias. @default {false} */
  gated?: boolean;
}

/** Makers of the parts that towers are built of; each part's leaves stand below `name`. */
export interface Parts {
  /** One leaf. */
  leaf: TypedLeaf;
  /** A linear layer. */
  dense(outSize: number, inSize: number, name: string, bias?: boolean): LinearParams;
  /** A LayerNorm. */
  norm(width: number, name: string): LayerNormParams;
  /** A transformer block. */
  block(width: number, hidden: number, name: string, extras?: BlockExtras): BlockParams;
  /** A stack of transformer blocks. */
  stack(depth: number, width: number, hidden: number, name: string, extras?: BlockExtras): BlockParams[];
  /** An attention pooling. */
  attentionPool(width: number, hidden: number, name: string): AttentionPoolParams;
  /** A table of embeddings. */
  table(rows: number, width: number, name: string): Tensor2D;
}

/** A leaf's maker whose result has the rank of the shape. */
export type TypedLeaf = <const Shape extends readonly number[]>(
  name: string,
  shape: Shape,
  role: LeafRole,
) => TensorOf<Shape>;

/** The makers over one of leaves. */
export function parts(makeLeaf: MakeLeaf): Parts {
  const leaf: TypedLeaf = (name, shape, role) => makeLeaf(name, [...shape], role) as TensorOf<typeof shape>;
  const dense = (outSize: number, inSize: number, name: string, bias = true): LinearParams => ({
    weight: leaf(`${name}.weight`, [outSize, inSize], "weight"),
    ...(bias ? { bias: leaf(`${name}.bias`, [outSize], "bias") } : {}),
  });
  const norm = (width: number, name: string): LayerNormParams => ({
    weight: leaf(`${name}.weight`, [width], "gain"),
    bias: leaf(`${name}.bias`, [width], "bias"),
  });
  const attention = (width: number, name: string, gated = false): AttentionParams => ({
    query: dense(width, width, `${name}.query`),
    key: dense(width, width, `${name}.key`, !gated),
    value: dense(width, width, `${name}.value`),
    output: dense(width, width, `${name}.output`),
    ...(gated ? { norm: norm(width, `${name}.norm`) } : {}),
  });
  const mlp = (width: number, hidden: number, name: string, gated = false): MlpParams => ({
    fc1: dense(hidden, width, `${name}.fc1`),
    fc2: dense(width, hidden, `${name}.fc2`),
    ...(gated ? { gate: dense(hidden, width, `${name}.gate`), norm: norm(hidden, `${name}.norm`) } : {}),
  });
  const block: Parts["block"] = (width, hidden, name, { layerScale = false, gated = false } = {}) => ({
    norm1: norm(width, `${name}.norm1`),
    attention: attention(width, `${name}.attention`, gated),
    ...(layerScale ? { scale1: leaf(`${name}.scale1`, [width], "gain") } : {}),
    norm2: norm(width, `${name}.norm2`),
    mlp: mlp(width, hidden, `${name}.mlp`, gated),
    ...(layerScale ? { scale2: leaf(`${name}.scale2`, [width], "gain") } : {}),
  });
  return {
    leaf,
    dense,
    norm,
    block,
    stack: (depth, width, hidden, name, extras) =>
      Array.from({ length: depth }, (_, i) => block(width, hidden, `${name}.${i}`, extras)),
    attentionPool: (width, hidden, name) => ({
      probe: leaf(`${name}.probe`, [1, 1, width], "embedding"),
      attention: attention(width, `${name}.attention`),
      norm: norm(width, `${name}.norm`),
      mlp: mlp(width, hidden, `${name}.mlp`),
    }),
    table: (rows, width, name) => leaf(name, [rows, width], "embedding"),
  };
}
