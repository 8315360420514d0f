/** Calls joined into batches. */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { batchQueue, OverloadedError } from "../../lib/eval/batch_queue.ts";

/** A queue whose batches end when they are let go. */
function slow(options: { batchSize?: number; mostOpen?: number }) {
  const batches: [string, number[]][] = [];
  const gates: PromiseWithResolvers<void>[] = [];
  const ask = batchQueue(async (question: string, items: number[]) => {
    batches.push([question, items]);
    gates.push(Promise.withResolvers());
    await gates.at(-1)!.promise;
    if (question === "bad") throw new SyntaxError("the batch is bad");
    return items.map((item) => `${question}${item}`);
  }, options);
  /** Lets batches go until none is left. */
  const settle = async (): Promise<void> => {
    for (let idle = 0, released = 0; idle < 20; idle++) {
      for (; released < gates.length; idle = 0) gates[released++]!.resolve();
      await Promise.resolve();
    }
  };
  return { ask, batches, settle };
}

Deno.test("batchQueue() joins what waits and asks the same, the first question first, no more than a batch holds", async () => {
  const { ask, batches, settle } = slow({ batchSize: 2 });
  const calls = [["a", 1], ["a", 2], ["b", 3], ["a", 4], ["a", 5]] as const;
  const answers = Promise.all(calls.map(([question, item]) => ask(question, () => item)));
  await settle();
  assertEquals(await answers, ["a1", "a2", "b3", "a4", "a5"]);
  assertEquals(batches, [["a", [1]], ["a", [2, 4]], ["b", [3]], ["a", [5]]]);
});

Deno.test("batchQueue() loses no call whose item is made while a batch runs", async () => {
  const { ask, batches, settle } = slow({});
  const late = Promise.withResolvers<number>();
  const second = ask("a", () => late.promise);
  const first = ask("a", () => 1);
  await settle();
  assertEquals(await first, "a1");
  late.resolve(2);
  await settle();
  assertEquals([await second, batches], ["a2", [["a", [1]], ["a", [2]]]]);
});

Deno.test("batchQueue() refuses a call too many before its item is made, and takes calls again when others have ended", async () => {
  const { ask, settle } = slow({ mostOpen: 2 });
  const open = [ask("a", () => 1), ask("a", () => 2)];
  let made = 0;
  await assertRejects(() => ask("a", () => ++made), OverloadedError, "at most 2 may be open");
  assertEquals(made, 0);
  await settle();
  assertEquals(await Promise.all(open), ["a1", "a2"]);
  const third = ask("a", () => 3);
  await settle();
  assertEquals(await third, "a3");
});

Deno.test("batchQueue() gives a maker's error to its call alone and a batch's to all of it, and goes on", async () => {
  const { ask, settle } = slow({});
  const good = ask("a", () => 1);
  const broken = assertRejects(() => ask("a", () => Promise.reject(new TypeError("no item"))), TypeError, "no item");
  const bad = [1, 2].map((item) => assertRejects(() => ask("bad", () => item), SyntaxError, "the batch is bad"));
  const after = ask("a", () => 2);
  await settle();
  assertEquals([await good, await after], ["a1", "a2"]);
  await Promise.all([broken, ...bad]);
  assertThrows(() => batchQueue(() => Promise.resolve([]), { batchSize: 0 }), RangeError, "batchSize");
  assertThrows(() => batchQueue(() => Promise.resolve([]), { mostOpen: 1.5 }), RangeError, "mostOpen");
});
