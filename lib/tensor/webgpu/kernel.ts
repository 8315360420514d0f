/** Small helpers shared by the WebGPU kernels. @module */
import type * as tf from "@tensorflow/tfjs";
import type { WebgpuBackend } from "./backend.ts";

/** tfjs's description of a kernel. */
export type KernelConfig = tf.KernelConfig;
/** tfjs's reference to a tensor's data. */
export type TensorInfo = tf.TensorInfo;

/** What a kernel is called with. */
export interface KernelCall<Attrs = Record<string, never>> {
  /** Tensors by name; absent optional ones are `undefined` or `null`. */
  inputs: Record<string, TensorInfo>;
  /** Attributes. */
  attrs: Attrs;
  /** The backend that owns the tensors. */
  backend: WebgpuBackend;
}

/** A kernel of the `webgpu` backend, in tfjs's form. */
export function kernel<Attrs>(
  kernelName: string,
  run: (call: KernelCall<Attrs>) => TensorInfo | TensorInfo[],
): KernelConfig {
  return { kernelName, backendName: "webgpu", kernelFunc: run as unknown as KernelConfig["kernelFunc"] };
}

/** Number of elements. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** A new float32 tensor on the backend. Its buffer is made when a program first uses it. */
export function output(backend: WebgpuBackend, shape: readonly number[]): TensorInfo {
  return backend.makeTensorInfo([...shape], "float32");
}

/** A float32 tensor with values from the CPU, for results that are empty. */
export function emptyOutput(backend: WebgpuBackend, shape: readonly number[]): TensorInfo {
  return backend.makeTensorInfo([...shape], "float32", new Float32Array(sizeOf(shape)));
}

/** `f32`, or `vec4<f32>` when the length allows it. */
export function lanes(length: number): { type: string; width: 1 | 4 } {
  return length % 4 === 0 ? { type: "vec4<f32>", width: 4 } : { type: "f32", width: 1 };
}
