import * as tf from "@tensorflow/tfjs";
import { assertAlmostEquals, assertEquals } from "@std/assert";
import { cubicWeights, resamplePositions } from "../../lib/nn/resample_positions.ts";
import type { Tensor3D } from "../../lib/tensor/types.ts";
import { testOnBackends } from "../backends.ts";
import { noLeak } from "../close.ts";

Deno.test("cubicWeights() has rows of sum 1, keeps equal grids, and weighs as Keys' kernel does", () => {
  for (const antialias of [false, true]) {
    for (const [from, to] of [[3, 2], [2, 3], [37, 16], [16, 37]] as const) {
      const weights = cubicWeights(from, to, antialias);
      for (let i = 0; i < to; i++) {
        assertAlmostEquals(weights.subarray(i * from, (i + 1) * from).reduce((a, b) => a + b, 0), 1, 1e-6);
      }
    }
    assertEquals([...cubicWeights(3, 3, antialias)].map(Math.round), [1, 0, 0, 0, 1, 0, 0, 0, 1]);
  }
  // Halfway between two of four, a = -0.75: (-0.09375, 0.59375, 0.59375, -0.09375).
  assertEquals([...cubicWeights(8, 4, false).subarray(8, 16)], [0, -0.09375, 0.59375, 0.59375, -0.09375, 0, 0, 0]);
});

testOnBackends(
  "resamplePositions() keeps the read token, resamples each axis, and does nothing to an equal grid",
  async () => {
    await noLeak(async () => {
      // A map that is row + 10 column is reproduced between its places: cubic weights keep straight lines.
      const rows = [[7], ...Array.from({ length: 64 }, (_, i) => [Math.floor(i / 8) + 10 * (i % 8)])];
      const positions = tf.tensor3d([rows], [1, 65, 1]) as Tensor3D;
      const half = resamplePositions(positions, 4, false);
      const values = await half.data();
      assertEquals(half.shape, [1, 17, 1]);
      assertEquals(values[0], 7);
      assertAlmostEquals(values[1 + 5]!, 2.5 + 25, 1e-4); // row 1, column 1 of four: place 2.5 of eight
      const same = resamplePositions(positions, 8, false);
      assertEquals(await same.data(), await positions.data());
      tf.dispose([positions, half, same]);
    });
  },
);
