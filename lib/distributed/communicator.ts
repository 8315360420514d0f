/** What a run of several processes asks of whatever connects them. @module */

/** Processes that work on one run, each with its rank. Every call is collective: all ranks make the same calls in the same order. */
export interface Communicator {
  /** This process, from 0. */
  rank: number;
  /** Number of processes. */
  size: number;
  /** What connects them, for logs: library and version. */
  description: string;
  /** The machine's name: processes of one name share its processors and GPUs. */
  node: string;
  /**
   * All ranks' numbers, one rank's after the other's.
   *
   * @param own As many on every rank.
   * @returns `size` times as many.
   */
  allGather(own: Float32Array): Float32Array;
  /** The sum over ranks, in place. Its order, and so its last bits, are the library's. */
  allReduceSum(own: Float32Array): void;
  /** Rank 0's bytes on every rank, in place; as many on every rank. */
  broadcast(own: Uint8Array): void;
  /** Waits until all ranks are here. */
  barrier(): void;
  /** Ends all processes of the run at once. */
  abort(exitCode: number): never;
  /** Leaves; the last call. */
  close(): void;
}

/** All ranks' texts, by rank. Collective. */
export function gatherTexts({ allGather, size }: Communicator, own: string): string[] {
  const bytes = new TextEncoder().encode(own);
  const width = Math.max(...allGather(Float32Array.of(bytes.length)));
  const sent = new Float32Array(width).fill(-1);
  sent.set(bytes);
  const all = allGather(sent);
  return Array.from({ length: size }, (_, rank) => {
    const numbers = all.subarray(rank * width, (rank + 1) * width).filter((byte) => byte >= 0);
    return new TextDecoder().decode(Uint8Array.from(numbers));
  });
}
