/** Where runs are carried out: here, or in a worker with its own tf.js. @module */
import type { BackendInfo } from "../tensor/backend.ts";
import type { WasmOptions } from "../tensor/wasm/init.ts";
import type { ReproduceContext } from "./context.ts";
import { executePaperTable4, type PaperTable4Options } from "./tables/table4/paper.ts";
import type { Table4Run } from "./tables/table4/run.ts";
import { executeTable4 } from "./tables/table4/synthetic.ts";
import { executeRun } from "./run.ts";
import type { PlannedRun } from "./plan.ts";
import type { ReproduceRecord } from "./record.ts";
import type { Departures, ScaleName } from "./scale.ts";

/** Carries out one run at a time. */
export interface Executor {
  /** The record, or null when it was interrupted. `onStep` is called with the loss of each training step. */
  run(
    run: PlannedRun,
    options: { onStep: (loss: number) => void; statePath?: string; adapterPath?: string },
  ): Promise<ReproduceRecord | null>;
  /** Table 4 under one seed, or null when it was interrupted. */
  table4(seed: number, options: Omit<PaperTable4Options, "signal">): Promise<Table4Run | null>;
  /** Ends it. */
  close(): void;
}

/** Runs in this thread. */
export function localExecutor(context: ReproduceContext, backend: BackendInfo, signal?: AbortSignal): Executor {
  return {
    run: (run, { onStep, ...paths }) =>
      executeRun(context, backend, run, {
        onStep: ({ loss }) => onStep(loss),
        ...(signal ? { signal } : {}),
        ...paths,
      }),
    table4: (seed, options) =>
      context.scale.name === "paper"
        ? executePaperTable4(context, backend, seed, { ...options, signal })
        : executeTable4(context, backend, seed),
    close: () => {},
  };
}

/** What a worker is told first. */
export interface WorkerStart {
  /** Scale. */
  scale: ScaleName;
  /** What was asked for in place of the scale's own. */
  departures?: Departures | undefined;
  /** Folder of real sets. */
  data?: string | undefined;
  /** Weights in the mini model's place. */
  generalist?: string | undefined;
  /** The native library asked for. @default {as of a new process} */
  wasm?: Pick<WasmOptions, "blas"> | undefined;
  /** Set to 1 to stop after the step under way. */
  stop: SharedArrayBuffer;
}

/** What a worker is told then: a run, or table 4 under a seed. */
export type WorkerTask = PlannedRun | { table4Seed: number };

/** What a worker answers. */
export type WorkerAnswer =
  | { kind: "step"; loss: number }
  | { kind: "done"; result: ReproduceRecord | Table4Run | null }
  | { kind: "failed"; message: string };

/** Runs in a worker thread with one thread of the wasm backend. */
export function workerExecutor(start: Omit<WorkerStart, "stop">, signal?: AbortSignal): Executor {
  const worker = new Worker(new URL("./worker.ts", import.meta.url).href, { type: "module", name: "reproduce" });
  const stop = new SharedArrayBuffer(4);
  signal?.addEventListener("abort", () => Atomics.store(new Int32Array(stop), 0, 1));
  worker.postMessage({ ...start, stop } satisfies WorkerStart);
  const ask = <T>(task: WorkerTask, onStep: (loss: number) => void): Promise<T> =>
    new Promise((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<WorkerAnswer>) => {
        if (data.kind === "step") onStep(data.loss);
        else if (data.kind === "done") resolve(data.result as T);
        else reject(new Error(data.message));
      };
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(event.message));
      };
      worker.postMessage(task);
    });
  return {
    run: (run, { onStep }) => ask(run, onStep),
    table4: (table4Seed) => ask({ table4Seed }, () => {}),
    close: () => worker.terminate(),
  };
}
