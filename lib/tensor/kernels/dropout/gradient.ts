/** Dropout's gradient: the same mask on dy. @module */
import { registerGradient, runKernel } from "../run.ts";

registerGradient("AceDropout", {
  gradFunc: (dy, _saved: [], attrs) => ({ x: () => runKernel("AceDropout", { x: dy }, attrs) }),
});
