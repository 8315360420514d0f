/** Table 4's figures: a segmentation and a detection head on each adapter's frozen tower, at every label share. @module */
import type { ClipConfig } from "../../../clip/config.ts";
import { squareSide } from "../../../clip/towers/image.ts";
import type { BinaryMask } from "../../../data/types.ts";
import { partRecord } from "../../../data/splits.ts";
import { type DenseData, labelFraction } from "../../../dense/data.ts";
import { boxedFraction } from "../../../dense/detect/data.ts";
import { constantBoxFigures, evaluateDetection, trainDetection } from "../../../dense/detect/run.ts";
import type { DenseEncoder } from "../../../dense/encoder.ts";
import { type MappedCases, mapSource } from "../../../dense/maps.ts";
import { constantMaskFigures, evaluateSegmentation, trainSegmentation } from "../../../dense/segment/run.ts";
import type { FitHeadOptions } from "../../../dense/train.ts";
import { disposeParams } from "../../../tensor/params.ts";
import { exampleOf, type Table4Example } from "./examples.ts";
import type { Table4Result, Table4Row } from "./run.ts";

/** An image tower and what frees it. */
export interface OpenedEncoder {
  /** The tower. */
  encoder: DenseEncoder;
  /** Frees it. */
  free: () => void;
}

/** What has been measured of the table so far. */
export interface Table4Progress {
  /** Rows, in the order of adapters and shares. */
  rows: Table4Row[];
  /** SHA-256 of each adapter's image tower. */
  encoders: Record<string, string>;
  /** What the best constant answers come to. */
  baselines?: Table4Result["baselines"];
}

/** What {@linkcode measureTable4} works on. */
export interface Table4Inputs {
  /** Images with masks. */
  masks: DenseData;
  /** Images with boxes. */
  boxes: DenseData;
  /** Names of the adapters, and what opens each one's tower: null where a signal ended its training. */
  adapters: readonly (readonly [name: string, open: () => Promise<OpenedEncoder | null>])[];
  /** Sizes of the model. */
  vision: ClipConfig["vision"];
  /** Shares of the labels. */
  fractions: readonly number[];
  /** Seed of the shares. */
  seed: number;
  /** Settings of the heads, by the number of labelled images. */
  head(labelled: number): FitHeadOptions;
  /** Folder for the towers' maps; those of an adapter are removed after it. @default {they are kept in memory} */
  mapsFolder?: string;
  /** Takes each adapter's answers to a few test cases, by the heads of the largest share. @default {none are kept} */
  examples?: Table4Example[];
  /** Goes on from here. @default {from nothing} */
  progress?: Table4Progress;
  /** Called after each row. */
  onRow(row: Table4Row, progress: Table4Progress): void | Promise<void>;
  /** Ends it after the row under way. */
  signal?: AbortSignal;
}

/** Cases with their maps, by one tower. */
interface MappedSets {
  mapped(cases: DenseData["train"]): Promise<MappedCases>;
  test: { masks: MappedCases; boxes: MappedCases };
  validation: { masks: MappedCases; boxes: MappedCases };
}

async function mappedSets({ masks, boxes, mapsFolder }: Table4Inputs, encoder: DenseEncoder): Promise<MappedSets> {
  const mapped = async (cases: DenseData["train"]): Promise<MappedCases> => ({
    cases,
    maps: await mapSource(cases, encoder, mapsFolder === undefined ? {} : { cache: mapsFolder }),
  });
  return {
    mapped,
    test: { masks: await mapped(masks.test), boxes: await mapped(boxes.test) },
    validation: { masks: await mapped(masks.validation), boxes: await mapped(boxes.validation) },
  };
}

/** A row: both heads trained on a share of the labels, and their figures on the test cases. */
async function measureRow(
  inputs: Table4Inputs,
  { mapped, test, validation }: MappedSets,
  { adapter, fraction }: { adapter: string; fraction: number },
): Promise<Table4Row> {
  const { masks, boxes, vision, fractions, seed, head } = inputs;
  const labelled = labelFraction(masks.train, { fraction, seed });
  const decoder = await trainSegmentation(await mapped(labelled), validation.masks, {
    ...head(labelled.length),
    patchSize: squareSide(vision),
  });
  const answered = new Map<number, BinaryMask>();
  const keep = (index: number, mask: BinaryMask): Promise<void> => Promise.resolve(void answered.set(index, mask));
  const isShown = inputs.examples !== undefined && fraction === Math.max(...fractions);
  const segmentation = (await evaluateSegmentation(decoder.head, test.masks, isShown ? { onCase: keep } : {})).figures;
  disposeParams(decoder.head.params);
  const drawn = boxedFraction(boxes.train, { fraction, seed });
  const detector = await trainDetection(await mapped(drawn), validation.boxes, {
    ...head(drawn.length),
    classes: boxes.classes,
  });
  const { figures: detection, images } = await evaluateDetection(detector.head, test.boxes);
  if (isShown) inputs.examples!.push(exampleOf(adapter, { masks, boxes }, { masks: answered, images }));
  disposeParams(detector.head.params);
  const others = drawn.length === labelled.length ? {} : { labelledBoxes: drawn.length };
  return { adapter, fraction, labelled: labelled.length, ...others, segmentation, detection };
}

/** Trains and evaluates a segmentation and a detection head on each frozen tower at every label share; null where a signal ended it. */
export async function measureTable4(inputs: Table4Inputs): Promise<Required<Table4Progress> | null> {
  const { masks, boxes, vision, fractions, mapsFolder, signal } = inputs;
  const progress: Table4Progress = inputs.progress ?? { rows: [], encoders: {} };
  const isDone = (adapter: string, fraction?: number): boolean =>
    fraction === undefined
      ? fractions.every((share) => isDone(adapter, share))
      : progress.rows.some((row) => row.adapter === adapter && row.fraction === fraction);
  for (const [adapter, open] of inputs.adapters) {
    if (isDone(adapter)) continue;
    const opened = await open();
    if (!opened) return null;
    const { encoder, free } = opened;
    try {
      progress.encoders[adapter] = encoder.hash;
      const sets = await mappedSets(inputs, encoder);
      progress.baselines ??= {
        mask: await constantMaskFigures(await sets.mapped(masks.train), sets.test.masks, vision.imageSize),
        box: constantBoxFigures(await sets.mapped(boxes.train), sets.test.boxes, boxes.classes),
      };
      for (const fraction of fractions) {
        if (isDone(adapter, fraction)) continue;
        if (signal?.aborted) return null;
        const row = await measureRow(inputs, sets, { adapter, fraction });
        progress.rows.push(row);
        await inputs.onRow(row, progress);
      }
      if (mapsFolder !== undefined) await Deno.remove(mapsFolder, { recursive: true });
    } finally {
      free();
    }
  }
  return progress as Required<Table4Progress>;
}

/** The parts that the figures are of. */
export async function table4Splits({ masks, boxes }: Table4Inputs): Promise<Table4Result["splits"]> {
  return {
    "segmentation test": await partRecord("segmentation test", masks.test),
    "detection test": await partRecord("detection test", boxes.test),
  };
}

/** One line about a row. */
export function rowNote({ adapter, fraction, segmentation, detection }: Table4Row): string {
  return `${adapter}, ${100 * fraction} %: Dice ${segmentation.dice.toFixed(3)}, mAP ${
    detection.mapAllScores?.toFixed(3)
  }`;
}
