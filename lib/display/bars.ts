/** Figure of grouped bars with intervals. @module */
import { plotText } from "./_escape.ts";
import { axis, baseLayout, type Figure, seriesColour, wrapLabel } from "./plot.ts";

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

/**
 * Grouped bars with intervals.
 *
 * @param groups Names along the x axis.
 * @param series One colour each, with a value a group.
 * @param options See {@linkcode BarFigureOptions}.
 * @returns The figure.
 * @throws {TypeError} If a series has another number of values than there are groups.
 */
export function barFigure(
  groups: readonly string[],
  series: readonly BarSeries[],
  options: BarFigureOptions = {},
): Figure {
  const { y = "AUROC", range, reference } = options;
  const names = groups.map((name) => wrapLabel(name));
  const data = series.map(({ name, values, intervals }, i) => {
    if (values.length !== groups.length) {
      throw new TypeError(
        `Cannot draw bars as each series must have ${groups.length} values: current number in "${name}" is ${values.length}`,
      );
    }
    const reach = (side: 0 | 1): number[] =>
      values.map((v, k) => {
        const interval = intervals?.[k];
        return v === null || !interval ? 0 : Math.abs(interval[side] - v);
      });
    return {
      type: "bar",
      name: plotText(name),
      x: names,
      y: values,
      marker: { color: seriesColour(i) },
      hovertemplate: "%{x}<br>%{fullData.name}: %{y:.3f}<extra></extra>",
      ...(intervals === undefined ? {} : {
        error_y: {
          type: "data",
          symmetric: false,
          array: reach(1),
          arrayminus: reach(0),
          color: "rgba(128,128,128,0.9)",
          thickness: 1.2,
          width: 3,
        },
      }),
    };
  });
  const line = {
    type: "line",
    xref: "paper",
    x0: 0,
    x1: 1,
    y0: reference,
    y1: reference,
    line: { color: "rgba(128,128,128,0.9)", width: 1, dash: "dash" },
  };
  const summary = series.map((s) => `${s.name} ${s.values.map((v) => v === null ? "none" : v.toFixed(3)).join(" / ")}`);
  return {
    data,
    layout: baseLayout({
      barmode: "group",
      bargap: 0.25,
      xaxis: axis("", { type: "category", showgrid: false }),
      yaxis: axis(y, range === undefined ? {} : { range: [...range] }),
      ...(reference === undefined ? {} : { shapes: [line] }),
    }),
    alt: `${y} on ${groups.join(" / ")}: ${summary.join(", ")}`,
  };
}
