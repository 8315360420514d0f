/** A synthetic histopathology set to ask zero-shot questions of. @module */
import { createHash } from "node:crypto";
import { syntheticImage } from "../data/synthetic/modalities.ts";
import type { Case, Dataset } from "../data/types.ts";
import { deriveSeed } from "../tensor/random.ts";

/** Words of a tile's caption that give its class away. */
const TELLS = [/normal|pink tissue|benign/, /abnormal|dense purple|crowded|tumor/] as const;

/**
 * `n` synthetic tiles, half of normal tissue, half of tumours, in turn.
 *
 * @throws {RangeError} If `n` is not a whole number of at least 2.
 */
export function histopathologyLike(n: number, seed: number): Dataset {
  if (!Number.isInteger(n) || n < 2) {
    throw new RangeError(`Cannot draw tiles as their number must be a whole number >= 2: current value is ${n}`);
  }
  const cases: Case[] = [];
  for (let draw = 0; cases.length < n; draw++) {
    const own = deriveSeed(seed, `tile ${draw}`);
    const target = cases.length % 2;
    // A caption without a word for the class says nothing about the tile: the next draw may.
    const { caption } = syntheticImage("histopathology", own, { size: 16 });
    if (classOf(caption) !== target) continue;
    const id = `synthetic-histopathology-${seed}-${String(draw).padStart(5, "0")}`;
    cases.push({ id, target, image: () => Promise.resolve(syntheticImage("histopathology", own).image) });
  }
  const hash = createHash("sha256").update(cases.map((one) => one.id).join("\n")).digest("hex");
  return {
    name: "synthetic-histopathology",
    classes: ["normal tissue", "tumor"],
    cases,
    task: "multiclass",
    summary: { read: n, kept: n, dropped: {} },
    split: { name: `synthetic-histopathology-${seed}`, size: n, hash },
  };
}

function classOf(caption: string): number {
  return TELLS[1].test(caption) ? 1 : TELLS[0].test(caption) ? 0 : -1;
}
