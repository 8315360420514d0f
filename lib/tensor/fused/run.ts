/** The call of a kernel by name, shared by the fused functions. @module */
import * as tf from "@tensorflow/tfjs";
import type { Tensor } from "../types.ts";

/**
 * Runs a kernel on the current backend, on the gradient tape.
 *
 * @param kernelName The kernel's name.
 * @param inputs Its tensors.
 * @param attrs Its numbers and flags.
 * @returns Its outputs.
 */
export function runKernel(kernelName: string, inputs: Record<string, Tensor>, attrs: object = {}): Tensor[] {
  if (!tf.getKernel(kernelName, tf.getBackend())) {
    throw new Error(
      `Cannot run ${kernelName} as the backend must have it (await initWasm() or initWebgpu() first): ` +
        `current backend is "${tf.getBackend()}"`,
    );
  }
  const out = tf.engine().runKernel(kernelName, inputs, attrs as tf.NamedAttrMap) as Tensor | Tensor[];
  return Array.isArray(out) ? out : [out];
}

/**
 * Checks that all tensors are float32.
 *
 * @param verb What is being done, for the message.
 * @param tensors The tensors by name.
 * @throws {TypeError} If one is not.
 */
export function checkFloat(verb: string, tensors: Record<string, Tensor>): void {
  for (const [name, t] of Object.entries(tensors)) {
    if (t.dtype !== "float32") {
      throw new TypeError(`Cannot ${verb} ${name} as its dtype must be float32: current dtype is ${t.dtype}`);
    }
  }
}
