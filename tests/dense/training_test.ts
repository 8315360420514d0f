import * as tf from "@tensorflow/tfjs";
import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { boxedFraction } from "../../lib/dense/detect/data.ts";
import { constantBoxes } from "../../lib/dense/detect/metrics.ts";
import { meanMask } from "../../lib/dense/segment/metrics.ts";
import { boxIou, type UnitBox } from "../../lib/dense/detect/boxes.ts";
import type { MappedCases, MapSource } from "../../lib/dense/maps.ts";
import { fitHead } from "../../lib/dense/train.ts";
import { labelFraction } from "../../lib/dense/data.ts";
import type { Case } from "../../lib/data/types.ts";
import { constantBoxFigures, evaluateDetection, trainDetection } from "../../lib/dense/detect/run.ts";
import { constantMaskFigures, evaluateSegmentation, trainSegmentation } from "../../lib/dense/segment/run.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { disposeParams, namedTensors } from "../../lib/tensor/params.ts";
import { mulberry32 } from "../../lib/tensor/random.ts";
import type { Scalar } from "../../lib/tensor/types.ts";
import { noLeak } from "../close.ts";

await selectBackend({ backend: "wasm" });

const GRID = 4, WIDTH = 6, SIDE = 8;

/** Images whose maps say where a rectangle of cells lies, under noise; the rectangle is mask and box. */
function drawn(count: number, seed: number): MappedCases {
  const rng = mulberry32(seed);
  const values = new Float32Array(count * GRID * GRID * WIDTH);
  const cases = Array.from({ length: count }, (_, i): Case => {
    const [x, y] = [Math.floor(rng() * 3), Math.floor(rng() * 3)];
    const set = (column: number, row: number): boolean => column >= x && column < x + 2 && row >= y && row < y + 2;
    for (let at = 0; at < GRID * GRID * WIDTH; at++) {
      const cell = Math.floor(at / WIDTH);
      const signal = at % WIDTH === 2 && set(cell % GRID, Math.floor(cell / GRID)) ? 2 : 0;
      values[i * GRID * GRID * WIDTH + at] = signal + 0.3 * (rng() - 0.5);
    }
    const data = Uint8Array.from({ length: SIDE * SIDE }, (_, p) => set((p % SIDE) >> 1, (p / SIDE) >> 1) ? 1 : 0);
    return {
      id: `${seed}-${i}`,
      image: () => Promise.reject(new Error("not read")),
      mask: () => Promise.resolve({ width: SIDE, height: SIDE, data }),
      boxes: [{ x: 2 * x, y: 2 * y, width: 4, height: 4, label: "square" }],
    };
  });
  const maps: MapSource = {
    size: count,
    grid: GRID,
    width: WIDTH,
    key: "",
    computed: count,
    imageSizes: cases.map(() => [SIDE, SIDE] as const),
    maps: (indices) => {
      const size = GRID * GRID * WIDTH;
      const out = new Float32Array(indices.length * size);
      indices.forEach((index, i) => out.set(values.subarray(index * size, (index + 1) * size), i * size));
      return Promise.resolve(out);
    },
  };
  return { cases, maps };
}

Deno.test("trainSegmentation() finds the squares that maps show, far above the best constant mask, the same for a seed", async () => {
  await noLeak(async () => {
    const [train, validation, test] = [drawn(48, 1), drawn(12, 2), drawn(24, 3)];
    const options = { patchSize: 2, widest: 8, epochs: 12, learningRate: 0.02, batchSize: 16 };
    const { head, fit } = await trainSegmentation(train, validation, options);
    const { figures, overlaps } = await evaluateSegmentation(head, test);
    const constant = await constantMaskFigures(train, test, SIDE);
    assertEquals(overlaps.length, 24);
    assert(constant.dice > 0.2 && constant.dice < 0.6, `constant mask ${constant.dice}`);
    assert(figures.dice > 0.9, `Dice ${figures.dice}`);
    assertEquals(fit.history.length, 12);
    const again = await trainSegmentation(train, validation, { ...options, epochs: 12 });
    assertEquals(again.fit.history, fit.history);
    disposeParams(head.params);
    disposeParams(again.head.params);
  });
});

