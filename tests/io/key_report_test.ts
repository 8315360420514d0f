import { assert, assertEquals, assertThrows } from "@std/assert";
import { checkKeys, formatKeyReport, KeyReportError, reportKeys } from "../../lib/io/key_report.ts";

const expected = new Map<string, number[]>([["visual.w", [2, 3]], ["text.w", [4]], ["logit_scale", []]]);
const entries = (shapes: Record<string, number[]>): Map<string, { shape: number[] }> =>
  new Map(Object.entries(shapes).map(([name, shape]) => [name, { shape }]));

Deno.test("reportKeys() sorts a file's tensors into matched, missing, misshapen and unused", () => {
  const report = reportKeys(
    expected,
    entries({ "visual.w": [3, 2], "text.w": [4], "text.position_ids": [1, 512], extra: [1] }),
  );
  assertEquals([...report.matched], [["text.w", "text.w"]]);
  assertEquals(report.missing, [{ name: "logit_scale", expected: [] }]);
  assertEquals(report.misshapen, [{ name: "visual.w", expected: [2, 3], actual: [3, 2] }]);
  assertEquals(report.unused, [{ name: "extra", actual: [1] }]);
});

Deno.test("reportKeys() accepts the prefixes of wrapped models and checkpoints", () => {
  for (const prefix of ["module.", "state_dict.", "state_dict.module."]) {
    const actual = entries({
      [`${prefix}visual.w`]: [2, 3],
      [`${prefix}text.w`]: [4],
      [`${prefix}logit_scale`]: [],
      [`${prefix}text.position_ids`]: [1, 512],
      epoch: [],
    });
    const report = reportKeys(expected, actual);
    assertEquals([report.prefix, report.missing.length, report.misshapen.length], [prefix, 0, 0]);
    assertEquals(report.matched.get("text.w"), `${prefix}text.w`);
    assertEquals(report.unused.map(({ name }) => name), ["epoch"]);
  }
});

Deno.test("formatKeyReport() prints one aligned table and a summary", () => {
  const report = reportKeys(expected, entries({ "visual.w": [3, 2], "text.w": [4], extra: [1], more: [2] }));
  assertEquals(
    formatKeyReport(report, 1),
    [
      "           tensor       expected  found",
      "missing    logit_scale  []        -",
      "misshapen  visual.w     [2, 3]    [3, 2]",
      "unused     extra        -         [1]",
      "unused     and 1 more",
      "1 of 3 tensors fit, 1 missing, 1 misshapen, 2 unused",
    ].join("\n"),
  );
  const good = reportKeys(expected, entries({ "visual.w": [2, 3], "text.w": [4], logit_scale: [] }));
  assertEquals(formatKeyReport(good), "3 of 3 tensors fit, 0 missing, 0 misshapen, 0 unused");
});

Deno.test("checkKeys() goes on with unused tensors, and refuses missing and misshapen ones by name", () => {
  const all = { "visual.w": [2, 3], "text.w": [4], logit_scale: [] };
  assertEquals(checkKeys(expected, { path: "x.bin", entries: entries({ ...all, extra: [1] }) }).unused.length, 1);
  const missing = assertThrows(
    () => checkKeys(expected, { path: "x.bin", entries: entries({ "visual.w": [2, 3] }) }),
    KeyReportError,
    '"text.w" [4] is missing: 2 of 3 tensors are missing',
  );
  assert(missing.message.includes('"x.bin"') && !missing.message.includes("\n"));
  assertEquals(missing.report.missing.length, 2);
  assertThrows(
    () => checkKeys(expected, { path: "x.bin", entries: entries({ ...all, "text.w": [5] }) }),
    KeyReportError,
    '"text.w" must be [4]: found [5]',
  );
});
