/** Tables, figures and images in a notebook; the only file that touches `Deno.jupyter`. @module */
import { type Diagram, diagramSvg } from "./diagram.ts";
import { type Overlay, overlaySvg } from "./overlay.ts";
import type { Figure } from "./figure.ts";
import { PLOTLY_CONFIG, plotlyFigure } from "./plotly.ts";
import { rasterise } from "./rasterise.ts";
import { figureSvg } from "./svg.ts";
import { htmlTable } from "./html_table.ts";
import { formatTable, type Table } from "./table.ts";
import { AMOUNT, checkOptions, checkValue, POSITIVE, type Rules } from "../platform/options.ts";

/** One content a MIME type. */
export type MimeBundle = Record<string, unknown>;

/** Key of the method by which an object tells the Deno Jupyter kernel how to show it. */
const DISPLAY: symbol = Symbol.for("Jupyter.display");

/** An object the kernel shows by its method `[Symbol.for("Jupyter.display")]()`, and anything else by its text. */
export interface Displayable {
  /** The contents by MIME type, also without a kernel. */
  readonly bundle: MimeBundle;
}

/**
 * Wraps a bundle for the kernel: a last expression or {@linkcode show} then displays it. Beside an SVG the kernel gets the
 * same drawing as PNG, which viewers show without trusting the notebook.
 *
 * @param bundle Contents by MIME type; `text/plain` is what a terminal gets.
 * @returns The displayable.
 */
export function displayable(bundle: MimeBundle): Displayable {
  const out = { bundle };
  Object.defineProperty(out, DISPLAY, { value: () => withPng(bundle) });
  return out;
}

async function withPng(bundle: MimeBundle): Promise<MimeBundle> {
  const svg = bundle["image/svg+xml"];
  if (typeof svg !== "string" || "image/png" in bundle) return bundle;
  return { ...bundle, "image/png": (await rasterise(svg)).toBase64() };
}

/** A diagram for a notebook: a drawing, and what it shows in words. */
export function diagramDisplay(diagram: Diagram): Displayable {
  return displayable({ "image/svg+xml": diagramSvg(diagram), "text/plain": diagram.alt });
}

/**
 * A figure for a notebook: plotly's MIME type, a static SVG where plotly is not known, and a sentence as plain text. There
 * is no HTML in it, because viewers would prefer that to the drawing.
 *
 * @param figure The figure.
 * @returns The displayable.
 * @throws {TypeError} If it is no figure.
 */
export function figureDisplay(figure: Figure): Displayable {
  const { data, layout } = plotlyFigure(figure);
  return displayable({
    "application/vnd.plotly.v1+json": { data, layout: { height: 380, ...layout }, config: PLOTLY_CONFIG },
    "image/svg+xml": figureSvg(figure),
    "text/plain": figure.alt,
  });
}

/**
 * A table for a notebook: HTML, and aligned text.
 *
 * @param table The table.
 * @returns The displayable.
 * @throws {TypeError} If a row has another number of cells than there are columns.
 */
export function tableDisplay(table: Table): Displayable {
  // Jupyter puts every cell to the right and knows no badge; a style sheet would reach the rest of the notebook.
  const html = htmlTable(table).replace(/<(?:th|td)(?=[ >])(?![^>]* class="right")/g, '$& style="text-align: left"')
    .replace(/<span class="badge">(.*?)<\/span>/, "<strong>$1:</strong>");
  return displayable({ "text/html": html, "text/plain": formatTable(table) });
}

/**
 * An overlay for a notebook: a drawing with its caption. There is no HTML in it: a notebook that is not trusted would show
 * that, without its drawing.
 *
 * @param overlay Image, attention and hyperedges.
 * @param width Pixels.
 * @returns The displayable.
 * @throws {TypeError} As {@linkcode overlaySvg}.
 */
export function overlayDisplay(overlay: Overlay, width: number = 360): Displayable {
  checkValue("draw an overlay", "width", width, POSITIVE);
  const svg = overlaySvg(overlay).replace("<svg ", `<svg width="${width}" `);
  return displayable({ "image/svg+xml": svg, "text/plain": overlay.caption ?? "image with attention" });
}

interface Kernel {
  display(value: unknown, options?: { display_id: string; update: boolean }): Promise<void>;
}

/** The kernel's object, or null outside a kernel, where merely reading `Deno.jupyter` throws. */
function kernel(): Kernel | null {
  try {
    return (Deno as unknown as { jupyter?: Kernel }).jupyter ?? null;
  } catch {
    return null;
  }
}

/** Whether this is a notebook's kernel. */
export function isInKernel(): boolean {
  return kernel() !== null;
}

/**
 * Shows `value` in a notebook, or prints it as text outside one. The pause after it lets the kernel send the output before
 * the next cell: without it outputs get lost.
 *
 * @param value A displayable, a text, or anything the kernel knows.
 *
 * @example Prints outside a notebook
 * ```ts
 * import { show } from "@ace-lora/ace-lora";
 *
 * await show("0.91");
 * ```
 */
export async function show(value: unknown): Promise<void> {
  const jupyter = kernel();
  if (jupyter === null) {
    console.log(plainText(value));
    return;
  }
  await jupyter.display(typeof value === "string" ? displayable({ "text/plain": value }) : value);
  await new Promise((resolve) => setTimeout(resolve, 10));
}

/** An output of a cell that is replaced as the work goes on. */
export interface LiveOutput {
  /** Replaces what is shown, twice a second at most: `make` is not called in between, nor outside a kernel. */
  update(make: () => Displayable | string): Promise<void>;
  /** Shows the last state; outside a kernel prints it as {@linkcode show} does. */
  finish(value: Displayable | string): Promise<void>;
}

/** What they must be. */
const LIVE_RULES: Rules<{ interval?: number }> = {
  interval: AMOUNT,
};

/**
 * An output that follows work under way, such as a curve while it is trained.
 *
 * @param options `interval`: milliseconds from one state to the next (@default 500).
 * @returns The output; nothing is shown yet.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function liveOutput(options: { interval?: number } = {}): LiveOutput {
  checkOptions("show an output", options, LIVE_RULES);
  const { interval = 500 } = options;
  const display_id = crypto.randomUUID();
  let [drawnAt, isThere] = [-Infinity, false];
  const draw = async (jupyter: Kernel, value: unknown): Promise<void> => {
    await jupyter.display(value, { display_id, update: isThere });
    isThere = true;
    await new Promise((resolve) => setTimeout(resolve, 10));
  };
  return {
    async update(make) {
      const jupyter = kernel();
      if (jupyter === null || performance.now() - drawnAt < interval) return;
      const value = make();
      // Without a PNG: it is seen for half a second, and takes longer to draw than a step of training.
      const bundle = typeof value === "string" ? { "text/plain": value } : value.bundle;
      await draw(jupyter, { [DISPLAY]: () => bundle });
      drawnAt = performance.now();
    },
    async finish(value) {
      const jupyter = kernel();
      if (jupyter === null) return await show(value);
      await draw(jupyter, typeof value === "string" ? displayable({ "text/plain": value }) : value);
    },
  };
}

function isDisplayable(value: object): value is Partial<Displayable> {
  return typeof Reflect.get(value, DISPLAY) === "function";
}

function plainText(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  return isDisplayable(value) ? value.bundle?.["text/plain"] ?? value : value;
}
