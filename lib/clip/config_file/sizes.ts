/** The sizes a CLIP checkpoint's shapes imply, to check a configuration against and to fill what it leaves out. @module */
import { layerCount } from "../checkpoint/find_layout.ts";
import { type ClipLayout, clipPlace, towerKinds } from "../checkpoint/layout.ts";
import { defined } from "../../platform/defined.ts";
import { TEXT_NAMES } from "../checkpoint/text_names.ts";
import type { TowerNames } from "../checkpoint/tower_names.ts";
import { VISION_NAMES } from "../checkpoint/vision_names.ts";

/** What the shapes tell; absent where the tensor that would tell is missing. */
export interface ClipSizes {
  /** The checkpoint's names. */
  layout: ClipLayout;
  /** Embedding size E. */
  embedding?: number;
  /** Of the image tower. */
  vision: {
    width?: number;
    patchSize?: number;
    imageSize?: number;
    depth: number;
    mlpWidth?: number;
    /** Hidden width of a projection of two layers; absent for one layer. */
    headWidth?: number;
    pooler: boolean;
    /** Blocks of each stage of a ResNet. */
    stages?: readonly number[];
    /** Channels of its stem. */
    stemWidth?: number;
    /** Register tokens of a DINOv2. */
    registers?: number;
    /** Heads in each stage of a Swin. */
    stageHeads?: readonly number[];
    /** Tokens a side of its windows. */
    window?: number;
  };
  /** Of the text tower. */
  text: {
    vocabularySize?: number;
    positions?: number;
    width?: number;
    depth: number;
    mlpWidth?: number;
    tokenTypes?: number;
    /** Hidden width of a projection of two layers; absent for one layer. */
    headWidth?: number;
    pooler: boolean;
  };
}

/**
 * Reads a CLIP's sizes from the shapes of its checkpoint.
 *
 * @param shapes Shape of each tensor, under names without a wrapper's prefix.
 * @param layout From `findLayout`.
 */
export function clipSizes(shapes: ReadonlyMap<string, readonly number[]>, layout: ClipLayout): ClipSizes {
  const { vision, visionPrefix, text, textPrefix } = layout;
  const shapeOf = (leaf: string): readonly number[] | undefined => shapes.get(clipPlace(layout, leaf).name);
  const kinds = towerKinds(layout);
  const isBert = kinds.text === "bert";
  const ofText = (leaf: string): readonly number[] | undefined =>
    text === "none" ? undefined : shapeOf(`text.trunk.${leaf}`);
  const word = ofText("word");
  const heads = VISION_NAMES[vision].head;
  const last = heads["weight"] ?? heads["fc2.weight"];
  const projection = last && shapeOf(heads["weight"] ? "vision.head.weight" : "vision.head.fc2.weight");
  // Where a head of one layer has the name of the first of two, the second tells them apart.
  const hiddenOf = (tower: "vision" | "text", head: TowerNames["head"]): number | undefined => {
    if (!head["fc1.weight"]) return undefined;
    if (head["weight"]?.name === head["fc1.weight"].name) return shapeOf(`${tower}.head.fc2.weight`)?.[1];
    return shapeOf(`${tower}.head.fc1.weight`)?.[0];
  };
  const tower = kinds.vision === "clip-resnet" || kinds.vision === "resnet"
    ? resnetSizes(shapes, layout, kinds.vision === "clip-resnet")
    : kinds.vision === "swin"
    ? swinSizes(shapes, layout)
    : vitSizes(shapes, layout);
  return {
    layout,
    ...defined({ embedding: last ? last.as === "transposed" ? projection?.[1] : projection?.[0] : tower.width }),
    vision: {
      ...tower,
      ...defined({ headWidth: hiddenOf("vision", heads) }),
      pooler: shapes.has(`${visionPrefix}pooler.dense.weight`),
    },
    text: {
      ...defined({
        vocabularySize: word?.[0],
        positions: ofText("position")?.[0],
        width: word?.[1],
        mlpWidth: ofText("layers.0.mlp.fc1.weight")?.[0],
        tokenTypes: isBert ? ofText("tokenType")?.[0] : undefined,
        headWidth: hiddenOf("text", TEXT_NAMES[text].head),
      }),
      depth: text === "none" ? 0 : layerCount(shapes, textPrefix + TEXT_NAMES[text].blocks),
      pooler: shapes.has(`${textPrefix}pooler.dense.weight`),
    },
  };
}

