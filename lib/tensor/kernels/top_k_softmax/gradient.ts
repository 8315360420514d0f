/** The gradient of the softmax over the k largest: that of a softmax, as the choice carries none. @module */
import type { Tensor } from "../../types.ts";
import { registerGradient, runKernel } from "../run.ts";

registerGradient("AceTopKSoftmax", {
  outputsToSave: [true, false],
  gradFunc: ([dy], [weights]: [Tensor]) => ({ scores: () => runKernel("AceTopKSoftmaxGrad", { dy, weights }, {}) }),
});
