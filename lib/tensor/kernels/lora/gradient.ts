/** The gradients of linear layers with low-rank updates. @module */
import * as tf from "@tensorflow/tfjs";
import type { Tensor, Tensor2D } from "../../types.ts";
import { registerGradient, runKernel } from "../run.ts";

/** The matrices' gradients come from one kernel, so it runs outside the thunks; x's runs only if it is asked for. */
registerGradient("AceLoraLinear", {
  saveAllInputs: true,
  outputsToSave: [true],
  // The biases are among what is kept, and not read.
  gradFunc: (ofAll, saved: Tensor2D[], { names, ...attrs }) => {
    const dys = ofAll.slice(1); // nobody asks for the gradient of `low`: if it were read, zeros would be made
    const inputs = Object.fromEntries(names.map((name, i) => [name, saved[i]!]));
    const [x, low] = [inputs["x"]!, saved[names.length]!];
    const named = (prefix: string): Record<string, Tensor2D> =>
      Object.fromEntries(Object.entries(inputs).filter(([name]) => name.startsWith(prefix)));
    const given = { ...Object.fromEntries(dys.map((dy, l) => [`dy${l}`, dy])), ...named("lora") };
    const grads = runKernel("AceLoraLinearGrad", { x, low, ...given }, attrs);
    const dLow = grads.at(-1)!;
    const thunks: Record<string, () => Tensor> = {
      x: () => runKernel("AceLoraLinearGradX", { dLow, low, ...given, ...named("weight") }, attrs),
    };
    for (const [l, dy] of dys.entries()) {
      thunks[`loraA${l}`] = () => grads[l]!;
      thunks[`loraB${l}`] = () => grads[dys.length + l]!;
      thunks[`weight${l}`] = () => tf.matMul(dy, x, true, false);
      thunks[`bias${l}`] = () => tf.sum(dy, 0);
    }
    return thunks;
  },
});
