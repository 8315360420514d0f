import { assertEquals, assertThrows } from "@std/assert";
import { checkDenseRecord, checkTrainingRecord, parseRunRecord, recordKind } from "../../lib/display/records.ts";
import { METRICS_SCHEMA, resultsTable, type RunRecord } from "../../lib/display/results.ts";
import { formatTable } from "../../lib/display/table.ts";

const RECORD: RunRecord = {
  seed: 1,
  backend: "wasm",
  adapter: null,
  seconds: 80,
  synthetic: true,
  versions: { deno: "2.9.6" },
  sets: {
    A: {
      none: { accuracy: 0.25, accuracy_ci: [0.2, 0.3], auroc: 0.5, auroc_ci: [0.4, 0.6], n: 40, trainable: 0 },
      LoRA: {
        accuracy: 0.75,
        accuracy_ci: [0.7, 0.8],
        auroc: null,
        auroc_ci: null,
        n: 40,
        trainable: 1234,
        seconds: 9,
      },
    },
    B: { none: { accuracy: 1, accuracy_ci: [1, 1], auroc: 1, auroc_ci: [1, 1], n: 40, trainable: 0 } },
  },
};

Deno.test("parseRunRecord() gives back what was written", () => {
  assertEquals(parseRunRecord(JSON.stringify(RECORD), "metrics.json"), RECORD);
});

Deno.test("parseRunRecord() names the file and the field it misses", () => {
  const broken = (change: (r: Record<string, unknown>) => void): string => {
    const copy = structuredClone(RECORD) as unknown as Record<string, unknown>;
    change(copy);
    return JSON.stringify(copy);
  };
  const cases: [string, string][] = [
    ["{", 'Cannot read "m.json" as JSON'],
    ["[]", '"the file" must be an object'],
    [broken((r) => delete r["seed"]), '"seed" must be a finite number: it is missing'],
    [broken((r) => r["adapter"] = 3), '"adapter" must be a text, or null: current value is 3'],
    [broken((r) => r["synthetic"] = "yes"), '"synthetic" must be true or false: current value is "yes"'],
    [
      broken((r) => r["sets"] = { A: { x: { accuracy: 1, n: 1, trainable: 0 } } }),
      '"sets.A.x.accuracy_ci" must be two rising numbers',
    ],
    [broken((r) => r["schema"] = METRICS_SCHEMA + 1), `"schema" must be a whole number up to ${METRICS_SCHEMA}`],
    [
      broken((r) => (r["sets"] as RunRecord["sets"])["A"]!["none"]!.evaluation = {} as never),
      '"sets.A.none.evaluation.cases" must be a finite number',
    ],
    [broken((r) => r["sets"] = { A: { x: null } }), '"sets.A.x" must be an object'],
  ];
  for (const [text, message] of cases) assertThrows(() => parseRunRecord(text, "m.json"), SyntaxError, message);
});

Deno.test("resultsTable() has one row a set and method and marks the best of each set", () => {
  assertEquals(
    formatTable(resultsTable(RECORD)),
    `[synthetic]
set  method   accuracy (95 % CI)        AUROC (95 % CI)  cases  trainable  training s
---  ------  ---------------------  -------------------  -----  ---------  ----------
A    none    0.250 (0.200-0.300) +  0.500 (0.400-0.600)     40          0           -
A    LoRA    0.750 (0.700-0.800) *                    -     40      1,234         9.0
B    none    1.000 (1.000-1.000)    1.000 (1.000-1.000)     40          0           -
* best, + second best`,
  );
});

Deno.test("recordKind(), checkDenseRecord() and checkTrainingRecord() tell the commands' files apart and name what they lack", () => {
  const head = {
    command: "segment evaluate",
    head: "h",
    figures: {},
    baselines: {},
    data: { name: "d", synthetic: false },
  };
  const training = { command: "train", history: [{ loss: 1 }], data: { name: "d" }, seconds: 2 };
  assertEquals([RECORD, head, training, {}, 3, null].map(recordKind), [
    "evaluation",
    "dense",
    "training",
    ...[undefined, undefined, undefined],
  ]);
  assertEquals<unknown>([checkDenseRecord(head, "m"), checkTrainingRecord(training, "t")], [head, training]);
  const cases: [() => unknown, string][] = [
    [
      () => checkDenseRecord({ ...head, figures: null }, "m.json"),
      'Cannot read "m.json" as "figures" must be an object',
    ],
    [() => checkDenseRecord({ ...head, data: {} }, "m.json"), '"data.name" must be a text'],
    [() => checkDenseRecord({ ...head, schema: 99 }, "m.json"), '"schema" must be a whole number'],
    [() => checkTrainingRecord({ ...training, history: [{}] }, "t.json"), '"history[0]" must be a record with a loss'],
  ];
  for (const [check, message] of cases) assertThrows(check, SyntaxError, message);
});
