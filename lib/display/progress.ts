/** Progress of long work on stderr: a bar on a terminal, now and then a plain line elsewhere. @module */
import { terminalColumns } from "./terminal.ts";
import { AMOUNT, CALL, checkOptions, COUNT, FLAG, type Rules, TEXT, WHOLE } from "../platform/options.ts";

/** Options of {@linkcode createProgress}. */
export interface ProgressOptions {
  /**
   * Name of the work.
   * @default {""}
   */
  label?: string;
  /**
   * Steps already done when it starts (work resumed).
   * @default {0}
   */
  start?: number;
  /**
   * Items in one step, for the throughput.
   * @default {1}
   */
  itemsPerStep?: number;
  /**
   * Name of the items.
   * @default {"items"}
   */
  unit?: string;
  /**
   * Takes the text.
   * @default {a writer to Deno.stderr}
   */
  write?: (text: string) => void;
  /**
   * Whether the text goes to a terminal.
   * @default {Deno.stderr.isTerminal()}
   */
  terminal?: boolean;
  /**
   * Milliseconds now.
   * @default {performance.now}
   */
  now?: () => number;
  /**
   * Columns of the terminal.
   * @default {those of the terminal, or 80}
   */
  columns?: number;
  /**
   * Least milliseconds between two lines when there is no terminal.
   * @default {10000}
   */
  plainInterval?: number;
}

/** What they must be. */
export const PROGRESS_RULES: Rules<ProgressOptions> = {
  label: TEXT,
  start: WHOLE,
  itemsPerStep: AMOUNT,
  unit: TEXT,
  write: CALL,
  terminal: FLAG,
  now: CALL,
  columns: COUNT,
  plainInterval: AMOUNT,
};

/** What one {@linkcode Progress.update} may show besides the count. */
export interface ProgressFields {
  /** Loss of the last step. */
  loss?: number;
  /** Learning rate of the last step. */
  learningRate?: number;
}

/** A running progress display. */
export interface Progress {
  /** Shows that `done` steps are done. Redraws at most ten times a second. */
  update(done: number, fields?: ProgressFields): void;
  /** Prints a line of its own without breaking the bar. */
  note(text: string): void;
  /** Shows the last state and ends the line. */
  finish(): void;
}

const WINDOW = 32;

/** Draws the bar that stands on the process's terminal again, where there is one. */
let redraw: (() => void) | undefined;

/** Prints what goes to the same terminal as a running bar on lines of its own. */
export function besideBar(print: () => void): void {
  if (redraw === undefined) return print();
  toStderr("\r\x1b[2K");
  print();
  redraw();
}

/** Steps a second over the last few updates: a slow first step is soon forgotten. */
function recentRate(began: number, start: number): { add(time: number, done: number): void; value(): number } {
  const recent: [number, number][] = [[began, start]];
  return {
    add(time, done) {
      recent.push([time, done]);
      if (recent.length > WINDOW) recent.shift();
    },
    value() {
      const [from, count] = recent[0]!;
      const [to, last] = recent[recent.length - 1]!;
      return to - from >= 1 ? (last - count) / ((to - from) / 1000) : 0; // a bar made with its first step has no rate
    },
  };
}

/** A bar of `room` characters, or nothing where it would be too short to read. */
function barText(share: number, room: number): string {
  if (room < 5) return "";
  const filled = Math.min(room, Math.round(room * share));
  return `[${"#".repeat(filled)}${"-".repeat(room - filled)}] `;
}

/** How far the work is, as text. */
interface Standing {
  /** Takes what the last update said. */
  update(done: number, fields: ProgressFields): void;
  /** Steps done. */
  done(): number;
  /** Count, loss, throughput and time. */
  describe(): string;
}

function standingOf(
  total: number,
  { start, itemsPerStep, unit, now }: Required<Pick<ProgressOptions, "start" | "itemsPerStep" | "unit" | "now">>,
): Standing {
  const began = now();
  const rate = recentRate(began, start);
  let done = start, fields: ProgressFields = {};
  return {
    update(value, more) {
      done = value;
      fields = { ...fields, ...more };
      rate.add(now(), done);
    },
    done: () => done,
    describe() {
      const perSecond = rate.value();
      return [
        `${done}/${total}`,
        fields.loss === undefined ? "" : `loss ${fields.loss.toFixed(4)}`,
        fields.learningRate === undefined ? "" : `lr ${fields.learningRate.toExponential(2)}`,
        perSecond > 0 ? `${significant(perSecond * itemsPerStep)} ${unit}/s` : "",
        done >= total ? `took ${formatDuration((now() - began) / 1000)}` : "",
        perSecond > 0 && done < total ? `${formatDuration((total - done) / perSecond)} left` : "",
      ].filter((part) => part !== "").join("  ");
    },
  };
}

/**
 * Starts a progress display.
 *
 * @param total Steps the work has.
 * @param options See {@linkcode ProgressOptions}.
 * @returns The display; call `finish()` at the end.
 * @throws {RangeError} If `total` is negative or not an integer.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function createProgress(total: number, options: ProgressOptions = {}): Progress {
  checkOptions("show progress", options, PROGRESS_RULES);
  if (!Number.isInteger(total) || total < 0) {
    throw new RangeError(`Cannot show progress as total must be an integer of at least 0: current value is ${total}`);
  }
  const {
    label = "",
    start = 0,
    itemsPerStep = 1,
    unit = "items",
    write = toStderr,
    terminal = Deno.stderr.isTerminal(),
    now = () => performance.now(),
    columns = terminal ? terminalColumns() : 80,
    plainInterval = 10_000,
  } = options;
  const standing = standingOf(total, { start, itemsPerStep, unit, now });
  const head = label === "" ? "" : `${label} `;
  let drawnAt = -Infinity, drawnDone = -1, drawn = false;

  const draw = (): void => {
    drawnAt = now();
    drawnDone = standing.done();
    const text = standing.describe();
    if (!terminal) return write(`${head}${text}\n`);
    const share = total === 0 ? 1 : drawnDone / total;
    const bar = barText(share, Math.min(30, columns - head.length - text.length - 6));
    write(`\r\x1b[2K${`${head}${bar}${text}`.slice(0, columns - 1)}`);
    drawn = true;
    if (write === toStderr) redraw = draw;
  };

  return {
    update(done, fields = {}) {
      standing.update(done, fields);
      if (now() - drawnAt >= (terminal ? 100 : plainInterval)) draw();
    },
    note(text) {
      write(drawn ? `\r\x1b[2K${text}\n` : `${text}\n`);
      if (drawn) draw();
    },
    finish() {
      if (drawnDone !== standing.done() || drawnAt === -Infinity || terminal) draw();
      if (terminal) write("\n");
      drawn = false;
      redraw = undefined;
    },
  };
}

/**
 * A duration in words short enough for a bar: `4.2 s`, `3 min 05 s`, `2 h 07 min`.
 *
 * @param seconds The duration.
 * @returns The text.
 */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "?";
  if (seconds < 9.95) return `${Math.max(0, seconds).toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${String(whole % 60).padStart(2, "0")} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

function significant(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function toStderr(text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let written = 0; written < bytes.length;) written += Deno.stderr.writeSync(bytes.subarray(written));
}
