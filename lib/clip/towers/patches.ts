/** Images cut into the patches that a tower embeds. @module */
import * as tf from "@tensorflow/tfjs";
import type { Tensor, Tensor3D, Tensor4D } from "../../tensor/types.ts";

/**
 * Cuts images into patches, row by row.
 *
 * @param pixels Shape `[B, S, S, C]`.
 * @param size Patch side P.
 * @returns Shape `[B, (S/P)², P·P·C]`. The caller disposes it.
 */
export function patchify(pixels: Tensor4D, size: number): Tensor3D {
  const [batch, side, , channels] = pixels.shape;
  const grid = side / size;
  return tf.tidy(() => {
    const split = tf.reshape(pixels, [batch, grid, size, grid, size * channels]);
    const grouped: Tensor = tf.transpose(split, [0, 1, 3, 2, 4]);
    return tf.reshape(grouped, [batch, grid * grid, size * size * channels]);
  });
}