Deno.test("trainDetection() finds the squares that maps show, far above the best constant box", async () => {
  await noLeak(async () => {
    const [train, validation, test] = [drawn(64, 4), drawn(12, 5), drawn(24, 6)];
    const { head, anchorIou } = await trainDetection(train, validation, {
      classes: ["square"],
      width: 8,
      pairs: 1,
      anchors: 1,
      epochs: 25,
      patience: 25,
      learningRate: 0.01,
    });
    const { figures } = await evaluateDetection(head, test);
    const constant = constantBoxFigures(train, test, ["square"]);
    assertAlmostEquals(anchorIou, 1, 1e-12);
    assert(constant.mapStrict! < 0.5, `constant box ${constant.mapStrict}`);
    assert(figures.mapStrict! > 0.8, `mAP ${figures.mapStrict}`);
    assert(figures.froc.mean! > 0.8, `FROC ${figures.froc.mean}`);
    disposeParams(head.params);
  });
});

Deno.test("fitHead() keeps the epoch with the best figure, stops after the patience, and leaves the start alone", async () => {
  await noLeak(async () => {
    const start = { weight: tf.tensor1d([0]) };
    const figures = [0.1, 0.5, 0.3, 0.5, 0.2, 0.9];
    const seen: number[] = [];
    const result = await fitHead(start, {
      size: 4,
      load: () => Promise.resolve({ goal: tf.scalar(1) }),
      loss: (params, batch) => tf.tidy(() => tf.sum(tf.square(tf.sub(params.weight, batch.goal))) as Scalar),
      validate: async (params) => {
        seen.push((await params.weight.data())[0]!);
        return figures[seen.length - 1]!;
      },
    }, { epochs: 6, batchSize: 2, patience: 2, learningRate: 0.1, weightDecay: 0 });
    // Equal figures: the lower loss wins, so epoch 4 replaces epoch 2, and the patience runs out after 6 - but 0.9 is better.
    assertEquals([result.bestEpoch, result.bestFigure, result.ended], [6, 0.9, "all epochs"]);
    assertEquals((await result.params.weight.data())[0], seen[5]);
    assertEquals((await start.weight.data())[0], 0);
    disposeParams(result.params);
    let epoch = 0;
    const short = await fitHead(start, {
      size: 3,
      load: () => Promise.resolve({ goal: tf.scalar(1) }),
      loss: (params, batch) => tf.tidy(() => tf.sum(tf.square(tf.sub(params.weight, batch.goal))) as Scalar),
      validate: () => Promise.resolve([0.4, 0.3, 0.2, 0.9][epoch++]!),
    }, { epochs: 10, batchSize: 2, patience: 2 });
    assertEquals([short.bestEpoch, short.history.length, short.ended], [1, 3, "no better figure"]);
    disposeParams(short.params);
    const sparse = await fitHead(start, {
      size: 3,
      load: () => Promise.resolve({ goal: tf.scalar(1) }),
      loss: (params, batch) => tf.tidy(() => tf.sum(tf.square(tf.sub(params.weight, batch.goal))) as Scalar),
    }, { epochs: 5, batchSize: 2, validateEvery: 2 });
    assertEquals(sparse.history.map(({ figure }) => figure === null), [true, false, true, false, false]);
    disposeParams(sparse.params);
    start.weight.dispose();
  });
});

Deno.test("fitHead() refuses an empty set and names the step where the loss is not finite, and frees what it made", async () => {
  await noLeak(async () => {
    const start = { weight: tf.tensor1d([1]) };
    const load = () => Promise.resolve({ none: tf.scalar(0) });
    const loss = (params: typeof start, batch: { none: Scalar }) =>
      tf.tidy(() => tf.sum(tf.div(params.weight, batch.none)) as Scalar);
    await assertRejects(() => fitHead(start, { size: 0, load, loss }), RangeError, "there are 0");
    await assertRejects(() => fitHead(start, { size: 2, load, loss }), RangeError, "at step 0 it is Infinity");
    assertEquals(namedTensors(start).size, 1);
    start.weight.dispose();
  });
});

