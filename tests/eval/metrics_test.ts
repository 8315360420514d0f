/** Metrics against scikit-learn and NumPy (fixtures of make_metric_fixtures.py), hand-checked numbers and laws. */
import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { accuracy, correctCases, multilabelAccuracy, predictedClasses } from "../../lib/eval/metrics/accuracy.ts";
import {
  aurocStatistic,
  binaryAuroc,
  macroAuroc,
  multilabelAuroc,
  multilabelAurocStatistic,
} from "../../lib/eval/metrics/auroc.ts";
import { bootstrapInterval, pairedBootstrap } from "../../lib/eval/metrics/bootstrap.ts";
import { confusionMatrix } from "../../lib/eval/metrics/confusion.ts";
import { rocCurve } from "../../lib/eval/metrics/roc_curve.ts";
import { summariseScores } from "../../lib/eval/metrics/summary.ts";
import { gaussian, mulberry32 } from "../../lib/tensor/random.ts";

interface Curve {
  fpr: number[];
  tpr: number[];
  thresholds: number[];
}
interface Fixture {
  binary: { name: string; scores: number[]; targets: number[]; auroc: number; curve: Curve; full: Curve }[];
  multiclass: {
    name: string;
    classes: number;
    scores: number[];
    targets: number[];
    auroc: number;
    per_class: number[];
    accuracy: number;
    confusion: number[][];
  }[];
  multilabel: {
    name: string;
    classes: number;
    scores: number[];
    targets: number[];
    auroc: number;
    accuracy: number;
  }[];
  bootstrap: {
    n: number;
    resamples: number;
    seed: number;
    targets: number[];
    a: number[];
    b: number[];
    interval: [number, number];
    difference_interval: [number, number];
    p: number;
  };
}
const fixture: Fixture = JSON.parse(await Deno.readTextFile(new URL("./fixtures/metrics.json", import.meta.url)));
const every = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const names = (n: number): string[] => every(n).map((i) => `class ${i}`);

for (const { name, scores, targets, auroc } of fixture.binary) {
  Deno.test(`binaryAuroc() equals scikit-learn's roc_auc_score for ${name}`, () => {
    assertAlmostEquals(binaryAuroc(scores, targets), auroc, 1e-12);
    assertAlmostEquals(aurocStatistic(scores, targets)(every(targets.length)), auroc, 1e-12);
  });
}

for (const { name, scores, targets, curve, full } of fixture.binary) {
  Deno.test(`rocCurve() equals scikit-learn's roc_curve for ${name}`, () => {
    for (const [expected, simplify] of [[curve, true], [full, false]] as const) {
      const actual = rocCurve(scores, targets, { simplify });
      assertEquals(actual.thresholds, [Infinity, ...expected.thresholds]);
      assertEquals(actual.falsePositiveRate.length, expected.fpr.length);
      expected.fpr.forEach((x, i) => assertAlmostEquals(actual.falsePositiveRate[i]!, x, 1e-12));
      expected.tpr.forEach((y, i) => assertAlmostEquals(actual.truePositiveRate[i]!, y, 1e-12));
    }
  });
}

Deno.test("rocCurve() encloses the area that binaryAuroc() gives when simplified", () => {
  for (const { scores, targets } of fixture.binary) {
    const { falsePositiveRate: x, truePositiveRate: y } = rocCurve(scores, targets);
    let area = 0;
    for (let i = 1; i < x.length; i++) area += (x[i]! - x[i - 1]!) * (y[i]! + y[i - 1]!) / 2;
    assertAlmostEquals(area, binaryAuroc(scores, targets), 1e-12);
  }
});

