import { assertEquals, assertThrows } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { mulberry32 } from "../../lib/tensor/random.ts";
import { initWasm } from "../../lib/tensor/wasm/init.ts";

await initWasm();
await tf.setBackend("wasm");

Deno.test("topk() on wasm gives the k greatest in falling order, the first of equals first", async () => {
  const rng = mulberry32(3);
  for (const [rows, n, k] of [[1, 1, 1], [3, 7, 1], [4, 7, 7], [5, 50, 5], [2, 197, 6], [2, 100, 40]] as const) {
    // Few distinct values, so that there are many ties.
    const x = Float32Array.from({ length: rows * n }, () => Math.floor(rng() * 9) - 4);
    const { values, indices } = tf.tidy(() => tf.topk(tf.tensor2d(x, [rows, n]), k));
    const expected = Array.from(
      { length: rows },
      (_, i) =>
        Array.from({ length: n }, (_, j) => j).sort((a, b) => x[i * n + b]! - x[i * n + a]! || a - b).slice(0, k),
    ).flat();
    assertEquals([...await indices.data()], expected);
    assertEquals([...await values.data()], expected.map((j, at) => x[Math.floor(at / k) * n + j]!));
    tf.dispose([values, indices]);
  }
});

Deno.test("topk() on wasm takes rows with -Infinity, of rank 4, and of int32", async () => {
  const x = tf.tensor4d([-Infinity, 3, -Infinity, -1, 2, 2, 7, -Infinity], [2, 1, 1, 4]);
  const { values, indices } = tf.topk(x, 2);
  assertEquals(values.shape, [2, 1, 1, 2]);
  assertEquals([...await indices.data()], [1, 3, 2, 0]);
  assertEquals([...await values.data()], [3, -1, 7, 2]);
  const whole = tf.topk(tf.tensor1d([4, 9, 1], "int32"), 2);
  assertEquals([...await whole.values.data()], [9, 4]);
});

Deno.test("leakyRelu() on wasm multiplies negative numbers by the slope, also one above 1", async () => {
  const x = tf.tensor1d([-2, -0.5, 0, 3, NaN]);
  for (
    const [slope, expected] of [[0.25, [-0.5, -0.125, 0, 3, NaN]], [2, [-4, -1, 0, 3, NaN]]] as [number, number[]][]
  ) {
    const y = tf.leakyRelu(x, slope);
    assertEquals([...await y.data()], expected);
    y.dispose();
  }
  x.dispose();
});

Deno.test("tile() on wasm repeats each dimension, for float32, int32 and bool", async () => {
  const before = tf.memory().numTensors;
  const numDataIds = (tf.backend() as unknown as { numDataIds(): number }).numDataIds();
  for (const dtype of ["float32", "int32", "bool"] as const) {
    for (const reps of [[1, 1, 1], [2, 1, 1], [1, 3, 1], [1, 1, 2], [2, 3, 2], [0, 1, 1]]) {
      const shape = [2, 2, 3];
      const x = tf.tensor(Array.from({ length: 12 }, (_, i) => dtype === "bool" ? i % 3 & 1 : i), shape, dtype);
      const y = tf.tile(x, reps);
      const size = shape.map((s, d) => s * reps[d]!) as [number, number, number];
      assertEquals(y.shape, size);
      const values = await x.data();
      const expected = [];
      for (let i = 0; i < size[0]; i++) {
        for (let j = 0; j < size[1]; j++) {
          for (let l = 0; l < size[2]; l++) expected.push(values[(i % 2) * 6 + (j % 2) * 3 + l % 3]!);
        }
      }
      assertEquals([...await y.data()], expected, `${dtype} ${reps}`);
      tf.dispose([x, y]);
    }
  }
  assertEquals(tf.memory().numTensors, before);
  assertEquals((tf.backend() as unknown as { numDataIds(): number }).numDataIds(), numDataIds);
});

Deno.test("gather() on wasm takes rows by index in any shape, along other dimensions too, and refuses what is outside", async () => {
  const x = tf.tensor3d(Array.from({ length: 30 }, (_, i) => i), [5, 2, 3]);
  const rows = tf.gather(x, tf.tensor2d([4, 0, 4, 2], [2, 2], "int32"));
  assertEquals(rows.shape, [2, 2, 2, 3]);
  assertEquals([...await rows.data()], [4, 0, 4, 2].flatMap((row) => [0, 1, 2, 3, 4, 5].map((i) => 6 * row + i)));
  const middle = tf.gather(x, tf.tensor1d([1], "int32"), 1);
  assertEquals([middle.shape, (await middle.data())[0]], [[5, 1, 3], 3]);
  assertEquals(tf.gather(x, tf.tensor1d([], "int32")).shape, [0, 2, 3]);
  for (const id of [-1, 5]) assertThrows(() => tf.gather(x, tf.tensor1d([0, id], "int32")), Error, `${id}`);
});

Deno.test("add() on wasm takes one shape, a row, several rows, a column, a number, and integers", async () => {
  const shapes: [a: number[], b: number[]][] = [
    [[3, 5], [3, 5]],
    [[2, 3, 5], [5]],
    [[5], [2, 3, 5]],
    [[2, 3, 5], [3, 5]],
    [[3, 5], [3, 1]],
    [[3, 5], []],
    [[1, 5], [5]],
    [[0, 5], [5]],
    [[1, 3, 1], [2, 1, 4]],
  ];
  for (const dtype of ["float32", "int32"] as const) {
    for (const [shapeA, shapeB] of shapes) {
      const [a, b] = [shapeA, shapeB].map((shape, i) =>
        tf.tensor(Array.from({ length: tf.util.sizeFromShape(shape) }, (_, j) => 10 ** i * (j + 1)), shape, dtype)
      ) as [tf.Tensor, tf.Tensor];
      const sum = tf.add(a, b);
      // Subtraction is tfjs's own.
      const other = tf.sub(a, tf.neg(b));
      assertEquals([sum.shape, sum.dtype], [other.shape, dtype]);
      assertEquals([...await sum.data()], [...await other.data()]);
    }
  }
});
