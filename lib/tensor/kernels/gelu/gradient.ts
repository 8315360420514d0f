/** GELU's gradient. @module */
import type { Tensor } from "../../types.ts";
import { registerGradient, runKernel } from "../run.ts";

registerGradient("AceGelu", {
  inputsToSave: ["x"],
  gradFunc: (dy, [x]: [Tensor]) => ({ x: () => runKernel("AceGeluGrad", { dy, x }, {}) }),
});
