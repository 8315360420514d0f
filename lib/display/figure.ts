/** A figure as plain data: marks on two axes. Nothing here draws: plotly.ts and svg.ts do, from the same record. @module */

import {
  checkOptions,
  checkRecord,
  checkValue,
  FLAG,
  LIST,
  LISTS,
  needed,
  NUMBER,
  NUMBERS,
  oneOf,
  POSITIVE,
  RECORD,
  type Rules,
  SERIES,
  TEXT,
  TEXTS,
  WHOLE,
} from "../platform/options.ts";

/** A value on an axis: a number, or the name of a category. */
export type AxisValue = number | string;

/** One axis. */
export interface Axis {
  /** Title; empty for none. */
  title: string;
  /** Kind of values. @default {"linear"} */
  kind?: "linear" | "log" | "category";
  /** Ends; exponents of ten on a logarithmic axis. @default {what the marks need} */
  range?: readonly [number, number];
  /** The first value stands at the far end. @default {false} */
  reversed?: boolean;
  /** Ticks, each with its text where that is not the number. @default {round numbers} */
  ticks?: readonly { value: number; text?: string }[];
}

/** A curve. */
export interface LineMark {
  /** Discriminant. */
  kind: "line";
  /** Name in the legend. */
  name: string;
  /** Horizontal values. */
  x: readonly number[];
  /** As many vertical values. */
  y: readonly number[];
  /** Colour. */
  colour: string;
  /** Pixels. */
  width: number;
  /** `faint`: under another line, without an entry in the legend; `dotted`: a line to compare with. @default {"solid"} */
  style?: "solid" | "faint" | "dotted";
  /** Whether each point gets a dot, also where it is the only one. @default {false} */
  dots?: boolean;
  /** Lines of one group are shown and hidden together. @default {each its own} */
  group?: string;
}

/** Where a point's label stands, as plotly names it. */
export type LabelPosition = `${"top" | "middle" | "bottom"} ${"left" | "center" | "right"}`;

/** A labelled point. */
export interface Point {
  /** Label beside it. */
  name: string;
  /** Horizontal place. */
  x: number;
  /** The number that is told of it, where its place is another one. @default {x} */
  value?: number;
  /** Vertical value. */
  y: number;
  /** Interval of `y`, drawn as a bar. */
  interval?: readonly [number, number];
  /** Colour. */
  colour: string;
  /** Where its label stands. */
  label: LabelPosition;
}

/** Labelled points. */
export interface PointsMark {
  /** Discriminant. */
  kind: "points";
  /** The points. */
  points: readonly Point[];
}

/** One colour of grouped bars. */
export interface BarsMark {
  /** Discriminant. */
  kind: "bars";
  /** Name in the legend. */
  name: string;
  /** Names of the groups along the x axis. */
  groups: readonly string[];
  /** One height a group; null leaves a gap. */
  values: readonly (number | null)[];
  /** One interval a group. @default {none} */
  intervals?: readonly (readonly [number, number] | null)[];
  /** Colour. */
  colour: string;
}

/** A table of shaded cells. */
export interface CellsMark {
  /** Discriminant. */
  kind: "cells";
  /** Names along the x axis. */
  columns: readonly string[];
  /** Names along the y axis. */
  rows: readonly string[];
  /** Shade of each cell, 0 to 1, row by row. */
  shades: readonly (readonly number[])[];
  /** Text of each cell. */
  texts: readonly (readonly string[])[];
}

/** Points with intervals along the x axis, a row each, as a forest plot has them. */
export interface IntervalsMark {
  /** Discriminant. */
  kind: "intervals";
  /** Names of the rows, along the y axis. */
  rows: readonly string[];
  /** One value a row; null leaves it empty. */
  values: readonly (number | null)[];
  /** One interval a row. */
  intervals: readonly (readonly [number, number] | null)[];
  /** Colour. */
  colour: string;
}

/** What can be drawn. */
export type FigureMark = LineMark | PointsMark | BarsMark | CellsMark | IntervalsMark;

