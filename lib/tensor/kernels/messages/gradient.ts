/**
 * The messages' gradients. A sample's messages have one gradient, times their weights, so that it goes back through the second
 * layer once for all of them.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { hasValues } from "../../tape.ts";
import type { Tensor, Tensor1D, Tensor2D, Tensor3D } from "../../types.ts";
import { registerGradient, runKernel } from "../run.ts";

type Layers<X> = [x: X, weight1: Tensor2D, bias1: Tensor1D, weight2: Tensor2D, bias2: Tensor1D];
type Saved =
  | [...Layers<Tensor2D>, hidden: Tensor2D]
  | [...Layers<Tensor3D>, incoming: Tensor3D, hidden: Tensor3D];

/** Back through the second layer, and the messages' sum where there is more than one. */
function throughSecond(
  dy: Tensor2D,
  saved: Saved,
): { dHidden: Tensor2D | Tensor3D; dIncoming?: Tensor3D; between: Tensor2D } {
  if (saved.length === 7) {
    const [, , , weight2, bias2, incoming, hidden] = saved;
    const [dHidden, dIncoming, between] = runKernel("AceMessagesGrad", { dy, hidden, incoming, weight2, bias2 }, {});
    return { dHidden, dIncoming, between };
  }
  const [, , , weight2, , hidden] = saved;
  const dHidden = runKernel("AceMlpGradHidden", { dy, weight2, kept: hidden }, { activation: "leaky-relu" });
  return { dHidden, between: hidden };
}

registerGradient("AceMessages", {
  saveAllInputs: true,
  outputsToSave: [false, true],
  gradFunc: ([dy], saved: Saved) => {
    const [x, weight1] = saved;
    const { dHidden, dIncoming, between } = throughSecond(dy, saved);
    const [rows, width] = [dHidden.size / weight1.shape[0], weight1.shape[1]];
    const throughFirst = (): Tensor => {
      const dx = tf.matMul(tf.reshape(dHidden, [rows, weight1.shape[0]]), weight1);
      return tf.reshape(dx, [dy.shape[0]!, ...(dIncoming ? [rows / dy.shape[0]!] : []), width]);
    };
    const thunks = { x: throughFirst, ...(dIncoming ? { incoming: () => dIncoming } : {}) };
    if (!hasValues(x)) return thunks; // no gradient of a weight is asked for
    const [dWeight1, dBias1, dWeight2, dBias2] = runKernel("AceMessagesGradParams", { dy, between, dHidden, x }, {});
    return {
      ...thunks,
      weight1: () => dWeight1,
      bias1: () => dBias1,
      weight2: () => dWeight2,
      bias2: () => dBias2,
    };
  },
});
