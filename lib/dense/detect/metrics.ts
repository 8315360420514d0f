/** Mean average precision, FROC, and the one box that a detector must beat. @module */
import { boxIou, type Detection, type UnitBox } from "./boxes.ts";
import { checkOptions, COUNT, needed, NUMBER, NUMBERS, oneOf, type Rules, WHOLE } from "../../platform/options.ts";

/** Predictions and truth of one image. */
export interface DetectedImage {
  /** Predicted boxes, in any order. */
  detections: readonly Detection[];
  /** True boxes. */
  truth: readonly UnitBox[];
}

/** The IoU thresholds of the protocol: 0.40 to 0.75 in steps of 0.05. */
export const MAP_THRESHOLDS: readonly number[] = [0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75];

/** Most detections of an image that count, as COCO's. */
const MOST = 100;

/** A detection with whether it found a box that no better one had found, or only one that had been found. */
interface Judged {
  score: number;
  hit: boolean;
  again: boolean;
}

/** Best first; each takes the free box it overlaps most, if by at least `iou`. */
function judge({ detections, truth }: DetectedImage, classIndex: number, iou: number): Judged[] {
  const boxes = truth.filter((box) => box.classIndex === classIndex);
  const taken = new Set<number>();
  const own = detections.filter((box) => box.classIndex === classIndex).toSorted((a, b) => b.score - a.score);
  return own.slice(0, MOST).map((detection) => {
    const least = Math.min(iou, 1 - 1e-10);
    let best = -1, overlap = least, again = false;
    boxes.forEach((box, i) => {
      const value = boxIou(detection, box);
      if (taken.has(i)) again ||= value >= least;
      else if (value >= overlap) {
        best = i;
        overlap = value;
      }
    });
    const hit = best >= 0;
    if (hit) taken.add(best);
    return { score: detection.score, hit, again: !hit && again };
  });
}

/** Options of {@linkcode averagePrecision}. */
export interface AveragePrecisionOptions {
  /** Least IoU of a hit. */
  iou: number;
  /** The class. @default {0} */
  classIndex?: number;
}

/** What they must be. */
const PRECISION_RULES: Rules<AveragePrecisionOptions> = {
  iou: needed(NUMBER),
  classIndex: WHOLE,
};

/**
 * Average precision of one class: precision, made non-increasing, at the 101 recalls 0, 0.01, ..., 1.
 *
 * Source: COCO's evaluation (pycocotools `COCOeval.accumulate`), which torchmetrics' `MeanAveragePrecision` runs.
 *
 * @returns 0 to 1; null when no image has a true box of the class.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function averagePrecision(images: readonly DetectedImage[], options: AveragePrecisionOptions): number | null {
  checkOptions("compute the average precision", options, PRECISION_RULES);
  const { iou, classIndex = 0 } = options;
  const positives = images.reduce(
    (sum, { truth }) => sum + truth.filter((box) => box.classIndex === classIndex).length,
    0,
  );
  if (positives === 0) return null;
  const judged = images.flatMap((image) => judge(image, classIndex, iou)).sort((a, b) => b.score - a.score);
  const recalls: number[] = [], precisions: number[] = [];
  let hits = 0;
  judged.forEach(({ hit }, i) => {
    if (hit) hits++;
    recalls.push(hits / positives);
    precisions.push(hits / (i + 1));
  });
  for (let i = precisions.length - 2; i >= 0; i--) precisions[i] = Math.max(precisions[i]!, precisions[i + 1]!);
  let sum = 0, rank = 0;
  for (let step = 0; step <= 100; step++) {
    const recall = step === 100 ? 1 : step * 0.01; // as numpy's linspace rounds them
    while (rank < recalls.length && recalls[rank]! < recall) rank++;
    sum += precisions[rank] ?? 0;
  }
  return sum / 101;
}

/** Options of {@linkcode meanAveragePrecision}. */
export interface MeanAveragePrecisionOptions {
  /** IoU thresholds to average over. @default {MAP_THRESHOLDS} */
  thresholds?: readonly number[];
  /** Number of classes. @default {1} */
  classes?: number;
  /**
   * "strict": every image counts, so a box in an image without truth is a false alarm and a missed image costs recall.
   * "customary": images without predictions or without truth are left out, as the code of the works compared with does.
   * @default {"strict"}
   */
  form?: "strict" | "customary";
}

/** What they must be. */
const MEAN_RULES: Rules<MeanAveragePrecisionOptions> = {
  thresholds: NUMBERS,
  classes: COUNT,
  form: oneOf(["strict", "customary"]),
};

