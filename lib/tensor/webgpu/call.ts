/** Small helpers shared by the WebGPU kernels. @module */
import type { InfoOf } from "../kernels/info.ts";
import type { KernelCall, KernelName } from "../kernels/interface.ts";
import type { WebgpuBackend } from "./backend.ts";

/** What a kernel is called with. */
export type WebgpuCall<Name extends KernelName> = KernelCall<Name, WebgpuBackend>;

/** Number of elements. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** A new tensor on the backend. Its buffer is made when a program first uses it. */
export function output<Shape extends readonly number[] | []>(
  backend: WebgpuBackend,
  shape: Shape,
  dtype: "float32" | "int32" = "float32",
): InfoOf<[...Shape]> {
  return { ...backend.makeTensorInfo([...shape], dtype), shape: [...shape] };
}

/** Zeros, from the CPU: for results that are empty, or sums of nothing. */
export function zeros<Shape extends readonly number[] | []>(
  backend: WebgpuBackend,
  shape: Shape,
): InfoOf<[...Shape]> {
  const values = new Float32Array(sizeOf(shape));
  return { ...backend.makeTensorInfo([...shape], "float32", values), shape: [...shape] };
}

/** `f32`, or `vec4<f32>` when the length allows it. */
export function lanes(length: number): { type: string; width: 1 | 4 } {
  return length % 4 === 0 ? { type: "vec4<f32>", width: 4 } : { type: "f32", width: 1 };
}
