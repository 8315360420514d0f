/** Figures of the cases that share a value of a column, and how far they are from those of all others. @module */
import type { SubgroupFigures } from "../../display/evaluation.ts";
import { byCodePoint } from "../../text/code_point_order.ts";
import { type ClassColumn, columnAuroc, type DrawStatistic, isTold, meanOf, meanStatistic } from "./columns.ts";
import { type Drawing, estimates } from "./estimate.ts";

/** The fewest cases that a group's figures are given for. */
const LEAST_CASES = 10;

/** A column to group by. */
export interface Grouping {
  /** Its name. */
  column: string;
  /** Width of the bands that its numbers fall into, from 0. @default {each value its own group} */
  band?: number;
}

/** What groups are made of. */
export interface SubgroupInput {
  /** Names of the cases, for errors. */
  ids: readonly string[];
  /** Further columns. */
  attributes: Readonly<Record<string, readonly string[]>>;
  /** Classes against the others. */
  columns: readonly ClassColumn[];
  /** Right answers. */
  right: ArrayLike<number>;
  /** Threshold of the only column; undefined where there are several or none could be chosen. */
  threshold?: number;
}

/** What blanks are called. */
const BLANK = "not stated";

/** The group of each case, and the groups in order. */
export function groupsOf({ column, band }: Grouping, values: readonly string[], ids: readonly string[]): {
  names: string[];
  order: string[];
} {
  if (band === undefined) {
    const names = values.map((value) => value.trim() || BLANK);
    return {
      names,
      order: [...new Set(names)].sort((a, b) => Number(a === BLANK) - Number(b === BLANK) || byCodePoint(a, b)),
    };
  }
  if (!(band > 0)) {
    throw new RangeError(
      `Cannot group by ${JSON.stringify(column)} as its bands must be wider than 0: current width is ${band}`,
    );
  }
  const starts = values.map((value, row) => {
    const text = value.trim();
    if (text === "") return NaN;
    const number = Number(text.replace(/^0*(\d+)Y$/, "$1")); // DICOM writes ages as 045Y
    if (!Number.isFinite(number)) {
      throw new RangeError(
        `Cannot group by bands of ${JSON.stringify(column)} as each case must have a number: ${
          JSON.stringify(ids[row])
        } has ${JSON.stringify(text)}`,
      );
    }
    return Math.floor(number / band) * band;
  });
  const name = (start: number): string => Number.isNaN(start) ? BLANK : `${start} to <${start + band}`;
  const order = [...new Set(starts)].sort((a, b) => Number(Number.isNaN(a)) - Number(Number.isNaN(b)) || a - b);
  return { names: starts.map(name), order: order.map(name) };
}

/** Figures of each group of each column asked for. */
export function subgroupFigures(
  input: SubgroupInput,
  groupings: readonly Grouping[],
  drawing: Drawing,
): SubgroupFigures[] {
  return groupings.flatMap((grouping) => {
    const { names, order } = groupsOf(grouping, input.attributes[grouping.column]!, input.ids);
    return order.map((group) => groupFigures(input, { by: grouping.column, group, names }, drawing));
  });
}

function groupFigures(
  { columns, right, threshold }: SubgroupInput,
  { by, group, names }: { by: string; group: string; names: readonly string[] },
  drawing: Drawing,
): SubgroupFigures {
  const n = names.length;
  const inside = Uint8Array.from(names, (name) => name === group ? 1 : 0);
  const count = inside.reduce((sum, value) => sum + value, 0);
  const patients = drawing.patients;
  const head = {
    by,
    group,
    n: count,
    ...(patients ? { patients: new Set(patients.filter((_, i) => inside[i])).size } : {}),
  };
  const none = { accuracy: null, auroc: null, auroc_gap: null };
  if (count < LEAST_CASES) {
    return { ...head, ...none, note: `${count === 1 ? "1 case" : `${count} cases`}: figures need ${LEAST_CASES}` };
  }
  const within = (of: DrawStatistic, value: 0 | 1): DrawStatistic => (indices) =>
    of(Array.from(indices).filter((i) => inside[i] === value));
  const told = columns.filter((column) => isTold({ ...column, targets: column.targets.filter((_, i) => inside[i]) }));
  const compared = told.filter((column) => isTold({ ...column, targets: column.targets.filter((_, i) => !inside[i]) }));
  const aurocs = told.map(columnAuroc), others = compared.map(columnAuroc);
  const statistics: DrawStatistic[] = [
    within(meanOf(right), 1),
    meanStatistic(aurocs.map((of) => within(of, 1)), n),
    meanStatistic(others.map((of) => (indices) => within(of, 1)(indices) - within(of, 0)(indices)), n),
    ...(columns.length === 1 && threshold !== undefined
      ? [1, 0].map((side) => {
        const { scores, targets } = columns[0]!;
        const hit = Uint8Array.from(scores, (score) => (score >= threshold ? 1 : 0) === side ? 1 : 0);
        return (indices: ArrayLike<number>) =>
          meanOf(hit)(Array.from(indices).filter((i) => inside[i] === 1 && targets[i] === side));
      })
      : []),
  ];
  const [accuracy, auroc, gap, sensitivity, specificity] = estimates(n, statistics, drawing);
  const isDefined = auroc!.value !== null;
  return {
    ...head,
    accuracy: accuracy!,
    auroc: isDefined ? auroc! : null,
    auroc_gap: gap!.value === null ? null : gap!,
    ...(sensitivity ? { sensitivity, specificity: specificity! } : {}),
    ...(isDefined ? {} : { note: "no AUROC: all cases, or none, are of the class" }),
  };
}
