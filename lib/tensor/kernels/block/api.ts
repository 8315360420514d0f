/** A transformer block without gradients as one kernel, where the backend has it; lib/nn/transformer.ts has the same in layers. @module */
import { defined } from "../../../platform/defined.ts";
import { recordOf } from "../../../platform/known_keys.ts";
import type { Tensor, Tensor1D, Tensor2D, Tensor3D } from "../../types.ts";
import { BLOCK_LAYERS, type BlockAttributes, type BlockLayer } from "../attributes.ts";
import type { FusedLinear } from "../linear/api.ts";
import { hasKernel, isRecorded, runKernel } from "../run.ts";

/** Weights of a block. */
export interface FusedBlock {
  norm1: { weight: Tensor1D; bias: Tensor1D };
  norm2: { weight: Tensor1D; bias: Tensor1D };
  layers: Readonly<Record<BlockLayer, FusedLinear>>;
}

/** Options of {@linkcode fusedBlock}. */
export interface FusedBlockOptions extends BlockAttributes {
  /** 1 for a key to attend to, 0 for padding; shape `[B, N]`. @default {no padding} */
  keyMask?: Tensor2D;
}

/**
 * A block with GELU: pre-norm `y = x + attention(norm1(x))`, `y + mlp(norm2(y))`, or post-norm.
 *
 * @param x Shape `[B, N, D]`.
 * @returns Shape of `x`, which the caller disposes; undefined where a gradient may be asked for, the shapes do not fit one another, or
 * the backend computes the layers one by one as fast.
 */
export function fusedBlock(x: Tensor3D, block: FusedBlock, options: FusedBlockOptions): Tensor3D | undefined {
  if (isRecorded() || !hasKernel("AceBlock") || !isFitting(x, block, options)) return undefined;
  const { keyMask, ...attrs } = options;
  const { norm1, norm2, layers } = block;
  const weights = recordOf(BLOCK_LAYERS.map((name) => [`${name}Weight`, layers[name].weight] as const));
  const biases = recordOf(BLOCK_LAYERS.map((name) => [`${name}Bias`, layers[name].bias] as const));
  const norms = { gain1: norm1.weight, offset1: norm1.bias, gain2: norm2.weight, offset2: norm2.bias };
  const [y] = runKernel("AceBlock", { x, ...norms, ...weights, ...defined({ ...biases, keyMask }) }, attrs);
  return y;
}

/** Whether all shapes and types are as the kernel takes them; where they are not, the layers say what is wrong. */
function isFitting(x: Tensor, { norm1, norm2, layers }: FusedBlock, options: FusedBlockOptions): boolean {
  const { heads, epsilon, keyMask } = options;
  const [samples, tokens, width] = x.shape;
  const hidden = layers.fc1.weight.shape[0];
  const has = (t: Tensor | undefined, ...shape: (number | undefined)[]): boolean =>
    !t || (t.dtype === "float32" && t.shape.join() === shape.join());
  return x.rank === 3 && x.size > 0 && has(x, samples, tokens, width) &&
    Number.isInteger(heads) && heads > 0 && width! % heads === 0 && epsilon >= 0 &&
    (!keyMask || keyMask.shape.join() === `${samples},${tokens}`) &&
    [norm1.weight, norm1.bias, norm2.weight, norm2.bias].every((t) => has(t, width)) &&
    BLOCK_LAYERS.every((name) => {
      const { weight, bias } = layers[name];
      const [outSize, inSize] = [name === "fc1" ? hidden : width, name === "fc2" ? hidden : width];
      return has(weight, outSize, inSize) && has(bias, outSize);
    });
}
