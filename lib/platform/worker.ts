/** A worker from its source, as one from a file would need the permission to read it. @module */
import { builtin } from "./runtime.ts";

/** A running worker. */
export interface SourceWorker {
  /** Ends it. */
  terminate(): Promise<unknown> | void;
}

/**
 * Starts a worker that does not keep the process alive.
 *
 * @param source What it runs: statements in which `workerData` is what it was given.
 * @param workerData Anything that can be sent.
 * @param onEnd Called if it ends of itself.
 */
export function startWorker(source: string, workerData: unknown, onEnd: () => void): SourceWorker {
  const threads = builtin<typeof import("node:worker_threads")>("node:worker_threads");
  let isEnded = false;
  const ended = (): void => void (isEnded || onEnd());
  if (threads) {
    const code = `const { workerData } = require("node:worker_threads");\n${source}`;
    // Its own empty environment: by default the process's is copied, which asks for permission to read all of it.
    const worker = new threads.Worker(code, { eval: true, workerData, env: {} });
    worker.unref();
    worker.on("error", ended);
    return {
      terminate: () => {
        isEnded = true;
        return worker.terminate();
      },
    };
  }
  const url = URL.createObjectURL(
    new Blob([`onmessage = ({ data: workerData }) => {\n${source}\n};`], { type: "text/javascript" }),
  );
  const worker = new Worker(url);
  worker.onerror = ended;
  worker.postMessage(workerData);
  return {
    terminate: () => {
      isEnded = true;
      URL.revokeObjectURL(url);
      worker.terminate();
    },
  };
}
