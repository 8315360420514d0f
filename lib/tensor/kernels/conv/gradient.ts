/** The gradients of convolutions and poolings that are one kernel. @module */
import * as tf from "@tensorflow/tfjs";
import { gradientsOf } from "../../gradients.ts";
import { ones } from "../../init.ts";
import { matMul, mul, reshape, sumOver } from "../../typed.ts";
import type { Tensor1D, Tensor2D, Tensor4D } from "../../types.ts";
import { registerGradient } from "../run.ts";
import { convolutionGradWeight, convolutionGradX, poolInSteps } from "./steps.ts";

registerGradient("AceConv", {
  inputsToSave: ["x", "weight", "gain"],
  outputsToSave: [true],
  gradFunc: (dy, [x, weight, gain, y]: [Tensor4D, Tensor2D, Tensor1D, Tensor4D], attrs) => {
    const inner = (): Tensor4D => attrs.relu ? mul(dy, tf.step(y)) : dy;
    const dProducts = (): Tensor2D => convolutionGradWeight(inner(), x, attrs);
    return {
      x: () => convolutionGradX(mul(inner(), gain), weight, { ...attrs, shape: x.shape }),
      weight: () => tf.mul(dProducts(), tf.expandDims(gain, 1)),
      gain: () => sumOver(mul(dProducts(), weight), 1),
      bias: () => columnSums(inner()),
      addend: () => tf.clone(inner()),
    };
  },
});

registerGradient("AcePool", {
  inputsToSave: ["x"],
  gradFunc: (dy, [x]: [Tensor4D], { kind }) => ({
    x: () => {
      const { value, grads } = gradientsOf(() => poolInSteps(x, kind), [x], dy);
      value.dispose();
      return grads[0]!;
    },
  }),
});

/** As a product with ones: a reduction over the first axis is slow on wasm. */
function columnSums(x: Tensor4D): Tensor1D {
  const columns = x.shape[3];
  const rows = x.size / columns;
  return reshape(matMul(ones([1, rows]), reshape(x, [rows, columns])), [columns]);
}
