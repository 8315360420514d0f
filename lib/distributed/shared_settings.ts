/** That the processes of one run are at one run: the same code, data, settings and step. @module */
import type { Communicator } from "./communicator.ts";

/** Options of {@linkcode checkShared}. */
export interface CheckSharedOptions {
  /** What cannot be done. @default {"train"} */
  verb?: string;
  /** What helps, a sentence. @default {"All must be given the same options and files"} */
  remedy?: string;
}

/**
 * Compares what a run depends on with rank 0's. Where files are not shared, each process would train on its own, or one would
 * begin anew beside others that go on, and the sums would say nothing.
 *
 * @throws {RangeError} On the processes whose own differ from rank 0's; they must end the others, which do not wait for this.
 */
export function checkShared(
  own: Readonly<Record<string, unknown>>,
  ranks: Communicator,
  { verb = "train", remedy = "All must be given the same options and files" }: CheckSharedOptions = {},
): void {
  const bytes = new TextEncoder().encode(JSON.stringify(own));
  const [length] = ranks.allGather(Float32Array.of(bytes.length)); // far below 2^24
  const sent = ranks.rank === 0 ? bytes : new Uint8Array(length!);
  ranks.broadcast(sent);
  if (ranks.rank === 0) return;
  const first: Record<string, unknown> = JSON.parse(new TextDecoder().decode(sent));
  const mine: Record<string, unknown> = JSON.parse(new TextDecoder().decode(bytes));
  for (const name of Object.keys({ ...first, ...mine })) {
    const [value, other] = [JSON.stringify(mine[name]), JSON.stringify(first[name])];
    if (value === other) continue;
    throw new RangeError(
      `Cannot ${verb} as one of ${ranks.size} processes as all must have the same ${name}: that of process ${ranks.rank} is ` +
        `${value}, that of process 0 ${other}. ${remedy}`,
    );
  }
}
