/** The gradients of one query's attention: one kernel gives both, outside the thunks, whose scopes would dispose the other. @module */
import type { Tensor, Tensor3D } from "../../types.ts";
import { registerGradient, runKernel } from "../run.ts";

registerGradient("AceAffinity", {
  inputsToSave: ["query", "key"],
  outputsToSave: [false, true],
  gradFunc: ([dy], [query, key, probabilities]: [Tensor3D, Tensor3D, Tensor], attrs) => {
    const [dQuery, dKey] = runKernel("AceAffinityGrad", { dy, query, key, probabilities }, attrs);
    return { query: () => dQuery, key: () => dKey };
  },
});
