/** Figure of grouped bars with intervals. @module */
import { type BarsMark, type Figure, seriesColour } from "./figure.ts";
import {
  checkOptions,
  checkRecords,
  checkValue,
  LIST,
  needed,
  NUMBER,
  NUMBERS,
  type Rules,
  TEXT,
  TEXTS,
} from "../platform/options.ts";

/** One colour of {@linkcode barFigure}. */
export interface BarSeries {
  /** Name in the legend. */
  name: string;
  /** One height a group; null leaves a gap. */
  values: readonly (number | null)[];
  /** One interval a group. */
  intervals?: readonly (readonly [number, number] | null)[];
}

/** Options of {@linkcode barFigure}. */
export interface BarFigureOptions {
  /**
   * Title of the y axis.
   * @default {"AUROC"}
   */
  y?: string;
  /** Ends of the y axis. */
  range?: readonly [number, number];
  /** A dashed line at this height, for instance chance. */
  reference?: number;
}

/** What they must be. */
const BAR_RULES: Rules<BarFigureOptions> = {
  y: TEXT,
  range: NUMBERS,
  reference: NUMBER,
};

/** What a series must be. */
const SERIES_RULES: Rules<BarSeries> = {
  name: needed(TEXT),
  values: needed({ ...LIST, allows: isHeights, must: "a list of numbers, null for none" }),
  intervals: LIST,
};

function isHeights(values: unknown): boolean {
  return Array.isArray(values) && values.every((value) => value === null || typeof value === "number");
}

/**
 * Grouped bars with intervals.
 *
 * @param groups Names along the x axis.
 * @param series One colour each, with a value a group.
 * @param options See {@linkcode BarFigureOptions}.
 * @returns The figure.
 * @throws {TypeError} If a series has another number of values than there are groups.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function barFigure(
  groups: readonly string[],
  series: readonly BarSeries[],
  options: BarFigureOptions = {},
): Figure {
  checkOptions("draw bars", options, BAR_RULES);
  checkValue("draw bars", "groups", groups, TEXTS);
  checkRecords("draw bars", "series", series, SERIES_RULES);
  const { y = "AUROC", range, reference } = options;
  const marks = series.map(({ name, values, intervals }, i): BarsMark => {
    if (values.length !== groups.length) {
      throw new TypeError(
        `Cannot draw bars as each series must have ${groups.length} values: current number in "${name}" is ${values.length}`,
      );
    }
    return {
      kind: "bars",
      name,
      groups,
      values,
      ...(intervals === undefined ? {} : { intervals }),
      colour: seriesColour(i),
    };
  });
  const summary = series.map((s) => `${s.name} ${s.values.map((v) => v === null ? "none" : v.toFixed(3)).join(" / ")}`);
  return {
    marks,
    x: { title: "", kind: "category" },
    y: { title: y, ...(range === undefined ? {} : { range }) },
    ...(reference === undefined ? {} : { reference }),
    alt: `${y} on ${groups.join(" / ")}: ${summary.join(", ")}`,
  };
}