for (const { name, classes, scores, targets, ...expected } of fixture.multiclass) {
  Deno.test(`macroAuroc(), accuracy() and confusionMatrix() equal scikit-learn for ${name}`, () => {
    const { value, perClass, skipped } = macroAuroc(scores, targets);
    assertAlmostEquals(value, expected.auroc, 1e-12);
    expected.per_class.forEach((v, c) => assertAlmostEquals(perClass[c]!, v, 1e-12));
    assertEquals(skipped, []);
    assertAlmostEquals(aurocStatistic(scores, targets)(every(targets.length)), expected.auroc, 1e-12);
    assertAlmostEquals(accuracy(scores, targets), expected.accuracy, 1e-12);
    const predicted = predictedClasses(scores, targets.length);
    assertEquals(confusionMatrix(predicted, targets, { classes }), expected.confusion);
  });
}

for (const { name, classes, scores, targets, ...expected } of fixture.multilabel) {
  Deno.test(`multilabelAuroc() and multilabelAccuracy() equal scikit-learn for ${name}`, () => {
    const options = { classes: names(classes) };
    assertAlmostEquals(multilabelAuroc(scores, targets, options).value, expected.auroc, 1e-12);
    const statistic = multilabelAurocStatistic(scores, targets, options);
    assertAlmostEquals(statistic(every(targets.length / classes)), expected.auroc, 1e-12);
    assertAlmostEquals(multilabelAccuracy(scores, targets), expected.accuracy, 1e-12);
  });
}

Deno.test("binaryAuroc() is 8/9 for one swapped pair of nine and 1/2 for one tie of one pair", () => {
  assertAlmostEquals(binaryAuroc([0.9, 0.8, 0.4, 0.5, 0.2, 0.1], [1, 1, 1, 0, 0, 0]), 8 / 9, 1e-15);
  assertEquals(binaryAuroc(new Float32Array([0.3, 0.3]), [1, 0]), 0.5);
});

Deno.test("binaryAuroc() is unchanged by a rising transform and mirrored by a change of sign", () => {
  const { scores, targets, auroc } = fixture.binary[1]!;
  assertAlmostEquals(binaryAuroc(scores.map((s) => Math.exp(3 * s) - 5), targets), auroc, 1e-12);
  assertAlmostEquals(binaryAuroc(scores.map((s) => -s), targets), 1 - auroc, 1e-12);
});

Deno.test("binaryAuroc() takes infinite scores as the highest and lowest", () => {
  assertEquals(binaryAuroc([Infinity, 0, -Infinity, -Infinity], [1, 0, 1, 0]), 0.625);
});

Deno.test("aurocStatistic() counts repeated and absent cases as an explicit resample does", () => {
  const { scores, targets, classes } = fixture.multiclass[1]!;
  const statistic = aurocStatistic(scores, targets);
  const rng = mulberry32(3);
  for (let round = 0; round < 20; round++) {
    const drawn = every(targets.length).map(() => Math.floor(rng() * targets.length));
    const explicit = macroAuroc(
      drawn.flatMap((i) => scores.slice(i * classes, (i + 1) * classes)),
      drawn.map((i) => targets[i]!),
    );
    assertAlmostEquals(statistic(drawn), explicit.value, 1e-12);
  }
});

Deno.test("aurocStatistic() is NaN when a resample loses a class", () => {
  assertEquals(aurocStatistic([0.1, 0.9, 0.4], [0, 1, 0])([0, 2, 2]), NaN);
});

Deno.test("multilabelAuroc() skips and names classes without positives or negatives", () => {
  const scores = [0.9, 0.1, 0.2, 0.3, 0.5, 0.6, 0.1, 0.2, 0.3], targets = [1, 0, 1, 0, 0, 1, 0, 0, 1];
  const { value, perClass, skipped } = multilabelAuroc(scores, targets, { classes: ["a", "none", "all"] });
  assertEquals({ value, perClass, skipped }, { value: 1, perClass: [1, null, null], skipped: ["none", "all"] });
});

Deno.test("macroAuroc() skips and names a class without cases", () => {
  const scores = [0.7, 0.2, 0.1, 0.1, 0.8, 0.1, 0.3, 0.6, 0.1];
  const { value, skipped } = macroAuroc(scores, [0, 1, 1], { classes: ["a", "b", "c"] });
  assertEquals({ value, skipped }, { value: 1, skipped: ["c"] });
});

