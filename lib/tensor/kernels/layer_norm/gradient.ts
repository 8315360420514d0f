/** LayerNorm's gradients: each input's is computed only if it is asked for, so not those of a frozen gain and bias. @module */
import type { Tensor, Tensor1D } from "../../types.ts";
import { registerGradient, runKernel } from "../run.ts";

type Saved = [x: Tensor, gain: Tensor1D, mean: Tensor1D, rstd: Tensor1D];

function thunks(
  dy: Tensor,
  [x, gain, mean, rstd]: Saved,
  addend?: Tensor,
): Record<"x" | "gain" | "bias", () => Tensor> {
  const params = (): [Tensor, Tensor] => runKernel("AceLayerNormGradParams", { dy, x, mean, rstd }, {});
  return {
    x: () => runKernel("AceLayerNormGradX", { dy, x, gain, mean, rstd, ...(addend ? { addend } : {}) }, {}),
    gain: () => params()[0],
    bias: () => params()[1],
  };
}

registerGradient("AceLayerNorm", {
  inputsToSave: ["x", "gain"],
  outputsToSave: [false, true, true],
  gradFunc: ([dy], saved: Saved) => thunks(dy, saved),
});

registerGradient("AceLayerNormFork", {
  inputsToSave: ["x", "gain"],
  outputsToSave: [false, true, true, false],
  gradFunc: (dys, saved: Saved) => thunks(dys[0], saved, dys[3]), // those of mean and rstd are not read: zeros would be made
});
