/** Which layers of each tower an adapter's file has, and which of the paper's positions names them. @module */
import { inSentence } from "../platform/nearest.ts";
import { layersAt, LORA_POSITIONS, type LoraPositions } from "../peft/lora/config.ts";
import type { AdapterEncoder, AdapterFile, LoraEntry } from "./record.ts";

/** Layers of a tower that carry an update, in order. */
export function carryingLayers(
  lora: readonly Pick<LoraEntry, "encoder" | "layer">[],
  encoder: AdapterEncoder,
): number[] {
  const layers = lora.filter((entry) => entry.encoder === encoder).map(({ layer }) => layer);
  return [...new Set(layers)].sort((a, b) => a - b);
}

/** The layers of each tower in words: `text layers 0-2 and 5, image layers 8-11`. */
export function layersText(lora: readonly Pick<LoraEntry, "encoder" | "layer">[]): string {
  const towers = (["text", "image"] as const).flatMap((encoder) => {
    const layers = carryingLayers(lora, encoder);
    return layers.length === 0 ? [] : [`${encoder} layer${layers.length > 1 ? "s" : ""} ${runsText(layers)}`];
  });
  return towers.join(", ") || "no layer";
}

/** Numbers in order as runs: `0-3, 6 and 8-11`. */
function runsText(layers: readonly number[]): string {
  return inSentence(runTexts(layers));
}

/** Each run of numbers in order: `0-3`, `6`, `8-11`. */
export function runTexts(numbers: readonly number[]): string[] {
  const runs: [number, number][] = [];
  for (const number of numbers) {
    const last = runs.at(-1);
    if (last && last[1] === number - 1) last[1] = number;
    else runs.push([number, number]);
  }
  return runs.map(([first, last]) => first === last ? `${first}` : `${first}-${last}`);
}

/**
 * The position name that fits the layers of each tower that has some, or `custom`.
 *
 * @param depths Layers of the model's towers: no layers have a name without them.
 * @param preferred The name taken where it fits, of several that do.
 */
export function positionsOf(
  lora: AdapterFile["lora"],
  depths: Readonly<Record<AdapterEncoder, number>>,
  preferred?: string,
): LoraPositions | "custom" {
  const towers = (["image", "text"] as const).map((encoder) => ({
    layers: carryingLayers(lora, encoder).join(),
    depth: depths[encoder],
  })).filter(({ layers }) => layers !== "");
  const named = LORA_POSITIONS.filter((name) =>
    towers.every(({ layers, depth }) => layers === layersAt(name, depth).join())
  );
  return named.find((name) => name === preferred) ?? named[0] ?? "custom";
}