Deno.test("predictedClasses() takes the first of equal scores and correctCases() marks the right ones", () => {
  assertEquals([...predictedClasses([0.5, 0.5, 0.1, 0.9], 2)], [0, 1]);
  assertEquals([...correctCases([0.5, 0.5, 0.1, 0.9], [1, 1])], [0, 1]);
});

Deno.test("accuracy() compares one column with the threshold", () => {
  assertEquals(accuracy([0.5, 0.49, 0.9], [1, 1, 1]), 2 / 3);
  assertEquals(accuracy([0.5, 0.49, 0.9], [1, 1, 1], { threshold: 0.4 }), 1);
});

Deno.test("bootstrapInterval() equals NumPy's quantiles over the same draws", () => {
  const { n, resamples, seed, targets, a, interval } = fixture.bootstrap;
  const actual = bootstrapInterval(n, aurocStatistic(a, targets), { resamples, seed });
  assertAlmostEquals(actual.low, interval[0], 1e-12);
  assertAlmostEquals(actual.high, interval[1], 1e-12);
  assertEquals([actual.resamples, actual.skipped], [resamples, 0]);
});

Deno.test("pairedBootstrap() equals NumPy's quantiles and p over the same draws", () => {
  const { n, resamples, seed, targets, a, b, difference_interval, p } = fixture.bootstrap;
  const options = { resamples, seed, level: 0.9 };
  const actual = pairedBootstrap(n, aurocStatistic(a, targets), aurocStatistic(b, targets), options);
  assertAlmostEquals(actual.low, difference_interval[0], 1e-12);
  assertAlmostEquals(actual.high, difference_interval[1], 1e-12);
  assertAlmostEquals(actual.p, p, 1e-12);
  assertAlmostEquals(actual.difference, binaryAuroc(a, targets) - binaryAuroc(b, targets), 1e-12);
});

Deno.test("pairedBootstrap() of a method with itself has difference 0, interval [0, 0] and p 1", () => {
  const { n, targets, a } = fixture.bootstrap;
  const statistic = aurocStatistic(a, targets);
  const { difference, low, high, p } = pairedBootstrap(n, statistic, statistic, { resamples: 50 });
  assertEquals([difference, low, high, p], [0, 0, 0, 1]);
});

Deno.test("bootstrapInterval() gives the same interval for the same seed and another for another", () => {
  const statistic = aurocStatistic(fixture.bootstrap.a, fixture.bootstrap.targets);
  const run = (seed: number) => bootstrapInterval(60, statistic, { resamples: 100, seed });
  assertEquals(run(5), run(5));
  assertEquals(run(5).low === run(6).low && run(5).high === run(6).high, false);
});

Deno.test("bootstrapInterval() skips and counts resamples on which the statistic is undefined", () => {
  const { resamples, skipped } = bootstrapInterval(4, aurocStatistic([1, 2, 3, 4], [0, 0, 0, 1]), { resamples: 400 });
  assertEquals(resamples + skipped, 400);
  // A resample lacks the positive with chance (3/4)^4 = 0.316, or all negatives with chance 1/256.
  assertEquals(Math.abs(skipped / 400 - 0.320) < 0.08, true);
});

Deno.test("bootstrapInterval() of a mean covers about as a normal interval does", () => {
  const rng = mulberry32(1), n = 400;
  const values = Array.from({ length: n }, () => gaussian(rng));
  const mean = (indices: Uint32Array): number => indices.reduce((sum, i) => sum + values[i]!, 0) / indices.length;
  const { value, low, high } = bootstrapInterval(n, mean, { resamples: 2000 });
  const variance = values.reduce((sum, v) => sum + (v - value) ** 2, 0) / n;
  assertAlmostEquals(high - low, 2 * 1.959964 * Math.sqrt(variance / n), 0.02);
});

