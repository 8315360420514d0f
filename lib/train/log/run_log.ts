/** A run's log as it goes: lines of JSON, TensorBoard's event files and a page. @module */
import { join } from "@std/path";
import { buildReport, type LiveReport, plotlySource, type Report, reportUpdate } from "../../display/report.ts";
import { exists, writeFileAtomic } from "../../io/files.ts";
import type { StartReport, StepReport } from "../options.ts";
import type { ValidationEntry } from "../state.ts";
import { type RunCurves, trainingFigure, validationFigure } from "./figures.ts";
import { type EventFile, openEventFile } from "./tensor_board.ts";
import { AMOUNT, checkOptions, checkValue, RECORD, type Rules, TEXT } from "../../platform/options.ts";

/** Options of {@linkcode openRunLog}. */
export interface RunLogOptions {
  /** Heading of the page. @default {"Training"} */
  title?: string;
  /** Names and values of the run, for the page. @default {none} */
  facts?: Readonly<Record<string, string | number>>;
  /** What must be said of the model, at the page's head. @default {nothing} */
  notice?: string;
  /** Seconds from one writing of the page to the next, and after which a browser that shows it takes over what is new. @default {30} */
  pageSeconds?: number;
}

/** What they must be. */
const RUN_LOG_RULES: Rules<RunLogOptions> = {
  title: TEXT,
  facts: RECORD,
  notice: TEXT,
  pageSeconds: AMOUNT,
};

/** A log under way: hooks for the options of `fit`, and its end. */
export interface RunLog {
  /** Begins: lines of steps after `step`, which an earlier part took and whose state was lost, are removed. */
  onStart(report: StartReport): Promise<void>;
  /** Takes a step. */
  onStep(report: StepReport): void;
  /** Writes what was taken so far, so that the log is never behind the state. */
  onSave(): Promise<void>;
  /** Takes a validation. */
  onValidation(entry: ValidationEntry): Promise<void>;
  /** Takes a warning, for a line of its own and the page's head. */
  onWarning(text: string): void;
  /** What was warned of so far, each once; of a run that goes on, what the log has of its earlier parts comes first. */
  warnings(): string[];
  /** Writes what is left and, where it is the run's last, a page that is complete in itself. */
  close(isDone: boolean): Promise<void>;
}

/** What a page under way reads: plotly.js, and what is new. */
const BESIDE: Pick<LiveReport, "plotlyFile" | "updateFile"> = {
  plotlyFile: "training.plotly.js",
  updateFile: "training.update.js",
};

/** The names of what {@linkcode openRunLog} leaves in a folder. */
export const RUN_LOG_NAMES: readonly string[] = [
  "log.jsonl",
  "training.html",
  ...Object.values(BESIDE),
  "tensorboard",
];

/**
 * Opens `log.jsonl`, `tensorboard/` and `training.html` in a folder. While the run is under way the page is small and reads
 * `training.plotly.js` and `training.update.js` beside it; the last one is complete in itself.
 *
 * A line of a step has step, epoch, loss, rate, images a second, share of the step spent waiting for images and memory (resident,
 * MiB), one of a validation its step, name and figure, one of a warning the step before it.
 *
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function openRunLog(folder: string, options: RunLogOptions = {}): RunLog {
  checkOptions("keep a log", options, RUN_LOG_RULES);
  const { pageSeconds = 30 } = options;
  const figures = openFigures(folder);
  const curves: PageCurves = { history: [], validations: [], warnings: [] };
  let [flushedAt, drawnAt, steps] = [-Infinity, -Infinity, 0];
  let busy: Promise<void> = Promise.resolve();
  const draw = (isDone: boolean): Promise<void> =>
    writePage(folder, curves, { ...options, steps, pageSeconds, isDone });
  const write = (isLast = false): Promise<void> => {
    const now = performance.now();
    const isDrawn = isLast || now - drawnAt >= 1000 * pageSeconds;
    [flushedAt, drawnAt] = [now, isDrawn ? now : drawnAt];
    busy = busy.then(figures.flush).then(() => isDrawn && !isLast ? draw(false) : undefined);
    return busy;
  };
  return {
    async onStart({ step, steps: all, history, validations }) {
      steps = all;
      curves.history.push(...history);
      curves.validations.push(...validations);
      curves.warnings.unshift(...await figures.begin(step, validations));
    },
    onStep(report) {
      curves.history.push({ loss: report.loss, learningRate: report.learningRate });
      const told = stepFigures(report);
      figures.add({ step: report.step, epoch: report.epoch, ...told }, told);
      // A line a second at most is written, whatever the steps: the writing must not be what a step waits for.
      if (performance.now() - flushedAt >= 1000) write().catch(() => {}); // told at the end
    },
    onSave: () => write(),
    async onValidation(entry) {
      curves.validations.push(entry);
      const { step, name, value } = entry;
      figures.add({ step, validation: name, value }, { [`validation/${name}`]: value });
      await write();
    },
    onWarning(text) {
      curves.warnings.push(text);
      figures.add({ step: curves.history.length, warning: text });
    },
    warnings: () => [...new Set(curves.warnings)],
    async close(isDone) {
      if (!figures.hasBegun()) return;
      await write(true);
      await draw(isDone);
      figures.close();
    },
  };
}

/** What a step's line and TensorBoard are told. */
function stepFigures(report: StepReport): Record<string, number> {
  const { loss, learningRate, samples, seconds, waiting, gradientNorm } = report;
  return {
    loss,
    learning_rate: learningRate,
    images_per_second: samples / seconds,
    waiting_share: waiting / seconds,
    memory_mib: Deno.memoryUsage().rss / 2 ** 20,
    ...(gradientNorm === undefined ? {} : { gradient_norm: gradientNorm }),
  };
}

