/** The sizes a CLIP checkpoint's shapes imply, to check a configuration against and to fill what it leaves out. @module */
import { type ClipLayout, clipPlace, towerKinds } from "../checkpoint/layout.ts";
import { TEXT_NAMES } from "../checkpoint/text_names.ts";
import { VISION_NAMES } from "../checkpoint/vision_names.ts";

/** What the shapes tell; absent where the tensor that would tell is missing. */
export interface ClipSizes {
  /** The checkpoint's names. */
  layout: ClipLayout;
  /** Embedding size E. */
  embedding?: number;
  /** Of the image tower. */
  vision: { width?: number; patchSize?: number; imageSize?: number; depth: number; mlpWidth?: number; pooler: boolean };
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
  const size = <K extends string>(key: K, value: number | undefined): Partial<Record<K, number>> =>
    (value === undefined ? {} : { [key]: value }) as Partial<Record<K, number>>;
  const isBert = towerKinds(layout).text === "bert";
  const patch = shapeOf("vision.trunk.patchEmbed.weight");
  const rows = shapeOf("vision.trunk.posEmbed")?.at(-2);
  const cls = "clsToken" in VISION_NAMES[vision].stem ? 1 : 0;
  const side = rows === undefined || !patch ? undefined : Math.sqrt(rows - cls) * patch[2]!;
  const projection = VISION_NAMES[vision].head["weight"];
  const head = projection ? shapeOf("vision.head.weight") : undefined;
  const word = shapeOf("text.trunk.word");
  return {
    layout,
    ...size("embedding", projection ? projection.as === "transposed" ? head?.[1] : head?.[0] : patch?.[0]),
    vision: {
      ...size("width", patch?.[0]),
      ...size("patchSize", patch?.[2]),
      ...size("imageSize", side),
      depth: layerCount(shapes, visionPrefix + VISION_NAMES[vision].blocks),
      ...size("mlpWidth", shapeOf("vision.trunk.blocks.0.mlp.fc1.weight")?.[0]),
      pooler: shapes.has(`${visionPrefix}pooler.dense.weight`),
    },
    text: {
      ...size("vocabularySize", word?.[0]),
      ...size("positions", shapeOf("text.trunk.position")?.[0]),
      ...size("width", word?.[1]),
      depth: layerCount(shapes, textPrefix + TEXT_NAMES[text].blocks),
      ...size("mlpWidth", shapeOf("text.trunk.layers.0.mlp.fc1.weight")?.[0]),
      ...size("tokenTypes", isBert ? shapeOf("text.trunk.tokenType")?.[0] : undefined),
      ...size("headWidth", TEXT_NAMES[text].head["fc1.weight"] ? shapeOf("text.head.fc1.weight")?.[0] : undefined),
      pooler: shapes.has(`${textPrefix}pooler.dense.weight`),
    },
  };
}

/**
 * One more than the highest number that follows `prefix`. A number as high as the count of all names is no layer's: one name
 * must not make a model of a billion layers.
 *
 * @param shapes The checkpoint's tensors by name.
 */
export function layerCount(shapes: ReadonlyMap<string, unknown>, prefix: string): number {
  let count = 0;
  for (const name of shapes.keys()) {
    const match = name.startsWith(prefix) && /^(\d+)\./.exec(name.slice(prefix.length));
    if (match && Number(match[1]) < shapes.size) count = Math.max(count, Number(match[1]) + 1);
  }
  return count;
}
