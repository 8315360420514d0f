/** Registers the fused kernels for the backend `cpu`, and their gradients for every backend, when imported. @module */
import * as tf from "@tensorflow/tfjs";
import { CPU_KERNELS } from "../cpu/kernels.ts";
import { ATTENTION, DROPOUT, GELU, LAYER_NORM } from "./gradients.ts";

for (const [kernelName, kernelFunc] of Object.entries(CPU_KERNELS)) {
  tf.registerKernel({ kernelName, backendName: "cpu", kernelFunc: kernelFunc as unknown as tf.KernelFunc });
}
for (const gradient of [LAYER_NORM, GELU, DROPOUT, ATTENTION]) tf.registerGradient(gradient);
