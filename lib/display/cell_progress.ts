/** A progress bar in a notebook's cell, where there is no terminal to draw it in. @module */
import { createProgress, type Progress, PROGRESS_RULES, type ProgressOptions } from "./progress.ts";
import { isInKernel, liveOutput } from "./show.ts";
import { checkOptions } from "../platform/options.ts";

/**
 * A bar that replaces itself in the cell's output; outside a kernel the one of {@linkcode createProgress}.
 *
 * @param total Items in all.
 * @param options As {@linkcode createProgress} takes them.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function cellProgress(total: number, options: ProgressOptions = {}): Progress {
  checkOptions("show progress", options, PROGRESS_RULES);
  if (!isInKernel()) return createProgress(total, options);
  const output = liveOutput();
  const notes: string[] = [];
  let line = "";
  const text = (): string => [...notes, line].join("\n");
  const write = (drawn: string): void => {
    // deno-lint-ignore no-control-regex
    line = drawn.replaceAll(/\r|\x1b\[2K/g, "").trimEnd() || line;
    void output.update(text);
  };
  const bar = createProgress(total, { ...options, write, terminal: true, columns: 96 });
  return {
    update: bar.update,
    note(said) {
      notes.push(said);
      void output.update(text);
    },
    finish() {
      bar.finish();
      void output.finish(text());
    },
  };
}
