/** Files decoded in workers while the main thread computes. @module */
import type { RasterImage } from "../../image/raster.ts";
import { ImageError } from "../../image/read.ts";
import { isDeno } from "../../platform/runtime.ts";
import { type DecodedFile, decodeFile, decodeWhole, type SquareTransform } from "./decode.ts";
import type { DecodeAnswer, DecodeTask } from "./decode_worker.ts";
import type { ImageLocation } from "./location.ts";

/** Decodes files, as many at a time as it has workers. */
export interface DecodePool {
  /** Most workers; 0 where the calling thread decodes. */
  readonly workers: number;
  /** Decodes a file; files are begun in the order they were asked for. */
  decode(location: ImageLocation, transform: SquareTransform): Promise<DecodedFile>;
  /** Decodes a file without resizing it. */
  decodeWhole(location: ImageLocation): Promise<RasterImage>;
  /** Ends the workers; what is not answered yet never is. */
  close(): void;
}

/** Options of {@linkcode openDecodePool}. */
export interface DecodePoolOptions {
  /** Workers; 0 decodes on the calling thread. @default {the processors; 0 where not every file may be read} */
  workers?: number;
}

interface Waiting {
  resolve(decoded: DecodedFile | RasterImage): void;
  reject(error: Error): void;
}

/** Names of errors that tell a caller more than Error does. */
const ERRORS: Record<string, new (message: string) => Error> = { SyntaxError, RangeError, TypeError };

const WORKER = new URL("./decode_worker.ts", import.meta.url);

function defaultWorkers(): number {
  if (!isDeno || WORKER.protocol !== "file:") return 0; // bundled, or fetched at run time
  const { state } = Deno.permissions.querySync({ name: "read", path: new URL("/", WORKER) }); // its modules lie here and there
  return state === "granted" ? Math.max(1, navigator.hardwareConcurrency || 1) : 0;
}

function startWorker(onAnswer: (answer: DecodeAnswer) => void, onBroken: (error: Error) => void): Worker {
  const worker = new Worker(WORKER.href, { type: "module" });
  worker.onmessage = ({ data }: MessageEvent<DecodeAnswer>) => onAnswer(data);
  worker.onerror = (event) => {
    event.preventDefault();
    onBroken(new Error(`Cannot decode in a worker: ${event.message}`));
  };
  return worker;
}

function settle({ resolve, reject }: Waiting, answer: DecodeAnswer): void {
  if ("decoded" in answer) return resolve(answer.decoded);
  const { name, message, image } = answer.error;
  reject(image !== undefined ? new ImageError(image, message) : new (ERRORS[name] ?? Error)(message));
}

/**
 * A pool of workers; they are started when first needed. What comes out of it depends on the files alone.
 *
 * @throws {RangeError} If the number of workers is negative or no integer.
 */
export function openDecodePool(options: DecodePoolOptions = {}): DecodePool {
  const { workers: count = defaultWorkers() } = options;
  if (!Number.isInteger(count) || count < 0) {
    throw new RangeError(`Cannot decode in workers as their number must be a whole one: current value is ${count}`);
  }
  return count === 0 ? { workers: 0, decode: decodeFile, decodeWhole, close: () => {} } : workerPool(count);
}

function workerPool(count: number): DecodePool {
  const idle: Worker[] = [];
  const all: Worker[] = [];
  const queue: DecodeTask[] = [];
  const waiting = new Map<number, Waiting>();
  let asked = 0;
  let broken: Error | undefined;

  const next = (worker: Worker): void => {
    const task = queue.shift();
    if (task) worker.postMessage(task);
    else idle.push(worker);
  };
  const start = (): Worker => {
    const worker = startWorker((answer) => {
      settle(waiting.get(answer.id)!, answer);
      waiting.delete(answer.id);
      next(worker);
    }, (error) => {
      broken ??= error; // it was not of a file: others would end alike
      for (const { reject } of waiting.values()) reject(broken);
      waiting.clear();
      queue.length = 0;
    });
    all.push(worker);
    return worker;
  };

  const ask = <Decoded>(task: Omit<DecodeTask, "id">): Promise<Decoded> => {
    if (broken) return Promise.reject(broken);
    const { promise, resolve, reject } = Promise.withResolvers<Decoded>();
    const id = asked++;
    waiting.set(id, { resolve: resolve as Waiting["resolve"], reject });
    queue.push({ id, ...task });
    const worker = idle.pop() ?? (all.length < count ? start() : undefined);
    if (worker) next(worker);
    return promise;
  };

  return {
    workers: count,
    decode: (location, transform) => ask<DecodedFile>({ location, transform }),
    decodeWhole: (location) => ask<RasterImage>({ location }),
    close() {
      for (const worker of all) worker.terminate();
      all.length = idle.length = queue.length = 0;
      waiting.clear();
    },
  };
}
