/** Overlap of predicted and true masks, and the one mask that a decoder must beat. @module */

/** Overlap of one image. */
export interface MaskOverlap {
  /** `2 |P ∩ T| / (|P| + |T|)`; for an empty T 1 if P is empty, else 0. */
  dice: number;
  /** `|P ∩ T| / |P ∪ T|`; for an empty T 1 if P is empty, else 0. */
  iou: number;
  /** Whether the true mask is empty. */
  empty: boolean;
}

/**
 * Dice and IoU of one image.
 *
 * Source: method section 7.
 *
 * @param predicted Pixels, not 0 where set.
 * @param truth As many pixels.
 * @throws {TypeError} If the numbers of pixels differ.
 */
export function maskOverlap(predicted: ArrayLike<number>, truth: ArrayLike<number>): MaskOverlap {
  if (predicted.length !== truth.length) {
    throw new TypeError(
      `Cannot compare masks as they must have as many pixels: ${predicted.length} predicted, current number is ${truth.length}`,
    );
  }
  let both = 0, predictedCount = 0, trueCount = 0;
  for (let i = 0; i < truth.length; i++) {
    const p = predicted[i] !== 0, t = truth[i] !== 0;
    if (p) predictedCount++;
    if (t) trueCount++;
    if (p && t) both++;
  }
  if (trueCount === 0) {
    const kept = predictedCount === 0 ? 1 : 0;
    return { dice: kept, iou: kept, empty: true };
  }
  const total = predictedCount + trueCount;
  return { dice: 2 * both / total, iou: both / (total - both), empty: false };
}

/** Figures of a set, means over images. */
export interface SegmentationFigures {
  /** Mean Dice, empty masks by their rule. */
  dice: number;
  /** Mean IoU, empty masks by their rule. */
  iou: number;
  /** Mean Dice of the images whose mask is not empty; null without any. */
  dicePositive: number | null;
  /** Share of empty masks that were left empty; null without any. */
  emptyKept: number | null;
  /** Images. */
  n: number;
  /** Images whose mask is empty. */
  nEmpty: number;
}

/** Means over images; NaN without any. */
export function segmentationFigures(overlaps: readonly MaskOverlap[]): SegmentationFigures {
  const mean = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const positive = overlaps.filter(({ empty }) => !empty);
  const negative = overlaps.filter(({ empty }) => empty);
  return {
    dice: mean(overlaps.map(({ dice }) => dice)),
    iou: mean(overlaps.map(({ iou }) => iou)),
    dicePositive: positive.length ? mean(positive.map(({ dice }) => dice)) : null,
    emptyKept: negative.length ? mean(negative.map(({ dice }) => dice)) : null,
    n: overlaps.length,
    nEmpty: negative.length,
  };
}

/**
 * The constant mask: pixels set in more than a share of the training masks, the share being the one of 0, 0.05, ..., 0.95
 * with the best mean Dice on those masks (the empty mask takes part).
 *
 * @param masks Training masks, all of one size.
 * @throws {RangeError} If there is none.
 */
export function meanMask(masks: readonly ArrayLike<number>[]): Uint8Array {
  const [first] = masks;
  if (!first) throw new RangeError("Cannot take the mean mask as there must be a mask: there are 0");
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
