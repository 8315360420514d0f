/** Detection on frozen maps: train, predict, evaluate. @module */
import * as tf from "@tensorflow/tfjs";
import type { Case } from "../../data/types.ts";
import { kMeansAnchors } from "./anchors.ts";
import { type Detection, type UnitBox, unitBoxes } from "./boxes.ts";
import {
  constantBoxes,
  type DetectedImage,
  type DetectionFigures,
  detectionFigures,
  meanAveragePrecision,
} from "./metrics.ts";
import { type MappedCases, type MapSource, mapTensor } from "../maps.ts";
import { FIT_HEAD_RULES, fitHead, type FitHeadOptions, type FitHeadResult } from "../train.ts";
import { decodeBoxes, suppress } from "./decode.ts";
import { type DetectionHead, detectMaps, type DetectorConfig, type DetectorParams, initDetector } from "./head.ts";
import { detectionLoss, type ScaleTargetTensors } from "./loss.ts";
import { scaleTargets, type TargetOptions } from "./targets.ts";
import { defined } from "../../platform/defined.ts";
import { disposeParams } from "../../tensor/params.ts";
import type { Tensor4D } from "../../tensor/types.ts";
import { CALL, checkOptions, COUNT, needed, NUMBER, oneOf, type Rules, TEXTS } from "../../platform/options.ts";

/** Options of {@linkcode trainDetection}. */
export interface TrainDetectionOptions extends FitHeadOptions {
  /** Names of the classes, in order. */
  classes: readonly string[];
  /** Channels of the finest scale. @default {512 from a width of 512 on, else 32} */
  width?: number;
  /** Pairs of convolutions a scale. @default {3 from a width of 512 on, else 1} */
  pairs?: number;
  /** Anchors a scale. @default {3} */
  anchors?: number;
  /** Which anchors answer for a box. @default {"every-scale"} */
  assignment?: TargetOptions["assignment"];
}

/** What they must be. */
const TRAIN_RULES: Rules<TrainDetectionOptions> = {
  ...FIT_HEAD_RULES,
  classes: needed(TEXTS),
  width: COUNT,
  pairs: COUNT,
  anchors: COUNT,
  assignment: oneOf(["every-scale", "best"]),
};

/** Detections below this score are never reported. */
const LEAST = 0.01;

/**
 * The true boxes of a case, shares of its image's sides.
 *
 * @throws {TypeError} If the case has no list of boxes.
 * @throws {RangeError} If a box lies outside the image, or its class is unknown; the message names the case.
 */
export function boxesOfCase(
  item: Case,
  [width, height]: readonly [number, number],
  classes: readonly string[],
): UnitBox[] {
  if (!item.boxes) {
    throw new TypeError(`Cannot use case "${item.id}" as it must have boxes, if only none: it has no label row`);
  }
  return unitBoxes(item.boxes, { id: item.id, width, height, classes });
}

/** The true boxes of every case, checked against its image. */
function truthOf({ cases, maps }: MappedCases, classes: readonly string[]): UnitBox[][] {
  return cases.map((item, i) => boxesOfCase(item, maps.imageSizes[i]!, classes));
}

/** The sides of the three maps, coarse first. */
function gridsOf({ grid }: Pick<DetectorConfig, "grid">): number[] {
  return [grid / 2, grid, 2 * grid];
}

