/** Registers this package's kernels for tfjs's `webgpu` backend. @module */
import * as tf from "@tensorflow/tfjs";
import { adamwKernels } from "./adamw.ts";
import { attentionKernels } from "./attention.ts";
import { dropoutKernels } from "./dropout.ts";
import { geluKernels } from "./gelu.ts";
import { l2NormaliseKernels } from "./l2_normalise.ts";
import { layerNormKernels } from "./layer_norm.ts";
import { linearKernels } from "./linear.ts";
import { loraKernels } from "./lora.ts";
import { replaceMatMul } from "./matmul.ts";
import { packKernels } from "./pack.ts";
import { topKSoftmaxKernels } from "./top_k_softmax.ts";

let registered = false;

/** Registers every kernel once; further calls do nothing. tfjs's own kernels must have been registered before. */
export function registerKernels(): void {
  if (registered) return;
  registered = true;
  const fused = [
    layerNormKernels,
    geluKernels,
    attentionKernels,
    dropoutKernels,
    adamwKernels,
    linearKernels,
    loraKernels,
    l2NormaliseKernels,
    topKSoftmaxKernels,
    packKernels,
  ];
  for (const config of fused.flat()) tf.registerKernel(config);
  replaceMatMul();
}
