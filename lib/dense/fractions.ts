/** Label fractions and splits by patient. @module */
import { deriveSeed, mulberry32, shuffled } from "../tensor/random.ts";
import type { Case } from "../data/types.ts";

/**
 * A share of the cases, drawn by seed: the first of one shuffled order, so that 1 % lies within 10 %, and that within all.
 * At least one case is left; they keep their order.
 *
 * @param cases Training cases.
 * @param options `fraction` of 0 to 1; `seed` (@default 1).
 * @throws {RangeError} If the fraction is not above 0 and at most 1.
 */
export function labelFraction<T>(cases: readonly T[], options: { fraction: number; seed?: number }): T[] {
  const { fraction, seed = 1 } = options;
  if (!(fraction > 0 && fraction <= 1)) {
    throw new RangeError(
      `Cannot draw labels as the fraction must be above 0 and at most 1: current value is ${fraction}`,
    );
  }
  const all = cases.map((_, i) => i);
  const count = Math.max(1, Math.round(cases.length * fraction));
  const chosen = shuffled(all, mulberry32(deriveSeed(seed, "label fraction"))).slice(0, count);
  return chosen.sort((a, b) => a - b).map((i) => cases[i]!);
}

/**
 * As {@linkcode labelFraction}, with a box in it where the cases have one: anchors need it. The first case of the share then
 * makes room for the first with a box.
 */
export function boxedFraction(cases: readonly Case[], options: { fraction: number; seed?: number }): Case[] {
  const drawn = labelFraction(cases, options);
  const hasBox = ({ boxes }: Case): boolean => (boxes?.length ?? 0) > 0;
  const boxed = cases.find(hasBox);
  return drawn.some(hasBox) || !boxed ? drawn : [...drawn.slice(1), boxed];
}
