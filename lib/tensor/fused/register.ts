/** Registers the fused kernels for the backend `cpu`, and their gradients for every backend, when imported. @module */
import * as tf from "@tensorflow/tfjs";
import { CPU_KERNELS } from "../cpu/kernels.ts";
import { registerKernels } from "../kernels.ts";
import { ATTENTION, DROPOUT, GELU, LAYER_NORM } from "./gradients.ts";

registerKernels("cpu", CPU_KERNELS);
for (const gradient of [LAYER_NORM, GELU, DROPOUT, ATTENTION]) tf.registerGradient(gradient);
