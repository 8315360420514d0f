/** Calls to the workers. @module */
import type { Call, Engine } from "../engine/worker.ts";
import type { EngineEvent, Told } from "../engine/events.ts";

/** A worker's functions, each answering later. */
export type Client = {
  [Name in keyof Engine]: (...args: Parameters<Engine[Name]>) => Promise<Awaited<ReturnType<Engine[Name]>>>;
};

/** A running worker. */
export interface Running {
  /** Its functions. */
  call: Client;
  /** Ends it; calls under way fail with an error. */
  end(error: Error): void;
}

/**
 * Starts a worker. It begins in a blob, so that the page's policy holds in it too, whatever headers its host sends.
 *
 * @param onEvent Takes what happens between.
 */
export function startEngine(onEvent: (event: EngineEvent) => void): Running {
  const source = `import ${JSON.stringify(new URL("worker.js", location.href).href)};`;
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const worker = new Worker(url, { type: "module" });
  const waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  const queue: Call[] = [];
  let id = 0, isReady = false;
  const failAll = (error: Error): void => {
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };
  worker.addEventListener("message", ({ data }: MessageEvent<Told>) => {
    if ("ready" in data) {
      isReady = true;
      for (const call of queue.splice(0)) worker.postMessage(call);
      return;
    }
    if ("event" in data) return onEvent(data);
    const entry = waiting.get(data.id);
    waiting.delete(data.id);
    if ("error" in data) entry?.reject(Object.assign(new Error(data.error.message), { name: data.error.kind }));
    else entry?.resolve(data.value as never);
  });
  worker.addEventListener("error", (event) => failAll(new Error(event.message || "Cannot start the worker")));
  const call = new Proxy({} as Client, {
    get: (_, name) => (...args: unknown[]) =>
      new Promise((resolve, reject) => {
        const message: Call = { id: ++id, name: name as keyof Engine, args };
        waiting.set(message.id, { resolve, reject });
        if (isReady) worker.postMessage(message);
        else queue.push(message);
      }),
  });
  return {
    call,
    end(error) {
      worker.terminate();
      URL.revokeObjectURL(url);
      failAll(error);
    },
  };
}
