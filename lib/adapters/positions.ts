/** Layers that the paper's position names stand for, in towers of twelve. @module */
import type { AdapterEncoder, AdapterFile } from "./record.ts";

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** Layers by position name, for twelve layers; source: method section 2 (CLIP-LoRA's INDEX_POSITIONS for ViT-B/16). */
export const POSITION_LAYERS: Readonly<Record<string, readonly number[]>> = {
  "all": range(0, 11),
  "bottom": range(0, 3),
  "mid": range(4, 7),
  "up": range(8, 11),
  "half-up": range(6, 11),
  "half-bottom": range(0, 5),
  "top1": [11],
  "top2": [10, 11],
  "top3": [9, 10, 11],
};

/** Layers of a tower that carry an update, in order. */
export function loraLayers(lora: AdapterFile["lora"], encoder: AdapterEncoder): number[] {
  return [...new Set(lora.filter((entry) => entry.encoder === encoder).map(({ layer }) => layer))].sort((a, b) =>
    a - b
  );
}

/** The position name that fits the layers of each tower, or `custom`; layers from 0 with no gap count as `all`, unless a name fits. */
export function positionsOf(lora: AdapterFile["lora"]): string {
  const towers = (["image", "text"] as const).map((encoder) => loraLayers(lora, encoder)).filter((layers) =>
    layers.length
  );
  if (towers.length === 0) return "all";
  const keys = new Set(towers.map((layers) => layers.join()));
  const named = Object.entries(POSITION_LAYERS).find(([, layers]) => keys.size === 1 && keys.has(layers.join()));
  if (named) return named[0];
  return towers.every((layers) => layers.every((layer, i) => layer === i)) ? "all" : "custom";
}
