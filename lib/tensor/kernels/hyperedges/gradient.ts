/** The hyperedges' gradients: one kernel gives both, outside the thunks, whose scopes would dispose the other. @module */
import type { Tensor3D } from "../../types.ts";
import { registerGradient, runKernel } from "../run.ts";

registerGradient("AceHyperedges", {
  inputsToSave: ["tokens"],
  outputsToSave: [false, false, true, true],
  gradFunc: ([dEdges, dIncoming], [tokens, places, shares]: [Tensor3D, Tensor3D, Tensor3D], attrs) => {
    const inputs = { dEdges, dIncoming, tokens, places, shares };
    const [dTokens, dAffinity] = runKernel("AceHyperedgesGrad", inputs, attrs);
    return { tokens: () => dTokens, affinity: () => dAffinity };
  },
});
