/** Figure of a matrix of numbers. @module */
import type { Figure } from "./figure.ts";
import { checkItems, checkOptions, type Rule, type Rules, SERIES, TEXT, TEXTS } from "../platform/options.ts";

/** Options of {@linkcode matrixFigure}. */
export interface MatrixFigureOptions {
  /** Names of the rows. @default {1, 2, ...} */
  rows?: readonly string[];
  /** Names of the columns. @default {those of the rows where it is square, else 1, 2, ...} */
  columns?: readonly string[];
  /** Title of the x axis. @default {none} */
  x?: string;
  /** Title of the y axis. @default {none} */
  y?: string;
  /** Digits after the point; no text at all for null. @default {2} */
  digits?: number | null;
}

const DIGITS: Rule = {
  must: "a whole number that is not negative, or null",
  nullable: true,
  type: "number",
  allows: (digits) => typeof digits === "number" && Number.isInteger(digits) && digits >= 0,
};

/** What they must be. */
const MATRIX_RULES: Rules<MatrixFigureOptions> = {
  rows: TEXTS,
  columns: TEXTS,
  x: TEXT,
  y: TEXT,
  digits: DIGITS,
};

/**
 * A matrix as a table of shaded cells: from the least value, which stays blank, to the greatest. Zeros have no text.
 *
 * @param values Row by row, the first on top.
 * @throws {TypeError} If the rows differ in length, or there are not as many names.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function matrixFigure(values: readonly ArrayLike<number>[], options: MatrixFigureOptions = {}): Figure {
  checkOptions("draw a matrix", options, MATRIX_RULES);
  checkItems("draw a matrix", "values", values, SERIES);
  const width = values[0]?.length ?? 0;
  const numbered = (n: number): string[] => Array.from({ length: n }, (_, i) => String(i + 1));
  const { rows = numbered(values.length), x = "", y = "", digits = 2 } = options;
  const columns = options.columns ?? (rows.length === width ? rows : numbered(width));
  if (values.some((row) => row.length !== width) || rows.length !== values.length || columns.length !== width) {
    throw new TypeError(
      `Cannot draw a matrix as it must have a name a row and a column: current sizes are ${values.length} rows of ${
        values.map((row) => row.length).join(", ")
      }, ${rows.length} and ${columns.length} names`,
    );
  }
  const all = values.map((row) => Array.from(row));
  const [low, high] = [Math.min(0, ...all.flat()), Math.max(...all.flat())];
  const shade = (value: number): number => high > low ? (value - low) / (high - low) : 0;
  const text = (value: number): string => digits === null || value === 0 ? "" : value.toFixed(digits);
  return {
    marks: [{
      kind: "cells",
      columns,
      rows,
      shades: all.map((row) => row.map(shade)),
      texts: all.map((row) => row.map(text)),
    }],
    x: { title: x, kind: "category" },
    y: { title: y, kind: "category", reversed: true },
    alt: `Matrix of ${values.length} rows and ${width} columns, from ${low.toFixed(2)} to ${high.toFixed(2)}`,
  };
}
