/** A progress bar in a notebook's cell, where there is no terminal to draw it in. @module */
import { createProgress, type Progress, type ProgressOptions } from "./progress.ts";
import { isInKernel, liveOutput } from "./show.ts";

/**
 * A bar that replaces itself in the cell's output; outside a kernel the one of {@linkcode createProgress}.
 *
 * @param total Items in all.
 * @param options As {@linkcode createProgress} takes them.
 */
export function cellProgress(total: number, options: ProgressOptions = {}): Progress {
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
