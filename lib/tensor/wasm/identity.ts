/** tf.js's wasm `Identity` copies; every tensor saved for a gradient goes through it. @module */
import * as tf from "@tensorflow/tfjs";

/** Makes clones on wasm share their data, as they do on every other backend. */
export function registerIdentity(): void {
  tf.unregisterKernel("Identity", "wasm");
  tf.registerKernel({
    kernelName: "Identity",
    backendName: "wasm",
    kernelFunc: ({ inputs, backend }) => {
      const { dataId, shape, dtype } = inputs["x"] as tf.TensorInfo;
      (backend as tf.KernelBackend).incRef(dataId);
      return { dataId, shape, dtype };
    },
  });
}
