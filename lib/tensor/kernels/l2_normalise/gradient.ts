/** The gradient of rows of unit length. @module */
import type { Tensor } from "../../types.ts";
import { registerGradient, runKernel } from "../run.ts";

registerGradient("AceL2Normalise", {
  inputsToSave: ["x"],
  gradFunc: (dy, [x]: [Tensor]) => ({ x: () => runKernel("AceL2NormaliseGrad", { dy, x }, {}) }),
});
