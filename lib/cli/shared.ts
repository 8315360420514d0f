/** What several commands do alike: start the backend, tell it, draw progress. @module */
import { type Communicator, gatherTexts } from "../distributed/communicator.ts";
import { createProgress, type Progress } from "../display/progress.ts";
import { type BackendInfo, selectBackend } from "../tensor/backend.ts";
import { canNarrow } from "../tensor/kernels/narrow/api.ts";
import { BlasError } from "../tensor/wasm/blas_checks.ts";
import { defined } from "../platform/defined.ts";
import { type Arguments, type OptionSpec, UsageError } from "./command.ts";
import { catchInterrupts } from "./interrupt.ts";
import { backendsText } from "./ranks.ts";

const BACKENDS = ["webgpu", "wasm", "cpu"] as const;

/** The option every computing command has. */
export const BACKEND_OPTION: Record<string, OptionSpec> = {
  backend: { value: "NAME", words: BACKENDS, help: "webgpu, wasm or cpu (default: the fastest there is)" },
  blas: {
    value: "WORD",
    help: "wasm's large products by a system library: auto, off or its file; needs deno task native (default: auto)",
  },
};

/**
 * Starts the backend and prints its name once, on stderr; with it, whether the model's matrices are kept narrow there.
 *
 * @param ranks Those that all start theirs here: each one's is printed. @default {this process alone}
 */
export async function startBackend(args: Arguments, ranks?: Communicator): Promise<BackendInfo> {
  const backend = args.choice("backend", BACKENDS, undefined);
  const blas = args.text("blas");
  const selected = await selectBackend({ ...defined({ backend }), ...(blas ? { wasm: { blas } } : {}) })
    .catch(async (error) => {
      if (!(error instanceof BlasError)) throw error;
      const isAllowed = (await Deno.permissions.query({ name: "ffi" })).state === "granted";
      const remedy = isAllowed
        ? "--blas auto looks for another"
        : "deno task native in front of the command allows them";
      throw new UsageError(`${error.message}; ${remedy}`);
    });
  const slow = selected.reasons.find((reason) => reason.startsWith("wasm: "));
  if (slow !== undefined) {
    console.error(`warning: plain JavaScript is many times slower than wasm, which did not start: ${slow.slice(6)}`);
  }
  const isNarrow = args.flag("narrow") && canNarrow();
  const info = isNarrow ? { ...selected, adapter: `${selected.adapter}; matrices in float16` } : selected;
  if (ranks) {
    const backends = gatherTexts(ranks, backendText(info));
    const nodes = gatherTexts(ranks, ranks.node);
    const { line, warnings } = backendsText(backends.map((backend, rank) => ({ backend, node: nodes[rank]! })));
    console.error(`backend: ${line}`);
    for (const warning of warnings) console.error(`warning: ${warning}`);
  } else console.error(`backend: ${backendText(info)}`);
  if (args.flag("narrow") && !isNarrow) console.error(`note: --narrow changes nothing on ${info.name}`);
  return info;
}

/** The seeds that `--seeds` lists, each once; undefined where it is not given. */
export function seedsFrom(args: Arguments): number[] | undefined {
  const seeds = args.list("seeds")?.map((word) => {
    const seed = Number(word);
    if (Number.isInteger(seed) && seed >= 0 && seed <= 0xffffffff) return seed;
    throw new UsageError(`--seeds must be whole numbers from 0 to 4294967295: current value is "${word}"`);
  });
  return seeds && [...new Set(seeds)];
}

/** What computes, in one line. */
export function backendText({ name, adapter }: BackendInfo): string {
  return `${name} (${adapter})`;
}

/** The training loop's callbacks: a progress bar, and a signal that a request to stop sets. */
export interface Watch {
  /** For the options of `fit` and `fitHead`. */
  hooks: {
    signal: AbortSignal;
    onStep(step: { step: number; steps: number; loss: number; learningRate: number }): void;
  };
  /** Prints a line of its own without breaking the bar. */
  note(text: string): void;
  /** What the process ends with after such a request. */
  exitCode(): number;
  /** Ends the bar and no longer listens. */
  end(): void;
}

/** Draws a training run's progress and turns the first Ctrl-C or SIGTERM into a request to stop after the step under way. */
export function watchTraining(label: string, batchSize: number, unit = "pairs", isQuiet = false): Watch {
  const interruption = catchInterrupts();
  let bar: Progress | undefined;
  return {
    hooks: {
      signal: interruption.signal,
      onStep: ({ step, steps, loss, learningRate }) => {
        if (step === 1) bar?.finish(); // the next stage
        if (step === 1) bar = undefined;
        if (isQuiet) return;
        bar ??= createProgress(steps, { label, unit, itemsPerStep: batchSize, start: step });
        bar.update(step, { loss, learningRate });
      },
    },
    note: (text) => bar ? bar.note(text) : console.error(text),
    exitCode: interruption.exitCode,
    end: () => {
      bar?.finish();
      interruption.end();
    },
  };
}
