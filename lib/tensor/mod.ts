/**
 * Backends, parameter trees and seeded numbers.
 *
 * @module
 */
export { type BackendInfo, type BackendName, selectBackend, type SelectBackendOptions } from "./backend.ts";
export { kaimingNormal, kaimingUniform, normal, ones, uniform, zeros } from "./init.ts";
export { MemoryLimitError } from "./memory.ts";
export { detach, embeddingLookup, maskedSoftmax, oneHotRows, tidy, topKMask } from "./ops.ts";
export { countParams, disposeParams, mapTensors, mapTree, namedTensors, withTensors } from "./params.ts";
export { deriveSeed, gaussian, mulberry32, shuffled } from "./random.ts";
export type { Scalar, Tensor, Tensor1D, Tensor2D, Tensor3D, Tensor4D, TensorOf } from "./types.ts";
export { l2Normalise } from "./kernels/l2_normalise/api.ts";
export { DeviceError, type DeviceFault } from "./webgpu/device.ts";
export type { WasmOptions } from "./wasm/init.ts";
