/** What LoRA is injected into. @module */
import { keysOf } from "../../platform/known_keys.ts";
import {
  checkValue,
  COUNT,
  FLAG,
  listOf,
  needed,
  NUMBER,
  oneOf,
  PART,
  type Rule,
  type Rules,
} from "../../platform/options.ts";

/** A projection of an attention layer. */
export type LoraTarget = "q" | "k" | "v" | "o";

/** Which layers carry LoRA. */
export type LoraPositions = "bottom" | "mid" | "up" | "half-up" | "half-bottom" | "top1" | "top2" | "top3" | "all";

/** The layers of each tower that carry LoRA, from 0, where no name fits them. */
export type LoraLayers = Readonly<Partial<Record<"image" | "text", readonly number[]>>>;

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
  /** Layers that carry an update: by name, or one by one. */
  positions: LoraPositions | LoraLayers;
  /** Encoders that carry an update. */
  encoders: readonly ("image" | "text")[];
}

/** What its fields must be. */
export const LORA_RULES: Rules<LoraConfig> = {
  rank: needed(COUNT),
  alpha: needed(NUMBER),
  rankStabilised: needed(FLAG),
  dropout: needed(PART),
  targets: needed(listOf(["q", "k", "v", "o"])),
  positions: needed({ must: "the name of some layers, or lists of them by encoder" }),
  encoders: needed(listOf(["image", "text"])),
};

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
 * The layers of a tower that carry an update under a configuration.
 *
 * @param depth Layers of the tower.
 * @throws {RangeError} If a position is unknown or names no layer, or a layer is not in the tower.
 */
export function loraLayers(
  { positions, encoders }: Pick<LoraConfig, "positions" | "encoders">,
  encoder: "image" | "text",
  depth: number,
): readonly number[] {
  if (!encoders.includes(encoder)) return [];
  if (typeof positions === "string") {
    const named = layersAt(positions, depth);
    if (named.length > 0) return named;
    throw new RangeError(
      `Cannot place LoRA as "${positions}" must name a layer of the ${encoder} tower: it names none of ${depth}`,
    );
  }
  const layers = positions[encoder] ?? [];
  const outside = layers.find((layer) => !Number.isInteger(layer) || layer < 0 || layer >= depth);
  if (outside === undefined) return layers;
  throw new RangeError(
    `Cannot place LoRA as layers must be below ${depth}, the ${encoder} tower's depth: current value is ${outside}`,
  );
}

/** The layers each position names, as a first layer and the one after the last, of a tower of `depth` layers. */
const RANGES: Readonly<Record<LoraPositions, (depth: number) => [number, number]>> = {
  "all": (depth) => [0, depth],
  "bottom": (depth) => [0, Math.round(depth / 3)],
  "mid": (depth) => [Math.round(depth / 3), depth - Math.round(depth / 3)],
  "up": (depth) => [depth - Math.round(depth / 3), depth],
  "half-up": (depth) => [depth - Math.round(depth / 2), depth],
  "half-bottom": (depth) => [0, Math.round(depth / 2)],
  "top1": (depth) => [depth - 1, depth],
  "top2": (depth) => [depth - 2, depth],
  "top3": (depth) => [depth - 3, depth],
};

/** Every name of positions. */
export const LORA_POSITIONS: readonly LoraPositions[] = keysOf(RANGES);

const POSITION: Rule = oneOf(LORA_POSITIONS);

/**
 * The layers a position names: thirds, halves or the last few. For 12 layers: bottom 0-3, mid 4-7, up 8-11, half-up 6-11,
 * half-bottom 0-5, top1 11.
 *
 * @throws {RangeError} If the name is unknown.
 */
export function layersAt(positions: LoraPositions, depth: number): number[] {
  checkValue("place LoRA", "positions", positions, POSITION);
  const range = RANGES[positions](depth);
  const start = Math.max(0, range[0]);
  return Array.from({ length: Math.max(0, range[1] - start) }, (_, i) => start + i);
}
