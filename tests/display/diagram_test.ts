import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { type Diagram, diagramSvg } from "../../lib/display/diagram.ts";
import type { Figure } from "../../lib/display/figure.ts";
import { matrixFigure } from "../../lib/display/matrix.ts";
import { figureDisplay } from "../../lib/display/show.ts";

Deno.test("diagramSvg() draws each box and arrow once, from edge to edge, with texts made safe", () => {
  const svg = diagramSvg({
    boxes: { a: { text: "x", column: 0, row: 0 }, b: { text: "W <0>", column: 1, row: 0, kind: "frozen" } },
    arrows: [["a", "b", "rows"]],
    alt: "x goes to W",
  });
  assertEquals([svg.split("<rect").length - 1, svg.split("<line").length - 1], [2, 1]);
  assertMatch(svg, /<line x1="139" y1="35" x2="205" y2="35"/);
  assertMatch(svg, /W &lt;0&gt;/);
});

Deno.test("diagramSvg() and figureDisplay() refuse what is mistyped by its name", () => {
  const boxes = { image: { text: "x", column: 0, row: 0 } };
  const diagram = { boxes, arrows: [["image", "imgae"]], alt: "x" } as const;
  assertThrows(() => diagramSvg(diagram), TypeError, 'no box "imgae" (did you mean "image"?)');
  const mistyped: unknown = { boxs: boxes, arrows: [], alt: "x" };
  assertThrows(() => diagramSvg(mistyped as Diagram), TypeError, 'no option "boxs" (did you mean "boxes"?)');
  const none: unknown = { marks: [] };
  assertThrows(() => figureDisplay(none as Figure), TypeError, "x must be a record: it is not given");
});

Deno.test("matrixFigure() shades from the least to the greatest value, and leaves zeros blank", () => {
  const { marks, alt } = matrixFigure([[0, 1], [0.5, 2]], { rows: ["a", "b"], digits: 1 });
  assertEquals(marks, [{
    kind: "cells",
    columns: ["a", "b"],
    rows: ["a", "b"],
    shades: [[0, 0.5], [0.25, 1]],
    texts: [["", "1.0"], ["0.5", "2.0"]],
  }]);
  assertEquals(alt, "Matrix of 2 rows and 2 columns, from 0.00 to 2.00");
  assertThrows(() => matrixFigure([[1], [1, 2]]), TypeError, "Cannot draw a matrix");
});