Deno.test("summariseScores() joins the figures of a multi-class set", () => {
  const { scores, targets, classes, auroc, accuracy } = fixture.multiclass[0]!;
  const actual = summariseScores(scores, targets, { classes: names(classes), resamples: 200 });
  assertAlmostEquals(actual.auroc!, auroc, 1e-12);
  assertAlmostEquals(actual.accuracy, accuracy, 1e-12);
  assertEquals(actual.n, 60);
  const [low, high] = actual.aurocInterval!;
  assertEquals(low < auroc && auroc < high, true);
});

Deno.test("summariseScores() gives the binary AUROC for one column and for two", () => {
  const { scores, targets, auroc } = fixture.binary[1]!;
  const options = { classes: ["no", "yes"], resamples: 20 };
  assertAlmostEquals(summariseScores(scores, targets, options).auroc!, auroc, 1e-12);
  assertAlmostEquals(summariseScores(scores.flatMap((s) => [-s, s]), targets, options).auroc!, auroc, 1e-12);
});

Deno.test("summariseScores() gives null and names every class when only one occurs", () => {
  const actual = summariseScores([0.2, 0.8, 0.3, 0.7], [1, 1], { classes: ["no", "yes"], resamples: 10 });
  assertEquals([actual.accuracy, actual.auroc, actual.aurocInterval, actual.skipped], [1, null, null, ["no", "yes"]]);
});

Deno.test("summariseScores() joins the figures of a multi-label set", () => {
  const { scores, targets, classes, auroc, accuracy } = fixture.multilabel[0]!;
  const actual = summariseScores(scores, targets, { classes: names(classes), task: "multilabel", resamples: 50 });
  assertAlmostEquals(actual.auroc!, auroc, 1e-12);
  assertAlmostEquals(actual.accuracy, accuracy, 1e-12);
  assertEquals([actual.n, actual.perClass.length], [50, 4]);
});

Deno.test("binaryAuroc() refuses NaN, unequal lengths, one class only and other targets, each in one line", () => {
  assertThrows(() => binaryAuroc([0.1, NaN], [0, 1]), RangeError, "row 1, column 0 is NaN");
  assertThrows(() => binaryAuroc([0.1, 0.2, 0.3], [0, 1]), TypeError, "current lengths are 3 and 2");
  assertThrows(() => binaryAuroc([0.1, 0.2], [1, 1]), RangeError, "both classes must occur: current targets are all 1");
  assertThrows(() => binaryAuroc([0.1, 0.2], [0, 2]), RangeError, "from 0 to 1: current value at row 1 is 2");
  assertThrows(() => binaryAuroc([], []), RangeError, "at least one case");
});

Deno.test("macroAuroc() and the other metrics refuse what does not fit", () => {
  assertThrows(() => macroAuroc([1, 2, 3, 4, 5, 6, 7], [0, 1, 2]), TypeError, "current length is 7");
  assertThrows(() => macroAuroc([1, 2, 3, 4, 5, 6], [2, 2]), RangeError, "is 0 of 3");
  assertThrows(() => macroAuroc([1, 2, 3, 4], [0, 1], { classes: ["a"] }), TypeError, "current number is 1");
  assertThrows(() => rocCurve([1, 2], [0, 0]), RangeError, "all 0");
  assertThrows(() => confusionMatrix([0, 3], [0, 1], { classes: 2 }), RangeError, "current value at row 1 is 3");
  assertThrows(() => confusionMatrix([0], [0, 1]), TypeError, "current lengths are 1 and 2");
  assertThrows(() => predictedClasses([0, 1], 2), TypeError, "at least two columns");
  assertThrows(() => bootstrapInterval(0, () => 1), RangeError, "current value is 0");
  assertThrows(() => bootstrapInterval(3, () => NaN), RangeError, "defined on all cases");
  assertThrows(() => bootstrapInterval(3, () => 1, { resamples: 0 }), RangeError, "current value is 0");
  assertThrows(() => bootstrapInterval(3, () => 1, { level: 1 }), RangeError, "current value is 1");
});
