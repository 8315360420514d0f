/** Maps held against boxes over a set: the pointing game, and the faithfulness of each kind. @module */
import { toPixels } from "../../image/preprocess.ts";
import { inputTransform } from "../../data/sources.ts";
import { checkBoxes } from "../../data/boxes.ts";
import type { Case } from "../../data/types.ts";
import { bootstrapInterval } from "../metrics/bootstrap.ts";
import { type Faithfulness, faithfulness, meanFaithfulness, randomMap } from "./faithfulness.ts";
import { labelMaps, MAP_KINDS, type MapKind } from "./maps.ts";
import type { MapModel } from "./model.ts";
import { patchesIn, pointingHit, type SeenBox, seenBox } from "./pointing.ts";
import { CALL, checkOptions, listOf, needed, type Rules, TEXTS, WHOLE } from "../../platform/options.ts";

/** What is held against the boxes: the kinds of maps, and two that know nothing. */
export type Pointer = MapKind | "centre" | "chance";

/** A share of hits. */
export interface PointingShare {
  /** Share of the pairs whose strongest patch lies in a box. */
  share: number;
  /** Its 95 % bootstrap interval, whole patients drawn. */
  interval: [number, number];
  /** The share of each label's pairs. */
  perLabel: Record<string, number>;
}

/** What {@linkcode pointingGame} found. */
export interface PointingReport {
  /** Pairs of an image and a label with a box in what the model sees. */
  pairs: number;
  /** Images with such a pair. */
  images: number;
  /** Pairs left out, as no patch's centre lies in their boxes. */
  unseen: number;
  /** Pairs of each label. */
  perLabel: Record<string, number>;
  /** `centre` points at the middle of the picture; `chance` is the share of patches in the boxes. */
  pointers: Partial<Record<Pointer, PointingShare>>;
  /** Mean curves of the first pairs, by kind and of a random order; absent where none was asked for. */
  faithfulness?: Record<string, Faithfulness>;
  /** Pairs that the curves are of. */
  curves: number;
}

/** Options of {@linkcode pointingGame}. */
export interface PointingGameOptions {
  /** The labels as the boxes name them, in the model's order; boxes of others are passed over. */
  labels: readonly string[];
  /** Kinds of maps. @default {all} */
  kinds?: readonly MapKind[];
  /** Pairs whose deletion and insertion are followed, the first ones. @default {0} */
  curves?: number;
  /** Called with the cases done so far. */
  onCase?: (done: number) => void;
}

/** What they must be. */
const GAME_RULES: Rules<PointingGameOptions> = {
  labels: needed(TEXTS),
  kinds: listOf(MAP_KINDS),
  curves: WHOLE,
  onCase: CALL,
};

/**
 * Plays the pointing game on each pair of an image and a label that has a box in it: is the strongest patch of the label's map in
 * one of its boxes?
 *
 * @param cases With boxes, in pixels of the image.
 * @throws {RangeError} If no image has a box of a label, or a box lies outside its image.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function pointingGame(
  model: MapModel,
  cases: readonly Case[],
  options: PointingGameOptions,
): Promise<PointingReport> {
  checkOptions("play the pointing game", options, GAME_RULES);
  const { labels, kinds = MAP_KINDS, curves = 0, onCase } = options;
  const pairs: Pair[] = [];
  const followed: Record<string, Faithfulness>[] = [];
  let unseen = 0;
  for (const [done, item] of cases.entries()) {
    const own = labels.filter((label) => item.boxes?.some((box) => box.label === label));
    const view = own.length > 0 ? await viewOf(model, item, kinds) : undefined;
    for (const label of view ? own : []) {
      const boxes = view!.boxesOf(label);
      const inside = patchesIn(boxes, model.side);
      if (!inside.includes(true)) {
        unseen++;
        continue;
      }
      const maps = view!.mapsOf(labels.indexOf(label));
      const patient = item.patientId ?? `case ${item.id}`;
      pairs.push({ label, image: item.id, patient, hits: hitsOf(maps, boxes, inside) });
      if (followed.length < curves) {
        const random = ["random order", randomMap(inside.length, followed.length)] as const;
        followed.push(await follow(model, view!.pixels, [...maps, random], labels.indexOf(label)));
      }
    }
    onCase?.(done + 1);
  }
  if (pairs.length === 0) {
    throw new RangeError(
      `Cannot play the pointing game as an image must have a box of ${
        labels.map((name) => `"${name}"`).join(", ")
      }: none has`,
    );
  }
  return { ...sharesOf(pairs, [...kinds, "centre", "chance"]), unseen, ...meanCurves(followed) };
}

/** An image and a label that has a box in it. */
interface Pair {
  label: string;
  /** The image's id. */
  image: string;
  patient: string;
  /** 1 or 0 by pointer; of `chance` the share of patches in the boxes. */
  hits: Partial<Record<Pointer, number>>;
}

