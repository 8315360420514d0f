/** A figure as plotly.js takes it. @module */
import { plotText } from "./_escape.ts";
import { scalesOf } from "./_scale.ts";
import {
  type Axis,
  type BarsMark,
  type CellsMark,
  checkFigure,
  type Figure,
  type FigureMark,
  type IntervalsMark,
  isInLegend,
  type LineMark,
  type PointsMark,
  SERIES_COLOURS,
  wrapLines,
} from "./figure.ts";

/** Traces and layout, plain data. */
export interface PlotlyFigure {
  /** Traces. */
  data: Record<string, unknown>[];
  /** Layout: transparent, neutral ink, legend above. */
  layout: Record<string, unknown>;
}

/** How plotly is to behave wherever it draws: nothing in its bar leads out of the machine (plotly.js 4 would share charts). */
export const PLOTLY_CONFIG = {
  displaylogo: false,
  modeBarButtonsToRemove: ["sendChartToCloud", "sendDataToCloud", "editInChartStudio"],
  plotlyServerURL: "",
} as const;

/** Grey of what is not data, so strong. */
function grey(share: number): string {
  return `rgba(128,128,128,${share})`;
}

/** The figure's traces and layout. @throws {TypeError | RangeError} If it is no figure. */
export function plotlyFigure(figure: Figure): PlotlyFigure {
  checkFigure(figure);
  const { marks, reference, upright } = figure;
  const { x, y } = withRoom(figure);
  const isLabelled = marks.some(({ kind }) => kind === "points");
  const dashes = { type: "line", line: { color: grey(0.9), width: 1, dash: "dash" } };
  const shapes = [
    ...(reference === undefined ? [] : [{ ...dashes, xref: "paper", x0: 0, x1: 1, y0: reference, y1: reference }]),
    ...(upright === undefined ? [] : [{ ...dashes, yref: "paper", y0: 0, y1: 1, x0: upright, x1: upright }]),
  ];
  return {
    data: marks.map(trace),
    layout: {
      margin: isLabelled ? { l: 8, r: 16, t: 16, b: 8 } : { l: 8, r: 12, t: 12, b: 8 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: "system-ui, sans-serif", size: 13, color: "#6b7280" },
      colorway: SERIES_COLOURS,
      hovermode: "closest",
      modebar: { bgcolor: "rgba(0,0,0,0)", color: grey(0.7), activecolor: grey(1) },
      showlegend: marks.length === 0 || marks.some(isInLegend),
      legend: { orientation: "h", x: 0, y: 1.02, xanchor: "left", yanchor: "bottom" },
      ...(marks.some(({ kind }) => kind === "bars") ? { barmode: "group", bargap: 0.25 } : {}),
      xaxis: axis(x),
      yaxis: axis(y),
      ...(shapes.length === 0 ? {} : { shapes }),
    },
  };
}

/** The axes, with ends of their own where a dashed line stands: plotly's may end at the line, where an axis hides it. */
function withRoom(figure: Figure): Pick<Figure, "x" | "y"> {
  const { x, y, reference, upright } = figure;
  if (reference === undefined && upright === undefined) return { x, y };
  const scales = scalesOf(figure);
  return {
    x: upright === undefined ? x : { ...x, range: scales.x.ends },
    y: reference === undefined ? y : { ...y, range: scales.y.ends },
  };
}

function axis({ title, kind, range, reversed, ticks }: Axis): Record<string, unknown> {
  return {
    title: { text: plotText(title), standoff: 12 },
    automargin: true,
    gridcolor: grey(0.22),
    linecolor: grey(0.6),
    zeroline: false,
    ...(kind === undefined ? {} : { type: kind }),
    ...(kind === "category" ? { showgrid: false } : {}),
    ...(range === undefined ? {} : { range: reversed ? range.toReversed() : [...range] }),
    ...(reversed && range === undefined ? { autorange: "reversed" } : {}),
    ...(ticks === undefined ? {} : { tickvals: ticks.map(({ value }) => value) }),
    ...(ticks?.some(({ text }) => text !== undefined)
      ? { ticktext: ticks.map(({ value, text = String(value) }) => plotText(text)) }
      : {}),
  };
}

