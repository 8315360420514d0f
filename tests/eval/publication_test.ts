/** Figures that papers report, against scikit-learn, SciPy and R's pROC (fixtures of make_publication_fixtures.py), and laws. */
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { centralQuantile, erfc } from "../../lib/eval/metrics/_normal.ts";
import { averagePrecision, precisionRecallCurve } from "../../lib/eval/metrics/precision_recall.ts";
import { binaryAuroc } from "../../lib/eval/metrics/auroc.ts";
import { bootstrapInterval } from "../../lib/eval/metrics/bootstrap.ts";
import {
  brierScore,
  expectedCalibrationError,
  fitTemperature,
  reliabilityBins,
  TEMPERATURE_RANGE,
} from "../../lib/eval/metrics/calibration.ts";
import { chooseThreshold, operatingPoint } from "../../lib/eval/metrics/operating_point.ts";
import { delongInterval, delongTest } from "../../lib/eval/metrics/delong.ts";

interface Fixture {
  normal: { z: number[]; erfc: number[]; levels: number[]; quantiles: number[] };
  binary: {
    name: string;
    targets: number[];
    a: number[];
    b: number[];
    delong: { auroc: number; standardError: number; low: number; high: number; z: number; p: number };
    averagePrecision: number;
    youden: Record<
      "threshold" | "sensitivity" | "specificity" | "ppv" | "npv" | "f1" | "balancedAccuracy" | "accuracy",
      number
    >;
    sensitivity90: number;
    specificity90: number;
  }[];
  calibration: {
    classes: number;
    logits: number[];
    targets: number[];
    temperature: number;
    confidence: number[];
    right: number[];
    ece: number;
    brier: number;
  };
}
const { normal, binary, calibration }: Fixture = JSON.parse(
  await Deno.readTextFile(new URL("./fixtures/publication.json", import.meta.url)),
);
const CLOSE = 1e-12;

Deno.test("erfc() and centralQuantile() equal SciPy's to a relative 1e-13", () => {
  for (const [i, z] of normal.z.entries()) {
    assert(Math.abs(erfc(z) / normal.erfc[i]! - 1) < 1e-13, `erfc(${z}) = ${erfc(z)}`);
  }
  for (const [i, level] of normal.levels.entries()) {
    // Near 1 the quantile hangs on the last bits of 1 - level.
    assertAlmostEquals(centralQuantile(level), normal.quantiles[i]!, level > 0.999 ? 1e-9 : 1e-13);
  }
});

for (const { name, targets, a, b, delong, ...expected } of binary) {
  Deno.test(`delongInterval() and delongTest() equal pROC's: ${name}`, () => {
    const { value, standardError, low, high } = delongInterval(a, targets);
    for (
      const [got, want] of [[value, delong.auroc], [standardError, delong.standardError], [low, delong.low]] as const
    ) {
      assertAlmostEquals(got, want, CLOSE);
    }
    assertAlmostEquals(high, delong.high, CLOSE);
    const test = delongTest(a, b, targets);
    assertAlmostEquals(test.z, delong.z, 1e-11);
    assertAlmostEquals(test.p, delong.p, CLOSE);
    assertAlmostEquals(value, binaryAuroc(a, targets), CLOSE);
    const reversed = delongTest(b, a, targets);
    assertAlmostEquals(test.difference, -reversed.difference, CLOSE);
    assertAlmostEquals(test.p, reversed.p, CLOSE);
    assertEquals(delongTest(a, a.map((score) => 3 * score - 1), targets).p, 1); // the same order of cases
  });

  Deno.test(`averagePrecision(), operatingPoint() and chooseThreshold() equal scikit-learn's: ${name}`, () => {
    assertAlmostEquals(averagePrecision(a, targets), expected.averagePrecision, CLOSE);
    assertEquals(chooseThreshold(a, targets, "youden"), expected.youden.threshold);
    const point = operatingPoint(a, targets, expected.youden.threshold);
    for (const [figure, value] of Object.entries(expected.youden)) {
      assertAlmostEquals(point[figure as keyof typeof expected.youden]!, value, CLOSE, figure);
    }
    assertEquals(chooseThreshold(a, targets, { sensitivity: 0.9 }), expected.sensitivity90);
    assertEquals(chooseThreshold(a, targets, { specificity: 0.9 }), expected.specificity90);
  });
}

