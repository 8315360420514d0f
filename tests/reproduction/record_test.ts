import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { packScores, packTargets, unpackScores, unpackTargets } from "../../lib/reproduction/scores.ts";
import { compactRecord, configurationKey, parseRecord } from "../../lib/reproduction/record.ts";
import { parseKept, recordPath } from "../../lib/reproduction/files.ts";
import { sampleRecord } from "./sample.ts";

Deno.test("parseRecord() gives back what was written", () => {
  const record = sampleRecord();
  assertEquals(parseRecord(JSON.stringify(record), "x.json"), record);
});

Deno.test("parseRecord() refuses a record without any one of its fields, naming file and field", () => {
  const optional = ["group", "same_as", "explained"];
  for (const field of Object.keys(sampleRecord())) {
    if (optional.includes(field)) continue;
    const { [field]: _, ...rest } = sampleRecord() as unknown as Record<string, unknown>;
    const error = assertThrows(() => parseRecord(JSON.stringify(rest), "x.json"), SyntaxError);
    assertMatch(error.message, new RegExp(`^Cannot read "x.json" as "${field}" must be `));
  }
});

Deno.test("parseRecord() refuses a set without any one of its fields", () => {
  const record = sampleRecord();
  const [name, set] = Object.entries(record.sets)[0]!;
  for (const field of Object.keys(set)) {
    const { [field]: _, ...rest } = set as unknown as Record<string, unknown>;
    const text = JSON.stringify({ ...record, sets: { [name]: rest } });
    assertThrows(() => parseRecord(text, "x.json"), SyntaxError, `sets.${name}.${field}`);
  }
});

Deno.test("parseRecord() refuses values of another kind or out of range", () => {
  const bad: [string, unknown][] = [
    ["seed", -1],
    ["seed", 1.5],
    ["table", "table9"],
    ["trainable", "100"],
    ["seconds", null],
    ["revision", 7],
    ["kind", "other"],
  ];
  for (const [field, value] of bad) {
    const text = JSON.stringify({ ...sampleRecord(), [field]: value });
    assertThrows(() => parseRecord(text, "x.json"), SyntaxError, `"${field}"`);
  }
  assertThrows(() => parseRecord("{", "x.json"), SyntaxError, 'Cannot read "x.json" as JSON');
  assertThrows(() => parseRecord("[]", "x.json"), SyntaxError, "must be an object");
});

Deno.test("configurationKey() is equal whatever the order of keys, and differs with a value or the order of a list", () => {
  const key = configurationKey({ a: 1, b: { c: [1, 2], d: null } });
  assertEquals(configurationKey({ b: { d: null, c: [1, 2] }, a: 1 }), key);
  assert(configurationKey({ a: 1, b: { c: [2, 1], d: null } }) !== key);
  assert(configurationKey({ a: 2, b: { c: [1, 2], d: null } }) !== key);
});

Deno.test("packed scores and targets come back exactly; damaged text is refused", () => {
  const scores = Float32Array.from([0, 1, 0.1, 1e-30, 0.9999999]);
  assertEquals(unpackScores(packScores(scores)), scores);
  assertEquals(unpackTargets(packTargets([0, 4, 255])), [0, 4, 255]);
  assertThrows(() => unpackScores("AAAA"), SyntaxError, "whole float32 numbers: current length is 3");
});

Deno.test("compactRecord() keeps the figures, and the scores where asked", () => {
  const record = sampleRecord();
  const [small, scored] = [compactRecord(record, false), compactRecord(record, true)];
  const set = Object.values(small.sets)[0]!;
  assertEquals([set.scores, set.targets, set.auroc, small.loss.values], ["", "", 0.75, []]);
  assertEquals(scored.sets, record.sets);
  assertEquals(parseKept(JSON.stringify([small, scored]), "kept.json"), { records: [small, scored], dense: [] });
  assertThrows(() => parseKept("{}", "kept.json"), SyntaxError, "must be a list");
  const damaged = JSON.stringify([small, { ...scored, seed: -1 }]);
  assertThrows(() => parseKept(damaged, "kept.json"), SyntaxError, 'Cannot read "kept.json [1]" as "seed"');
});

Deno.test("recordPath() is <out>/<table>/<id>-seed<k>.json", () => {
  assertEquals(recordPath("out", sampleRecord({ seed: 3 })).replaceAll("\\", "/"), "out/table1/lora-seed3.json");
});
