import * as tf from "@tensorflow/tfjs";
import { assertAlmostEquals } from "@std/assert";
import { rotaryTable, rotate } from "../../lib/nn/rotary.ts";
import { gradientsOf } from "../../lib/tensor/gradients.ts";
import type { Scalar, Tensor3D } from "../../lib/tensor/types.ts";
import { testOnBackends } from "../backends.ts";
import { noLeak } from "../close.ts";

const SIZES = { grid: 3, reference: 6, width: 16, heads: 2 };
const TOKENS = 10;

/** CLS and nine patches of two samples. */
function numbers(seed: number): Tensor3D {
  const values = Float32Array.from({ length: 2 * TOKENS * SIZES.width }, (_, i) => Math.sin(seed + 1.7 * i));
  return tf.tensor3d(values, [2, TOKENS, SIZES.width]) as Tensor3D;
}

/** The pair `p` of a head as a complex number times `exp(i angle)`, in float64. */
function definition(x: ArrayLike<number>): Float64Array {
  const { grid, reference, width, heads } = SIZES;
  const size = width / heads;
  const out = Float64Array.from(x);
  for (let token = 0; token < 2 * TOKENS; token++) {
    const patch = token % TOKENS - 1;
    if (patch < 0) continue;
    const places = [Math.floor(patch / grid), patch % grid].map((place) => place * reference / grid);
    for (let c = 0; c < width; c += 2) {
      const pair = c % size / 2;
      const isColumn = pair >= size / 4;
      const angle = places[Number(isColumn)]! * 10_000 ** (-(pair - (isColumn ? size / 4 : 0)) * 4 / size);
      const at = token * width + c;
      out[at] = x[at]! * Math.cos(angle) - x[at + 1]! * Math.sin(angle);
      out[at + 1] = x[at]! * Math.sin(angle) + x[at + 1]! * Math.cos(angle);
    }
  }
  return out;
}

testOnBackends("rotate() turns pairs by row and column, leaves CLS, and its gradient turns back", async () => {
  await noLeak(async () => {
    const [table, x, y] = [rotaryTable(SIZES), numbers(1), numbers(2)];
    const turned = rotate(x, table);
    const wanted = definition(await x.data());
    (await turned.data()).forEach((value, i) => assertAlmostEquals(value, wanted[i]!, 1e-5));
    // <R x, y> = <x, Rᵀ y>, and Rᵀ R = 1.
    const { value, grads } = gradientsOf(() => tf.sum(tf.mul(rotate(x, table), rotate(y, table))) as Scalar, [x]);
    const back = await y.data();
    (await grads[0]!.data()).forEach((number, i) => assertAlmostEquals(number, back[i]!, 1e-5));
    tf.dispose([table.cos, table.sin, x, y, turned, value, grads[0]!]);
  });
});