Deno.test("averagePrecision() of one score for all is the prevalence; its curve is one point", () => {
  assertEquals(averagePrecision([1, 1, 1, 1], [0, 1, 0, 0]), 0.25);
  assertEquals(precisionRecallCurve([1, 1], [0, 1]), { thresholds: [1], precision: [0.5], recall: [1] });
});

Deno.test("operatingPoint() of nothing called has no predictive value and no F1 without positives", () => {
  const point = operatingPoint([0.1, 0.2], [0, 0], 0.5);
  assertEquals([point.ppv, point.sensitivity, point.f1, point.balancedAccuracy], [null, null, null, null]);
  assertEquals([point.npv, point.specificity, point.accuracy, point.prevalence], [1, 1, 1, 0]);
});

Deno.test("fitTemperature(), expectedCalibrationError() and brierScore() equal SciPy's and scikit-learn's", () => {
  const { logits, targets, confidence, right } = calibration;
  assertAlmostEquals(fitTemperature(logits, targets) / calibration.temperature, 1, CLOSE);
  assertAlmostEquals(expectedCalibrationError(reliabilityBins(confidence, right)), calibration.ece, CLOSE);
  assertAlmostEquals(brierScore(confidence, right), calibration.brier, CLOSE);
});

Deno.test("fitTemperature() of scaled logits is the scaled temperature, and stays in its range where all is right or wrong", () => {
  const { logits, targets } = calibration;
  const scaled = fitTemperature(logits.map((z) => 4 * z), targets);
  assertAlmostEquals(scaled / fitTemperature(logits, targets), 4, 1e-11);
  assertEquals(fitTemperature([1, 0, 0, 1], [0, 1]), TEMPERATURE_RANGE[0]);
  assertEquals(fitTemperature([1, 0, 0, 1], [1, 0]), TEMPERATURE_RANGE[1]);
});

Deno.test("reliabilityBins() put 0 into the first bin, 1 into the last and an edge below itself", () => {
  const bins = reliabilityBins([0, 0.5, 0.51, 1], [0, 1, 1, 0], { bins: 2 });
  assertEquals(bins.map(({ count }) => count), [2, 2]);
  assertEquals(bins[0]!.frequency, 0.5);
  assertEquals(reliabilityBins([0.9], [1], { bins: 4 })[0]!.confidence, null);
});

Deno.test("bootstrapInterval() by patient draws whole patients: wider where a patient's cases agree, equal where each has one", () => {
  const values = Array.from({ length: 200 }, (_, i) => (Math.floor(i / 10) * 7) % 20);
  const mean = (indices: Uint32Array): number => indices.reduce((sum, i) => sum + values[i]!, 0) / indices.length;
  const width = ({ low, high }: { low: number; high: number }): number => high - low;
  const patients = values.map((_, i) => `p${Math.floor(i / 10)}`);
  const byCase = bootstrapInterval(200, mean);
  const byPatient = bootstrapInterval(200, mean, { groups: patients });
  assertEquals(byCase.value, byPatient.value);
  // Ten equal cases a patient: the variance of a mean of 20 in place of 200.
  assert(width(byPatient) > 2.5 * width(byCase) && width(byPatient) < 4 * width(byCase));
  assertEquals(bootstrapInterval(200, mean, { groups: values.map((_, i) => i) }), byCase);
});

Deno.test("the figures refuse NaN, other lengths, lone classes and impossible rules in one line", () => {
  assertThrows(() => averagePrecision([NaN, 1], [0, 1]), RangeError, "is NaN");
  assertThrows(() => averagePrecision([0, 1], [0, 0]), RangeError, "a positive case");
  assertThrows(() => delongInterval([0, 1, 2], [0, 1, 1]), RangeError, "two cases");
  assertThrows(() => delongTest([0, 1, 2, 3], [0, 1], [0, 1, 0, 1]), TypeError);
  assertThrows(() => delongInterval([0, 1, 2, 3], [0, 1, 0, 1], { level: 1 }), RangeError, "level");
  assertThrows(() => chooseThreshold([0, 1], [0, 1], { sensitivity: 1.5 }), RangeError, "sensitivity");
  assertThrows(() => chooseThreshold([0, 1], [1, 1], "youden"), RangeError, "both classes");
  assertThrows(() => brierScore([1.5], [1]), RangeError, "from 0 to 1");
  assertThrows(() => fitTemperature([1, 2], [0, 1]), TypeError, "two columns");
  assertThrows(() => bootstrapInterval(3, () => 0, { groups: ["a"] }), TypeError, "group");
});