Deno.test("fitHead() lets a signal in and keeps the best epoch so far", async () => {
  await noLeak(async () => {
    const start = { weight: tf.tensor1d([0]) };
    const controller = new AbortController();
    const result = await fitHead(start, {
      size: 2,
      load: () => Promise.resolve({ goal: tf.scalar(1) }),
      loss: (params, batch) => tf.tidy(() => tf.sum(tf.square(tf.sub(params.weight, batch.goal))) as Scalar),
    }, {
      epochs: 10_000,
      batchSize: 2,
      signal: controller.signal,
      onStep: ({ step }) => void (step === 3 && setTimeout(() => controller.abort(), 0)), // as Ctrl-C comes: from outside
    });
    assertEquals(result.ended, "interrupted");
    assert(result.history.length >= 3 && result.history.length < 100, `${result.history.length} epochs`);
    assertEquals(result.bestEpoch, result.history.length);
    disposeParams(result.params);
    start.weight.dispose();
  });
});

Deno.test("labelFraction() draws nested shares by seed and keeps the order", () => {
  const cases = Array.from({ length: 200 }, (_, i) => i);
  const [one, ten, all] = [0.01, 0.1, 1].map((fraction) => labelFraction(cases, { fraction, seed: 3 })) as [
    number[],
    number[],
    number[],
  ];
  assertEquals([one.length, ten.length, all], [2, 20, cases]);
  assert(one.every((i) => ten.includes(i)));
  assertEquals(ten, ten.toSorted((a, b) => a - b));
  assertEquals(labelFraction(cases, { fraction: 0.1, seed: 3 }), ten);
  assert(labelFraction(cases, { fraction: 0.1, seed: 4 }).join() !== ten.join());
  assertEquals(labelFraction([7], { fraction: 0.01 }), [7]);
  assertThrows(() => labelFraction(cases, { fraction: 0 }), RangeError, "above 0 and at most 1: current value is 0");
});

Deno.test("boxedFraction() has a box in every share, and is labelFraction() where that has one", () => {
  const box = { x: 0, y: 0, width: 1, height: 1, label: "a" };
  const make = (boxed: (i: number) => boolean): Case[] =>
    Array.from({ length: 20 }, (_, i) => ({
      id: String(i),
      image: () => Promise.reject(new Error("not read")),
      boxes: boxed(i) ? [box] : [],
    }));
  const rare = make((i) => i === 17);
  for (let seed = 1; seed < 6; seed++) {
    const drawn = boxedFraction(rare, { fraction: 0.1, seed });
    assertEquals([drawn.length, drawn.some(({ boxes }) => boxes!.length > 0)], [2, true]);
  }
  const all = make(() => true);
  assertEquals(boxedFraction(all, { fraction: 0.1 }), labelFraction(all, { fraction: 0.1 }));
  assertEquals(boxedFraction(make(() => false), { fraction: 0.1 }).length, 2);
});

Deno.test("meanMask() is the level set with the best Dice, and constantBoxes() the training box that fits most", () => {
  assertEquals([...meanMask([[1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 0, 1]])], [1, 1, 0, 0]);
  assertEquals([...meanMask([[0, 0], [0, 0], [1, 1]])], [0, 0]);
  const box = (x: number): UnitBox => ({ x, y: 0, width: 0.2, height: 0.2, classIndex: 0 });
  const [best, ...others] = constantBoxes([[box(0.5)], [box(0.51)], [box(0.49)], [box(0)]]);
  assertEquals(others.length, 0);
  assert(boxIou(best!, box(0.5)) > 0.85);
});
