/** tf.js's wasm `Identity` copies; every tensor saved for a gradient goes through it. @module */
import type * as tf from "@tensorflow/tfjs";
import { registerKernels } from "../kernels.ts";
import type { KernelCall } from "./module.ts";

function identity({ inputs: { x }, backend }: KernelCall<"x">): tf.TensorInfo {
  const { dataId, shape, dtype } = x as tf.TensorInfo;
  (backend as unknown as tf.KernelBackend).incRef(dataId);
  return { dataId, shape, dtype };
}

/** Makes clones on wasm share their data, as they do on every other backend. */
export function registerIdentity(): void {
  registerKernels("wasm", { Identity: identity });
}
