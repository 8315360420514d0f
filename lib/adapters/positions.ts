/** The names of the paper's positions, for the layers that an adapter's file has. @module */
import { layersAt, LORA_POSITIONS, type LoraPositions } from "../peft/lora/config.ts";
import type { AdapterEncoder, AdapterFile } from "./record.ts";

/** Layers of a tower that carry an update, in order. */
export function carryingLayers(lora: AdapterFile["lora"], encoder: AdapterEncoder): number[] {
  const layers = lora.filter((entry) => entry.encoder === encoder).map(({ layer }) => layer);
  return [...new Set(layers)].sort((a, b) => a - b);
}

/** Depth of the towers the paper's names are about, where a file does not say how deep its model's are. */
const PAPER_DEPTH = 12;

/**
 * The position name that fits the layers of each tower that has some, or `custom`.
 *
 * @param depths Layers of the model's towers. @default {twelve each; then layers from 0 with no gap count as `all`}
 * @param preferred The name taken where it fits, of several that do.
 */
export function positionsOf(
  lora: AdapterFile["lora"],
  depths?: Readonly<Record<AdapterEncoder, number>>,
  preferred?: string,
): LoraPositions | "custom" {
  const towers = (["image", "text"] as const).map((encoder) => ({
    layers: carryingLayers(lora, encoder).join(),
    depth: depths?.[encoder] ?? PAPER_DEPTH,
  })).filter(({ layers }) => layers !== "");
  const named = LORA_POSITIONS.filter((name) =>
    towers.every(({ layers, depth }) => layers === layersAt(name, depth).join())
  );
  if (named.length > 0) return named.find((name) => name === preferred) ?? named[0]!;
  if (depths) return "custom";
  const isGapless = ({ layers }: { layers: string }): boolean =>
    layers.split(",").every((layer, i) => layer === `${i}`);
  return towers.every(isGapless) ? "all" : "custom";
}
