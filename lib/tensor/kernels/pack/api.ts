/** Many tensors as one flat tensor and back. Outside the gradient tape. @module */
import * as tf from "@tensorflow/tfjs";
import { tidy } from "../../ops.ts";
import type { Tensor, Tensor1D } from "../../types.ts";
import { hasKernel, runKernel } from "../run.ts";

/**
 * The numbers of all tensors one after the other; on webgpu by copies, without a program, and rounded up to a multiple
 * of four with numbers that mean nothing.
 *
 * @param tensors Float32, at least one.
 * @returns The caller disposes it.
 */
export function packTensors(tensors: readonly Tensor[]): Tensor1D {
  if (hasKernel("AcePack")) {
    return runKernel("AcePack", Object.fromEntries(tensors.map((x, i) => [`part${i}`, x])), {});
  }
  return tf.tidy(() => tf.concat(tensors.map((x) => x.as1D())));
}

/**
 * The reverse of {@linkcode packTensors}.
 *
 * @param flat All numbers.
 * @param shapes Shapes of the parts, in order.
 * @returns One tensor a shape. The caller disposes them.
 */
export function unpackTensors(flat: Tensor1D, shapes: readonly number[][]): Tensor[] {
  if (hasKernel("AceUnpack")) return runKernel("AceUnpack", { flat }, { shapes });
  return tidy(() => {
    const sizes = shapes.map((shape) => shape.reduce((a, b) => a * b, 1));
    return tf.split(flat, sizes).map((part, i) => tf.reshape(part, shapes[i]!));
  });
}
