/** Position embeddings of a grid of patches, resampled to another grid. @module */
import * as tf from "@tensorflow/tfjs";
import { AMOUNT, checkValue, COUNT, FLAG } from "../platform/options.ts";
import { checkShape } from "../tensor/shape.ts";
import { matMul, reshape } from "../tensor/typed.ts";
import type { Tensor3D } from "../tensor/types.ts";

/** Keys' cubic kernel. */
function cubic(x: number, a: number): number {
  const d = Math.abs(x);
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

/**
 * The weights with which `from` equally spaced numbers become `to`, by a cubic kernel.
 *
 * Plain: `a = -0.75`, the four nearest, the border's repeated. With antialiasing: `a = -0.5`, as many as the new spacing spans,
 * what would lie outside left out.
 *
 * Source: torch `interpolate(mode="bicubic", align_corners=False)`, without and with `antialias`; Keys 1981.
 *
 * @param offset Added to `to` where the spacing is computed. @default {0}
 * @returns Row-major, `[to, from]`.
 */
export function cubicWeights(from: number, to: number, antialias: boolean, offset = 0): Float32Array {
  const out = new Float32Array(to * from);
  const scale = from / (to + offset);
  const stretch = antialias ? Math.max(scale, 1) : 1;
  for (let i = 0; i < to; i++) {
    const centre = scale * (i + 0.5) - 0.5;
    const row = out.subarray(i * from, (i + 1) * from);
    const reach = Math.ceil(2 * stretch) + 1;
    let total = 0;
    for (let j = Math.floor(centre) - reach; j <= Math.floor(centre) + reach; j++) {
      if (antialias && (j < 0 || j >= from)) continue;
      const weight = cubic((j - centre) / stretch, antialias ? -0.5 : -0.75);
      row[Math.min(from - 1, Math.max(0, j))]! += weight;
      total += weight;
    }
    for (let j = 0; j < from; j++) row[j]! /= total;
  }
  return out;
}

/**
 * The embedding of a read token and `G²` patches for a grid of `g²`.
 *
 * Source: transformers `Dinov2Embeddings.interpolate_pos_encoding`, and with antialiasing `Dinov2WithRegistersEmbeddings`'s; with an
 * offset of 0.1 DINOv2's own `interpolate_pos_encoding`.
 *
 * @param positions The read token's first, `[1, G² + 1, D]`.
 * @param grid g.
 * @param offset Added to g where the spacing is computed. @default {0}
 * @returns Shape `[1, g² + 1, D]`; `positions` itself, as a new handle, where the grids are the same. The caller disposes it.
 */
export function resamplePositions(positions: Tensor3D, grid: number, antialias: boolean, offset = 0): Tensor3D {
  checkShape(positions, [1, null, null], "the positions");
  for (
    const [name, value, rule] of [["grid", grid, COUNT], ["antialias", antialias, FLAG], [
      "offset",
      offset,
      AMOUNT,
    ]] as const
  ) {
    checkValue("resample positions", name, value, rule);
  }
  const [, rows, width] = positions.shape;
  const stored = Math.sqrt(rows - 1);
  if (!Number.isInteger(stored)) {
    throw new TypeError(
      `Cannot resample positions as there must be one and those of a square of patches: current ones are ${rows}`,
    );
  }
  if (stored === grid) return tf.clone(positions);
  return tf.tidy(() => {
    const weights = tf.tensor2d(cubicWeights(stored, grid, antialias, offset), [grid, stored]);
    const along = (map: Tensor3D): Tensor3D => { // the first axis resampled, and the first two exchanged
      const [, other] = map.shape;
      const mixed = matMul(weights, reshape(map, [stored, other * width]));
      return tf.transpose(reshape(mixed, [grid, other, width]), [1, 0, 2]);
    };
    const patches = reshape(tf.slice(positions, [0, 1, 0], [1, rows - 1, width]), [stored, stored, width]);
    const resampled = reshape(along(along(patches)), [1, grid * grid, width]);
    return tf.concat([tf.slice(positions, [0, 0, 0], [1, 1, width]), resampled], 1);
  });
}
