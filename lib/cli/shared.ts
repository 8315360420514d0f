/** What several commands do alike: start the backend, tell it, draw progress, catch Ctrl-C. @module */
import { createProgress, type Progress } from "../display/progress.ts";
import { type BackendInfo, type BackendName, selectBackend } from "../tensor/backend.ts";
import type { Arguments, OptionSpec } from "./command.ts";

/** The option every computing command has. */
export const BACKEND_OPTION: Record<string, OptionSpec> = {
  backend: { type: "string", value: "NAME", help: "webgpu, wasm or cpu (default: the fastest there is)" },
};

/** Starts the backend and prints its name once, on stderr. */
export async function startBackend(args: Arguments): Promise<BackendInfo> {
  const name = args.text("backend") === undefined
    ? undefined
    : args.choice<BackendName>("backend", ["webgpu", "wasm", "cpu"], "wasm");
  const info = await selectBackend(name ? { backend: name } : {});
  console.error(`backend: ${info.name} (${info.adapter})`);
  return info;
}

/** The training loop's callbacks: a progress bar, and a signal that Ctrl-C sets. */
export interface Watch {
  /** For the options of `fit` and `fitHead`. */
  hooks: {
    signal: AbortSignal;
    onStep(step: { step: number; steps: number; loss: number; learningRate: number }): void;
  };
  /** Ends the bar and gives Ctrl-C back. */
  end(): void;
}

/** Draws a training run's progress and turns the first Ctrl-C into a request to stop after the step under way. */
export function watchTraining(label: string, batchSize: number, unit = "pairs"): Watch {
  const controller = new AbortController();
  const interrupt = (): void => controller.abort();
  Deno.addSignalListener("SIGINT", interrupt);
  let bar: Progress | undefined;
  return {
    hooks: {
      signal: controller.signal,
      onStep: ({ step, steps, loss, learningRate }) => {
        if (step === 1) bar?.finish(); // the next stage
        if (step === 1) bar = undefined;
        bar ??= createProgress(steps, { label, unit, itemsPerStep: batchSize, start: step });
        bar.update(step, { loss, learningRate });
      },
    },
    end: () => {
      bar?.finish();
      Deno.removeSignalListener("SIGINT", interrupt);
    },
  };
}
