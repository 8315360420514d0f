/** A figure as a static SVG, for readers of a notebook without plotly. @module */
import { escapeHtml } from "./_escape.ts";
import { type Scale, scalesOf } from "./_scale.ts";
import {
  type AxisValue,
  type BarsMark,
  type CellsMark,
  checkFigure,
  type Figure,
  type IntervalsMark,
  isInLegend,
  type LineMark,
  type PointsMark,
  wrapLines,
} from "./figure.ts";
import { checkOptions, POSITIVE, type Rules } from "../platform/options.ts";

/** Options of {@linkcode figureSvg}. */
export interface FigureSvgOptions {
  /**
   * Pixels.
   * @default {640}
   */
  width?: number;
  /**
   * Pixels.
   * @default {360}
   */
  height?: number;
}

/** What they must be. */
const SVG_RULES: Rules<FigureSvgOptions> = {
  width: POSITIVE,
  height: POSITIVE,
};

/** Pixels of a value on each axis, and the box inside the axes. */
interface Frame {
  px(value: AxisValue): number;
  py(value: AxisValue): number;
  x: Scale;
  y: Scale;
  left: number;
  top: number;
  right: number;
  bottom: number;
}

const INK = "#6b7280", GRID = "rgba(128,128,128,0.25)";

/**
 * Draws a figure.
 *
 * @param figure The figure.
 * @param options See {@linkcode FigureSvgOptions}.
 * @returns One `<svg>` element.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function figureSvg(figure: Figure, options: FigureSvgOptions = {}): string {
  checkOptions("draw a figure", options, SVG_RULES);
  checkFigure(figure);
  const { width = 640, height = 360 } = options;
  const { marks } = figure;
  const bars = marks.filter((mark) => mark.kind === "bars");
  const { x, y } = scalesOf(figure);
  const entries = marks.filter(isInLegend);
  const texts = y.ticks.flatMap(({ text }) => tickLines(text, y));
  const left = 44 + 6.5 * Math.max(3, ...texts.map((line) => line.length)), right = width - 16;
  const across = entriesAcross(entries, right - left);
  const top = 14 + 20 * Math.ceil(entries.length / across), bottom = height - 62;
  const frame: Frame = {
    x,
    y,
    left,
    top,
    right,
    bottom,
    px: (v) => left + (right - left) * x.position(v),
    py: (v) => figure.y.reversed ? top + (bottom - top) * y.position(v) : bottom - (bottom - top) * y.position(v),
  };
  const body = marks.map((mark) => {
    if (mark.kind === "line") return curve(mark, frame);
    if (mark.kind === "points") return points(mark, frame);
    if (mark.kind === "intervals") return intervalRows(mark, frame);
    return mark.kind === "cells"
      ? cells(mark, frame)
      : columns(mark, frame, { index: bars.indexOf(mark), count: bars.length });
  }).join("");
  const height0 = figure.reference === undefined ? "" : n(frame.py(figure.reference));
  const reference = figure.reference === undefined
    ? ""
    : `<line x1="${left}" x2="${right}" y1="${height0}" y2="${height0}" stroke="${INK}" stroke-dasharray="6 5"/>`;
  const position = figure.upright === undefined ? "" : n(frame.px(figure.upright));
  const upright = position === ""
    ? ""
    : `<line x1="${position}" x2="${position}" y1="${top}" y2="${bottom}" stroke="${INK}" stroke-dasharray="6 5"/>`;
  const alt = escapeHtml(figure.alt);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${alt}" font-family="system-ui, sans-serif" font-size="12" fill="${INK}">` +
    `<title>${alt}</title>${axes(figure, frame)}${body}${reference}${upright}${
      legend(entries, across, left, right)
    }</svg>`;
}

/** The lines of a tick's text: names of categories are broken, numbers are not. */
function tickLines(text: string, { band }: Scale): string[] {
  return band === 0 ? [text] : wrapLines(text);
}

