/** Whether a map's strong patches are those that count: deletion and insertion. @module */
import { mulberry32, shuffled } from "../../tensor/random.ts";
import { ofCovered } from "./maps.ts";
import type { MapModel } from "./model.ts";
import { checkOptions, COUNT, needed, type Rules, WHOLE } from "../../platform/options.ts";

/** Probabilities of a label as patches go and come, strongest first. */
export interface Faithfulness {
  /** Share of the patches that went or came, from 0 to 1. */
  shares: number[];
  /** Probability with that share covered. */
  deletion: number[];
  /** Probability with that share uncovered, all else covered. */
  insertion: number[];
  /** Area under the deletion curve; lower is better. */
  deletionArea: number;
  /** Area under the insertion curve; higher is better. */
  insertionArea: number;
}

/** Options of {@linkcode faithfulness}. */
export interface FaithfulnessOptions {
  /** Label whose probability is followed, by its place. */
  label: number;
  /** Steps from nothing to all. @default {16} */
  steps?: number;
}

/** What they must be. */
const FAITHFULNESS_RULES: Rules<FaithfulnessOptions> = {
  label: needed(WHOLE),
  steps: COUNT,
};

/**
 * Covers a map's patches from the strongest on, and uncovers them in the same order, following a label's probability. Of equally
 * strong patches the earlier goes first. Covered is the mean colour, in both.
 *
 * Source: Petsiuk, Das and Saenko 2018, RISE, which blurs what is not inserted yet.
 *
 * @param pixels One normalised image, `[S, S, 3]`.
 * @param map One number a patch.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function faithfulness(
  model: MapModel,
  pixels: Float32Array,
  map: ArrayLike<number>,
  options: FaithfulnessOptions,
): Promise<Faithfulness> {
  checkOptions("follow a map", options, FAITHFULNESS_RULES);
  const { label, steps = 16 } = options;
  const order = Array.from(map, (_, i) => i).sort((a, b) => map[b]! - map[a]! || a - b);
  const shares = Array.from({ length: steps + 1 }, (_, i) => i / steps);
  const follow = async (coveredOf: (count: number) => number[]): Promise<number[]> => {
    const coverings = shares.map((share) => coveredOf(Math.round(share * order.length)));
    const answer = (images: Float32Array): Promise<Float32Array> => model.probabilities(images);
    return (await ofCovered(model, pixels, { coverings, answer })).map((row) => row[label]!);
  };
  const deletion = await follow((count) => order.slice(0, count));
  const insertion = await follow((count) => order.slice(count));
  return { shares, deletion, insertion, deletionArea: area(deletion), insertionArea: area(insertion) };
}

/** A map that knows nothing: patches in random order. */
export function randomMap(patches: number, seed: number): Float32Array {
  return Float32Array.from(shuffled(Array.from({ length: patches }, (_, i) => i), mulberry32(seed)));
}

/** Area under a curve over equal steps from 0 to 1, by trapezoids. */
function area(curve: readonly number[]): number {
  const inner = curve.slice(1, -1).reduce((sum, value) => sum + value, 0);
  return (inner + (curve[0]! + curve.at(-1)!) / 2) / (curve.length - 1);
}

/** The mean of several curves, point by point. */
export function meanFaithfulness(all: readonly Faithfulness[]): Faithfulness {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const curve = (name: "deletion" | "insertion"): number[] =>
    all[0]!.shares.map((_, i) => mean(all.map((curves) => curves[name][i]!)));
  return {
    shares: all[0]!.shares,
    deletion: curve("deletion"),
    insertion: curve("insertion"),
    deletionArea: mean(all.map(({ deletionArea }) => deletionArea)),
    insertionArea: mean(all.map(({ insertionArea }) => insertionArea)),
  };
}
