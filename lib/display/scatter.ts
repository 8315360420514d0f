/** Figure of labelled marks, such as trainable numbers against AUROC. @module */
import { type Figure, type LabelPosition, type Point, seriesColour } from "./figure.ts";
import { checkOptions, checkRecords, FLAG, INTERVAL, needed, NUMBER, type Rules, TEXT } from "../platform/options.ts";

/** One mark of {@linkcode scatterFigure}. */
export interface ScatterPoint {
  /** Label beside the mark. */
  name: string;
  /** Horizontal value. */
  x: number;
  /** Vertical value. */
  y: number;
  /** Interval of `y`, drawn as a bar. */
  interval?: readonly [number, number];
}

/** Options of {@linkcode scatterFigure}. */
export interface ScatterFigureOptions {
  /**
   * Title of the x axis.
   * @default {"trainable numbers"}
   */
  x?: string;
  /**
   * Title of the y axis.
   * @default {"AUROC"}
   */
  y?: string;
  /**
   * Logarithmic x axis; a value of 0 then stands at the left edge, marked as 0.
   * @default {true}
   */
  logarithmic?: boolean;
}

/** What they must be. */
const SCATTER_RULES: Rules<ScatterFigureOptions> = {
  x: TEXT,
  y: TEXT,
  logarithmic: FLAG,
};

/** What a mark must be. */
const POINT_RULES: Rules<ScatterPoint> = {
  name: needed(TEXT),
  x: needed(NUMBER),
  y: needed(NUMBER),
  interval: INTERVAL,
};

/**
 * Labelled marks, by default trainable numbers against AUROC.
 *
 * @param points One mark each.
 * @param options See {@linkcode ScatterFigureOptions}.
 * @returns The figure.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function scatterFigure(points: readonly ScatterPoint[], options: ScatterFigureOptions = {}): Figure {
  checkOptions("draw points", options, SCATTER_RULES);
  checkRecords("draw points", "points", points, POINT_RULES);
  const { x = "trainable numbers", y = "AUROC", logarithmic = true } = options;
  const positive = points.map((p) => p.x).filter((v) => v > 0);
  const least = positive.length === 0 ? 1 : Math.min(...positive),
    most = positive.length === 0 ? 10 : Math.max(...positive);
  const hasZero = logarithmic && points.some((p) => p.x <= 0);
  const zero = 10 ** (Math.floor(Math.log10(least)) - 1);
  const shown = points.map((p) => logarithmic && p.x <= 0 ? zero : p.x);
  const linear = (v: number): number => logarithmic ? Math.log10(v) : v;
  const [left, right] = padded(shown.map(linear), 0.08);
  const [bottom, top] = padded(points.flatMap((p) => [p.y, ...(p.interval ?? [])]), 0.08);
  const toX = (v: number): number => (linear(v) - left) / (right - left);
  const toY = (v: number): number => (top - v) / (top - bottom);
  const positions = placeLabels(points.map((p, i) => ({
    text: p.name,
    x: toX(shown[i]!),
    y: toY(p.y),
    high: toY(p.interval?.[1] ?? p.y),
    low: toY(p.interval?.[0] ?? p.y),
  })));
  const ticks = powersOfTen(least, most);
  const marked = hasZero ? [{ value: zero, text: "0" }] : [];
  return {
    marks: [{
      kind: "points",
      points: points.map(({ name, x, y, interval }, i): Point => ({
        name,
        x: shown[i]!,
        value: x,
        y,
        ...(interval === undefined ? {} : { interval }),
        colour: seriesColour(i),
        label: positions[i]!,
      })),
    }],
    x: {
      title: x,
      range: [left, right],
      ...(logarithmic
        ? { kind: "log", ticks: [...marked, ...ticks.map((value) => ({ value, text: formatCount(value) }))] }
        : {}),
    },
    y: { title: y, range: [bottom, top] },
    alt: `${y} against ${x}: ${points.map((p) => `${p.name} ${p.y.toFixed(3)} with ${formatCount(p.x)}`).join(", ")}`,
  };
}

/** The powers of ten from the first above `least` to the last below `most`. */
function powersOfTen(least: number, most: number): number[] {
  const first = Math.ceil(Math.log10(least));
  return Array.from({ length: Math.floor(Math.log10(most)) - first + 1 }, (_, i) => 10 ** (first + i));
}

