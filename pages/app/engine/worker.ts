/**
 * A worker that holds a model or a film: it answers calls of the page one after the other, and tells it of events between.
 *
 * @module
 */
import { adapt, adapterFiles, loadTrained, resume, stopAdapting, storedRun } from "./adapt.ts";
import { evaluate } from "./evaluate.ts";
import { drawnFilms, openFilm, renderFilm, tableColumns } from "./films.ts";
import { classify, keepModel, keptModels, loadAdapterFiles, loadFiles, removeKept, start, useBase } from "./model.ts";
import { asGiven, tell } from "./events.ts";

/** What the page may call. */
const engine = {
  adapt,
  adapterFiles,
  classify,
  drawnFilms,
  evaluate,
  keepModel,
  keptModels,
  loadAdapterFiles,
  loadFiles,
  loadTrained,
  openFilm,
  removeKept,
  renderFilm,
  resume,
  start,
  stopAdapting,
  storedRun,
  tableColumns,
  useBase,
};

/** The functions of the worker, by name. */
export type Engine = typeof engine;

/** A call: its number, the function and what it is given. */
export interface Call {
  /** Number that comes back with the answer. */
  id: number;
  /** The function. */
  name: keyof Engine;
  /** What it is given. */
  args: unknown[];
}

function transferables(value: unknown): Transferable[] {
  return typeof value === "object" && value !== null
    ? Object.values(value).filter((one) => one instanceof ImageBitmap)
    : [];
}

addEventListener("message", async ({ data: { id, name, args } }: MessageEvent<Call>) => {
  try {
    const value = await (engine[name] as (...args: unknown[]) => unknown)(...args);
    tell({ id, value }, transferables(value));
  } catch (error) {
    const { name: kind, message } = error instanceof Error ? error : new Error(String(error));
    tell({ id, error: { kind, message: asGiven(message) } });
  }
});
tell({ ready: true });
