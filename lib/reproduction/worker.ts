/** A worker thread that carries out runs on the wasm backend, one after the other. @module */
import { selectBackend } from "../tensor/backend.ts";
import { openContext } from "./context.ts";
import { executeTable4 } from "./tables/table4/synthetic.ts";
import type { WorkerAnswer, WorkerStart, WorkerTask } from "./executor.ts";
import { executeRun } from "./run.ts";
import { SCALES, withDepartures } from "./scale.ts";
import { errorMessage } from "../platform/error_message.ts";

interface Scope {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: WorkerAnswer): void;
}
const scope = globalThis as unknown as Scope;

scope.onmessage = ({ data }: MessageEvent<WorkerStart>): void => {
  const stop = new Int32Array(data.stop);
  const ready = (async () => {
    // The other processor has a run of its own.
    const backend = await selectBackend({ backend: "wasm", wasm: { threads: 1, ...data.wasm } });
    return {
      backend,
      context: await openContext(withDepartures(SCALES[data.scale], data.departures ?? {}), {
        data: data.data,
        generalist: data.generalist,
      }),
    };
  })();
  ready.catch(() => {}); // told with the first run
  scope.onmessage = async ({ data: task }: MessageEvent<WorkerTask>): Promise<void> => {
    const controller = new AbortController();
    try {
      const { context, backend } = await ready;
      const onStep = ({ loss }: { loss: number }): void => {
        scope.postMessage({ kind: "step", loss });
        if (Atomics.load(stop, 0) === 1) controller.abort();
      };
      const result = "table4Seed" in task
        ? await executeTable4(context, backend, task.table4Seed)
        : await executeRun(context, backend, task, { onStep, signal: controller.signal });
      scope.postMessage({ kind: "done", result });
    } catch (error) {
      scope.postMessage({ kind: "failed", message: errorMessage(error) });
    }
  };
};
