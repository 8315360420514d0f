/** Test cases of table 4 with what the heads answered: kept in its record, drawn anew to be looked at. @module */
import { decodeRle, encodeRle } from "../../../data/rle.ts";
import type { BinaryMask } from "../../../data/types.ts";
import { partRecord } from "../../../data/splits.ts";
import type { DenseData } from "../../../dense/data.ts";
import { loadDetectionData } from "../../../dense/detect/data.ts";
import type { DetectedImage } from "../../../dense/detect/metrics.ts";
import { boxesOfCase } from "../../../dense/detect/run.ts";
import { type Marks, type PictureBox, pictureOverlay } from "../../../dense/pictures.ts";
import { loadSegmentationData } from "../../../dense/segment/data.ts";
import type { Overlay } from "../../../display/overlay.ts";
import { deriveSeed } from "../../../tensor/random.ts";

/** What one adapter's heads answered, trained on most labels, on a few drawn test cases; the images are not stored. */
export interface Table4Example {
  /** The adapter. */
  adapter: string;
  /** Side of the images, pixels. */
  side: number;
  /** Masks by index among the test cases of segmentation: runs with absolute starts, column by column. */
  masks: { index: number; rle: string }[];
  /** The best boxes by index among the test cases of detection. */
  boxes: { index: number; boxes: PictureBox[] }[];
}

/** The part of table 4's result that its examples are drawn from. */
export interface ExampledTable4 {
  /** What the cases are drawn by. */
  settings: { seed: number; cases: number };
  /** The answers. @default {none} */
  examples?: readonly Table4Example[];
  /** Which cases they were. */
  splits: Readonly<Record<string, { hash: string }>>;
}

/** Cases of each task that are kept. */
const CASES = 2;
/** Boxes of a case that are kept. */
const BOXES = 3;

/** The images with masks and with boxes that table 4 draws under a seed. */
export async function drawnDenseData(
  { seed, cases: count }: ExampledTable4["settings"],
  side: number,
): Promise<{ masks: DenseData; boxes: DenseData }> {
  const drawn = { count, size: side, seed: deriveSeed(seed, "dense") % 1e6 };
  return {
    masks: await loadSegmentationData("synthetic", drawn),
    boxes: await loadDetectionData("synthetic", drawn),
  };
}

/** The first test cases that show something, by index. */
function shownCases({ test }: DenseData): number[] {
  return [...test.keys()].filter((index) => test[index]!.target !== 0).slice(0, CASES);
}

/** What of an adapter's answers is kept; `masks` by index, `images` for every test case of detection. */
export function exampleOf(
  adapter: string,
  data: { masks: DenseData; boxes: DenseData },
  answers: { masks: ReadonlyMap<number, BinaryMask>; images: readonly DetectedImage[] },
): Table4Example {
  const masks = shownCases(data.masks).map((index) => ({ index, mask: answers.masks.get(index)! }));
  return {
    adapter,
    side: masks[0]!.mask.width,
    masks: masks.map(({ index, mask }) => ({ index, rle: encodeRle(mask, { starts: "absolute" }) })),
    boxes: shownCases(data.boxes).map((index) => ({
      index,
      boxes: answers.images[index]!.detections.toSorted((a, b) => b.score - a.score).slice(0, BOXES).map(
        ({ x, y, width, height, score }) => rounded({ x, y, width, height, score }),
      ),
    })),
  };
}

function rounded(box: PictureBox): PictureBox {
  return Object.fromEntries(Object.entries(box).map(([key, value]) => [key, Number(value.toFixed(4))])) as
    & PictureBox
    & Record<string, number>;
}

/** The kept answers over their images, truth in blue, prediction in orange; empty when the cases are not those drawn today. */
export async function table4Overlays({ settings, examples = [], splits }: ExampledTable4): Promise<Overlay[]> {
  const overlays: Overlay[] = [];
  for (const { adapter, side, masks, boxes } of examples) {
    const data = await drawnDenseData(settings, side);
    const parts = { "segmentation test": data.masks.test, "detection test": data.boxes.test };
    for (const [name, cases] of Object.entries(parts)) {
      if ((await partRecord(name, cases)).hash !== splits[name]?.hash) return [];
    }
    const put = async (task: keyof typeof data, index: number, marks: Marks): Promise<void> => {
      const caption = `${adapter}, ${data[task].classes[0]}, test image ${index + 1} (synthetic)`;
      overlays.push(pictureOverlay(await data[task].test[index]!.image(), marks, caption, 2 * side));
    };
    for (const { index, rle } of masks) {
      const mask = decodeRle(rle, { width: side, height: side, starts: "absolute" });
      await put("masks", index, { truthMask: await data.masks.test[index]!.mask!(), mask });
    }
    for (const { index, boxes: found } of boxes) {
      const truthBoxes = boxesOfCase(data.boxes.test[index]!, [side, side], data.boxes.classes);
      await put("boxes", index, { truthBoxes, boxes: found });
    }
  }
  return overlays;
}
