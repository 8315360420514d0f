/** Calls that wait are joined into batches: what a server puts between its requests and a model. @module */
import { checkOptions, COUNT, type Rules } from "../platform/options.ts";

/** The error for a call that would be one too many. */
export class OverloadedError extends RangeError {
  /** Name shown in stack traces. */
  override name = "OverloadedError";
}

/** Options of {@linkcode batchQueue}. */
export interface BatchQueueOptions {
  /** Most items of a batch. @default {8} */
  batchSize?: number;
  /** Most calls that are open: those whose item is being made, those that wait and those under way. @default {64} */
  mostOpen?: number;
}

/** What they must be. */
const QUEUE_RULES: Rules<BatchQueueOptions> = {
  batchSize: COUNT,
  mostOpen: COUNT,
};

interface Waiting<T, A> {
  question: string;
  item: T;
  done: PromiseWithResolvers<A>;
}

/**
 * Joins calls that ask the same of different items: one batch runs at a time, and what comes meanwhile waits for the next; the
 * question that came first goes first.
 *
 * @param answer One answer an item, in order.
 * @returns A function of a question and of what makes its item. It rejects with the maker's or the batch's error, and with
 * {@linkcode OverloadedError}, before anything is made, where too many calls are open.
 * @throws {RangeError} If an option is not a positive integer.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 *
 * @example Two calls, one batch
 * ```ts
 * import { batchQueue } from "@ace-lora/ace-lora/eval";
 * import { assertEquals } from "@std/assert";
 *
 * const ask = batchQueue((by: string, items: number[]) => Promise.resolve(items.map((x) => x * Number(by))));
 * assertEquals(await Promise.all([ask("3", () => 1), ask("3", () => 2)]), [3, 6]);
 * ```
 */
export function batchQueue<T, A>(
  answer: (question: string, items: T[]) => Promise<readonly A[]>,
  options: BatchQueueOptions = {},
): (question: string, make: () => T | Promise<T>) => Promise<A> {
  checkOptions("join calls", options, QUEUE_RULES);
  const { batchSize = 8, mostOpen = 64 } = options;
  let waiting: Waiting<T, A>[] = [];
  let [open, isRunning] = [0, false];
  const run = async (): Promise<void> => {
    for (isRunning = true; waiting.length > 0;) {
      const batch = waiting.filter(({ question }) => question === waiting[0]!.question).slice(0, batchSize);
      waiting = waiting.filter((call) => !batch.includes(call));
      try {
        const answers = await answer(batch[0]!.question, batch.map(({ item }) => item));
        batch.forEach(({ done }, i) => done.resolve(answers[i]!));
      } catch (error) {
        batch.forEach(({ done }) => done.reject(error));
      }
    }
    isRunning = false;
  };
  return async (question, make) => {
    if (open >= mostOpen) {
      throw new OverloadedError(`Cannot take a call as at most ${mostOpen} may be open: try again later`);
    }
    open++;
    try {
      const [item, done] = [await make(), Promise.withResolvers<A>()];
      waiting.push({ question, item, done });
      if (!isRunning) run();
      return await done.promise;
    } finally {
      open--;
    }
  };
}
