/** The transformer blocks of an encoder pair, wherever they stand in its tree. @module */
import { checkValue, oneOf } from "../platform/options.ts";
import type { BlockParams } from "./transformer.ts";

/** What an encoder must be called. */
const TOWER = oneOf(["image", "text"]);

/** An encoder of the pair. */
export type Encoder = "image" | "text";

/** The two stacks of blocks an encoder pair has. */
export interface TowerBlocks {
  /** The image tower. */
  vision: { trunk: { blocks: BlockParams[] } };
  /** The text tower. */
  text: { trunk: { layers: BlockParams[] } };
}

/** Both stacks, first block first. */
export function towerBlocks(params: TowerBlocks): Record<Encoder, BlockParams[]> {
  return { image: params.vision.trunk.blocks, text: params.text.trunk.layers };
}

/** The name of each stack in the tree. */
export const TOWER_NAMES: Readonly<Record<Encoder, string>> = {
  image: "vision.trunk.blocks",
  text: "text.trunk.layers",
};

/** A block's place. */
export interface BlockPlace {
  /** Tower. */
  encoder: Encoder;
  /** Place in the tower, from 0. */
  index: number;
  /** Blocks of the tower. */
  depth: number;
  /** What seeds of what is put there are derived from: `image 0`. */
  name: string;
}

/**
 * A new tree with other blocks; everything outside them is shared.
 *
 * @param encoders Towers whose blocks are changed.
 * @param change Called for each of them.
 * @throws {RangeError} If there is no such tower.
 */
export function mapBlocks<T extends TowerBlocks>(
  params: T,
  encoders: readonly Encoder[],
  change: (block: BlockParams, place: BlockPlace) => BlockParams,
): T {
  for (const encoder of encoders) checkValue("change layers", "each of encoders", encoder, TOWER);
  const stacks = towerBlocks(params);
  const map = (encoder: Encoder): BlockParams[] => {
    const depth = stacks[encoder].length;
    if (!encoders.includes(encoder)) return stacks[encoder];
    return stacks[encoder].map((block, index) => change(block, { encoder, index, depth, name: `${encoder} ${index}` }));
  };
  const { vision, text } = params;
  return {
    ...params,
    vision: { ...vision, trunk: { ...vision.trunk, blocks: map("image") } },
    text: { ...text, trunk: { ...text.trunk, layers: map("text") } },
  };
}
