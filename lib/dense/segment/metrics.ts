/** Overlap of predicted and true masks. @module */

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
  let both = 0, ours = 0, theirs = 0;
  for (let i = 0; i < truth.length; i++) {
    const p = predicted[i] !== 0, t = truth[i] !== 0;
    if (p) ours++;
    if (t) theirs++;
    if (p && t) both++;
  }
  if (theirs === 0) return { dice: ours === 0 ? 1 : 0, iou: ours === 0 ? 1 : 0, empty: true };
  return { dice: 2 * both / (ours + theirs), iou: both / (ours + theirs - both), empty: false };
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