type TowerSizes = Omit<ClipSizes["vision"], "pooler" | "headWidth">;

function vitSizes(shapes: ReadonlyMap<string, readonly number[]>, layout: ClipLayout): TowerSizes {
  const { vision, visionPrefix } = layout;
  const shapeOf = (leaf: string): readonly number[] | undefined => shapes.get(clipPlace(layout, leaf).name);
  const patch = shapeOf("vision.trunk.patchEmbed.weight");
  const rows = shapeOf("vision.trunk.posEmbed")?.at(-2);
  const cls = "clsToken" in VISION_NAMES[vision].stem ? 1 : 0;
  return {
    ...defined({
      width: patch?.[0],
      patchSize: patch?.[2],
      imageSize: rows === undefined || !patch ? undefined : Math.sqrt(rows - cls) * patch[2]!,
      registers: "registers" in VISION_NAMES[vision].stem ? shapeOf("vision.trunk.registers")?.at(-2) : undefined,
      mlpWidth: shapeOf("vision.trunk.blocks.0.mlp.fc1.weight")?.[0],
    }),
    depth: layerCount(shapes, visionPrefix + VISION_NAMES[vision].blocks),
  };
}

/** Heads of a BERT or a ViT, each of 64 numbers. */
export function headsOf(width: number): number {
  return Math.max(1, Math.round(width / 64));
}

/** Stages of a ResNet. */
const STAGES = 4;

function resnetSizes(
  shapes: ReadonlyMap<string, readonly number[]>,
  layout: ClipLayout,
  isOpenAi: boolean,
): TowerSizes {
  const nameOf = (leaf: string): string => clipPlace(layout, `vision.trunk.${leaf}`).name;
  const stem = shapes.get(nameOf(`stem.${isOpenAi ? 2 : 0}.conv.weight`))?.[0];
  const rows = isOpenAi ? shapes.get(nameOf("pool.posEmbed"))?.[0] : undefined;
  const stages = Array.from({ length: STAGES }, (_, stage) => {
    const first = nameOf(`stages.${stage}.0.conv1.conv.weight`);
    return layerCount(shapes, first.replace(/0\.[^.]+\.weight$/, ""));
  });
  return {
    ...defined({
      width: stem === undefined ? undefined : 32 * stem,
      stemWidth: stem,
      imageSize: rows === undefined ? undefined : 32 * Math.sqrt(rows - 1),
    }),
    depth: 0,
    stages,
  };
}

/** What the tables of distances, `[(2w - 1)², H]` in each block, and the shapes tell of a Swin. */
function swinSizes(shapes: ReadonlyMap<string, readonly number[]>, layout: ClipLayout): TowerSizes {
  const shapeOf = (leaf: string): readonly number[] | undefined =>
    shapes.get(clipPlace(layout, `vision.trunk.${leaf}`).name);
  const { stages = [] } = layout;
  const tables = stages.map((_, stage) => {
    const first = stages.slice(0, stage).reduce((a, b) => a + b, 0);
    return shapeOf(`blocks.${first}.attention.relativeBias`);
  });
  const rows = tables[0]?.[0];
  return {
    ...defined({
      width: shapeOf("norm.weight")?.[0],
      patchSize: shapeOf("patchEmbed.weight")?.[2],
      mlpWidth: shapeOf("blocks.0.mlp.fc1.weight")?.[0],
      window: rows === undefined ? undefined : (Math.sqrt(rows) + 1) / 2,
    }),
    depth: stages.reduce((a, b) => a + b, 0),
    stages,
    stageHeads: tables.map((table) => table?.[1] ?? 1),
  };
}
