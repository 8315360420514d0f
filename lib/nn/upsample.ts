/** Enlarging maps to twice their side. @module */
import * as tf from "@tensorflow/tfjs";
import { checkOptions, FLAG, type Rules } from "../platform/options.ts";
import { checkShape } from "../tensor/shape.ts";
import { reshape } from "../tensor/typed.ts";
import type { Tensor, Tensor3D, Tensor4D } from "../tensor/types.ts";

/** Options of {@linkcode upsampleBilinear}. */
export interface UpsampleOptions {
  /** Whether corner pixels keep their values, as torch's `align_corners`. @default {false} */
  alignCorners?: boolean;
}

const UPSAMPLE_RULES: Rules<UpsampleOptions> = { alignCorners: FLAG };

/** Weights of `to` outputs over `n` inputs along one axis, row-major. */
function bilinearMatrix(n: number, to: number, alignCorners = false): Float32Array {
  const out = new Float32Array(to * n);
  for (let i = 0; i < to; i++) {
    const position = alignCorners ? i * (n - 1) / Math.max(1, to - 1) : Math.max(0, (i + 0.5) / (to / n) - 0.5);
    const low = Math.min(Math.floor(position), n - 1), high = Math.min(low + 1, n - 1);
    const share = position - low;
    out[i * n + low]! += 1 - share;
    out[i * n + high]! += share;
  }
  return out;
}

/**
 * Bilinear enlargement to twice the side: a product with a fixed matrix along each axis.
 *
 * Source: torch `Upsample(scale_factor=2, mode="bilinear")`.
 *
 * @param x Shape `[B, H, W, C]`.
 * @returns Shape `[B, 2H, 2W, C]`. The caller disposes it.
 */
export function upsampleBilinear(x: Tensor4D, options: UpsampleOptions = {}): Tensor4D {
  checkShape(x, [null, null, null, null], "the maps");
  checkOptions("enlarge maps", options, UPSAMPLE_RULES);
  const [, height, width] = x.shape;
  return enlargeBilinear(x, [2 * height, 2 * width], options);
}

/** Bilinear enlargement to a size of rows and columns: torch's `Upsample(size=..., mode="bilinear")`. */
export function enlargeBilinear(x: Tensor4D, size: readonly [number, number], options: UpsampleOptions = {}): Tensor4D {
  const [batch, height, width, channels] = x.shape;
  const [tallest, widest] = size;
  const matrix = (n: number, to: number): Tensor3D =>
    tf.tensor3d(bilinearMatrix(n, to, options.alignCorners), [1, to, n]);
  return tf.tidy(() => {
    const rows = tf.reshape(x, [batch, height, width * channels]);
    const tall = tf.matMul(matrix(height, tallest), rows); // [B, H', W·C]
    const columns = tf.reshape(tall, [batch * tallest, width, channels]);
    const wide: Tensor = tf.matMul(matrix(width, widest), columns); // [B·H', W', C]
    return reshape(wide, [batch, tallest, widest, channels]);
  });
}

/** Every pixel four times: torch's `Upsample(scale_factor=2, mode="nearest")`. Shape `[B, 2H, 2W, C]`. */
export function upsampleNearest(x: Tensor4D): Tensor4D {
  checkShape(x, [null, null, null, null], "the maps");
  const [batch, height, width, channels] = x.shape;
  return tf.tidy(() => {
    const across = tf.concat([x, x], 3); // [B, H, W, 2C]: each pixel twice in a row
    const line = tf.reshape(across, [batch * height, 1, 2 * width * channels]);
    return reshape(tf.concat([line, line], 1), [batch, 2 * height, 2 * width, channels]);
  });
}
