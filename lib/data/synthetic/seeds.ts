/** The seeds of synthetic cases: no chest occurs in two sets. @module */
import { deriveSeed } from "../../tensor/random.ts";

/** A set of synthetic chests. */
export type SyntheticSetName = "training" | "chexpert" | "rsna" | "siim" | "pretraining";

const CODES: Readonly<Record<SyntheticSetName, number>> = {
  training: 0,
  chexpert: 1,
  rsna: 2,
  siim: 3,
  pretraining: 4,
};

/**
 * The 32-bit seed of case `index` of a set. Its last three bits name the set, so cases of different sets never share a
 * seed; the others are one to one in `index` below 2^29, so neither do cases of one set.
 *
 * @param seed Seed of the whole set.
 */
export function caseSeed(seed: number, options: { set: SyntheticSetName; index: number }): number {
  const start = deriveSeed(seed, options.set);
  return (((start + Math.imul(options.index, 0x9e3779b1)) << 3) | CODES[options.set]) >>> 0;
}
