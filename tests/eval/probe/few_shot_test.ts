/** Few labels: CoOp's draws against Python, what validation chooses, trained methods' gradients and laws. */
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { chooseLogistic, chooseTipAdapter } from "../../../lib/eval/probe/choose.ts";
import { fewShot } from "../../../lib/eval/probe/few_shot.ts";
import { fitLogistic, predictLogistic } from "../../../lib/eval/probe/logistic.ts";
import { PROBE_METHODS } from "../../../lib/eval/probe/methods.ts";
import { type LabelledFeatures, tipAdapter } from "../../../lib/eval/probe/neighbours.ts";
import { drawShots } from "../../../lib/eval/probe/shots.ts";
import { type ProbeTask, shareRight } from "../../../lib/eval/probe/task.ts";
import { gaussian, mulberry32 } from "../../../lib/tensor/random.ts";
import draws from "../../data/fixtures/python_random.json" with { type: "json" };
import { testOnBackends } from "../../backends.ts";

Deno.test("drawShots() draws CoOp's cases, number for number, and all of a class that has fewer", () => {
  for (const { shots, seed, train, validation } of draws.shots) {
    assertEquals(drawShots(draws.train, draws.validation, { shots, seed }), { train, validation }, `${shots}, ${seed}`);
  }
});

Deno.test("drawShots() takes both parts whole at Infinity, and refuses no shots and halves", () => {
  assertEquals(drawShots([0, 1, 0], [1], { shots: Infinity, seed: 1 }), { train: [0, 1, 2], validation: [0] });
  for (const shots of [0, 1.5, NaN]) {
    assertThrows(() => drawShots([0], [0], { shots, seed: 1 }), RangeError, "positive integer");
  }
});

const WIDTH = 16;

/** Three clouds of unit features around their classes' directions; class features are the directions, turned a little. */
function clouds(each: number, seed: number): LabelledFeatures {
  const random = mulberry32(seed);
  const targets = Array.from({ length: 3 * each }, (_, i) => i % 3);
  const features = targets.flatMap((target) => {
    const row = Array.from({ length: WIDTH }, (_, e) => (e === target ? 1 : 0) + 0.3 * gaussian(random));
    const norm = Math.hypot(...row);
    return row.map((value) => value / norm);
  });
  return { features: Float32Array.from(features), targets, classes: 3 };
}
const classFeatures = new Float32Array(3 * WIDTH);
[[0.6, 0.8, 0], [0, 0.6, 0.8], [0.8, 0, 0.6]].forEach((row, c) => classFeatures.set(row, c * WIDTH));
const test = clouds(40, 3);
const task: ProbeTask = {
  train: clouds(4, 1),
  validation: clouds(4, 2),
  queries: test.features,
  classFeatures,
  scale: 10,
  seed: 1,
};
const zeroShot = shareRight(
  tipAdapter(task.train, test.features, classFeatures, { alpha: 0, scale: 10 }),
  test.targets,
);

Deno.test("chooseLogistic() finds no worse a C than the whole grid of eighths of a decade does around it", () => {
  const { train, validation } = task;
  const { model, c } = chooseLogistic(train, validation);
  const rightAt = (c: number): number =>
    shareRight(
      predictLogistic(fitLogistic(train.features, train.targets, { c, classes: 3 }), validation.features),
      validation.targets,
    );
  assertEquals(shareRight(predictLogistic(model, validation.features), validation.targets), rightAt(c));
  for (const exponent of [-6, -4, -2, 0, 2, 4, 6]) assert(rightAt(c) >= rightAt(10 ** exponent));
  assertAlmostEquals(Math.log10(c) * 8, Math.round(Math.log10(c) * 8), 1e-9);
});

Deno.test("chooseTipAdapter() chooses the alpha and beta of the grid that tipAdapter() itself finds best", () => {
  const { train, validation, scale } = task;
  const chosen = chooseTipAdapter(train, { validation, classFeatures, scale });
  const rightAt = (options: { alpha: number; beta: number }): number =>
    shareRight(tipAdapter(train, validation.features, classFeatures, { ...options, scale }), validation.targets);
  const best = rightAt(chosen);
  for (const alpha of [0.1, 0.535, 1.55, 2.855]) {
    for (const beta of [0.1, 2.17, 6.9655]) assert(best >= rightAt({ alpha, beta }), `${alpha}, ${beta}`);
  }
});

testOnBackends(
  "every method learns more from twelve cases than zero-shot knows, gives the same twice and leaks nothing",
  async () => {
    for (const [name, { answer }] of Object.entries(PROBE_METHODS)) {
      const before = tf.memory().numTensors;
      const { scores } = await answer(task);
      assertEquals(scores.length, 3 * test.targets.length);
      assert(shareRight(scores, test.targets) > zeroShot, `${name}: ${shareRight(scores, test.targets)}, ${zeroShot}`);
      assertEquals((await answer(task)).scores, scores, name);
      assertEquals(tf.memory().numTensors, before, name);
    }
  },
);

Deno.test("fewShot() gives a row a method and number of shots, mean and sample deviation by hand, one run where seeds say nothing", async () => {
  const data = { train: clouds(8, 1), validation: clouds(4, 2), test, classFeatures, scale: 10 };
  const seen: string[] = [];
  const rows = await fewShot(data, {
    shots: [1, Infinity],
    seeds: [1, 2],
    methods: ["knn"],
    others: {
      fixed: (shots, seed) => {
        seen.push(`${shots.train.length} ${seed}`);
        const scores = new Float64Array(3 * test.targets.length);
        Array.from(test.targets).forEach((target, i) =>
          scores[3 * i + (i % seed === 0 ? target : (target + 1) % 3)] = 1
        );
        return Promise.resolve({ scores });
      },
    },
  });
  assertEquals(rows.map(({ method, shots, runs }) => [method, shots, runs.length]), [
    ["knn", 1, 2],
    ["knn", null, 1],
    ["fixed", 1, 2],
    ["fixed", null, 2],
  ]);
  assertEquals(seen, ["3 1", "3 2", "24 1", "24 2"]);
  assertEquals(rows[2]!.accuracy, { mean: 0.75, deviation: Math.sqrt(0.125) }); // 1 and 1/2
  assertEquals(rows[1]!.accuracy.deviation, null);
});
