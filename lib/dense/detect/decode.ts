/** From raw predictions to boxes. @module */
import type { BoxShape } from "./anchors.ts";
import type { Detection } from "./boxes.ts";

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

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/**
 * Boxes of every image: centre `(cell + σ(x, y)) / g`, size `anchor · exp(w, h)`, cut at the image's edges; the score is
 * objectness, times the class's probability where there is more than one class.
 *
 * Source: Redmon and Farhadi 2018, section 2.1.
 *
 * @returns One list an image, in the order of scales and cells; not yet suppressed.
 */
export function decodeBoxes(scales: readonly RawScale[], options: DecodeBoxesOptions): Detection[][] {
  const { batch, classes, least = 0.01 } = options;
  const out: Detection[][] = Array.from({ length: batch }, () => []);
  for (const { values, grid, anchors } of scales) {
    const stride = 5 + classes;
    for (let at = 0, cell = 0; at < values.length; at += stride, cell++) {
      const objectness = sigmoid(values[at + 4]!);
      if (objectness < least) continue;
      const anchor = anchors[cell % anchors.length]!;
      const place = Math.floor(cell / anchors.length);
      const column = place % grid, row = Math.floor(place / grid) % grid;
      let classIndex = 0;
      for (let c = 1; c < classes; c++) if (values[at + 5 + c]! > values[at + 5 + classIndex]!) classIndex = c;
      const score = classes === 1 ? objectness : objectness * sigmoid(values[at + 5 + classIndex]!);
      if (score < least) continue;
      const width = anchor.width * Math.exp(Math.min(values[at + 2]!, 10));
      const height = anchor.height * Math.exp(Math.min(values[at + 3]!, 10));
      const x = (column + sigmoid(values[at]!)) / grid, y = (row + sigmoid(values[at + 1]!)) / grid;
      const left = Math.max(0, x - width / 2), top = Math.max(0, y - height / 2);
      out[Math.floor(place / (grid * grid))]!.push({
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
