/** Figure of labelled marks, such as trainable numbers against AUROC. @module */
import { plotText } from "./_escape.ts";
import { axis, baseLayout, type Figure, seriesColour } from "./plot.ts";

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

/**
 * Labelled marks, by default trainable numbers against AUROC.
 *
 * @param points One mark each.
 * @param options See {@linkcode ScatterFigureOptions}.
 * @returns The figure.
 */
export function scatterFigure(points: readonly ScatterPoint[], options: ScatterFigureOptions = {}): Figure {
  const { x = "trainable numbers", y = "AUROC", logarithmic = true } = options;
  const positive = points.map((p) => p.x).filter((v) => v > 0);
  const least = positive.length === 0 ? 1 : Math.min(...positive),
    most = positive.length === 0 ? 10 : Math.max(...positive);
  const hasZero = logarithmic && points.some((p) => p.x <= 0);
  const zero = 10 ** (Math.floor(Math.log10(least)) - 1);
  const at = points.map((p) => logarithmic && p.x <= 0 ? zero : p.x);
  const place = (v: number): number => logarithmic ? Math.log10(v) : v;
  const low = Math.min(...at.map(place)), high = Math.max(...at.map(place)), span = Math.max(high - low, 1e-9);
  // Names go inwards at both edges and alternate above and below in between.
  const sorted = [...at.keys()].sort((a, b) => at[a]! - at[b]!);
  const positions = at.map((v, i) => {
    const where = (place(v) - low) / span;
    const vertical = sorted.indexOf(i) % 2 === 0 ? "top" : "bottom";
    return `${vertical} ${where < 0.25 ? "right" : where > 0.75 ? "left" : "center"}`;
  });
  const ticks = Array.from(
    { length: Math.floor(Math.log10(most)) - Math.ceil(Math.log10(least)) + 1 },
    (_, i) => 10 ** (Math.ceil(Math.log10(least)) + i),
  );
  return {
    data: [{
      type: "scatter",
      mode: "markers+text",
      x: at,
      y: points.map((p) => p.y),
      text: points.map((p) => plotText(p.name)),
      customdata: points.map((p) => p.x),
      textposition: positions,
      cliponaxis: false,
      hovertemplate: "%{text}<br>%{customdata:,}<br>%{y:.3f}<extra></extra>",
      marker: { size: 11, color: points.map((_, i) => seriesColour(i)) },
      error_y: {
        type: "data",
        symmetric: false,
        array: points.map((p) => p.interval === undefined ? 0 : p.interval[1] - p.y),
        arrayminus: points.map((p) => p.interval === undefined ? 0 : p.y - p.interval[0]),
        color: "rgba(128,128,128,0.7)",
        thickness: 1.2,
        width: 4,
      },
    }],
    layout: baseLayout({
      showlegend: false,
      margin: { l: 8, r: 16, t: 16, b: 8 },
      xaxis: axis(x, {
        type: logarithmic ? "log" : "linear",
        range: [low - 0.08 * span, high + 0.08 * span],
        ...(hasZero
          ? { tickvals: [zero, ...ticks], ticktext: ["0", ...ticks.map(formatCount)] }
          : logarithmic
          ? { tickvals: ticks, ticktext: ticks.map(formatCount) }
          : {}),
      }),
      yaxis: axis(y),
    }),
    alt: `${y} against ${x}: ${points.map((p) => `${p.name} ${p.y.toFixed(3)} with ${formatCount(p.x)}`).join(", ")}`,
  };
}

/** A count as `0`, `850`, `12 k`, `1.2 M`. */
export function formatCount(value: number): string {
  const short = (v: number): string => v >= 9.95 ? v.toFixed(0) : String(Number(v.toFixed(1)));
  if (value >= 1e9) return `${short(value / 1e9)} G`;
  if (value >= 1e6) return `${short(value / 1e6)} M`;
  if (value >= 1e3) return `${short(value / 1e3)} k`;
  return String(value);
}
