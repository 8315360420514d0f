/** One record, two renderers: what plotly is given and what the SVG shows are the same figure. */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { barFigure } from "../../lib/display/bars.ts";
import { confusionFigure } from "../../lib/display/confusion.ts";
import { lossFigure, rocFigure } from "../../lib/display/curves.ts";
import type { Figure } from "../../lib/display/figure.ts";
import { plotlyFigure } from "../../lib/display/plotly.ts";
import { scatterFigure } from "../../lib/display/scatter.ts";
import { figureSvg } from "../../lib/display/svg.ts";

interface Trace {
  type: string;
  name?: string;
  mode?: string;
  x: (number | string)[];
  y: (number | null)[];
  z?: number[][];
  text?: unknown;
  showlegend?: boolean;
  error_y?: { array: number[]; arrayminus: number[] };
}

const traces = (figure: Figure): Trace[] => plotlyFigure(figure).data as unknown as Trace[];

/** What is drawn, whoever draws it: points of curves, marks, bars, cells, whiskers, names in the legend. */
interface Drawn {
  curves: number[];
  marks: number;
  bars: number;
  cells: string[];
  whiskers: number;
  legend: string[];
}

function drawnByPlotly(figure: Figure): Drawn {
  const all = traces(figure);
  const hasLegend = plotlyFigure(figure).layout["showlegend"] === true;
  const bars = all.filter(({ type }) => type === "bar");
  return {
    curves: all.filter(({ mode }) => mode === "lines").map(({ x }) => x.length),
    marks: all.filter(({ mode }) => mode === "markers+text").reduce((sum, { x }) => sum + x.length, 0),
    bars: bars.flatMap(({ y }) => y.filter((value) => value !== null)).length,
    cells: all.flatMap(({ type, text }) => type === "heatmap" ? (text as string[][]).flat() : []),
    whiskers:
      all.flatMap(({ error_y }) => error_y?.array.filter((up, i) => up + error_y.arrayminus[i]! > 0) ?? []).length,
    legend: hasLegend ? all.filter(({ showlegend }) => showlegend !== false).map(({ name }) => name!) : [],
  };
}

function drawnAsSvg(figure: Figure): Drawn {
  const svg = figureSvg(figure);
  const count = (pattern: RegExp): number => svg.match(pattern)?.length ?? 0;
  const cells = [...svg.matchAll(/fill="#(?:ffffff|1d2430)">([^<]*)</g)].map(([, text]) => text!);
  const legend = [...svg.matchAll(/height="4" fill="[^"]*"\/><text[^>]*><tspan[^>]*>([^<]*)</g)].map(([, text]) =>
    text!
  );
  return {
    curves: [...svg.matchAll(/<polyline [^>]*points="([^"]*)"/g)].map(([, text]) => text!.split(" ").length),
    marks: count(/<circle /g),
    bars: count(/<rect /g) - cells.length - legend.length,
    cells,
    // The axes are two lines of the same ink.
    whiskers: count(/<line [^>]*stroke="#6b7280"\/>/g) - 2,
    legend,
  };
}

const FIGURES: Record<string, Figure> = {
  loss: lossFigure([{ name: "a<b", loss: [4, 1, 1, 4, 1] }, { name: "c", loss: [3, 2, 1] }], { smooth: 3 }),
  roc: rocFigure([{ name: "A", falsePositiveRate: [0, 0.2, 1], truePositiveRate: [0, 0.9, 1], auroc: 0.85 }]),
  confusion: confusionFigure([[7, 1], [2, 6]], ["first", "second"]),
  scatter: scatterFigure([{ name: "none", x: 0, y: 0.5 }, { name: "some", x: 2000, y: 0.7, interval: [0.6, 0.75] }]),
  bars: barFigure(["x", "y"], [
    { name: "m", values: [0.5, null], intervals: [[0.4, 0.7], null] },
    { name: "n", values: [0.2, 0.9] },
  ]),
};

for (const [name, figure] of Object.entries(FIGURES)) {
  Deno.test(`plotlyFigure() and figureSvg() draw the same marks and name the same series in a figure of ${name}`, () => {
    const drawn = drawnByPlotly(figure);
    assertEquals(drawnAsSvg(figure), drawn);
    assert(drawn.curves.length + drawn.marks + drawn.bars + drawn.cells.length > 0);
  });
}

Deno.test("plotlyFigure() turns intervals into lengths and leaves a gap for null", () => {
  const [first] = traces(FIGURES["bars"]!);
  assertEquals(first!.y, [0.5, null]);
  for (const [i, [up, down]] of [[0.2, 0.1], [0, 0]].entries()) {
    assertAlmostEquals(first!.error_y!.array[i]!, up!, 1e-12);
    assertAlmostEquals(first!.error_y!.arrayminus[i]!, down!, 1e-12);
  }
});

Deno.test("plotlyFigure() escapes names, breaks those of categories and turns the axis of a confusion matrix", () => {
  const { data, layout } = plotlyFigure(confusionFigure([[1]], ["Enlarged Cardiomediastinum <x>"]));
  assertEquals(data[0]!["x"], ["Enlarged<br>Cardiomediastinum<br>&lt;x&gt;"]);
  assertEquals((layout["yaxis"] as { autorange: string }).autorange, "reversed");
  assertEquals(traces(FIGURES["loss"]!)[0]!.name, "a&lt;b");
});

Deno.test("plotlyFigure() draws the reference across the plot", () => {
  const { layout } = plotlyFigure(barFigure(["a"], [{ name: "m", values: [0.7] }], { reference: 0.5 }));
  assertEquals((layout["shapes"] as { y0: number; y1: number }[]).map(({ y0, y1 }) => [y0, y1]), [[0.5, 0.5]]);
});

Deno.test("plotlyFigure() and figureSvg() leave room beyond a dashed line that lies outside of all marks", () => {
  const curve = lossFigure([{ name: "a", loss: [0.6, 0.7, 0.8] }], { smooth: 1 });
  const figure: Figure = { ...curve, x: { title: "" }, reference: 0.5, upright: 5 };
  const { layout } = plotlyFigure(figure);
  const [ends, height] = [layout["xaxis"], layout["yaxis"]].map((axis) => (axis as { range: [number, number] }).range);
  assert(ends![0] < 1 && ends![1] > 5, `x axis: ${ends}`);
  assert(height![0] < 0.5 && height![1] > 0.8, `y axis: ${height}`);
  const lines = [...figureSvg(figure).matchAll(/<line [^>]*>/g)].map(([text]) => ({
    dashed: text.includes("dasharray"),
    at: (name: "x1" | "y1" | "x2" | "y2") => Number(new RegExp(`${name}="([^"]*)"`).exec(text)![1]),
  }));
  const [across, upright] = lines.filter(({ dashed }) => dashed);
  const bottom = lines.filter(({ dashed }) => !dashed).at(-1)!; // the axes come last
  assert(across!.at("y1") < bottom.at("y1") - 5, "above the lower axis");
  assert(upright!.at("x1") > bottom.at("x1") && upright!.at("x1") < bottom.at("x2") - 5, "left of the right end");
});
