/** The gradients, by way of the steps: the probabilities are not kept. @module */
import { gradientsOf } from "../../gradients.ts";
import type { Tensor, Tensor3D, Tensor4D } from "../../types.ts";
import { registerGradient } from "../run.ts";
import { biasedAttentionInSteps } from "./steps.ts";

type Inputs = [query: Tensor3D, key: Tensor3D, value: Tensor3D, bias: Tensor4D];

registerGradient("AceBiasedAttention", {
  inputsToSave: ["query", "key", "value", "bias"],
  gradFunc: (dy, [query, key, value, bias]: Inputs) => {
    const by = (leaves: readonly Tensor[]): (Tensor | null)[] => {
      const steps = (): Tensor3D => biasedAttentionInSteps([query, key, value], bias);
      const { value: context, grads } = gradientsOf(steps, leaves, dy);
      context.dispose();
      return grads; // none is null: all of them have influence
    };
    // Outside the thunks: a thunk's own scope would dispose the other two.
    const [dQuery, dKey, dValue] = by([query, key, value]);
    return { query: () => dQuery!, key: () => dKey!, value: () => dValue!, bias: () => by([bias])[0]! };
  },
});
