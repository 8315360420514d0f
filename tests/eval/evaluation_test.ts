/** evaluatePredictions() against scikit-learn, SciPy and NumPy (fixtures of make_evaluation_fixtures.py), laws, bad input, and its CSV. */
import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { type Estimate, THRESHOLD_FIGURES } from "../../lib/display/evaluation.ts";
import { evaluatePredictions } from "../../lib/eval/evaluation/evaluate.ts";
import {
  predictionParts,
  type Predictions,
  predictionsCsv,
  readPredictions,
  TUNING_PART,
  withTuningPart,
} from "../../lib/eval/evaluation/predictions.ts";
import { groupsOf } from "../../lib/eval/evaluation/subgroups.ts";
import { inFolder } from "../folder.ts";

type Drawn = Pick<Estimate, "value" | "cases" | "patients">;
interface Expected {
  accuracy: Drawn;
  auroc: Drawn;
  perClass: Record<
    string,
    & { threshold: number; prevalence: number; auroc: Drawn; auprc: Drawn }
    & Record<typeof THRESHOLD_FIGURES[number], Drawn>
  >;
  baseline: number;
  confusion: number[][] | null;
  temperature: number;
  raw: { ece: number; brier: number };
  scaled: { ece: number; brier: number };
  women: { n: number; accuracy: Drawn; auroc: Drawn; gap: Drawn };
}
interface Fixture {
  resamples: number;
  seed: number;
  cases: {
    name: string;
    classes: string[];
    task: "multiclass" | "multilabel";
    scores: number[];
    targets: number[];
    patients: string[];
    tune: boolean[];
    sex: string[];
    expected: Expected;
  }[];
}
const fixture: Fixture = JSON.parse(await Deno.readTextFile(new URL("./fixtures/evaluation.json", import.meta.url)));
const CLOSE = 1e-12;

function assertDrawn(actual: Estimate | null | undefined, expected: Drawn, what: string): void {
  assertAlmostEquals(actual!.value!, expected.value!, CLOSE, what);
  for (const over of ["cases", "patients"] as const) {
    for (const end of [0, 1] as const) {
      assertAlmostEquals(actual![over]![end], expected[over]![end], CLOSE, `${what} over ${over}`);
    }
  }
}

const predictionsOf = ({ classes, task, scores, targets, patients, tune, sex }: Fixture["cases"][0]): Predictions => ({
  classes,
  task,
  ids: patients.map((_, i) => `case ${i}`),
  scores,
  targets,
  patients,
  parts: tune.map((isTuning) => isTuning ? TUNING_PART : "test"),
  attributes: { sex },
});

for (const reference of fixture.cases) {
  Deno.test(`evaluatePredictions() equals scikit-learn, SciPy and NumPy over the same draws: ${reference.name}`, () => {
    const { resamples, seed } = fixture;
    const { expected } = reference;
    const found = evaluatePredictions(predictionsOf(reference), { resamples, seed, by: [{ column: "sex" }] });
    assertDrawn(found.accuracy, expected.accuracy, "accuracy");
    assertDrawn(found.auroc, expected.auroc, "AUROC");
    assertEquals(Object.keys(found.classes), Object.keys(expected.perClass));
    for (const [name, figures] of Object.entries(expected.perClass)) {
      const own = found.classes[name]!;
      assertEquals(own.threshold, figures.threshold);
      assertAlmostEquals(own.prevalence, figures.prevalence, CLOSE);
      for (const figure of ["auroc", "auprc", ...THRESHOLD_FIGURES] as const) {
        assertDrawn(own[figure], figures[figure], `${name} ${figure}`);
      }
    }
    assertAlmostEquals(found.baseline.accuracy, expected.baseline, CLOSE);
    assertEquals(found.confusion, expected.confusion);
    const { temperature, raw, scaled } = found.calibration!;
    assertAlmostEquals(temperature! / expected.temperature, 1, CLOSE);
    for (const figure of ["ece", "brier"] as const) {
      assertAlmostEquals(raw[figure], expected.raw[figure], CLOSE);
      assertAlmostEquals(scaled![figure], expected.scaled[figure], CLOSE);
    }
    const women = found.subgroups.find(({ group }) => group === "F")!;
    assertEquals(women.n, expected.women.n);
    assertDrawn(women.accuracy, expected.women.accuracy, "accuracy of women");
    assertDrawn(women.auroc, expected.women.auroc, "AUROC of women");
    assertDrawn(women.auroc_gap, expected.women.gap, "gap of women");
  });
}

Deno.test("evaluatePredictions() of the CSV it was written to gives the same record, to the last bit", async () => {
  await inFolder(async (folder) => {
    for (const reference of fixture.cases) {
      const predictions = predictionsOf(reference);
      const path = `${folder}/predictions.csv`;
      await Deno.writeTextFile(
        path,
        predictionsCsv({ ...predictions, ids: reference.patients.map((_, i) => `=case,${i}`) }),
      );
      const read = await readPredictions(path, { attributes: ["sex"] });
      assertEquals(read.ids[1], "=case,1");
      const options = { resamples: 20, by: [{ column: "sex" }] };
      assertEquals(evaluatePredictions(read, options), evaluatePredictions(predictions, options));
    }
  });
});

