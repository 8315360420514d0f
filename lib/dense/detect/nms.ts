/** Non-maximum suppression. @module */
import { boxIou, type Detection } from "./boxes.ts";

/** Options of {@linkcode suppress}. */
export interface SuppressOptions {
  /** Detections below it are dropped. @default {0.5} */
  confidence?: number;
  /** A detection that overlaps a better one of its class by at least this IoU is dropped. @default {0.5} */
  iou?: number;
  /** Most detections kept. @default {100} */
  most?: number;
}

/**
 * Greedy suppression within each class: the best detection stays, those that overlap it go, and so on.
 *
 * Source: method section 7 (confidence 0.5, IoU 0.5). MGCA's code measures IoU with one pixel added to every side; here it
 * is the plain one.
 *
 * @param detections In any order.
 * @returns The kept ones, best first; equal scores keep their order.
 */
export function suppress(detections: readonly Detection[], options: SuppressOptions = {}): Detection[] {
  const { confidence = 0.5, iou = 0.5, most = 100 } = options;
  const kept: Detection[] = [];
  const candidates = detections.filter(({ score }) => score >= confidence).sort((a, b) => b.score - a.score);
  for (const candidate of candidates) {
    if (kept.length === most) break;
    if (!kept.some((k) => k.classIndex === candidate.classIndex && boxIou(k, candidate) >= iou)) kept.push(candidate);
  }
  return kept;
}