/** A figure. All texts are plain: who draws it makes them safe. */
export interface Figure {
  /** What is drawn, the first below the others. */
  marks: readonly FigureMark[];
  /** Horizontal axis. */
  x: Axis;
  /** Vertical axis. */
  y: Axis;
  /** A dashed line at this height, for instance chance. @default {none} */
  reference?: number;
  /** A dashed upright line at this value of the x axis. @default {none} */
  upright?: number;
  /** The figure in one sentence, for those who cannot see it and for plain text. */
  alt: string;
}

/** What an axis, a figure and its marks must be. */
const AXIS_RULES: Rules<Axis> = {
  title: needed(TEXT),
  kind: oneOf(["linear", "log", "category"]),
  range: NUMBERS,
  reversed: FLAG,
  ticks: LIST,
};
const FIGURE_RULES: Rules<Figure> = {
  marks: needed(LIST),
  x: needed(RECORD),
  y: needed(RECORD),
  reference: NUMBER,
  upright: NUMBER,
  alt: needed(TEXT),
};
const MARK_RULES: { readonly [K in FigureMark["kind"]]: Rules<Extract<FigureMark, { kind: K }>> } = {
  line: {
    kind: needed(TEXT),
    name: needed(TEXT),
    x: needed(SERIES),
    y: needed(SERIES),
    colour: needed(TEXT),
    width: needed(POSITIVE),
    style: oneOf(["solid", "faint", "dotted"]),
    dots: FLAG,
    group: TEXT,
  },
  points: { kind: needed(TEXT), points: needed(LIST) },
  bars: {
    kind: needed(TEXT),
    name: needed(TEXT),
    groups: needed(TEXTS),
    values: needed(LIST),
    intervals: LIST,
    colour: needed(TEXT),
  },
  cells: {
    kind: needed(TEXT),
    columns: needed(TEXTS),
    rows: needed(TEXTS),
    shades: needed(LISTS),
    texts: needed(LISTS),
  },
  intervals: {
    kind: needed(TEXT),
    rows: needed(TEXTS),
    values: needed(LIST),
    intervals: needed(LIST),
    colour: needed(TEXT),
  },
};
const MARK_KIND: Rules<Pick<FigureMark, "kind">> = { kind: needed(oneOf(Object.keys(MARK_RULES))) };

/** Refuses what is no figure, as a notebook's cell may hand it on. */
export function checkFigure(figure: Figure): void {
  checkOptions("draw a figure", figure, FIGURE_RULES);
  for (const axis of ["x", "y"] as const) checkRecord("draw a figure", axis, figure[axis], AXIS_RULES);
  for (const [i, mark] of figure.marks.entries()) {
    checkRecord("draw a figure", `marks[${i}]`, mark, MARK_KIND);
    checkRecord("draw a figure", `marks[${i}]`, mark, MARK_RULES[mark.kind]);
  }
}

/** Colours of the series, told apart by most colour-blind readers (after Okabe and Ito), on light and dark. */
export const SERIES_COLOURS: readonly string[] = [
  "#2f7fc1",
  "#d9662a",
  "#1f9e77",
  "#c2609c",
  "#d19a16",
  "#5bb0de",
  "#8a8f98",
];

/** What further rounds of the colours are mixed with. */
const MIXED_WITH = [undefined, 0, 255] as const;

/** The colour of series `i`: those above, then each darker, then each lighter; they repeat after 21. */
export function seriesColour(i: number): string {
  checkValue("choose a colour", "the series' place", i, WHOLE);
  const colour = SERIES_COLOURS[i % SERIES_COLOURS.length]!;
  const other = MIXED_WITH[Math.floor(i / SERIES_COLOURS.length) % MIXED_WITH.length];
  if (other === undefined) return colour;
  const mixed = [1, 3, 5].map((start) => Math.round(0.6 * parseInt(colour.slice(start, start + 2), 16) + 0.4 * other));
  return `#${mixed.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}

/** Whether a mark has an entry in the legend: points and cells name themselves. */
export function isInLegend(mark: FigureMark): mark is LineMark | BarsMark {
  return mark.kind === "bars" || (mark.kind === "line" && mark.style !== "faint");
}

/** A text broken into lines of about `length` characters at its spaces. */
export function wrapLines(text: string, length = 14): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.length - 1;
    if (last >= 0 && lines[last]!.length + word.length < length) lines[last] += ` ${word}`;
    else lines.push(word);
  }
  return lines;
}
