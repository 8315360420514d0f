import { assertThrows } from "@std/assert";
import type { Communicator } from "../../lib/distributed/communicator.ts";
import { checkShared } from "../../lib/distributed/shared_settings.ts";

/** Process 1 of two, the other of which has `first`. */
function second(first: Record<string, unknown>): Communicator {
  const bytes = new TextEncoder().encode(JSON.stringify(first));
  const unused = (): never => {
    throw new Error("not called");
  };
  return {
    ...{ rank: 1, size: 2, description: "", node: "" },
    ...{ allReduceSum: unused, barrier: unused, abort: unused, close: unused },
    allGather: (own) => Float32Array.of(bytes.length, own[0]!),
    broadcast: (own) => own.set(bytes),
  };
}

Deno.test("checkShared() names what a process has that process 0 has not, by both values", () => {
  const first = { loss: "info-nce", lora: { rank: 4 }, texts: "é", step: 12 };
  checkShared({ ...first }, second(first));
  for (
    const [own, words] of [
      [{ ...first, step: 0 }, "the same step: that of process 1 is 0, that of process 0 12"],
      [{ ...first, lora: { rank: 8 } }, 'the same lora: that of process 1 is {"rank":8}, that of process 0 {"rank":4}'],
      [{ ...first, labels: "a" }, 'the same labels: that of process 1 is "a", that of process 0 undefined'],
      [{ ...first, texts: "e" }, "the same texts"],
      [{ ...first, step: undefined }, "the same step: that of process 1 is undefined, that of process 0 12"],
    ] as const
  ) {
    assertThrows(() => checkShared(own, second(first)), RangeError, words);
  }
});
