/** The contrastive loss's gradients: one kernel gives both, outside the thunks, whose scopes would dispose the other. @module */
import type { Tensor } from "../../types.ts";
import { registerGradient, runKernel } from "../run.ts";

type Saved = [products: Tensor, scale: Tensor, sums: Tensor] | [
  products: Tensor,
  scale: Tensor,
  pairMask: Tensor,
  sums: Tensor,
];

registerGradient("AceInfoNce", {
  saveAllInputs: true,
  outputsToSave: [false, true],
  gradFunc: ([dy], saved: Saved) => {
    const [products, scale] = saved;
    const rest = saved.length === 4 ? { pairMask: saved[2], sums: saved[3] } : { sums: saved[2] };
    const [dProducts, dScale] = runKernel("AceInfoNceGrad", { dy, products, scale, ...rest }, {});
    return { products: () => dProducts, scale: () => dScale };
  },
});
