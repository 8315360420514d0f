/** How a job's rows are divided into chunks that threads take one after the other. @module */
import { MAX_CHUNKS } from "./worker.ts";

/** Of what is left, so much is divided equally among the threads; then again, of the rest. */
const SHARE = 0.65;

/** So many chunks a thread at most, but for rounding: each costs a little. */
const MOST = 8;

/**
 * The first row of each chunk, and the end. Chunks are taken from the last one on, which is the largest: small ones at the
 * end of the job leave little to wait for.
 *
 * @param rows Rows in all.
 * @param least Rows of a chunk at least.
 * @param grain Rows of a chunk are a multiple of this, the first chunk's aside.
 * @param threads Threads in all.
 * @returns Integers from 0 to `rows`, ascending.
 */
export function chunkBounds(rows: number, least: number, grain: number, threads: number): number[] {
  const floor = Math.max(least, rows / (MOST * threads), rows / (MAX_CHUNKS / 2));
  const bounds = [rows];
  for (let left = rows; left > 0;) {
    const size = Math.ceil(Math.max(floor, SHARE * left / threads) / grain) * grain;
    for (let i = 0; i < threads && left > 0; i++) {
      left = left - size < floor / 2 ? 0 : left - size;
      bounds.unshift(left);
    }
  }
  return bounds;
}

/**
 * The first row of each of so many chunks of one size, and the end.
 *
 * @param rows Rows in all.
 * @param size Rows of a chunk, roughly.
 * @param threads Threads in all: each gets as many chunks.
 * @param grain Rows of a chunk are a multiple of this, the last chunk's aside. @default {1}
 * @returns Integers from 0 to `rows`, ascending.
 */
export function evenBounds(rows: number, size: number, threads: number, grain = 1): number[] {
  const grains = Math.ceil(rows / grain);
  const count = Math.min(MAX_CHUNKS, grains, threads * Math.max(1, Math.round(rows / size / threads)));
  return Array.from({ length: count + 1 }, (_, i) => Math.min(rows, grain * Math.round(grains * i / count)));
}
