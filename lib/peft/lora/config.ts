/** What LoRA is injected into. @module */

/** A projection of an attention layer. */
export type LoraTarget = "q" | "k" | "v" | "o";

/** Which layers carry LoRA. */
export type LoraPositions = "bottom" | "mid" | "up" | "half-up" | "half-bottom" | "top1" | "top2" | "top3" | "all";

/** A LoRA configuration. */
export interface LoraConfig {
  /** Rank R. */
  rank: number;
  /** The update's numerator. */
  alpha: number;
  /** `alpha / √rank` instead of `alpha / rank`. */
  rankStabilised: boolean;
  /** Dropout on the update's input while training. */
  dropout: number;
  /** Projections that carry an update. */
  targets: readonly LoraTarget[];
  /** Layers that carry an update. */
  positions: LoraPositions;
  /** Encoders that carry an update. */
  encoders: readonly ("image" | "text")[];
}

/** The paper's settings: rank 4, alpha 1, rank-stabilised (scaling 0.5), dropout 0.1, q, k and v of all layers of both encoders. */
export const ACE_LORA_LORA: LoraConfig = {
  rank: 4,
  alpha: 1,
  rankStabilised: true,
  dropout: 0.1,
  targets: ["q", "k", "v"],
  positions: "all",
  encoders: ["image", "text"],
};

/** Factor of the update: `alpha / √rank`, or `alpha / rank` without rank stabilisation. */
export function loraScaling(config: Pick<LoraConfig, "rank" | "alpha" | "rankStabilised">): number {
  return config.alpha / (config.rankStabilised ? Math.sqrt(config.rank) : config.rank);
}

/**
 * The layers a position names: thirds, halves or the last few. For 12 layers: bottom 0-3, mid 4-7, up 8-11, half-up 6-11,
 * half-bottom 0-5, top1 11.
 *
 * @throws {RangeError} If the name is unknown.
 */
export function layersAt(positions: LoraPositions, depth: number): number[] {
  const third = Math.round(depth / 3);
  const half = Math.round(depth / 2);
  const ranges: Record<LoraPositions, [number, number]> = {
    "bottom": [0, third],
    "mid": [third, depth - third],
    "up": [depth - third, depth],
    "half-up": [depth - half, depth],
    "half-bottom": [0, half],
    "top1": [depth - 1, depth],
    "top2": [depth - 2, depth],
    "top3": [depth - 3, depth],
    "all": [0, depth],
  };
  const range = ranges[positions];
  if (!range) {
    const names = Object.keys(ranges).join(", ");
    throw new RangeError(`Cannot place LoRA as positions must be one of ${names}: current value is "${positions}"`);
  }
  const start = Math.max(0, range[0]);
  return Array.from({ length: Math.max(0, range[1] - start) }, (_, i) => start + i);
}
