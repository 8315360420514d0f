/** The worker that holds the model. It may end, by choice or with its graphics device: the next one is given the same model. @module */
import { errorMessage } from "../../../lib/platform/error_message.ts";
import type { BackendName } from "../../../lib/tensor/backend.ts";
import type { EngineEvent } from "../engine/events.ts";
import type { ModelFacts } from "../engine/model.ts";
import { type Client, type Running, startEngine } from "./client.ts";

/** Brings a model or an adapter into a worker. */
export type Load = (engine: Client) => Promise<ModelFacts>;

/** What a load brings: a model comes without an adapter. */
export type LoadedPart = "model" | "adapter";

/** The worker at work. */
export interface Session {
  /** Its functions. */
  call(): Client;
  /** Loads something, while nothing else may be asked. */
  change(load: Load, part: LoadedPart): Promise<void>;
  /** Takes a load that was done already, for the workers to come. */
  remember(load: Load, part: LoadedPart): void;
  /** Goes on in another worker, on a backend or the fastest there is. */
  restart(backend: string): Promise<void>;
}

/** What a session tells. */
export interface SessionOptions {
  /** Takes what happens between calls. */
  onEvent: (event: EngineEvent) => void;
  /** Called before a load; nothing may be asked until `onLoaded`. */
  onLoading: () => void;
  /** Takes the model after a load; none where that failed, and whether it is another than before. */
  onLoaded: (facts: ModelFacts | undefined, isAnother: boolean) => Promise<void>;
  /** Takes a sentence about a worker that was lost, once another works on WebAssembly. */
  onProblem: (text: string) => void;
}

/** Opens a session; it starts with {@linkcode Session.restart}. */
export function openSession({ onEvent, onLoading, onLoaded, onProblem }: SessionOptions): Session {
  let engine: Running | undefined;
  const loads = new Map<LoadedPart, Load>();
  const remember = (load: Load, part: LoadedPart): void => {
    if (part === "model") loads.clear();
    loads.set(part, load);
  };
  const loading = async (
    load: (take: (facts: ModelFacts) => void) => Promise<void>,
    isAnother: boolean,
  ): Promise<void> => {
    onLoading();
    let last: ModelFacts | undefined;
    try {
      await load((facts) => last = facts);
    } finally {
      await onLoaded(last, isAnother && last !== undefined);
    }
  };
  const restart = async (backend: string, why = "The worker was ended"): Promise<void> => {
    engine?.end(new Error(why));
    const { call } = engine = startEngine((event) => event.event === "lost" ? recover() : onEvent(event));
    const assets = new URL("assets/", location.href).href;
    await loading(async (take) => {
      take(await call.start(assets, backend === "" ? undefined : backend as BackendName));
      for (const load of loads.values()) take(await load(call));
    }, false);
  };
  const recover = async (): Promise<void> => {
    const text =
      "The graphics device was lost, and with it what was under way. The page goes on with WebAssembly and the " +
      "same model: ask again. A run goes on from its last state, under “Adapt”.";
    await restart("wasm", text).then(
      () => onProblem(text),
      (error) => onProblem(`${text} ${errorMessage(error)}`),
    );
  };
  return {
    call: () => engine!.call,
    change: async (load, part) => {
      await loading(async (take) => take(await load(engine!.call)), true);
      remember(load, part);
    },
    remember,
    restart,
  };
}
