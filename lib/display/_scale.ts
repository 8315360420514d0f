/** Axes of a static drawing: positions and ticks. @module */
import type { Axis, AxisValue, Figure, FigureMark } from "./figure.ts";

/** An axis that can be drawn. */
export interface Scale {
  /** Share of the axis, 0 at its start and 1 at its end; NaN for what has no place. */
  position(value: AxisValue): number;
  /** Ticks to draw. */
  ticks: { value: AxisValue; text: string }[];
  /** Share of the axis that one category takes; 0 on a numeric axis. */
  band: number;
  /** Both ends, as {@linkcode Axis} has them in `range`. */
  ends: readonly [number, number];
}

/** Both scales of a figure: they span what is drawn, its dashed lines among it, with room beyond. */
export function scalesOf({ marks, x, y, reference, upright }: Figure): { x: Scale; y: Scale } {
  const values = marks.map(valuesOf);
  return {
    x: scaleOf(x, [...values.flatMap((drawn) => drawn.x), ...listed(upright)], false),
    y: scaleOf(
      y,
      [...values.flatMap((drawn) => drawn.y), ...listed(reference)],
      marks.some(({ kind }) => kind === "bars"),
    ),
  };
}

function listed(value: number | undefined): number[] {
  return value === undefined ? [] : [value];
}

/** The values that the axes must show, the ends of intervals among them. */
function valuesOf(mark: FigureMark): { x: readonly AxisValue[]; y: readonly AxisValue[] } {
  switch (mark.kind) {
    case "line":
      return mark;
    case "points":
      return { x: mark.points.map(({ x }) => x), y: mark.points.flatMap(({ y, interval = [] }) => [y, ...interval]) };
    case "bars": {
      const heights = mark.values.flatMap((value, i) => value === null ? [] : [value, ...mark.intervals?.[i] ?? []]);
      return { x: mark.groups, y: heights };
    }
    case "cells":
      return { x: mark.columns, y: mark.rows };
    case "intervals": {
      const drawn = mark.values.flatMap((value, i) => value === null ? [] : [value, ...mark.intervals[i] ?? []]);
      return { x: drawn, y: mark.rows };
    }
  }
}

/** The scale of an axis over `values`; bars ask for `fromZero`. */
function scaleOf(axis: Axis, values: readonly AxisValue[], fromZero: boolean): Scale {
  if (axis.kind === "category") return categories([...new Set(values.map(String))]);
  const log = axis.kind === "log";
  const linear = (v: AxisValue): number => log ? Math.log10(Number(v)) : Number(v);
  const numbers = values.map(linear).filter(Number.isFinite);
  let [low, high] = axis.range ?? [Math.min(...numbers, ...(fromZero ? [0] : [])), Math.max(...numbers)];
  if (!(Number.isFinite(low) && Number.isFinite(high))) [low, high] = [0, 1];
  if (axis.range === undefined) {
    const pad = (high > low ? high - low : Math.abs(high) || 1) * 0.05;
    low = fromZero && low === 0 ? 0 : low - pad;
    high += pad;
  }
  const ticks = axis.ticks !== undefined
    ? axis.ticks.map(({ value, text = String(value) }) => ({ value, text }))
    : niceTicks(low, high).map((v) => ({ value: log ? 10 ** v : v, text: log ? `1e${v}` : tickText(v) }));
  const position = (v: AxisValue): number => (linear(v) - low) / (high - low);
  const isWithin = (share: number): boolean => share > -1e-9 && share < 1 + 1e-9;
  return { position, band: 0, ends: [low, high], ticks: ticks.filter(({ value }) => isWithin(position(value))) };
}

function categories(names: readonly string[]): Scale {
  const band = 1 / Math.max(1, names.length);
  return {
    band,
    ends: [-0.5, names.length - 0.5],
    position: (name) => names.includes(String(name)) ? (names.indexOf(String(name)) + 0.5) * band : NaN,
    ticks: names.map((name) => ({ value: name, text: name })),
  };
}

/** About five round numbers from `low` to `high`. */
function niceTicks(low: number, high: number): number[] {
  const rough = (high - low) / 5, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough * 0.999) ?? power;
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length: Math.max(0, count) }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

function tickText(value: number): string {
  return Math.abs(value) >= 1000 ? value.toLocaleString("en-GB") : String(value);
}