/**
 * Every how many columns of a width one is named, so that names do not run into one another: numbers follow from their neighbours,
 * of other names as many are kept as can be read at all.
 */
function namedEvery(texts: readonly string[], width: number): number {
  const areNumbers = texts.every((text) => text.trim() !== "" && Number.isFinite(Number(text)));
  const room = areNumbers ? 8 + 6.5 * Math.max(0, ...texts.map((text) => text.length)) : 15;
  return Math.ceil(room / width);
}

function axes(figure: Figure, frame: Frame): string {
  const { left, right, top, bottom, x, y, px, py } = frame;
  const every = x.band === 0 ? 1 : namedEvery(x.ticks.map(({ text }) => text), x.band * (right - left));
  const vertical = x.ticks.filter((_, i) => i % every === 0).map(({ value, text }) =>
    (x.band === 0 ? line(px(value), top, px(value), bottom, GRID) : "") +
    label(
      tickLines(text, x),
      px(value),
      bottom + 17,
      "middle",
      x.band === 0 ? Infinity : every * x.band * (right - left),
    )
  );
  const horizontal = y.ticks.map(({ value, text }) => {
    const lines = tickLines(text, y);
    return (y.band === 0 ? line(left, py(value), right, py(value), GRID) : "") +
      label(lines, left - 8, py(value) + 4 - 7 * (lines.length - 1), "end");
  });
  const middle = (top + bottom) / 2;
  return vertical.join("") + horizontal.join("") + line(left, top, left, bottom, INK) +
    line(left, bottom, right, bottom, INK) +
    label([figure.x.title], (left + right) / 2, bottom + 52, "middle") +
    `<text transform="rotate(-90 14 ${n(middle)})" x="14" y="${n(middle)}" text-anchor="middle">${
      escapeHtml(figure.y.title)
    }</text>`;
}

function curve({ x, y, colour, width, style, dots }: LineMark, { px, py }: Frame): string {
  const ends = x.map((value, i) => [px(value), py(y[i] ?? NaN)] as const);
  const drawn = ends.filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y));
  return `<polyline fill="none" stroke="${escapeHtml(colour)}" stroke-width="${width}" opacity="${
    style === "faint" ? 0.28 : 1
  }"${style === "dotted" ? ' stroke-dasharray="2 4"' : ""} points="${
    drawn.map(([x, y]) => `${n(x)},${n(y)}`).join(" ")
  }"/>${
    dots
      ? drawn.map(([x, y]) => `<circle cx="${n(x)}" cy="${n(y)}" r="3.5" fill="${escapeHtml(colour)}"/>`).join("")
      : ""
  }`;
}

function points(mark: PointsMark, { px, py }: Frame): string {
  return mark.points.map(({ name, x, y, interval, colour, label: position }) => {
    const [cx, cy] = [px(x), py(y)];
    if (!Number.isFinite(cx) || !Number.isFinite(cy)) return "";
    const side = position.endsWith("right") ? 1 : position.endsWith("left") ? -1 : 0;
    const lift = position.startsWith("top") ? -9 : position.startsWith("bottom") ? 18 : 4;
    const anchor = side > 0 ? "start" : side < 0 ? "end" : "middle";
    return whisker(interval, cx, py) +
      `<circle cx="${n(cx)}" cy="${n(cy)}" r="5.5" fill="${escapeHtml(colour)}"/>` +
      label([name], cx + 9 * side, cy + lift, anchor);
  }).join("");
}

function intervalRows({ rows, values, intervals, colour }: IntervalsMark, { px, py }: Frame): string {
  return rows.map((name, i) => {
    const value = values[i], interval = intervals[i];
    if (typeof value !== "number") return "";
    const y = py(name);
    return (interval ? line(px(interval[0]), y, px(interval[1]), y, INK) : "") +
      `<circle cx="${n(px(value))}" cy="${n(y)}" r="4.5" fill="${escapeHtml(colour)}"/>`;
  }).join("");
}

