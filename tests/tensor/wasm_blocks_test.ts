import * as tf from "@tensorflow/tfjs";
import { assertEquals } from "@std/assert";
import { initWasm } from "../../lib/tensor/wasm/init.ts";

const SHAPE = [3, 4, 5];
const value = (i: number, j: number, k: number): number => 100 * i + 10 * j + k + 1;
const cube = (shape: readonly number[], f: (i: number, j: number, k: number) => number): number[] =>
  Array.from({ length: shape[0]! * shape[1]! * shape[2]! }, (_, at) => {
    const k = at % shape[2]!;
    const j = Math.floor(at / shape[2]!) % shape[1]!;
    return f(Math.floor(at / (shape[1]! * shape[2]!)), j, k);
  });

for (const dtype of ["float32", "int32"] as const) {
  const cases: [begin: number[], size: number[]][] = [
    [[1, 0, 0], [2, 4, 5]],
    [[0, 1, 0], [3, 3, 5]],
    [[0, 0, 0], [3, 1, 5]],
    [[0, 0, 2], [3, 4, 2]],
    [[0, 3, 0], [3, -1, -1]],
    [[1, 1, 1], [2, 2, 3]],
    [[0, 0, 0], [3, 4, 5]],
    [[0, 2, 0], [3, 0, 5]],
  ];
  for (const [begin, size] of cases) {
    Deno.test(`tf.slice() on wasm from [${begin}], size [${size}], ${dtype}, takes the right entries`, async () => {
      await initWasm({ threads: 1 });
      await tf.setBackend("wasm");
      const x = tf.tensor3d(cube(SHAPE, value), SHAPE as [number, number, number], dtype);
      const y = tf.slice(x, begin, size);
      const shape = size.map((n, d) => n === -1 ? SHAPE[d]! - begin[d]! : n);
      assertEquals([y.shape, y.dtype], [shape, dtype]);
      assertEquals([...await y.data()], cube(shape, (i, j, k) => value(i + begin[0]!, j + begin[1]!, k + begin[2]!)));
      tf.dispose([x, y]);
    });
  }
}

for (
  const paddings of [[[1, 2], [0, 0], [0, 0]], [[0, 0], [1, 0], [0, 0]], [[0, 0], [0, 0], [2, 1]], [[1, 0], [0, 1], [
    0,
    0,
  ]]]
) {
  Deno.test(`tf.pad() on wasm by ${JSON.stringify(paddings)} keeps the entries and fills the rest`, async () => {
    await initWasm({ threads: 1 });
    await tf.setBackend("wasm");
    const x = tf.tensor3d(cube(SHAPE, value), SHAPE as [number, number, number]);
    const y = tf.pad(x, paddings as [number, number][], 7);
    const shape = SHAPE.map((n, d) => n + paddings[d]![0]! + paddings[d]![1]!);
    const inside = (at: number[]): boolean => at.every((v, d) => v >= 0 && v < SHAPE[d]!);
    const want = cube(shape, (...at) => {
      const from = at.map((v, d) => v - paddings[d]![0]!);
      return inside(from) ? value(from[0]!, from[1]!, from[2]!) : 7;
    });
    assertEquals(y.shape, shape);
    assertEquals([...await y.data()], want);
    tf.dispose([x, y]);
  });
}

Deno.test("tf.split() on wasm into equal and unequal parts takes the entries of each, along every dimension", async () => {
  await initWasm({ threads: 1 });
  await tf.setBackend("wasm");
  for (const dtype of ["float32", "int32", "bool"] as const) {
    const entry = (i: number, j: number, k: number): number =>
      dtype === "bool" ? value(i, j, k) % 3 % 2 : value(i, j, k);
    const x = tf.tensor3d(cube(SHAPE, entry), SHAPE as [number, number, number], dtype);
    for (const [axis, sizes] of [[0, [1, 2]], [1, [2, 2]], [1, [3, 0, 1]], [2, [1, 1, 3]], [-1, [4, 1]]] as const) {
      const d = (axis + 3) % 3;
      const equal = sizes.every((size) => size === sizes[0]);
      const parts = tf.split(x, equal ? sizes.length : [...sizes], axis);
      let begin = 0;
      for (const [p, part] of parts.entries()) {
        const shape = SHAPE.map((size, at) => at === d ? sizes[p]! : size);
        assertEquals([part.shape, part.dtype], [shape, dtype]);
        const shifted = (at: number): number => at === d ? begin : 0;
        const want = cube(shape, (i, j, k) => entry(i + shifted(0), j + shifted(1), k + shifted(2)));
        assertEquals([...await part.data()], want);
        begin += sizes[p]!;
      }
      tf.dispose(parts);
    }
    x.dispose();
  }
});
