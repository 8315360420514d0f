/** What a model must beat: one answer for every image. @module */
import type { Detection, UnitBox } from "./detect/boxes.ts";
import { meanAveragePrecision } from "./detect/metrics.ts";
import { maskOverlap, segmentationFigures } from "./segment/metrics.ts";

/**
 * The constant mask: pixels set in more than a share of the training masks, the share being the one of 0, 0.05, ..., 0.95
 * with the best mean Dice on those masks (the empty mask takes part).
 *
 * @param masks Training masks, all of one size.
 * @throws {RangeError} If there is none.
 */
export function meanMask(masks: readonly ArrayLike<number>[]): Uint8Array {
  const [first] = masks;
  if (!first) throw new RangeError("Cannot take the mean mask as there must be one: there are 0");
  const sum = new Float64Array(first.length);
  for (const mask of masks) for (let i = 0; i < sum.length; i++) sum[i]! += mask[i]!;
  let best = new Uint8Array(sum.length);
  let dice = segmentationFigures(masks.map((mask) => maskOverlap(best, mask))).dice;
  for (let step = 0; step < 20; step++) {
    const candidate = Uint8Array.from(sum, (count) => count / masks.length > step / 20 ? 1 : 0);
    const figure = segmentationFigures(masks.map((mask) => maskOverlap(candidate, mask))).dice;
    if (figure > dice) [best, dice] = [candidate, figure];
  }
  return best;
}

/**
 * The constant box: of the training boxes (at most 200, evenly taken) the one whose prediction on every training image has
 * the greatest strict mAP. Every class has its own.
 *
 * @param truth Boxes of the training images.
 * @param classes Number of classes.
 */
export function constantBoxes(truth: readonly (readonly UnitBox[])[], classes = 1): Detection[] {
  return Array.from({ length: classes }, (_, classIndex) => {
    const own = truth.map((boxes) => boxes.filter((box) => box.classIndex === classIndex));
    const all = own.flat();
    const step = Math.max(1, Math.ceil(all.length / 200));
    let best: Detection | undefined, figure = -1;
    for (let i = 0; i < all.length; i += step) {
      const detection = { ...all[i]!, score: 1 };
      const images = own.map((boxes) => ({
        detections: [{ ...detection, classIndex: 0 }],
        truth: boxes.map((box) => ({ ...box, classIndex: 0 })),
      }));
      const value = meanAveragePrecision(images) ?? 0;
      if (value > figure) [best, figure] = [detection, value];
    }
    return best;
  }).filter((box) => box !== undefined);
}
