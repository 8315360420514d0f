/** A perceptron's gradients. @module */
import * as tf from "@tensorflow/tfjs";
import type { Tensor, Tensor2D } from "../../types.ts";
import { hasValues } from "../../tape.ts";
import type { MlpActivation } from "../attributes.ts";
import { hasKernel, registerGradient, runKernel } from "../run.ts";

type Saved = [x: Tensor2D, weight1: Tensor2D, weight2: Tensor2D, kept: Tensor2D];

registerGradient("AceMlp", {
  inputsToSave: ["x", "weight1", "weight2"],
  outputsToSave: [false, true],
  gradFunc: ([dy], [x, weight1, weight2, kept]: Saved, attrs) => {
    const { activation, isResidual, trained } = attrs;
    const throughLayers = (dy1: Tensor2D): Tensor =>
      isResidual ? runKernel("AceLinearGradX", { dy: dy1, weight: weight1, addend: dy }, {}) : tf.matMul(dy1, weight1);
    const inner = (): Tensor2D => attrs.rate > 0 ? runKernel("AceDropout", { x: dy }, attrs) : dy;
    const hidden = (dy: Tensor2D): Tensor2D => runKernel("AceMlpGradHidden", { dy, weight2, kept }, { activation });
    const addend = (): Tensor => tf.clone(dy);
    if (!trained || !hasValues(x)) {
      const first = (): Tensor2D => hidden(inner());
      const throughBoth = (): Tensor =>
        runKernel("AceMlpGradX", { dy: inner(), weight1, weight2, kept }, { activation });
      return {
        x: () => hasKernel("AceMlpGradX") ? throughBoth() : throughLayers(first()),
        weight1: () => tf.matMul(first(), x, true, false),
        weight2: () => tf.matMul(inner(), activated(kept, activation), true, false),
        bias1: () => tf.sum(first(), 0),
        bias2: () => tf.sum(inner(), 0),
        addend,
      };
    }
    const [dy2, between] = [inner(), activated(kept, activation)];
    const dy1 = hidden(dy2);
    const [dWeight2, dBias2] = runKernel("AceLinearGradParams", { dy: dy2, x: between }, {});
    const [dWeight1, dBias1] = runKernel("AceLinearGradParams", { dy: dy1, x }, {});
    return {
      x: () => throughLayers(dy1),
      weight1: () => dWeight1,
      weight2: () => dWeight2,
      bias1: () => dBias1,
      bias2: () => dBias2,
      addend,
    };
  },
});

/** What the second layer was given. */
function activated(kept: Tensor2D, activation: MlpActivation): Tensor2D {
  if (activation === "leaky-relu") return kept;
  if (activation === "gelu") return runKernel("AceGelu", { x: kept }, {});
  return tf.mul(kept, tf.sigmoid(tf.mul(kept, 1.702)));
}
