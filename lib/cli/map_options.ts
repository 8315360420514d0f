/** `--maps`: kinds of maps over images. @module */
import type { VisionConfig } from "../clip/config.ts";
import { attentionHeads } from "../clip/towers/image.ts";
import { MAP_KINDS, type MapKind } from "../eval/maps/maps.ts";
import type { Arguments } from "./command.ts";

/** What `--maps` lists. */
export const MAP_WORDS = [...MAP_KINDS, "none"] as const;

/** The kinds of maps asked for, or those quickly made; a tower without attention has none to weigh. */
export function mapKindsFrom(args: Arguments, vision: VisionConfig): MapKind[] {
  const given = args.choices("maps", MAP_WORDS);
  const plain: readonly MapKind[] = attentionHeads(vision) === 0 ? ["similarity"] : ["similarity", "gradient"];
  return MAP_KINDS.filter((kind) => (given ?? plain).includes(kind));
}
