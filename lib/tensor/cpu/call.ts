/** What tfjs's cpu backend hands to a kernel, and how to give values back. @module */
import type { InfoOf, TensorInfo } from "../kernels/info.ts";
import type { KernelCall, KernelName } from "../kernels/interface.ts";

/** What is used of tfjs's cpu backend. */
export interface CpuBackend {
  /** Each tensor's values. */
  data: { get(dataId: object): { values: ArrayLike<number> } };
  /** A new tensor. */
  makeTensorInfo<Shape extends number[] | []>(shape: Shape, dtype: string, values: Float32Array): InfoOf<Shape>;
}

/** The call of a kernel. */
export type CpuCall<Name extends KernelName> = KernelCall<Name, CpuBackend>;

interface OnCpu {
  backend: CpuBackend;
}

/** A tensor's values. */
export function valuesOf({ backend }: OnCpu, tensor: TensorInfo): ArrayLike<number> {
  return backend.data.get(tensor.dataId).values;
}

/** A new float32 tensor. */
export function result<Shape extends number[] | []>(
  { backend }: OnCpu,
  shape: Shape,
  values: Float32Array,
): InfoOf<Shape> {
  return backend.makeTensorInfo(shape, "float32", values);
}

/** The number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}
