/**
 * Where a leaf of a CLIP stands in a checkpoint: the names of its two towers, and what stands before them. The names
 * themselves are rows of vision_names.ts and text_names.ts: a new layout goes there.
 *
 * @module
 */
import { TEXT_NAMES, type TextNaming } from "./text_names.ts";
import type { ClipConfig, VisionConfig } from "../config.ts";
import type { ClipPlace, TowerNames } from "./tower_names.ts";
import { VISION_NAMES, type VisionNaming } from "./vision_names.ts";

/** How a checkpoint names its two towers. */
export interface ClipLayout {
  /** Names of the image tower. */
  vision: VisionNaming;
  /** What stands before them. */
  visionPrefix: string;
  /** Blocks of each stage, where the image tower has stages. */
  stages?: readonly number[];
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
  const [, tower, below] = /^(vision|text)\.(?:head\.)?((?!trunk\.).+)$/.exec(leaf) ?? [];
  if (below === undefined) return undefined;
  const isVision = tower === "vision";
  const names = isVision ? VISION_NAMES[layout.vision] : TEXT_NAMES[layout.text];
  const prefix = isVision ? layout.visionPrefix : layout.textPrefix;
  const place = names.head[below];
  const before = { prefix, parent: prefix.replace(/[^.]+\.$/, ""), none: "" }[names.headBelow];
  return place && { ...place, name: before + place.name };
}

/** A block's number, or its stage's with the number within the stage. */
function blockPath({ stages }: TowerNames, layout: ClipLayout, index: number): string {
  if (!stages) return `${index}`;
  let left = index;
  let stage = 0;
  for (const depth of layout.stages ?? []) {
    if (left < depth) break;
    left -= depth;
    stage++;
  }
  return `${stage}${stages.blocks}${left}`;
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
  const [, stage, merging] = /^merges\.(\d+)\.(.+)$/.exec(below) ?? [];
  if (names.stages && merging !== undefined) {
    const { merge, firstMerge } = names.stages;
    return { name: `${prefix}${names.blocks}${Number(stage) + firstMerge}${merge}${merging}` };
  }
  const [, index, within = ""] = /^(?:blocks|layers)\.(\d+)\.(.+)$/.exec(below) ?? [];
  const [, layer, kind] = /^(.+)\.(weight|bias)$/.exec(within) ?? [];
  const third = ["attention.query", "attention.key", "attention.value"].indexOf(layer ?? "");
  const block = `${prefix}${names.blocks}${blockPath(names, layout, Number(index))}.`;
  if (names.layers[within]) return { name: block + names.layers[within] };
  if (names.fused && third >= 0) {
    return { name: block + names.fused[kind as "weight" | "bias"], third: third as 0 | 1 | 2 };
  }
  const inner = names.layers[layer ?? ""];
  if (!inner) {
    throw new RangeError(`Cannot name "${leaf}" as a ${layout.vision} and ${layout.text} checkpoint has none`);
  }
  return { name: `${block}${inner}.${kind}` };
}
