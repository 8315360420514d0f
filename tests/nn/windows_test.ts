import * as tf from "@tensorflow/tfjs";
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { mergeOrder, reorder, rowOrder, windowBias, windowOrder } from "../../lib/nn/windows.ts";
import { gradientsOf } from "../../lib/tensor/gradients.ts";
import type { Scalar, Tensor2D, Tensor3D } from "../../lib/tensor/types.ts";
import { testOnBackends } from "../backends.ts";
import { noLeak } from "../close.ts";

Deno.test("windowOrder() cuts a map into windows, moved or not; mergeOrder() takes two by two, columns last", () => {
  assertEquals(windowOrder({ side: 4, window: 2, shift: 0 }), [0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15]);
  // Moved by one, the first window starts at row 1, column 1, and the last one wraps round both borders.
  assertEquals(windowOrder({ side: 4, window: 2, shift: 1 }), [5, 6, 9, 10, 7, 4, 11, 8, 13, 14, 1, 2, 15, 12, 3, 0]);
  assertEquals(mergeOrder(4).slice(0, 8), [0, 4, 1, 5, 2, 6, 3, 7]);
});

testOnBackends("reorder() moves tokens there and back, and gradients the same ways", async () => {
  await noLeak(async () => {
    const x = tf.tensor3d(Array.from({ length: 96 }, (_, i) => i), [2, 16, 3]) as Tensor3D;
    const [rows, windows] = [rowOrder(4), windowOrder({ side: 4, window: 2, shift: 1 })];
    const moved = reorder(x, rows, windows);
    const values = await moved.data();
    windows.forEach((place, i) => assertEquals(values[3 * i], 3 * place));
    const back = reorder(moved, windows, rows);
    assertEquals(await back.data(), await x.data());
    const same = reorder(x, rows, rows);
    assertEquals(await same.data(), await x.data());
    const { value, grads } = gradientsOf(() => tf.sum(tf.mul(reorder(x, rows, windows), moved)) as Scalar, [x]);
    assertEquals(await grads[0]!.data(), await x.data());
    tf.dispose([x, moved, back, same, value, grads[0]!]);
  });
});

testOnBackends(
  "windowBias() depends on the distance, hides what a shift has brought together, and has its table's gradient",
  async () => {
    await noLeak(async () => {
      const table = tf.tensor2d(Array.from({ length: 18 }, (_, i) => [i, -i][i % 2]!), [9, 2]) as Tensor2D;
      const still = windowBias(table, { side: 4, window: 2, shift: 0 });
      assertEquals(still.shape, [1, 2, 4, 4]);
      const numbers = await still.data();
      const wanted = await table.data();
      for (let i = 0; i < 4; i++) {
        for (let j = 0; j < 4; j++) {
          const row = ((i >> 1) - (j >> 1) + 1) * 3 + (i & 1) - (j & 1) + 1;
          for (const head of [0, 1]) assertEquals(numbers[(head * 4 + i) * 4 + j], wanted[row * 2 + head]);
        }
      }
      const moved = windowBias(table, { side: 4, window: 2, shift: 1 });
      assertEquals(moved.shape, [4, 2, 4, 4]);
      const hidden = (await moved.data()).map((value, i) => value - numbers[i % 32]!);
      assert(hidden.subarray(0, 32).every((value) => value === 0), "the first window is of one piece");
      // The second window's left column comes from the right border, its right column from the left one.
      assertEquals([...hidden.subarray(32, 36)], [0, -100, 0, -100]);
      // In the last window, four corners meet.
      assertEquals([...hidden.subarray(96, 100)], [0, -100, -100, -100]);
      const { value, grads } = gradientsOf(
        () => tf.sum(windowBias(table, { side: 4, window: 2, shift: 1 })) as Scalar,
        [table],
      );
      // Each distance occurs (2 - |rows|)(2 - |columns|) times in each of four windows.
      const counts = await grads[0]!.data();
      for (let row = 0; row < 9; row++) {
        const [r, c] = [Math.abs(Math.floor(row / 3) - 1), Math.abs(row % 3 - 1)];
        assertAlmostEquals(counts[2 * row]!, 4 * (2 - r) * (2 - c), 1e-4);
      }
      tf.dispose([table, still, moved, value, grads[0]!]);
    });
  },
);
