/** What is turned there has a gradient that is turned back. @module */
import type { Tensor2D } from "../../types.ts";
import { registerGradient, runKernel } from "../run.ts";

registerGradient("AceRotate", {
  inputsToSave: ["cos", "sin"],
  gradFunc: (dy, [cos, sin]: [Tensor2D, Tensor2D], { back }) => ({
    x: () => runKernel("AceRotate", { x: dy, cos, sin }, { back: !back }),
  }),
});
