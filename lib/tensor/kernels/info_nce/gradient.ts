/** The contrastive loss's gradients: one kernel gives both, outside the thunks, whose scopes would dispose the other. @module */
import type { Scalar, Tensor1D, Tensor2D } from "../../types.ts";
import { registerGradient, runKernel } from "../run.ts";

type Saved =
  | [products: Tensor2D, scale: Scalar, sums: Tensor1D]
  | [products: Tensor2D, scale: Scalar, pairMask: Tensor2D, sums: Tensor1D];

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