function trace(mark: FigureMark): Record<string, unknown> {
  switch (mark.kind) {
    case "line":
      return lineTrace(mark);
    case "points":
      return pointsTrace(mark);
    case "bars":
      return barsTrace(mark);
    case "cells":
      return cellsTrace(mark);
    case "intervals":
      return intervalsTrace(mark);
  }
}

function lineTrace({ name, x, y, colour, width, style = "solid", group, dots }: LineMark): Record<string, unknown> {
  return {
    type: "scatter",
    mode: dots ? "lines+markers" : "lines",
    x,
    y,
    name: plotText(name),
    ...(group === undefined ? {} : { legendgroup: group }),
    ...(style === "solid" ? {} : { hoverinfo: "skip" }),
    ...(style === "faint" ? { opacity: 0.28, showlegend: false } : {}),
    line: { color: colour, width, ...(style === "dotted" ? { dash: "dot" } : {}) },
  };
}

function pointsTrace({ points }: PointsMark): Record<string, unknown> {
  return {
    type: "scatter",
    mode: "markers+text",
    showlegend: false, // points name themselves
    x: points.map(({ x }) => x),
    y: points.map(({ y }) => y),
    text: points.map(({ name }) => plotText(name)),
    customdata: points.map(({ x, value = x }) => value),
    textposition: points.map(({ label }) => label),
    cliponaxis: false,
    hovertemplate: "%{text}<br>%{customdata:,}<br>%{y:.3f}<extra></extra>",
    marker: { size: 11, color: points.map(({ colour }) => colour) },
    error_y: {
      ...reaches(points.map(({ y }) => y), points.map(({ interval }) => interval ?? null)),
      color: grey(0.7),
      thickness: 1.2,
      width: 4,
    },
  };
}

function barsTrace({ name, groups, values, intervals, colour }: BarsMark): Record<string, unknown> {
  return {
    type: "bar",
    name: plotText(name),
    x: groups.map(wrapped),
    y: values,
    marker: { color: colour },
    hovertemplate: "%{x}<br>%{fullData.name}: %{y:.3f}<extra></extra>",
    ...(intervals === undefined
      ? {}
      : { error_y: { ...reaches(values, intervals), color: grey(0.9), thickness: 1.2, width: 3 } }),
  };
}

function cellsTrace({ columns, rows, shades, texts }: CellsMark): Record<string, unknown> {
  return {
    type: "heatmap",
    x: columns.map(wrapped),
    y: rows.map(wrapped),
    z: shades,
    text: texts,
    texttemplate: "%{text}",
    hovertemplate: "target %{y}<br>predicted %{x}<br>%{text} cases, %{z:.1%} of the target<extra></extra>",
    zmin: 0,
    zmax: 1,
    xgap: 2,
    ygap: 2,
    colorscale: [[0, "#e8eef4"], [0.5, "#6aa5d3"], [1, "#1c5a92"]],
    showscale: false,
  };
}

function intervalsTrace({ rows, values, intervals, colour }: IntervalsMark): Record<string, unknown> {
  return {
    type: "scatter",
    mode: "markers",
    x: values,
    y: rows.map((text) => wrapLines(text, 22).map(plotText).join("<br>")),
    marker: { size: 9, color: colour },
    hovertemplate: "%{y}<br>%{x:.3f}<extra></extra>",
    error_x: { ...reaches(values, intervals), color: grey(0.9), thickness: 1.4, width: 4 },
  };
}

function wrapped(text: string): string {
  return wrapLines(text).map(plotText).join("<br>");
}

/** How far each interval reaches above and below its value. */
function reaches(
  values: readonly (number | null)[],
  intervals: readonly (readonly [number, number] | null)[],
): Record<string, unknown> {
  const reach = (side: 0 | 1): number[] =>
    values.map((value, i) => {
      const interval = intervals[i];
      return value === null || !interval ? 0 : Math.abs(interval[side] - value);
    });
  return { type: "data", symmetric: false, array: reach(1), arrayminus: reach(0) };
}
