/** Convolutions and poolings with a step: against torch's, against sums in float64, and their gradients. */
import * as tf from "@tensorflow/tfjs";
import { assertEquals, assertThrows } from "@std/assert";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { valueAndGradients } from "../../lib/tensor/gradients.ts";
import { averagePool2, convolve, maxPool3 } from "../../lib/tensor/kernels/conv/api.ts";
import { convolveInSteps } from "../../lib/tensor/kernels/conv/steps.ts";
import type { Scalar, Tensor, Tensor1D, Tensor2D, Tensor4D } from "../../lib/tensor/types.ts";
import { setThreads } from "../../lib/tensor/wasm/threads.ts";
import type { WasmBackend } from "../../lib/tensor/wasm/module.ts";
import { testOnBackends } from "../backends.ts";
import { assertClose } from "../close.ts";
import { assertNear, FIXTURE } from "../dense/fixture.ts";
import { CONV_CASES, convInputs, convReference, nameOf } from "./conv_cases.ts";

testOnBackends("convolve() and its gradients agree with torch at strides 1 and 2, kernels 1 and 3", async () => {
  for (const one of FIXTURE.convs) {
    const layer = {
      weight: tf.tensor2d(one.weight, [4, one.kernel * one.kernel * one.shape[3]]),
      gain: tf.ones([4]) as Tensor1D,
      bias: tf.tensor1d(one.bias),
    };
    const x = tf.tensor4d(one.x, one.shape);
    const label = `kernel ${one.kernel}, stride ${one.stride}, ${one.shape}`;
    await assertNear(convolve(layer, x, one), one.y, 1e-5, label);
    const slope = tf.tensor4d(one.slope, one.yShape);
    const { gradients } = valueAndGradients(
      { x, layer },
      ["x", "layer.weight", "layer.bias"],
      () => tf.tidy(() => tf.sum(tf.mul(convolve(layer, x, one), slope)) as Scalar),
    );
    await assertNear(gradients.get("x")!, one.dx, 1e-5, `dx, ${label}`);
    await assertNear(gradients.get("layer.weight")!, one.dWeight, 1e-5, `dWeight, ${label}`);
    await assertNear(gradients.get("layer.bias")!, one.dBias, 1e-5, `dBias, ${label}`);
  }
});

testOnBackends(
  "convolve() equals sums in float64, with gain, bias, addend and ReLU, at every kernel and step",
  async () => {
    for (const given of CONV_CASES) {
      const { x, layer, addend } = convInputs(given);
      const y = convolve(layer, x, { ...given.options, ...(addend ? { addend } : {}) });
      await assertNear(y, [...await convReference(given)], 1e-5, nameOf(given));
    }
  },
);

testOnBackends("convolve() has the gradients of its steps by all that it reads", async () => {
  const names = ["x", "layer.weight", "layer.gain", "layer.bias"];
  for (const given of CONV_CASES.filter(({ shape }) => shape[1] < 20)) {
    const { options } = given;
    const tree = convInputs(given);
    const { x, layer, addend } = tree;
    const attrs = { kernel: options.kernel, stride: options.stride, relu: options.relu ?? false };
    const gradients = (f: () => Tensor4D): Map<string, Tensor> =>
      valueAndGradients(
        tree,
        addend ? [...names, "addend"] : names,
        () => tf.tidy(() => tf.sum(tf.square(f())) as Scalar),
      ).gradients;
    const own = gradients(() => convolve(layer, x, { ...options, ...(addend ? { addend } : {}) }));
    const steps = gradients(() => convolveInSteps({ x, ...layer, ...(addend ? { addend } : {}) }, attrs));
    for (const [name, wanted] of steps) {
      const [scale] = await tf.max(tf.abs(wanted)).data();
      await assertClose(tf.div(own.get(name)!, scale!), tf.div(wanted, scale!), 1e-5, `${name}, ${nameOf(given)}`);
    }
  }
});

