import { assertEquals } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { aceHgnn, type AceHgnnParams } from "../../lib/hypergraph/ace_hgnn.ts";
import type { Tensor, Tensor1D, Tensor2D, Tensor3D } from "../../lib/tensor/types.ts";
import { assertGpuLikeCpu, gpuTest, randoms, tensor } from "./webgpu_support.ts";

const layer = (weight: Tensor, bias: Tensor) => ({ weight: weight as Tensor2D, bias: bias as Tensor1D });

for (
  const [batch, nodes, width, k, hidden] of [[2, 9, 8, 3, 6], [3, 70, 36, 5, 40], [2, 5, 7, 4, 8], [
    1,
    2,
    4,
    5,
    6,
  ]] as const
) {
  gpuTest(
    `aceHgnn() of ${nodes} tokens of width ${width}, k = ${k}, ${hidden} hidden, has the value and all gradients of the steps`,
    async () => {
      const shapes = [[batch, nodes + 1, width], [batch, nodes]];
      for (let i = 0; i < 2; i++) shapes.push([hidden, width], [hidden], [width, hidden], [width]);
      await assertGpuLikeCpu(shapes, (tokens, affinity, ...w) => {
        const params: AceHgnnParams = {
          edge: { down: layer(w[0]!, w[1]!), up: layer(w[2]!, w[3]!) },
          node: { down: layer(w[4]!, w[5]!), up: layer(w[6]!, w[7]!) },
        };
        return [aceHgnn(params, tokens as Tensor3D, affinity as Tensor2D, k)];
      }, { tolerance: 1e-5 });
    },
  );
}

gpuTest("aceHgnn() with a token of no length has no gradient that is not a number", async () => {
  const values = randoms(7 * 4, 1);
  values.fill(0, 2 * 4, 3 * 4);
  const [tokens, affinity] = [tensor(values, [1, 7, 4]), tensor([5, 6, 1, 2, 3, 4], [1, 6])];
  const [down, up] = [layer(tf.ones([2, 4]), tf.ones([2])), layer(tf.ones([4, 2]), tf.ones([4]))];
  const params: AceHgnnParams = { edge: { down, up }, node: { down, up } };
  const gradients = tf.grads((t, a) => tf.sum(aceHgnn(params, t as Tensor3D, a as Tensor2D, 2)))([tokens, affinity]);
  for (const gradient of gradients) {
    assertEquals((await gradient.data()).every((x) => Number.isFinite(x)), true);
  }
  tf.dispose([tokens, affinity, ...Object.values(down), ...Object.values(up), ...gradients]);
});
