/** What tfjs's cpu backend hands to a kernel, and how to give values back. @module */
import type { KernelCall, KernelName, TensorInfo } from "../kernels/interface.ts";

/** What is used of tfjs's cpu backend. */
export interface CpuBackend {
  /** Each tensor's values. */
  data: { get(dataId: object): { values: ArrayLike<number> } };
  /** A new tensor. */
  makeTensorInfo(shape: number[], dtype: string, values: Float32Array): TensorInfo;
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
export function result({ backend }: OnCpu, shape: number[], values: Float32Array): TensorInfo {
  return backend.makeTensorInfo(shape, "float32", values);
}

/** The number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}
