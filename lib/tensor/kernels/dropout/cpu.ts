/** Dropout by a counter-based mask, plainly. @module */
import { type CpuCall, result, valuesOf } from "../../cpu/call.ts";
import type { TensorInfo } from "../info.ts";

/**
 * The 32-bit hash that decides on element `i`: MurmurHash3's finaliser of `i * 0x9E3779B1 ^ seed`.
 *
 * @param i The element's flat index.
 * @param seed A 32-bit integer.
 * @returns An unsigned 32-bit integer.
 */
export function dropoutHash(i: number, seed: number): number {
  let h = Math.imul(i, 0x9e3779b1) ^ seed;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** AceDropout: `x / (1 - rate)` where the hash is at least `rate 2^32`, else 0. */
export function dropout(call: CpuCall<"AceDropout">): TensorInfo {
  const { rate, seed } = call.attrs;
  const x = valuesOf(call, call.inputs.x);
  const scale = Math.fround(1 / (1 - rate));
  const y = Float32Array.from(x, (v, i) => dropoutHash(i, seed) >= rate * 2 ** 32 ? v * scale : 0);
  return result(call, call.inputs.x.shape, y);
}
