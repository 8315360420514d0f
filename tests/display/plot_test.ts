import { assert, assertEquals, assertThrows } from "@std/assert";
import { barFigure } from "../../lib/display/bars.ts";
import { confusionFigure } from "../../lib/display/confusion.ts";
import { lossFigure, rocFigure } from "../../lib/display/curves.ts";
import { seriesColour, wrapLabel } from "../../lib/display/plot.ts";
import { formatCount, scatterFigure } from "../../lib/display/scatter.ts";

// deno-lint-ignore no-explicit-any
type Any = any;

Deno.test("lossFigure() draws the losses and their centred running mean", () => {
  const { data } = lossFigure([{ name: "LoRA", loss: [4, 1, 1, 4, 1] }], { smooth: 3 });
  assertEquals(data.length, 2);
  assertEquals(data[0]!.y, [4, 1, 1, 4, 1]);
  assertEquals(data[1]!.y, [4, 2, 2, 2, 1]);
  assertEquals(data[1]!.x, [1, 2, 3, 4, 5]);
});

Deno.test("lossFigure() draws the losses alone when they are few, and takes given steps", () => {
  const { data, alt } = lossFigure([{ name: "a", loss: [2, 1], steps: [10, 20] }]);
  assertEquals([data.length, data[0]!.x, data[0]!.y], [1, [10, 20], [2, 1]]);
  assertEquals(alt, "loss (nats) over step: a ends at 1.000");
  assertThrows(() => lossFigure([{ name: "a", loss: [1], steps: [1, 2] }]), TypeError, "2 and 1");
});

Deno.test("lossFigure() thins a long series and keeps its last point", () => {
  const { data } = lossFigure([{ name: "a", loss: Array.from({ length: 2501 }, (_, i) => i / 3) }], { smooth: 1 });
  const x = data[0]!.x as number[], y = data[0]!.y as number[];
  assertEquals([x.length, x[0], x.at(-1), y.at(-1)], [834, 2, 2501, 833.333]);
});

Deno.test("rocFigure() names each curve with its area and adds the diagonal", () => {
  const { data } = rocFigure([{ name: "A<B", falsePositiveRate: [0, 1], truePositiveRate: [0, 1], auroc: 0.5 }]);
  assertEquals(data.map((t) => t.name), ["A&lt;B (0.500)", "chance"]);
  assertEquals([data[1]!.x, data[1]!.y], [[0, 1], [0, 1]]);
});

Deno.test("confusionFigure() shades by the share of the row and writes the counts", () => {
  const { data, alt } = confusionFigure([[3, 1], [0, 0]], ["a", "b"]);
  assertEquals(data[0]!.z, [[0.75, 0.25], [0, 0]]);
  assertEquals(data[0]!.text, [["3", "1"], ["0", "0"]]);
  assert(alt.endsWith("3 of 4 cases on the diagonal"));
  assertThrows(() => confusionFigure([[1, 2]], ["a", "b"]), TypeError, "current shape is [1, 2]");
});

Deno.test("scatterFigure() puts zero at the left of a logarithmic axis and keeps its value", () => {
  const { data, layout } = scatterFigure([
    { name: "none", x: 0, y: 0.5 },
    { name: "some", x: 2000, y: 0.7, interval: [0.6, 0.75] },
    { name: "all", x: 1_000_000, y: 0.8 },
  ]);
  assertEquals(data[0]!.x, [100, 2000, 1_000_000]);
  assertEquals(data[0]!.customdata, [0, 2000, 1_000_000]);
  const axis = layout.xaxis as Any, error = data[0]!.error_y as Any;
  assertEquals(axis.ticktext, ["0", "10 k", "100 k", "1 M"]);
  assertEquals(axis.tickvals, [100, 1e4, 1e5, 1e6]);
  assertEquals([error.array, error.arrayminus].map((v: number[]) => v[1]!.toFixed(2)), ["0.05", "0.10"]);
});

Deno.test("scatterFigure() keeps labels inside the axes and apart", () => {
  const { data } = scatterFigure([
    { name: "left", x: 1, y: 1 },
    { name: "a rather long name", x: 1000, y: 2 },
    { name: "another long name", x: 1000, y: 2.01 },
  ]);
  const [left, right, other] = data[0]!.textposition as string[];
  assertEquals(left, "middle right");
  assert(right!.endsWith("left") && other!.endsWith("left") && right !== other, `${right} ${other}`);
});

Deno.test("scatterFigure() of one mark or none has a finite range", () => {
  for (const points of [[], [{ name: "a", x: 0, y: 0 }], [{ name: "a", x: 5, y: 1 }]]) {
    const { layout } = scatterFigure(points);
    for (const name of ["xaxis", "yaxis"]) {
      const [low, high] = (layout[name] as Any).range;
      assert(Number.isFinite(low) && Number.isFinite(high) && low < high, `${name} ${low} ${high}`);
    }
  }
});

Deno.test("barFigure() turns intervals into lengths and leaves a gap for null", () => {
  const { data, layout } = barFigure(["x", "y"], [{
    name: "m",
    values: [0.5, null],
    intervals: [[0.4, 0.7], null],
  }], { reference: 0.5 });
  const error = data[0]!.error_y as Any;
  assertEquals(data[0]!.y, [0.5, null]);
  assertEquals(error.array.map((v: number) => v.toFixed(1)), ["0.2", "0.0"]);
  assertEquals(error.arrayminus.map((v: number) => v.toFixed(1)), ["0.1", "0.0"]);
  assertEquals((layout.shapes as Any[]).length, 1);
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

Deno.test("formatCount(), wrapLabel() and seriesColour() shorten, break and repeat", () => {
  assertEquals([0, 850, 969_217, 1_200_000, 12_288, 9_990].map(formatCount), [
    "0",
    "850",
    "969 k",
    "1.2 M",
    "12 k",
    "10 k",
  ]);
  assertEquals(wrapLabel("Enlarged Cardiomediastinum <x>"), "Enlarged<br>Cardiomediastinum<br>&lt;x&gt;");
  assertEquals(seriesColour(0), seriesColour(7));
});
