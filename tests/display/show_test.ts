import { assert, assertEquals } from "@std/assert";
import { lossFigure } from "../../lib/display/curves.ts";
import { plotlyFigure } from "../../lib/display/plotly.ts";
import { displayable, figureDisplay, overlayDisplay, show, tableDisplay } from "../../lib/display/show.ts";

const DISPLAY = Symbol.for("Jupyter.display");

/** Runs `body` with `Deno.jupyter` replaced, and gives back what was displayed. */
async function inKernel(body: () => Promise<void>): Promise<unknown[]> {
  const shown: unknown[] = [];
  const target = Deno as unknown as { jupyter: unknown };
  target.jupyter = { display: (x: unknown) => Promise.resolve(void shown.push(x)) };
  try {
    await body();
  } finally {
    target.jupyter = undefined;
  }
  return shown;
}

async function printed(body: () => Promise<void>): Promise<unknown[]> {
  const lines: unknown[] = [], log = console.log;
  console.log = (...args: unknown[]) => void lines.push(...args);
  try {
    await body();
  } finally {
    console.log = log;
  }
  return lines;
}

Deno.test("show() prints the plain text of a displayable outside a kernel", async () => {
  const figure = figureDisplay(lossFigure([{ name: "a", loss: [1] }]));
  assertEquals(
    await printed(async () => {
      await show(figure);
      await show("words");
      await show(displayable({ "text/html": "<b>", "text/plain": "b" }));
      await show(3);
    }),
    ["loss (nats) over step: a ends at 1.000", "words", "b", 3],
  );
});

Deno.test("show() hands the object to the kernel and then pauses", async () => {
  const table = tableDisplay({ columns: [{ title: "x" }], rows: [[1]] });
  const start = performance.now();
  const shown = await inKernel(() => show(table));
  assertEquals(shown, [table]);
  assert(performance.now() - start >= 9);
});

Deno.test("figureDisplay() carries plotly's MIME type, SVG and text", () => {
  const figure = lossFigure([{ name: "<b>", loss: [1] }]);
  const display = figureDisplay(figure) as unknown as Record<symbol, () => Record<string, unknown>>;
  const bundle = display[DISPLAY]!();
  const plotly = bundle["application/vnd.plotly.v1+json"] as Record<string, unknown>;
  assertEquals(plotly.data, plotlyFigure(figure).data);
  assertEquals(bundle["text/plain"], figure.alt);
  assert(String(bundle["image/svg+xml"]).includes("&lt;b&gt;"));
});

Deno.test("overlayDisplay() gives SVG of the asked width", () => {
  const { bundle } = overlayDisplay({ image: "data:image/png;base64,AAAA", grid: { rows: 1, columns: 1 } }, 200);
  assert(String(bundle["image/svg+xml"]).startsWith('<svg width="200" '));
});