function columns(
  { groups, values, intervals, colour }: BarsMark,
  { px, py, x, left, right, bottom }: Frame,
  { index, count }: { index: number; count: number },
): string {
  const group = x.band * (right - left) * 0.75, each = group / count;
  return groups.map((name, i) => {
    const value = values[i];
    if (typeof value !== "number") return "";
    const from = px(name) - group / 2 + index * each, up = py(value), zero = Math.min(bottom, py(0));
    return `<rect x="${n(from)}" y="${n(Math.min(up, zero))}" width="${n(each)}" height="${
      n(Math.abs(zero - up))
    }" fill="${escapeHtml(colour)}"/>${whisker(intervals?.[i], from + each / 2, py)}`;
  }).join("");
}

function whisker(
  interval: readonly [number, number] | null | undefined,
  x: number,
  py: (value: AxisValue) => number,
): string {
  return !interval || interval[0] === interval[1] ? "" : line(x, py(interval[1]), x, py(interval[0]), INK);
}

function cells({ columns, rows, shades, texts }: CellsMark, { px, py, x, y, left, right, top, bottom }: Frame): string {
  const width = x.band * (right - left), height = y.band * (bottom - top);
  return shades.flatMap((row, r) =>
    row.map((shade, c) => {
      const cx = px(columns[c]!), cy = py(rows[r]!);
      const mix = (from: number, to: number): number => Math.round(from + (to - from) * shade);
      return `<rect x="${n(cx - width / 2 + 1)}" y="${n(cy - height / 2 + 1)}" width="${n(width - 2)}" height="${
        n(height - 2)
      }" fill="rgb(${mix(232, 28)},${mix(238, 90)},${mix(244, 146)})"/><text x="${n(cx)}" y="${
        n(cy + 4)
      }" text-anchor="middle" fill="${shade > 0.5 ? "#ffffff" : "#1d2430"}">${escapeHtml(texts[r]![c]!)}</text>`;
    })
  ).join("");
}

/** How many entries of the legend stand side by side: three, or as many as the longest name leaves room for. */
function entriesAcross(entries: readonly (LineMark | BarsMark)[], width: number): number {
  const longest = 34 + 6.5 * Math.max(0, ...entries.map(({ name }) => name.length));
  return Math.min(3, Math.max(1, Math.floor(width / longest)));
}

function legend(
  entries: readonly (LineMark | BarsMark)[],
  across: number,
  left: number,
  right: number,
): string {
  const room = (right - left) / across;
  return entries.map(({ name, colour }, k) => {
    const x = left + (k % across) * room, y = 14 + 20 * Math.floor(k / across);
    return `<rect x="${n(x)}" y="${y - 6}" width="16" height="4" fill="${escapeHtml(colour)}"/>${
      label([name], x + 22, y, "start")
    }`;
  }).join("");
}

function label(lines: readonly string[], x: number, y: number, anchor: string, room = Infinity): string {
  if (lines.every((text) => text === "")) return "";
  const longest = Math.max(...lines.map((text) => text.length));
  const size = longest * 6.5 > room ? ` font-size="${n(Math.max(7, 12 * room / (longest * 6.5)))}"` : "";
  const spans = lines.map((text, i) => `<tspan x="${n(x)}"${i === 0 ? "" : ' dy="14"'}>${escapeHtml(text)}</tspan>`);
  return `<text x="${n(x)}" y="${n(y)}" text-anchor="${anchor}"${size}>${spans.join("")}</text>`;
}

function line(x1: number, y1: number, x2: number, y2: number, colour: string): string {
  return `<line x1="${n(x1)}" y1="${n(y1)}" x2="${n(x2)}" y2="${n(y2)}" stroke="${colour}"/>`;
}

function n(value: number): string {
  return String(Number(value.toFixed(1)));
}
