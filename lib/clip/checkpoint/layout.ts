/**
 * Where a leaf of a CLIP stands in a checkpoint: the names of its two towers, and what stands before them. The names
 * themselves are rows of vision_names.ts and text_names.ts: a new layout goes there.
 *
 * @module
 */
import type { ClipConfig, VisionConfig } from "../config.ts";
import { TEXT_NAMES, type TextNaming } from "./text_names.ts";
import type { ClipPlace } from "./tower_names.ts";
import { VISION_NAMES, type VisionNaming } from "./vision_names.ts";

/** How a checkpoint names its two towers. */
export interface ClipLayout {
  /** Names of the image tower. */
  vision: VisionNaming;
  /** What stands before them. */
  visionPrefix: string;
  /** Names of the text tower. */
  text: TextNaming;
  /** What stands before them. */
  textPrefix: string;
}

/** BiomedCLIP's names in open_clip: timm's image tower, `transformers`' BERT. */
export const BIOMED_CLIP_LAYOUT: ClipLayout = {
  vision: "timm",
  visionPrefix: "visual.trunk.",
  text: "open_clip_bert",
  textPrefix: "text.transformer.",
};

/** What the towers of a layout are. */
export function towerKinds({ vision, text }: Pick<ClipLayout, "vision" | "text">): {
  vision: VisionConfig["kind"];
  text: ClipConfig["text"]["kind"];
} {
  return { vision: VISION_NAMES[vision].kind, text: TEXT_NAMES[text].kind };
}

/** The projections' and the similarity's names. */
function headPlace(layout: ClipLayout, leaf: string): ClipPlace | undefined {
  if (leaf === "logitScale") return { name: "logit_scale" };
  if (leaf === "logitBias") return { name: "logit_bias" };
  const [, tower, below] = /^(vision|text)\.head\.(.+)$/.exec(leaf) ?? [];
  if (below === undefined) return undefined;
  const isVision = tower === "vision";
  const names = isVision ? VISION_NAMES[layout.vision] : TEXT_NAMES[layout.text];
  const prefix = isVision ? layout.visionPrefix : layout.textPrefix;
  const place = names.head[below];
  const before = { prefix, parent: prefix.replace(/[^.]+\.$/, ""), none: "" }[names.headBelow];
  return place && { ...place, name: before + place.name };
}

/** Where a leaf of the tree stands in a checkpoint of this layout. @throws {RangeError} If the layout has no such leaf. */
export function clipPlace(layout: ClipLayout, leaf: string): ClipPlace {
  const head = headPlace(layout, leaf);
  if (head) return head;
  const isVision = leaf.startsWith("vision.");
  const names = isVision ? VISION_NAMES[layout.vision] : TEXT_NAMES[layout.text];
  const prefix = isVision ? layout.visionPrefix : layout.textPrefix;
  const below = leaf.replace(/^(vision|text)\.trunk\./, "");
  const single = names.stem[below] ?? names.place?.(below);
  if (single) return { ...single, name: prefix + single.name };
  const [, index, layer, kind] = /^(?:blocks|layers)\.(\d+)\.(.+)\.(weight|bias)$/.exec(below) ?? [];
  const third = ["attention.query", "attention.key", "attention.value"].indexOf(layer ?? "");
  const block = `${prefix}${names.blocks}${index}.`;
  if (names.fused && third >= 0) {
    return { name: block + names.fused[kind as "weight" | "bias"], third: third as 0 | 1 | 2 };
  }
  const inner = names.layers[layer ?? ""];
  if (!inner) {
    throw new RangeError(`Cannot name "${leaf}" as a ${layout.vision} and ${layout.text} checkpoint has none`);
  }
  return { name: `${block}${inner}.${kind}` };
}
