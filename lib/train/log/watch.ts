/** A run in a notebook's cell: a bar, and the curve as it grows. @module */
import { cellProgress } from "../../display/cell_progress.ts";
import type { Progress } from "../../display/progress.ts";
import { figureDisplay, isInKernel, liveOutput, show } from "../../display/show.ts";
import { checkOptions, COUNT, type Rules, TEXT } from "../../platform/options.ts";
import type { FitOptions, StartReport } from "../options.ts";
import type { ValidationEntry } from "../state.ts";
import { trainingFigure, validationFigure } from "./figures.ts";

/** Options of {@linkcode watchFit}. */
export interface WatchFitOptions {
  /** Name of the work. @default {"train"} */
  label?: string;
  /** Most points drawn of the curve. @default {400} */
  points?: number;
}

/** What they must be. */
const WATCH_RULES: Rules<WatchFitOptions> = { label: TEXT, points: COUNT };

/** A run being watched. */
export interface FitWatch {
  /**
   * For the options of `fit`: `fit(model, params, source, { ...settings, ...watch.hooks })`. In a notebook `signal` is that of
   * Jupyter's "interrupt": the run stops as one that may go on, and the cells below have what it reached.
   */
  hooks: Required<Pick<FitOptions, "onStart" | "onStep" | "onValidation" | "onWarning">> & Pick<FitOptions, "signal">;
  /** Ends the bar and shows the curves; outside a notebook, as a sentence. */
  end(): Promise<void>;
}

/**
 * Shows `fit` in a notebook's cell: its bar and its curve as it goes, each validation as it comes. Elsewhere the bar is on
 * stderr, and the curve a sentence at the end.
 */
export function watchFit(options: WatchFitOptions = {}): FitWatch {
  checkOptions("watch a run", options, WATCH_RULES);
  const { label = "train", points = 400 } = options;
  const curves: { history: StartReport["history"][number][]; validations: ValidationEntry[] } = {
    history: [],
    validations: [],
  };
  let bar: Progress | undefined;
  let begun = 0;
  const curve = liveOutput();
  const drawn = () => figureDisplay(trainingFigure(curves, points));
  const note = (text: string): void => bar ? bar.note(text) : console.error(text);
  const stop = new AbortController();
  const interrupt = (): void => stop.abort();
  const isListening = isInKernel();
  if (isListening) Deno.addSignalListener("SIGINT", interrupt);
  return {
    hooks: {
      ...(isListening ? { signal: stop.signal } : {}),
      onStart({ step, history, validations }) {
        begun = step;
        curves.history.push(...history);
        curves.validations.push(...validations);
      },
      onStep({ step, steps, loss, learningRate, samples }) {
        bar ??= cellProgress(steps, { label, unit: "pairs", itemsPerStep: samples, start: begun });
        bar.update(step, { loss, learningRate });
        curves.history.push({ loss, learningRate });
        void curve.update(drawn); // fit() leaves the kernel time between steps
      },
      onValidation(entry) {
        curves.validations.push(entry);
        note(`validation after step ${entry.step}: ${entry.name} ${entry.value.toFixed(4)}`);
      },
      onWarning: (text) => note(`warning: ${text}`),
    },
    async end() {
      if (isListening) Deno.removeSignalListener("SIGINT", interrupt);
      bar?.finish();
      const validation = validationFigure(curves);
      if (curves.history.length > 0) await curve.finish(drawn());
      if (validation) await show(figureDisplay(validation));
    },
  };
}
