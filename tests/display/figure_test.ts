/** What figures hold, before anything is drawn. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { barFigure } from "../../lib/display/bars.ts";
import { confusionFigure } from "../../lib/display/confusion.ts";
import { lossFigure, rocFigure } from "../../lib/display/curves.ts";
import {
  type BarsMark,
  type CellsMark,
  type Figure,
  type LineMark,
  type PointsMark,
  seriesColour,
  wrapLines,
} from "../../lib/display/figure.ts";
import { formatCount, scatterFigure } from "../../lib/display/scatter.ts";

const lines = ({ marks }: Figure): LineMark[] => marks.filter((mark) => mark.kind === "line");
const points = ({ marks }: Figure): PointsMark["points"] => (marks[0] as PointsMark).points;

Deno.test("lossFigure() holds the losses, faint, and their centred running mean", () => {
  const [raw, mean, ...others] = lines(lossFigure([{ name: "LoRA", loss: [4, 1, 1, 4, 1] }], { smooth: 3 }));
  assertEquals(others, []);
  assertEquals([raw!.style, raw!.y], ["faint", [4, 1, 1, 4, 1]]);
  assertEquals([mean!.style, mean!.y, mean!.x], [undefined, [4, 2, 2, 2, 1], [1, 2, 3, 4, 5]]);
  assertEquals(raw!.group, mean!.group);
});

Deno.test("lossFigure() holds the losses alone when they are few, and takes given steps", () => {
  const figure = lossFigure([{ name: "a", loss: [2, 1], steps: [10, 20] }]);
  assertEquals(lines(figure).map(({ x, y, style }) => [x, y, style]), [[[10, 20], [2, 1], undefined]]);
  assertEquals(figure.alt, "loss (nats) over step: a ends at 1.000");
  assertThrows(() => lossFigure([{ name: "a", loss: [1], steps: [1, 2] }]), TypeError, "2 and 1");
});

Deno.test("lossFigure() shows a series of one loss as a dot, as no line can be seen of it", () => {
  assertEquals(lines(lossFigure([{ name: "a", loss: [2] }, { name: "b", loss: [2, 1] }])).map(({ dots }) => dots), [
    true,
    undefined,
  ]);
});

Deno.test("lossFigure() thins a long series and keeps its last point", () => {
  const figure = lossFigure([{ name: "a", loss: Array.from({ length: 2501 }, (_, i) => i / 3) }], { smooth: 1 });
  const { x, y } = lines(figure)[0]!;
  assertEquals([x.length, x[0], x.at(-1), y.at(-1)], [834, 2, 2501, 833.333]);
});

Deno.test("rocFigure() names each curve with its area and adds the diagonal", () => {
  const figure = rocFigure([{ name: "A<B", falsePositiveRate: [0, 1], truePositiveRate: [0, 1], auroc: 0.5 }]);
  assertEquals(lines(figure).map(({ name, style }) => [name, style]), [["A<B (0.500)", undefined], [
    "chance",
    "dotted",
  ]]);
  assertEquals([lines(figure)[1]!.x, lines(figure)[1]!.y], [[0, 1], [0, 1]]);
});

Deno.test("confusionFigure() shades by the share of the row and writes the counts, the first class on top", () => {
  const { marks, y, alt } = confusionFigure([[3, 1], [0, 0]], ["a", "b"]);
  const { shades, texts } = marks[0] as CellsMark;
  assertEquals(shades, [[0.75, 0.25], [0, 0]]);
  assertEquals(texts, [["3", "1"], ["0", "0"]]);
  assertEquals(y.reversed, true);
  assert(alt.endsWith("3 of 4 cases on the diagonal"));
  assertThrows(() => confusionFigure([[1, 2]], ["a", "b"]), TypeError, "current shape is [1, 2]");
});

Deno.test("scatterFigure() puts zero at the left of a logarithmic axis and keeps its value", () => {
  const figure = scatterFigure([
    { name: "none", x: 0, y: 0.5 },
    { name: "some", x: 2000, y: 0.7, interval: [0.6, 0.75] },
    { name: "all", x: 1_000_000, y: 0.8 },
  ]);
  assertEquals(points(figure).map(({ x, value }) => [x, value]), [[100, 0], [2000, 2000], [1_000_000, 1_000_000]]);
  assertEquals(points(figure)[1]!.interval, [0.6, 0.75]);
  assertEquals(figure.x.kind, "log");
  assertEquals(figure.x.ticks!.map(({ value, text }) => [value, text]), [
    [100, "0"],
    [1e4, "10 k"],
    [1e5, "100 k"],
    [1e6, "1 M"],
  ]);
});

Deno.test("scatterFigure() keeps labels inside the axes and apart", () => {
  const [left, right, other] = points(scatterFigure([
    { name: "left", x: 1, y: 1 },
    { name: "a rather long name", x: 1000, y: 2 },
    { name: "another long name", x: 1000, y: 2.01 },
  ])).map(({ label }) => label);
  assertEquals(left, "middle right");
  assert(right!.endsWith("left") && other!.endsWith("left") && right !== other, `${right} ${other}`);
});

Deno.test("scatterFigure() of one mark or none has a finite range", () => {
  for (const points of [[], [{ name: "a", x: 0, y: 0 }], [{ name: "a", x: 5, y: 1 }]]) {
    const { x, y } = scatterFigure(points);
    for (const { title, range } of [x, y]) {
      const [low, high] = range!;
      assert(Number.isFinite(low) && Number.isFinite(high) && low < high, `${title} ${low} ${high}`);
    }
  }
});

Deno.test("barFigure() holds values and intervals as given, a gap for null, and the reference", () => {
  const series = { name: "m", values: [0.5, null], intervals: [[0.4, 0.7] as const, null] };
  const { marks, reference } = barFigure(["x", "y"], [series], { reference: 0.5 });
  const { values, intervals, groups } = marks[0] as BarsMark;
  assertEquals([values, intervals, groups, reference], [series.values, series.intervals, ["x", "y"], 0.5]);
  assertThrows(() => barFigure(["x"], [{ name: "m", values: [] }]), TypeError, 'current number in "m" is 0');
});

Deno.test("every figure is plain data: JSON gives it back unchanged", () => {
  for (
    const figure of [
      lossFigure([{ name: "a", loss: [1, 2, 3] }]),
      rocFigure([]),
      confusionFigure([[1]], ["a"]),
      scatterFigure([{ name: "a", x: 1, y: 1 }]),
      barFigure(["a"], [{ name: "b", values: [1] }]),
    ]
  ) assertEquals(JSON.parse(JSON.stringify(figure)), figure);
});

Deno.test("formatCount(), wrapLines() and seriesColour() shorten, break and repeat", () => {
  assertEquals([0, 850, 969_217, 1_200_000, 12_288, 9_990].map(formatCount), [
    "0",
    "850",
    "969 k",
    "1.2 M",
    "12 k",
    "10 k",
  ]);
  assertEquals(wrapLines("Enlarged Cardiomediastinum <x>"), ["Enlarged", "Cardiomediastinum", "<x>"]);
  const colours = Array.from({ length: 21 }, (_, i) => seriesColour(i));
  assertEquals([new Set(colours).size, seriesColour(21)], [21, colours[0]]);
  assertEquals([colours[0], colours[7], colours[14]], ["#2f7fc1", "#1c4c74", "#82b2da"]);
});
