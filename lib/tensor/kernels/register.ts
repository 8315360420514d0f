/** Registers a backend's table of kernels with tf.js. @module */
import * as tf from "@tensorflow/tfjs";
import type { Kernels } from "./interface.ts";

/** tf.js's own kernels that were replaced, by backend and name. */
const replaced = new Map<string, ReadonlyMap<string, tf.KernelConfig>>();

/** Registers a backend's kernels, some in the place of tf.js's, which must be there by then. Further calls do nothing. */
export function registerKernels<Backend>(backendName: string, kernels: Kernels<Backend>): void {
  if (replaced.has(backendName)) return;
  const originals = new Map<string, tf.KernelConfig>();
  for (const [kernelName, kernel] of Object.entries(kernels)) {
    if (typeof kernel === "string") continue; // composed, or tf.js's
    const original: tf.KernelConfig | undefined = tf.getKernel(kernelName, backendName);
    if (original) {
      originals.set(kernelName, original);
      tf.unregisterKernel(kernelName, backendName);
    }
    // tf.js types a call by none of its parts; interface.ts does.
    const run = kernel as unknown as (call: unknown, tfjs?: tf.KernelFunc) => tf.TensorInfo;
    tf.registerKernel({ ...original, kernelName, backendName, kernelFunc: (call) => run(call, original?.kernelFunc) });
  }
  replaced.set(backendName, originals);
}

/** Runs a kernel by what tf.js calls it, for one tensor. */
export function runTfjsKernel(
  backendName: string,
  kernelName: string,
  call: Parameters<tf.KernelFunc>[0],
): tf.TensorInfo {
  const result = tf.getKernel(kernelName, backendName).kernelFunc(call);
  return Array.isArray(result) ? result[0]! : result;
}

/** tf.js's own kernel, where {@linkcode registerKernels} put another in its place: to compare with. */
export function replacedKernel(backendName: string, kernelName: string): tf.KernelConfig | undefined {
  return replaced.get(backendName)?.get(kernelName);
}