/** A line of `log.jsonl`. */
type LogLine = { step: number } & Record<string, unknown>;

function textOf(lines: readonly LogLine[]): string {
  return lines.map((line) => JSON.stringify(line) + "\n").join("");
}

/** A run's figures on their way to `log.jsonl` and TensorBoard's files: held until they are flushed. */
interface FiguresFile {
  /** Opens the files; of an earlier part what came after `step` is dropped. @returns Its warnings. */
  begin(step: number, validations: readonly ValidationEntry[]): Promise<string[]>;
  hasBegun(): boolean;
  /** Takes a line, and what TensorBoard shows of it. */
  add(line: LogLine, scalars?: Readonly<Record<string, number>>): void;
  flush(): Promise<void>;
  close(): void;
}

function openFigures(folder: string): FiguresFile {
  checkValue("keep a log", "its folder", folder, TEXT);
  const path = join(folder, "log.jsonl");
  let events: EventFile | undefined;
  let lines: LogLine[] = [];
  let scalars: [number, Readonly<Record<string, number>>][] = [];
  return {
    async begin(step, validations) {
      await Deno.mkdir(folder, { recursive: true });
      const kept = await cutLog(path, step, validations);
      lines = lines.map((line) => ({ ...line, step })); // what was told before the run's place was known
      events = await openEventFile(join(folder, "tensorboard"), { ...(step > 0 ? { purgeFrom: step + 1 } : {}) });
      return kept.flatMap(({ warning }) => typeof warning === "string" ? [warning] : []);
    },
    hasBegun: () => events !== undefined,
    add(line, shown) {
      lines.push(line);
      if (shown) scalars.push([line.step, shown]);
    },
    async flush() {
      const [text, written] = [textOf(lines), scalars];
      [lines, scalars] = [[], []];
      if (text !== "") await Deno.writeTextFile(path, text, { append: true, mode: 0o600 });
      for (const [step, shown] of written) await events?.write(step, shown);
    },
    close: () => events?.close(),
  };
}

/**
 * Keeps the whole lines of steps up to `step` and of the validations made by then: a killed run may have logged more, and half a
 * line.
 *
 * @returns The lines kept.
 */
async function cutLog(path: string, step: number, validations: readonly ValidationEntry[]): Promise<LogLine[]> {
  if (!await exists(path)) return [];
  const validated = new Set(validations.map((entry) => entry.step));
  const kept = (await Deno.readTextFile(path)).split("\n").flatMap((line): LogLine[] => {
    try {
      const entry = JSON.parse(line);
      return ("validation" in entry ? validated.has(entry.step) : entry.step <= step) ? [entry] : [];
    } catch {
      return [];
    }
  });
  await writeFileAtomic(path, textOf(kept), { isPrivate: true });
  return kept;
}

/** What a page shows. */
interface PageCurves extends RunCurves {
  history: StartReport["history"][number][];
  validations: ValidationEntry[];
  warnings: string[];
}

interface PageOptions extends RunLogOptions {
  /** Of the whole run. */
  steps: number;
  pageSeconds: number;
  /** Whether the page is the run's last, complete in itself. */
  isDone: boolean;
}

/** Writes a run's page, and until the run is done what it reads. */
async function writePage(folder: string, curves: PageCurves, options: PageOptions): Promise<void> {
  const report = runReport(curves, options);
  const write = (name: string, text: string): Promise<void> =>
    writeFileAtomic(join(folder, name), text, { isPrivate: true });
  const { plotlyFile, updateFile } = BESIDE;
  if (report.live) {
    if (!await exists(join(folder, plotlyFile))) await write(plotlyFile, await plotlySource());
    await write(updateFile, reportUpdate(report));
  }
  await write("training.html", await buildReport(report));
  if (report.live) return;
  for (const name of Object.values(BESIDE)) {
    if (await exists(join(folder, name))) await Deno.remove(join(folder, name));
  }
}

/** The page of a run. */
function runReport(curves: PageCurves, options: PageOptions): Report {
  const { title = "Training", facts = {}, notice, steps, pageSeconds, isDone } = options;
  const done = curves.history.length;
  const validation = validationFigure(curves);
  const state = isDone ? "ended" : `under way; this page shows what is new every ${pageSeconds} s`;
  return {
    title,
    subtitle: `Step ${done} of ${steps}, ${state}`,
    warnings: [...(notice === undefined ? [] : [notice]), ...new Set(curves.warnings)],
    ...(isDone ? {} : { live: { ...BESIDE, seconds: pageSeconds } }),
    sections: [
      ...(done > 0 ? [{ kind: "figure" as const, title: "Loss", figure: trainingFigure(curves) }] : []),
      ...(validation ? [{ kind: "figure" as const, title: "Validation", figure: validation }] : []),
      {
        kind: "facts",
        title: "Run",
        facts: {
          "last loss": curves.history.at(-1)?.loss.toFixed(4) ?? "none",
          "last learning rate": curves.history.at(-1)?.learningRate.toExponential(2) ?? "none",
          ...facts,
        },
      },
    ],
  };
}
