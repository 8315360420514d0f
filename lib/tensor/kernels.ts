/** Registers kernels of one backend. @module */
import * as tf from "@tensorflow/tfjs";

/** Kernel functions by the kernel's name. */
export type KernelTable = Readonly<Record<string, (call: never) => unknown>>;

/** Registers kernels, in the place of those of the same name. */
export function registerKernels(backendName: string, kernels: KernelTable): void {
  for (const [kernelName, kernelFunc] of Object.entries(kernels)) {
    if (tf.getKernel(kernelName, backendName)) tf.unregisterKernel(kernelName, backendName);
    tf.registerKernel({ kernelName, backendName, kernelFunc: kernelFunc as unknown as tf.KernelFunc });
  }
}

/** Puts kernels in the place of others, each with the one it replaces at hand for the calls it does not take. */
export function replaceKernels(
  backendName: string,
  kernels: Readonly<Record<string, (call: never, theirs: never) => unknown>>,
): void {
  for (const [kernelName, kernel] of Object.entries(kernels)) {
    const theirs = tf.getKernel(kernelName, backendName);
    tf.unregisterKernel(kernelName, backendName);
    tf.registerKernel({
      ...theirs,
      kernelFunc: (call) => kernel(call as never, theirs.kernelFunc as never) as tf.TensorInfo,
    });
  }
}
