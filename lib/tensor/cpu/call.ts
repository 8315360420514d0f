/** What tfjs's cpu backend hands to a kernel, and how to give values back. @module */

/** A tensor as kernels see it. */
export interface CpuTensor {
  /** The key of its data. */
  dataId: object;
  /** Sizes. */
  shape: number[];
  /** Type of the elements. */
  dtype: string;
}

/** The call of a kernel. */
export interface CpuCall<Names extends string, Attributes = Record<string, never>> {
  /** Tensors by name. */
  inputs: Record<Names, CpuTensor>;
  /** The backend. */
  backend: {
    data: { get(dataId: object): { values: ArrayLike<number> } };
    makeTensorInfo(shape: number[], dtype: string, values: Float32Array): CpuTensor;
  };
  /** Numbers and flags. */
  attrs: Attributes;
}

/** A tensor's values. */
export function valuesOf(call: Pick<CpuCall<string>, "backend">, tensor: CpuTensor): ArrayLike<number> {
  return call.backend.data.get(tensor.dataId).values;
}

/** A new float32 tensor. */
export function result(call: Pick<CpuCall<string>, "backend">, shape: number[], values: Float32Array): CpuTensor {
  return call.backend.makeTensorInfo(shape, "float32", values);
}

/** The number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}
