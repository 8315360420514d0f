import { assert, assertEquals, assertMatch } from "@std/assert";
import { cellProgress } from "../../lib/display/cell_progress.ts";
import { lossFigure } from "../../lib/display/curves.ts";
import { plotlyFigure } from "../../lib/display/plotly.ts";
import { decodePng } from "../../lib/image/png.ts";
import { eventually } from "../eventually.ts";
import {
  displayable,
  figureDisplay,
  liveOutput,
  type MimeBundle,
  overlayDisplay,
  show,
  tableDisplay,
} from "../../lib/display/show.ts";

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

Deno.test("figureDisplay() carries plotly's MIME type, SVG, the same drawing as PNG, and text", async () => {
  const figure = lossFigure([{ name: "<b>", loss: [1] }]);
  const display = figureDisplay(figure) as unknown as Record<symbol, () => Promise<Record<string, unknown>>>;
  const bundle = await display[DISPLAY]!();
  const plotly = bundle["application/vnd.plotly.v1+json"] as Record<string, unknown>;
  assertEquals(plotly["data"], plotlyFigure(figure).data);
  assertEquals(bundle["text/plain"], figure.alt);
  assert(String(bundle["image/svg+xml"]).includes("&lt;b&gt;"));
  const { width, height, channels } = decodePng(Uint8Array.fromBase64(String(bundle["image/png"])), "figure.png");
  assertEquals([width, height, channels], [960, 540, 4]);
});

Deno.test("tableDisplay() sets its texts to the left and names synthetic data, as Jupyter has no style sheet for either", () => {
  const { bundle } = tableDisplay({
    caption: "Means.",
    synthetic: true,
    groupBy: 0,
    columns: [{ title: "set" }, { title: "method", align: "left" }, { title: "AUROC", digits: 3 }],
    rows: [["SIIM", "GAT", 0.5]],
  });
  const html = String(bundle["text/html"]);
  assert(html.includes("<figcaption><strong>synthetic data:</strong> Means.</figcaption>"), html);
  const cells = [...html.matchAll(/<(?:th|td)[ >][^>]*>?/g)].map(([cell]) => cell);
  assertEquals(cells.map((cell) => cell.includes("text-align: left")), [true, false, true, true, false]);
  assertEquals(cells.map((cell) => cell.includes('class="right"')), [false, true, false, false, true]);
});

Deno.test("overlayDisplay() gives SVG of the asked width", () => {
  const { bundle } = overlayDisplay({ image: "data:image/png;base64,AAAA", grid: { rows: 1, columns: 1 } }, 200);
  assert(String(bundle["image/svg+xml"]).startsWith('<svg width="200" '));
});

Deno.test("liveOutput() replaces one output in a kernel, leaves out what comes too soon, and prints the last state elsewhere", async () => {
  const calls: [unknown, unknown][] = [];
  const target = Deno as unknown as { jupyter: unknown };
  const follow = async (interval: number): Promise<void> => {
    const output = liveOutput({ interval });
    for (const text of ["a", "b"]) await output.update(() => text);
    await output.finish("c");
  };
  target.jupyter = { display: (x: never, options: unknown) => Promise.resolve(void calls.push([x[DISPLAY], options])) };
  try {
    await follow(1e9);
    await follow(0);
  } finally {
    target.jupyter = undefined;
  }
  const said = await Promise.all(calls.map(async ([make]) => await (make as () => Promise<Record<string, unknown>>)()));
  assertEquals(said.map((bundle) => bundle["text/plain"]), ["a", "c", "a", "b", "c"]);
  const options = calls.map(([, given]) => given as { display_id: string; update: boolean });
  assertEquals(options.map(({ update }) => update), [false, true, false, true, true]);
  assertEquals(new Set(options.map(({ display_id }) => display_id)).size, 2);
  assertEquals(await printed(() => follow(0)), ["c"]);
});

Deno.test("cellProgress() draws its bar in the cell's output, with its notes", async () => {
  const said: unknown[] = [];
  const target = Deno as unknown as { jupyter: unknown };
  target.jupyter = {
    display: async (x: never) => void said.push((await (x[DISPLAY] as () => Promise<MimeBundle>)())["text/plain"]),
  };
  try {
    const bar = cellProgress(4, { label: "fit", now: () => 0 });
    bar.note("slow today");
    for (const step of [1, 2, 4]) bar.update(step, { loss: 2 });
    bar.finish();
    await eventually(() => String(said.at(-1)).includes("4/4"), "the last state");
  } finally {
    target.jupyter = undefined;
  }
  assertMatch(String(said.at(-1)), /^slow today\nfit \[#+\] 4\/4 {2}loss 2\.0000/);
});