/**
 * Trains a detection head on anchors of the training boxes; the epoch with the best strict mAP on the validation cases is kept.
 *
 * @returns The head (free its `params` with `disposeParams`), the mean IoU of boxes with their anchors, and the log.
 * @throws {RangeError} If no training case has a box, or a box lies outside its image.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function trainDetection(
  train: MappedCases,
  validation: MappedCases,
  options: TrainDetectionOptions,
): Promise<{ head: DetectionHead; anchorIou: number; fit: Omit<FitHeadResult<DetectorParams>, "params"> }> {
  checkOptions("train a detection head", options, TRAIN_RULES);
  const { classes, width: widest, pairs: most, anchors: perScale = 3, assignment, ...fitting } = options;
  const { seed = 1 } = fitting;
  const large = train.maps.width >= 512;
  const boxes = truthOf(train, classes), validationBoxes = truthOf(validation, classes);
  const { anchors, meanIou } = kMeansAnchors(boxes.flat(), { count: 3 * perScale, seed });
  const scales = [2, 1, 0].map((i) => anchors.slice(i * perScale, (i + 1) * perScale)); // the largest at the coarse scale
  const { width: input, grid } = train.maps;
  const width = widest ?? (large ? 512 : 32), pairs = most ?? (large ? 3 : 1);
  const config: DetectorConfig = { input, grid, width, pairs, classes, anchors: scales };
  const start = initDetector(config, seed);
  try {
    const { params, ...fit } = await fitHead<DetectorParams, { maps: Tensor4D; targets: ScaleTargetTensors[] }>(start, {
      size: train.cases.length,
      load: async (indices) => ({
        maps: await mapTensor(train.maps, indices),
        targets: targetTensors(indices.map((index) => boxes[index]!), config, assignment),
      }),
      loss: (params, { maps, targets }, statistics) =>
        tf.tidy(() =>
          tf.addN(
            detectMaps(params, maps, { statistics }).map((output, i) => detectionLoss(output, targets[i]!)),
          )
        ),
      validate: async (params) => {
        const detections = await detectAll({ task: "detect", params, config }, validation.maps);
        const images = validationBoxes.map((truth, i) => ({ truth, detections: detections[i]! }));
        return meanAveragePrecision(images, { classes: classes.length }) ?? 0;
      },
    }, fitting);
    return { head: { task: "detect", params, config }, anchorIou: meanIou, fit };
  } finally {
    disposeParams(start);
  }
}

/** What a head of that configuration must give on images with these boxes, a scale at a time. */
function targetTensors(
  boxes: readonly (readonly UnitBox[])[],
  { anchors, classes, ...config }: DetectorConfig,
  assignment: TargetOptions["assignment"],
): ScaleTargetTensors[] {
  const scales = scaleTargets(boxes, {
    grids: gridsOf(config),
    anchors,
    classes: classes.length,
    ...defined({ assignment }),
  });
  return scales.map(({ mask, background, coordinates, classes: hot }) => ({
    mask: tf.tensor2d(mask, [mask.length, 1]),
    background: tf.tensor2d(background, [mask.length, 1]),
    coordinates: tf.tensor2d(coordinates, [mask.length, 4]),
    classes: tf.tensor2d(hot, [mask.length, classes.length]),
  }));
}

/** Options of {@linkcode detectAll}. */
export interface DetectAllOptions {
  /** Boxes of a lower score are left out. @default {0.01} */
  confidence?: number;
  /** Overlap from which the weaker of two boxes goes. @default {0.5} */
  nmsIou?: number;
  /** Called after each batch with the images done. */
  onBatch?: (done: number) => void;
}

/** What they must be. */
const DETECT_RULES: Rules<DetectAllOptions> = {
  confidence: NUMBER,
  nmsIou: NUMBER,
  onBatch: CALL,
};

/**
 * The boxes of every case, suppressed, best first.
 *
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function detectAll(
  head: DetectionHead,
  maps: MapSource,
  options: DetectAllOptions = {},
): Promise<Detection[][]> {
  checkOptions("detect", options, DETECT_RULES);
  const { confidence = LEAST, nmsIou = 0.5, onBatch } = options;
  const { config } = head;
  const out: Detection[][] = [];
  const batch = 8;
  for (let start = 0; start < maps.size; start += batch) {
    const indices = Array.from({ length: Math.min(batch, maps.size - start) }, (_, i) => start + i);
    const features = await mapTensor(maps, indices);
    const outputs = tf.tidy(() => detectMaps(head.params, features));
    features.dispose();
    const scales = [];
    for (const [s, grid] of gridsOf(config).entries()) {
      scales.push({ values: await outputs[s]!.data<"float32">(), grid, anchors: config.anchors[s]! });
    }
    tf.dispose(outputs);
    const decoded = decodeBoxes(scales, { batch: indices.length, classes: config.classes.length, least: confidence });
    out.push(...decoded.map((boxes) => suppress(boxes, { confidence, iou: nmsIou })));
    onBatch?.(out.length);
  }
  return out;
}

/** What they must be. */
const EVALUATE_RULES: Rules<Pick<DetectAllOptions, "onBatch">> = {
  onBatch: CALL,
};

/**
 * Figures on test cases, with the detections in each.
 *
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function evaluateDetection(
  head: DetectionHead,
  test: MappedCases,
  options: Pick<DetectAllOptions, "onBatch"> = {},
): Promise<{ figures: DetectionFigures; images: DetectedImage[] }> {
  checkOptions("evaluate detection", options, EVALUATE_RULES);
  const { classes } = head.config;
  const truth = truthOf(test, classes);
  const detections = await detectAll(head, test.maps, options);
  const images = truth.map((boxes, i) => ({ truth: boxes, detections: detections[i]! }));
  return { figures: detectionFigures(images, classes.length), images };
}

/** Figures of the best constant boxes of the training cases: what a head must beat. */
export function constantBoxFigures(
  train: MappedCases,
  test: MappedCases,
  classes: readonly string[],
): DetectionFigures {
  const detections = constantBoxes(truthOf(train, classes), classes.length);
  const images = truthOf(test, classes).map((truth) => ({ truth, detections }));
  return detectionFigures(images, classes.length);
}