Deno.test("withTuningPart() parts no patient, and evaluatePredictions() says where thresholds come from", () => {
  const all = predictionsOf(fixture.cases[0]!);
  const parted = withTuningPart(all, 0.3, 5);
  const { tuning, judged } = predictionParts(parted);
  assertEquals(tuning.patients!.filter((patient) => judged.patients!.includes(patient)), []);
  assertEquals(tuning.ids.length + judged.ids.length, all.ids.length);
  const whole = { ...all, parts: all.ids.map(() => "test") };
  const chosenOn = (predictions: Predictions, threshold?: number) =>
    evaluatePredictions(predictions, { resamples: 5, ...(threshold === undefined ? {} : { threshold }) }).threshold
      .chosen_on;
  assertEquals(
    [chosenOn(parted), chosenOn(whole), chosenOn(parted, 0.5)],
    ["tuning part", "the cases judged", "given"],
  );
  assertEquals(evaluatePredictions(whole, { resamples: 5 }).calibration!.temperature, null);
  // Scores that are wrong more often than right, and scores that are always right, have a temperature at an end of its range.
  const bound = (right: boolean) => {
    const targets = all.ids.map((_, i) => i % 2);
    const scores = targets.map((target) => (target === 1) === right ? 0.9 : 0.1);
    const told = { ...parted, classes: ["no", "yes"], task: "multiclass" as const, scores, targets };
    const { temperature, temperature_note } = evaluatePredictions(told, { resamples: 5 }).calibration!;
    return [temperature, temperature_note?.split(":")[0]];
  };
  assertEquals(bound(false), [1000, "1000 is the highest that is tried"]);
  assertEquals(bound(true), [0.001, "0.001 is the lowest that is tried"]);
});

Deno.test("evaluatePredictions() gives no figure that is undefined: one class, ties, a small group, scores that are no probabilities", () => {
  const base = { classes: ["no", "yes"], task: "multiclass" as const, parts: Array(12).fill("test"), attributes: {} };
  const ids = Array.from({ length: 12 }, (_, i) => String(i));
  const reference = evaluatePredictions(
    { ...base, ids, scores: ids.map((_, i) => i / 12), targets: ids.map(() => 0) },
    {
      resamples: 5,
    },
  );
  const { auroc, auprc, threshold, threshold_note, sensitivity } = reference.classes["yes"]!;
  assertEquals([auroc.value, auprc.value, threshold, sensitivity.value], [null, null, null, null]);
  assert(threshold_note!.includes("all cases, or none"));
  const ties = evaluatePredictions(
    {
      ...base,
      ids,
      scores: ids.map(() => 7),
      targets: ids.map((_, i) => i % 2),
      attributes: { site: ids.map((_, i) => i ? "A" : "B") },
    },
    { resamples: 5, by: [{ column: "site" }] },
  );
  assertEquals([ties.auroc.value, ties.auprc.value, ties.calibration], [0.5, 0.5, null]);
  assertEquals(ties.subgroups.map(({ group, n, note }) => [group, n, note]), [
    ["A", 11, undefined],
    ["B", 1, "1 case: figures need 10"],
  ]);
});

Deno.test("groupsOf() makes bands from 0 that hold their lower end, keeps blanks apart and reads DICOM's ages", () => {
  const { names, order } = groupsOf({ column: "age", band: 20 }, ["039Y", "40", "", "5", "40"], [
    "a",
    "b",
    "c",
    "d",
    "e",
  ]);
  assertEquals(names, ["20 to <40", "40 to <60", "not stated", "0 to <20", "40 to <60"]);
  assertEquals(order, ["0 to <20", "20 to <40", "40 to <60", "not stated"]);
  assertThrows(() => groupsOf({ column: "age", band: 20 }, ["old"], ["a"]), RangeError, '"a" has "old"');
});

Deno.test("readPredictions() and evaluatePredictions() refuse bad lists in one line that names row and column", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/scores.csv`;
    const cases: [string, string][] = [
      ["id,truth,score:a,score:b\nx,a,0.5,NaN\n", '"score:b" in row 2 must be a finite number: it is "NaN"'],
      ["id,truth,score:a,score:b\nx,a,0.5,\n", '"score:b" in row 2 must be a finite number: it is ""'],
      ["id,truth,score:a,score:b\nx,c,0.5,1\n", '"truth" in row 2 must be one of a, b: it is "c"'],
      ["id,truth,score:a,score:b\nx,a,0,1\nx,b,1,0\n", '"id" in row 3 must be an id of its own: it is "x"'],
      ["id,truth,score\nx,a,1\ny,b,1\nz,c,1\n", "3 classes (a, b, c), 1 columns (score)"],
      ["id,truth:a,truth:b,score:a,score:b\nx,yes,0,0,1\n", '"truth:a" in row 2 must be 0 or 1: it is "yes"'],
      ["id,score\nx,1\n", 'must have a column "truth"'],
      ["id,truth,score\n", "must have a row: it has none"],
    ];
    for (const [text, message] of cases) {
      await Deno.writeTextFile(path, text);
      await assertRejects(() => readPredictions(path), Error, message);
    }
    await Deno.writeTextFile(path, "id,truth,score:disease\na,healthy,0.1\nb,disease,0.9\n");
    assertEquals((await readPredictions(path)).classes, ["healthy", "disease"]);
    await Deno.writeTextFile(path, "id,truth,score\na,0,0.1\nb,1,0.9\n");
    const read = await readPredictions(path);
    assertEquals([read.classes, read.targets], [["0", "1"], [0, 1]]);
    assertThrows(() => evaluatePredictions({ ...read, scores: [0.1, NaN] }), RangeError, 'that of "b" for "1" is NaN');
    assertThrows(() => evaluatePredictions(read, { by: [{ column: "sex" }] }), RangeError, "must be a column");
    assertThrows(() => evaluatePredictions({ ...read, classes: ["0"] }), RangeError, "two classes");
    assertThrows(() => evaluatePredictions({ ...read, parts: ["tune", "tune"] }), RangeError, "beside those to tune");
  });
});
