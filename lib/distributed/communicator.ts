/** What a run of several processes asks of whatever connects them. @module */

/** Processes that work on one run, each with its rank. Every call is collective: all ranks make the same calls in the same order. */
export interface Communicator {
  /** This process, from 0. */
  rank: number;
  /** Number of processes. */
  size: number;
  /** What connects them, for logs: library and version. */
  description: string;
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
