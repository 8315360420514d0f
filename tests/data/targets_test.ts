import { assertEquals, assertThrows } from "@std/assert";
import { balancedWeights, labelTargets } from "../../lib/data/targets.ts";
import { type Case, CHEXPERT_LABELS, type LabelValue } from "../../lib/data/types.ts";

const one = (id: string, rest: Partial<Case>): Case => ({
  id,
  image: () => Promise.reject(new Error("none")),
  ...rest,
});

Deno.test("labelTargets() has a row of each case's classes, and of the CheXpert labels: blank 0, uncertain unknown", () => {
  const cases = [one("a", { targets: [1, 0, 1] }), one("b", { target: 1 })];
  const classes = ["x", "y", "z"];
  assertEquals(labelTargets({ name: "set", classes, cases }), { classes, rows: [[1, 0, 1], [0, 1, 0]] });
  const labels: LabelValue[] = CHEXPERT_LABELS.map((_, i) => [1, 0, -1, null][i % 4] as LabelValue);
  const { classes: names, rows } = labelTargets({ name: "set", classes: [], cases: [one("c", { labels })] });
  assertEquals([names, rows[0]!.slice(0, 5)], [CHEXPERT_LABELS, [1, 0, -1, 0, 1]]);
  assertThrows(() => labelTargets({ name: "set", classes: [], cases: [one("d", {})] }), TypeError, 'case "d" of set');
});

Deno.test("balancedWeights() is negatives over positives of known labels, and 1 where a kind is missing", () => {
  const rows = [[1, 0, 1], [0, 0, -1], [0, 0, 1], [0, 0, -1]];
  assertEquals(balancedWeights({ classes: ["a", "b", "c"], rows }), [3, 1, 1]);
});
