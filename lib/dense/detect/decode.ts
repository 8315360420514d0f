/** From raw predictions to boxes, and the best of those that overlap. @module */
import type { BoxShape } from "./anchors.ts";
import { boxIou, type Detection } from "./boxes.ts";
import { checkOptions, COUNT, needed, NUMBER, type Rules } from "../../platform/options.ts";

/** Raw predictions of one scale. */
export interface RawScale {
  /** Numbers in the order `[B, g, g, A, 5 + C]`. */
  values: Float32Array;
  /** Side of the map. */
  grid: number;
  /** The scale's anchors. */
  anchors: readonly BoxShape[];
}

/** Options of {@linkcode decodeBoxes}. */
export interface DecodeBoxesOptions {
  /** Images in the batch. */
  batch: number;
  /** Number of classes. */
  classes: number;
  /** Detections of a lower score are left out. @default {0.01} */
  least?: number;
}

/** What they must be. */
const DECODE_RULES: Rules<DecodeBoxesOptions> = {
  batch: needed(COUNT),
  classes: needed(COUNT),
  least: NUMBER,
};

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/**
 * Boxes of every image: centre `(cell + σ(x, y)) / g`, size `anchor · exp(w, h)`, cut at the image's edges; the score is
 * objectness, times the class's probability where there is more than one class.
 *
 * Source: Redmon and Farhadi 2018, section 2.1.
 *
 * @returns One list an image, in the order of scales and cells; not yet suppressed.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function decodeBoxes(scales: readonly RawScale[], options: DecodeBoxesOptions): Detection[][] {
  checkOptions("decode boxes", options, DECODE_RULES);
  const { batch, classes, least = 0.01 } = options;
  const out: Detection[][] = Array.from({ length: batch }, () => []);
  for (const { values, grid, anchors } of scales) {
    const stride = 5 + classes;
    for (let start = 0, slot = 0; start < values.length; start += stride, slot++) {
      const objectness = sigmoid(values[start + 4]!);
      if (objectness < least) continue;
      const anchor = anchors[slot % anchors.length]!;
      const cell = Math.floor(slot / anchors.length);
      const column = cell % grid, row = Math.floor(cell / grid) % grid;
      let classIndex = 0;
      for (let c = 1; c < classes; c++) if (values[start + 5 + c]! > values[start + 5 + classIndex]!) classIndex = c;
      const score = classes === 1 ? objectness : objectness * sigmoid(values[start + 5 + classIndex]!);
      if (score < least) continue;
      const width = anchor.width * Math.exp(Math.min(values[start + 2]!, 10));
      const height = anchor.height * Math.exp(Math.min(values[start + 3]!, 10));
      const x = (column + sigmoid(values[start]!)) / grid, y = (row + sigmoid(values[start + 1]!)) / grid;
      const left = Math.max(0, x - width / 2), top = Math.max(0, y - height / 2);
      out[Math.floor(cell / (grid * grid))]!.push({
        x: left,
        y: top,
        width: Math.min(1, x + width / 2) - left,
        height: Math.min(1, y + height / 2) - top,
        classIndex,
        score,
      });
    }
  }
  return out;
}

/** Options of {@linkcode suppress}. */
export interface SuppressOptions {
  /** Detections below it are dropped. @default {0.5} */
  confidence?: number;
  /** A detection that overlaps a better one of its class by at least this IoU is dropped. @default {0.5} */
  iou?: number;
  /** Most detections kept. @default {100} */
  most?: number;
}

/** What they must be. */
const SUPPRESS_RULES: Rules<SuppressOptions> = {
  confidence: NUMBER,
  iou: NUMBER,
  most: COUNT,
};

/**
 * Greedy suppression within each class: the best detection stays, those that overlap it go, and so on.
 *
 * Source: method section 7 (confidence 0.5, IoU 0.5). MGCA's code measures IoU with one pixel added to every side; here it
 * is the plain one.
 *
 * @param detections In any order.
 * @returns The kept ones, best first; equal scores keep their order.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function suppress(detections: readonly Detection[], options: SuppressOptions = {}): Detection[] {
  checkOptions("suppress boxes", options, SUPPRESS_RULES);
  const { confidence = 0.5, iou = 0.5, most = 100 } = options;
  const kept: Detection[] = [];
  const candidates = detections.filter(({ score }) => score >= confidence).sort((a, b) => b.score - a.score);
  for (const candidate of candidates) {
    if (kept.length === most) break;
    if (!kept.some((k) => k.classIndex === candidate.classIndex && boxIou(k, candidate) >= iou)) kept.push(candidate);
  }
  return kept;
}
