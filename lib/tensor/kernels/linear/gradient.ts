/** A linear layer's gradients, by products. @module */
import * as tf from "@tensorflow/tfjs";
import type { Tensor2D } from "../../types.ts";
import { registerGradient, runKernel } from "../run.ts";

registerGradient("AceLinear", {
  inputsToSave: ["x", "weight"],
  gradFunc: (dy, [x, weight]: [Tensor2D, Tensor2D], attrs) => {
    const inner = (): Tensor2D => attrs.rate > 0 ? runKernel("AceDropout", { x: dy }, attrs) : dy;
    return {
      x: () => tf.matMul(inner(), weight),
      weight: () => tf.matMul(inner(), x, true, false),
      bias: () => tf.sum(inner(), 0),
      addend: () => tf.clone(dy),
    };
  },
});
