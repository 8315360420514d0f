/** A worker thread that carries out runs on the wasm backend, one after the other. @module */
import { selectBackend } from "../../tensor/backend.ts";
import { initWasm } from "../../tensor/wasm/init.ts";
import { openContext } from "./context.ts";
import type { WorkerAnswer, WorkerStart } from "./executor.ts";
import { executeRun } from "./run.ts";
import { SCALES } from "./scale.ts";
import type { PlannedRun } from "./types.ts";

interface Scope {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: WorkerAnswer): void;
}
const scope = globalThis as unknown as Scope;

scope.onmessage = ({ data }: MessageEvent<WorkerStart>): void => {
  const stop = new Int32Array(data.stop);
  const ready = (async () => {
    const backend = await selectBackend({ backend: "wasm" });
    await initWasm({ threads: 1 }); // the other processor has a run of its own
    return { backend, context: await openContext(SCALES[data.scale], { data: data.data }) };
  })();
  ready.catch(() => {}); // told with the first run
  scope.onmessage = async ({ data: run }: MessageEvent<PlannedRun>): Promise<void> => {
    const controller = new AbortController();
    try {
      const { context, backend } = await ready;
      const onStep = ({ loss }: { loss: number }): void => {
        scope.postMessage({ kind: "step", loss });
        if (Atomics.load(stop, 0) === 1) controller.abort();
      };
      const record = await executeRun(context, backend, run, { onStep, signal: controller.signal });
      scope.postMessage({ kind: "record", record });
    } catch (error) {
      scope.postMessage({ kind: "failed", message: (error as Error).message });
    }
  };
};
