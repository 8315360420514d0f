/** Rows compared pairwise, by paired bootstrap. @module */
import type { Table, TableCell } from "../display/table.ts";
import { compareRows, type Comparison, isSynthetic, type Row } from "./summary.ts";

/** Ids of rows: the first of each pair is compared with the second. */
export type ComparedPairs = readonly (readonly [string, string])[];

/** Pairs of rows with their comparison on each set; a pair of which a row is not there is left out. */
function comparisons(rows: readonly Row[], pairs: ComparedPairs): { a: Row; b: Row; sets: Comparison[] }[] {
  return pairs.flatMap(([first, second]) => {
    const a = rows.find(({ id }) => id === first), b = rows.find(({ id }) => id === second);
    return a && b ? [{ a, b, sets: compareRows(a, b) }] : [];
  });
}

/** The comparisons as a table; null where there is none. */
export function comparisonTable(rows: readonly Row[], pairs: ComparedPairs): Table | null {
  const compared = comparisons(rows, pairs);
  if (compared.every(({ sets }) => sets.length === 0)) return null;
  return {
    caption: "Paired bootstrap over cases of the figures averaged over seeds: first minus second, with 95 % intervals.",
    columns: [
      { title: "comparison" },
      { title: "set", align: "left" },
      { title: "accuracy" },
      { title: "p" },
      { title: "AUROC" },
      { title: "p" },
    ],
    rows: compared.flatMap(({ a, b, sets }) =>
      sets.map(({ set, accuracy, auroc }): TableCell[] => [
        `${a.label} against ${b.label}`,
        set,
        signed(accuracy),
        accuracy.p.toFixed(3),
        auroc === null ? null : signed(auroc),
        auroc === null ? null : auroc.p.toFixed(3),
      ])
    ),
    groupBy: 0,
    synthetic: isSynthetic(rows),
  };
}

/** What comparisons came to, one sentence each, whichever way it went. */
export function verdictsOf(rows: readonly Row[], pairs: ComparedPairs): string[] {
  return comparisons(rows, pairs).filter(({ sets }) => sets.length > 0).map(({ a, b, sets }) => {
    const count = (holds: (low: number, high: number) => boolean): number =>
      sets.filter(({ auroc }) => auroc !== null && holds(auroc.low, auroc.high)).length;
    const ahead = count((low) => low > 0), behind = count((_, high) => high < 0);
    const rest = sets.length - ahead - behind;
    return `${a.label} against ${b.label}, by AUROC: ahead on ${ahead}, behind on ${behind}, no difference shown on ${rest} of ` +
      `${sets.length} sets.`;
  });
}

function signed({ difference, low, high }: { difference: number; low: number; high: number }): string {
  const sign = (value: number): string => `${value < 0 ? "-" : "+"}${Math.abs(value).toFixed(3)}`;
  return `${sign(difference)} (${sign(low)} to ${sign(high)})`;
}
