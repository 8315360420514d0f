/**
 * Attention's gradient. One kernel gives all three gradients; it runs outside the thunks, because a thunk's own scope would
 * dispose the other two.
 *
 * @module
 */
import type { Tensor2D, Tensor3D } from "../../types.ts";
import { registerGradient, runKernel } from "../run.ts";

type Inputs = [query: Tensor3D, key: Tensor3D, value: Tensor3D];

/** What is kept: the inputs, with the mask where there is one, then the outputs. */
type Saved =
  | [...Inputs, context: Tensor3D, logSumExp: Tensor3D]
  | [...Inputs, keyMask: Tensor2D, context: Tensor3D, logSumExp: Tensor3D];

registerGradient("AceAttention", {
  saveAllInputs: true,
  outputsToSave: [true, true],
  gradFunc: ([dy], saved: Saved, attrs) => {
    const [query, key, value] = saved;
    const rest = saved.length === 6
      ? { keyMask: saved[3], context: saved[4], logSumExp: saved[5] }
      : { context: saved[3], logSumExp: saved[4] };
    const inputs = { dy, query, key, value, ...rest };
    const [dQuery, dKey, dValue] = runKernel("AceAttentionGrad", inputs, attrs);
    return { query: () => dQuery, key: () => dKey, value: () => dValue };
  },
});