/** Pixels inside the axes of a narrow screen, and of a wide one: what crowds the first beyond help may still stand well in the other. */
const PLOTS = [{ width: 290, height: 260 }, { width: 560, height: 290 }] as const;

/** A label and its mark, in shares of the plot from the left and from the top. */
interface Label {
  text: string;
  x: number;
  y: number;
  /** Top and bottom of its interval's bar. */
  high: number;
  low: number;
}
type Extent = readonly [left: number, top: number, right: number, bottom: number];

/** Where a label may stand, the first ones preferred. */
const POSITIONS: readonly LabelPosition[] = [
  "middle right",
  "middle left",
  "top center",
  "bottom center",
  "top right",
  "bottom right",
  "top left",
  "bottom left",
];

/** Pixels that a label takes at a position, beside its mark. */
function labelExtent(text: string, [x, y]: readonly [number, number], position: LabelPosition): Extent {
  const width = 7 * text.length, height = 16;
  const [vertical, horizontal] = position.split(" ");
  const left = horizontal === "right" ? x + 8 : horizontal === "left" ? x - 8 - width : x - width / 2;
  const up = vertical === "top" ? y - 8 - height : vertical === "bottom" ? y + 8 : y - height / 2;
  return [left, up, left + width, up + height];
}

/** Pixels two extents share. */
function shared([left, top, right, bottom]: Extent, other: Extent): number {
  return Math.max(0, Math.min(right, other[2]) - Math.max(left, other[0])) *
    Math.max(0, Math.min(bottom, other[3]) - Math.max(top, other[1]));
}

/** What a position costs a label among the others' positions: the pixels it shares with marks, bars and labels, in every plot. */
function positionCost(labels: readonly Label[], positions: readonly LabelPosition[], i: number): number {
  return PLOTS.reduce((cost, { width, height }) => {
    const extents = positions.map((position, k) => {
      const { text, x, y } = labels[k]!;
      return labelExtent(text, [width * x, height * y], position);
    });
    const marks = labels.map(({ x, high, low }): Extent => [
      width * x - 7,
      height * high - 7,
      width * x + 7,
      height * low + 7,
    ]);
    const [left, top, right, bottom] = extents[i]!;
    const outside = Math.max(0, -left) + Math.max(0, right - width) + Math.max(0, -top) + Math.max(0, bottom - height);
    const met = [
      ...marks.filter((_, k) => k !== i || positions[i]!.endsWith("center")),
      ...extents.filter((_, k) => k !== i),
    ];
    return cost + 20 * outside + met.reduce((sum, other) => sum + shared(extents[i]!, other), 0);
  }, 0);
}

/** How often every label looks again for a better place among the others. */
const PASSES = 10;

/** A position for each label, so that few meet a mark, a bar, an edge or one another: each in turn takes the best of its own. */
function placeLabels(labels: readonly Label[]): LabelPosition[] {
  let positions = labels.map(() => POSITIONS[0]!);
  for (let pass = 0; pass < PASSES; pass++) {
    for (const i of labels.keys()) {
      const choices = POSITIONS.map((position) => positions.with(i, position));
      const costs = choices.map((choice) => positionCost(labels, choice, i));
      positions = choices[costs.indexOf(Math.min(...costs))]!;
    }
  }
  return positions;
}

function padded(values: readonly number[], share: number): [number, number] {
  if (values.length === 0) return [0, 1];
  const low = Math.min(...values), high = Math.max(...values);
  const pad = high > low ? share * (high - low) : Math.max(Math.abs(high) * share, 0.05);
  return [low - pad, high + pad];
}

/** A count as `0`, `850`, `12 k`, `1.2 M`. */
export function formatCount(value: number): string {
  const short = (v: number): string => v >= 9.95 ? v.toFixed(0) : String(Number(v.toFixed(1)));
  if (value >= 1e9) return `${short(value / 1e9)} G`;
  if (value >= 1e6) return `${short(value / 1e6)} M`;
  if (value >= 1e3) return `${short(value / 1e3)} k`;
  return String(value);
}
