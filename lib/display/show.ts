/** Tables, figures and images in a notebook; the only file that touches `Deno.jupyter`. @module */
import { type Overlay, overlaySvg } from "./overlay.ts";
import type { Figure } from "./figure.ts";
import { plotlyFigure } from "./plotly.ts";
import { figureSvg } from "./svg.ts";
import { formatTable, htmlTable, type Table } from "./table.ts";

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
 * Wraps a bundle for the kernel: a last expression or {@linkcode show} then displays it.
 *
 * @param bundle Contents by MIME type; `text/plain` is what a terminal gets.
 * @returns The displayable.
 */
export function displayable(bundle: MimeBundle): Displayable {
  const out = { bundle };
  Object.defineProperty(out, DISPLAY, { value: () => bundle });
  return out;
}

/**
 * A figure for a notebook: plotly's MIME type, a static SVG where plotly is not known, and a sentence as plain text. There
 * is no HTML in it, because viewers would prefer that to the drawing.
 *
 * @param figure The figure.
 * @returns The displayable.
 */
export function figureDisplay(figure: Figure): Displayable {
  const { data, layout } = plotlyFigure(figure);
  return displayable({
    "application/vnd.plotly.v1+json": { data, layout: { height: 380, ...layout }, config: { displaylogo: false } },
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
  return displayable({ "text/html": htmlTable(table), "text/plain": formatTable(table) });
}

/**
 * An overlay for a notebook: SVG, and its caption as plain text.
 *
 * @param overlay Image, attention and hyperedges.
 * @param width Pixels.
 * @returns The displayable.
 * @throws {TypeError} As {@linkcode overlaySvg}.
 */
export function overlayDisplay(overlay: Overlay, width: number = 360): Displayable {
  const svg = overlaySvg(overlay);
  return displayable({
    "text/html": `<div style="max-width:${Number(width)}px">${svg}</div>`,
    "image/svg+xml": svg.replace("<svg ", `<svg width="${Number(width)}" `),
    "text/plain": overlay.caption ?? "image with attention",
  });
}

interface Kernel {
  display(value: unknown): Promise<void>;
}

/** The kernel's object, or null outside a kernel, where merely reading `Deno.jupyter` throws. */
function kernel(): Kernel | null {
  try {
    return (Deno as unknown as { jupyter?: Kernel }).jupyter ?? null;
  } catch {
    return null;
  }
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

function plainText(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const method = (value as Record<symbol, unknown>)[DISPLAY];
  if (typeof method !== "function") return value;
  return (method.call(value) as MimeBundle)["text/plain"] ?? value;
}
