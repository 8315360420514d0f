/** Maps held against boxes over a set: the pointing game, and the faithfulness of each kind. @module */
import { toPixels } from "../../image/preprocess.ts";
import type { Case } from "../../data/types.ts";
import { bootstrapInterval } from "../metrics/bootstrap.ts";
import { type Faithfulness, faithfulness, meanFaithfulness, randomMap } from "./faithfulness.ts";
import { labelMaps, MAP_KINDS, type MapKind } from "./maps.ts";
import type { MapModel } from "./model.ts";
import { patchesIn, pointingHit, seenBox } from "./pointing.ts";

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

/**
 * Plays the pointing game on each pair of an image and a label that has a box in it: is the strongest patch of the label's map in
 * one of its boxes?
 *
 * @param cases With boxes, in pixels of the image.
 * @throws {RangeError} If no image has a box of a label.
 */
export async function pointingGame(
  model: MapModel,
  cases: readonly Case[],
  options: PointingGameOptions,
): Promise<PointingReport> {
  const { labels, kinds = MAP_KINDS, curves = 0, onCase } = options;
  const { encoders } = model.config;
  const names: Pointer[] = [...kinds, "centre", "chance"];
  const pairs: { label: string; image: string; patient: string; hits: Record<string, number> }[] = [];
  const followed: Record<string, Faithfulness>[] = [];
  let unseen = 0;
  for (const [place, item] of cases.entries()) {
    const own = labels.filter((label) => item.boxes?.some((box) => box.label === label));
    if (own.length > 0) {
      const image = await item.image();
      const pixels = toPixels(image, { ...encoders, size: encoders.vision.imageSize });
      const zoom = (encoders.resizedTo ?? encoders.vision.imageSize) / encoders.vision.imageSize;
      const maps = new Map<MapKind, Float32Array[]>();
      for (const kind of kinds) maps.set(kind, await labelMaps(model, kind, pixels));
      for (const label of own) {
        const boxes = item.boxes!.filter((box) => box.label === label);
        const seen = boxes.map((box) => seenBox(box, image, encoders.resizeMode, zoom));
        const inside = patchesIn(seen, model.side);
        const chance = inside.filter(Boolean).length / inside.length;
        if (chance === 0) {
          unseen++;
          continue;
        }
        const place = labels.indexOf(label);
        const isCentre = seen.some(({ left, top, right, bottom }) =>
          left <= 0.5 && right >= 0.5 && top <= 0.5 && bottom >= 0.5
        );
        const hits: Record<string, number> = { centre: isCentre ? 1 : 0, chance };
        for (const kind of kinds) hits[kind] = pointingHit(maps.get(kind)![place]!, inside);
        pairs.push({ label, image: item.id, patient: item.patientId ?? `case ${item.id}`, hits });
        if (followed.length >= curves) continue;
        const orders = [
          ...kinds.map((kind) => [kind, maps.get(kind)![place]!] as const),
          ["random order", randomMap(inside.length, followed.length)] as const,
        ];
        const measured: Record<string, Faithfulness> = {};
        for (const [name, map] of orders) measured[name] = await faithfulness(model, pixels, map, { label: place });
        followed.push(measured);
      }
    }
    onCase?.(place + 1);
  }
  if (pairs.length === 0) {
    throw new RangeError(
      `Cannot play the pointing game as an image must have a box of ${
        labels.map((name) => `"${name}"`).join(", ")
      }: none has`,
    );
  }
  const byLabel = Map.groupBy(pairs, ({ label }) => label);
  const groups = pairs.map(({ patient }) => patient);
  const shareOf = (name: Pointer): PointingShare => {
    const hits = pairs.map((pair) => pair.hits[name]!);
    const mean = (indices: Uint32Array): number =>
      indices.reduce((sum, index) => sum + hits[index]!, 0) / indices.length;
    const { value, low, high } = bootstrapInterval(pairs.length, mean, { groups });
    return {
      share: value,
      interval: [low, high],
      perLabel: Object.fromEntries(
        [...byLabel].map(([label, own]) => [label, own.reduce((sum, { hits }) => sum + hits[name]!, 0) / own.length]),
      ),
    };
  };
  const [first] = followed;
  return {
    pairs: pairs.length,
    images: new Set(pairs.map(({ image }) => image)).size,
    unseen,
    perLabel: Object.fromEntries([...byLabel].map(([label, own]) => [label, own.length])),
    pointers: Object.fromEntries(names.map((name) => [name, shareOf(name)])),
    ...(first
      ? {
        faithfulness: Object.fromEntries(
          Object.keys(first).map((name) => [name, meanFaithfulness(followed.map((curves) => curves[name]!))]),
        ),
      }
      : {}),
    curves: followed.length,
  };
}
