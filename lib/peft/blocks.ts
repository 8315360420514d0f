/** Changes the transformer blocks of both towers, sharing all else. @module */
import type { BlockParams } from "../nn/transformer.ts";
import type { TowerBlocks } from "./lora/inject.ts";

/** An encoder of the pair. */
export type Encoder = "image" | "text";

/**
 * A new tree with other blocks; everything outside them is shared.
 *
 * @param change Called for each block of the encoders named, with a name for seeds: `image 0`.
 */
export function mapBlocks<T extends TowerBlocks>(
  params: T,
  encoders: readonly Encoder[],
  change: (block: BlockParams, name: string) => BlockParams,
): T {
  const map = (blocks: BlockParams[], encoder: Encoder): BlockParams[] =>
    encoders.includes(encoder) ? blocks.map((block, i) => change(block, `${encoder} ${i}`)) : blocks;
  const { vision, text } = params;
  return {
    ...params,
    vision: { ...vision, trunk: { ...vision.trunk, blocks: map(vision.trunk.blocks, "image") } },
    text: { ...text, trunk: { ...text.trunk, layers: map(text.trunk.layers, "text") } },
  };
}