/** What the model sees of an image: its pixels, its boxes and the maps of each label. */
interface View {
  pixels: Float32Array;
  boxesOf(label: string): SeenBox[];
  mapsOf(place: number): (readonly [MapKind, Float32Array])[];
}

async function viewOf(model: MapModel, item: Case, kinds: readonly MapKind[]): Promise<View> {
  const { encoders } = model.config;
  const { imageSize } = encoders.vision;
  const image = await item.image();
  checkBoxes(item.boxes!, { id: item.id, width: image.width, height: image.height });
  const pixels = toPixels(image, inputTransform(encoders));
  const zoom = (encoders.resizedTo ?? imageSize) / imageSize;
  const maps: [MapKind, Float32Array[]][] = [];
  for (const kind of kinds) maps.push([kind, await labelMaps(model, kind, pixels)]);
  return {
    pixels,
    boxesOf: (label) =>
      item.boxes!.filter((box) => box.label === label).map((box) => seenBox(box, image, encoders.resizeMode, zoom)),
    mapsOf: (place) => maps.map(([kind, own]) => [kind, own[place]!]),
  };
}

function hitsOf(
  maps: readonly (readonly [MapKind, Float32Array])[],
  boxes: readonly SeenBox[],
  inside: readonly boolean[],
): Pair["hits"] {
  const isCentre = boxes.some(({ left, top, right, bottom }) =>
    left <= 0.5 && right >= 0.5 && top <= 0.5 && bottom >= 0.5
  );
  return {
    centre: isCentre ? 1 : 0,
    chance: inside.filter(Boolean).length / inside.length,
    ...Object.fromEntries(maps.map(([kind, map]) => [kind, pointingHit(map, inside)])),
  };
}

/** The curves of maps of one label, by their names. */
async function follow(
  model: MapModel,
  pixels: Float32Array,
  maps: readonly (readonly [string, Float32Array])[],
  label: number,
): Promise<Record<string, Faithfulness>> {
  const curves: Record<string, Faithfulness> = {};
  for (const [name, map] of maps) curves[name] = await faithfulness(model, pixels, map, { label });
  return curves;
}

function sharesOf(
  pairs: readonly Pair[],
  pointers: readonly Pointer[],
): Pick<PointingReport, "pairs" | "images" | "perLabel" | "pointers"> {
  const byLabel = [...Map.groupBy(pairs, ({ label }) => label)];
  const groups = pairs.map(({ patient }) => patient);
  const shareOf = (name: Pointer): PointingShare => {
    const hits = pairs.map((pair) => pair.hits[name]!);
    const mean = (indices: Uint32Array): number =>
      indices.reduce((sum, index) => sum + hits[index]!, 0) / indices.length;
    const { value, low, high } = bootstrapInterval(pairs.length, mean, { groups });
    const perLabel = byLabel.map(([label, own]) => [
      label,
      own.reduce((sum, { hits }) => sum + hits[name]!, 0) / own.length,
    ]);
    return { share: value, interval: [low, high], perLabel: Object.fromEntries(perLabel) };
  };
  return {
    pairs: pairs.length,
    images: new Set(pairs.map(({ image }) => image)).size,
    perLabel: Object.fromEntries(byLabel.map(([label, own]) => [label, own.length])),
    pointers: Object.fromEntries(pointers.map((name) => [name, shareOf(name)])),
  };
}

function meanCurves(
  followed: readonly Record<string, Faithfulness>[],
): Pick<PointingReport, "faithfulness" | "curves"> {
  const names = Object.keys(followed[0] ?? {});
  const means = names.map((name) => [name, meanFaithfulness(followed.map((measured) => measured[name]!))]);
  return { ...(names.length > 0 ? { faithfulness: Object.fromEntries(means) } : {}), curves: followed.length };
}