/**
 * Average precision, mean over classes that occur and over thresholds.
 *
 * @returns 0 to 1; null when no true box is left to find.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function meanAveragePrecision(
  images: readonly DetectedImage[],
  options: MeanAveragePrecisionOptions = {},
): number | null {
  checkOptions("compute the mean average precision", options, MEAN_RULES);
  const { thresholds = MAP_THRESHOLDS, classes = 1, form = "strict" } = options;
  const counted = form === "strict" ? images : images.filter((i) => i.detections.length > 0 && i.truth.length > 0);
  const values = thresholds.flatMap((iou) =>
    Array.from({ length: classes }, (_, classIndex) => averagePrecision(counted, { iou, classIndex }))
  ).filter((value) => value !== null);
  return values.length ? values.reduce((a, b) => a + b, 0) / values.length : null;
}

/** Options of {@linkcode froc}. */
export interface FrocOptions {
  /** Least IoU of a hit. @default {0.4} */
  iou?: number;
  /** Number of classes. @default {1} */
  classes?: number;
  /** False alarms an image at which sensitivity is read. @default {[0.125, 0.25, 0.5, 1, 2, 4, 8]} */
  alarms?: readonly number[];
}

/** What they must be. */
const FROC_RULES: Rules<FrocOptions> = {
  iou: NUMBER,
  classes: COUNT,
  alarms: NUMBERS,
};

/** The free-response curve. */
export interface Froc {
  /** Sensitivity at each number of false alarms an image, 0 to 1; null without a true box. */
  sensitivities: { alarms: number; sensitivity: number | null }[];
  /** Mean of the sensitivities; null without a true box. */
  mean: number | null;
}

/**
 * FROC: share of true boxes found, at the lowest score whose false alarms an image do not exceed a number. Every image
 * counts. Boxes of equal score count together. A further box on a lesion that a better one has found is neither hit nor
 * false alarm.
 *
 * Source: LUNA16's and CAMELYON's evaluation.
 *
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function froc(images: readonly DetectedImage[], options: FrocOptions = {}): Froc {
  checkOptions("compute FROC", options, FROC_RULES);
  const { iou = 0.4, classes = 1, alarms = [0.125, 0.25, 0.5, 1, 2, 4, 8] } = options;
  const positives = images.reduce((sum, { truth }) => sum + truth.length, 0);
  const judged = images.flatMap((image) =>
    Array.from({ length: classes }, (_, classIndex) => judge(image, classIndex, iou)).flat()
  ).filter(({ again }) => !again).sort((a, b) => b.score - a.score);
  const points: { alarms: number; hits: number }[] = [{ alarms: 0, hits: 0 }];
  let hits = 0, wrong = 0;
  judged.forEach(({ score, hit }, i) => {
    if (hit) hits++;
    else wrong++;
    if (judged[i + 1]?.score !== score) points.push({ alarms: wrong / images.length, hits });
  });
  const sensitivities = alarms.map((limit) => ({
    alarms: limit,
    sensitivity: positives === 0
      ? null
      : Math.max(...points.filter((point) => point.alarms <= limit).map((point) => point.hits)) / positives,
  }));
  const mean = positives === 0
    ? null
    : sensitivities.reduce((sum, { sensitivity }) => sum + sensitivity!, 0) / sensitivities.length;
  return { sensitivities, mean };
}

/** Figures of a detector; null where no true box is left to find. */
export interface DetectionFigures {
  /** mAP over IoU 0.40 to 0.75 of boxes scored 0.5 at least, images without prediction or truth left out. */
  mapCustomary: number | null;
  /** The same boxes, every image counted. */
  mapStrict: number | null;
  /** mAP over IoU 0.40 to 0.75 of all boxes scored 0.01 at least, every image counted. */
  mapAllScores: number | null;
  /** Average precision at IoU 0.5 of all boxes, every image counted. */
  map50: number | null;
  /** Sensitivity by false alarms an image, at IoU 0.4. */
  froc: Froc;
  /** Images. */
  n: number;
  /** True boxes. */
  boxes: number;
  /** Images with a box scored 0.5 at least. */
  answered: number;
}

/** All figures of predictions. */
export function detectionFigures(
  images: readonly DetectedImage[],
  classes: number,
  confidence = 0.5,
): DetectionFigures {
  const sure = images.map(({ truth, detections }) => ({
    truth,
    detections: detections.filter(({ score }) => score >= confidence),
  }));
  return {
    mapCustomary: meanAveragePrecision(sure, { classes, form: "customary" }),
    mapStrict: meanAveragePrecision(sure, { classes }),
    mapAllScores: meanAveragePrecision(images, { classes }),
    map50: meanAveragePrecision(images, { classes, thresholds: [0.5] }),
    froc: froc(images, { classes }),
    n: images.length,
    boxes: images.reduce((sum, { truth }) => sum + truth.length, 0),
    answered: sure.filter(({ detections }) => detections.length > 0).length,
  };
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