Deno.test("convolve() has the same bits on one thread of wasm and on two", async () => {
  await selectBackend({ backend: "wasm", wasm: { blas: "off" } });
  const backend = tf.backend() as unknown as WasmBackend;
  for (const given of CONV_CASES.filter(({ out }) => out > 30)) {
    const values: Uint8Array[] = [];
    for (const threads of [1, 2]) {
      await setThreads(backend, threads, true);
      const { x, layer } = convInputs(given);
      values.push(new Uint8Array((await convolve(layer, x, given.options).data()).buffer));
    }
    assertEquals(values[0], values[1], nameOf(given));
  }
  await setThreads(backend, 1);
});

testOnBackends("convolve() refuses weights and addends of other sizes, saying which", () => {
  const layer = {
    weight: tf.zeros([4, 27]) as Tensor2D,
    gain: tf.ones([4]) as Tensor1D,
    bias: tf.zeros([4]) as Tensor1D,
  };
  assertThrows(
    () => convolve(layer, tf.zeros([1, 2, 2, 4]) as Tensor4D),
    TypeError,
    "must have 36 columns, 3 x 3 of 4 channels: current shape is [4,27]",
  );
  const addend = tf.zeros([1, 2, 2, 3]) as Tensor4D;
  assertThrows(
    () => convolve(layer, tf.zeros([1, 2, 2, 3]) as Tensor4D, { addend }),
    TypeError,
    "must have shape [1,2,2,4]: current shape is [1,2,2,3]",
  );
  return Promise.resolve();
});

testOnBackends("maxPool3() and averagePool2() have the gradients of their largest and of their means", async () => {
  // The largest at each place: 8, 6, 8 again, and 9.
  const x = tf.tensor4d([1, 5, 2, 8, 3, 6, 4, 7, 9], [1, 3, 3, 1]);
  const gradientOf = (f: (x: Tensor4D) => Tensor4D): Tensor =>
    valueAndGradients({ x }, ["x"], () => tf.tidy(() => tf.sum(tf.square(f(x))) as Scalar)).gradients.get("x")!;
  await assertNear(maxPool3(x), [8, 6, 8, 9], 1e-6, "largest");
  await assertNear(gradientOf(maxPool3), [0, 0, 0, 32, 0, 12, 0, 0, 18], 1e-5, "gradient of the largest");
  await assertNear(averagePool2(x), [4.25], 1e-6, "mean");
  await assertNear(gradientOf(averagePool2), [2.125, 2.125, 0, 2.125, 2.125, 0, 0, 0, 0], 1e-5, "gradient of the mean");
});

testOnBackends(
  "maxPool3() and averagePool2() read the squares that torch's do, borders and odd sides too",
  async () => {
    const side = 5;
    const at = (y: number, x: number, c: number): number => (y * 31 + x * 17 + c * 7) % 23; // no order along the sides
    const x = tf.tensor4d(
      Array.from({ length: side * side * 2 }, (_, i) => at(Math.floor(i / 10), Math.floor(i / 2) % 5, i % 2)),
      [1, side, side, 2],
    );
    const inside = (y: number, x: number): boolean => y >= 0 && y < side && x >= 0 && x < side;
    const largest = (row: number, column: number, c: number): number => {
      const values = [-1, 0, 1].flatMap((dy) => [-1, 0, 1].map((dx) => [2 * row + dy, 2 * column + dx] as const));
      return Math.max(...values.filter(([y, x]) => inside(y, x)).map(([y, x]) => at(y, x, c)));
    };
    const mean = (row: number, column: number, c: number): number =>
      (at(2 * row, 2 * column, c) + at(2 * row, 2 * column + 1, c) + at(2 * row + 1, 2 * column, c) +
        at(2 * row + 1, 2 * column + 1, c)) / 4;
    const map = (count: number, f: typeof mean): number[] =>
      Array.from(
        { length: count * count * 2 },
        (_, i) => f(Math.floor(i / 2 / count), Math.floor(i / 2) % count, i % 2),
      );
    await assertNear(maxPool3(x), map(3, largest), 1e-6, "largest");
    await assertNear(averagePool2(x), map(2, mean), 1e-6, "mean");
  },
);
