/** Segmentation on frozen maps: train, predict, evaluate. @module */
import * as tf from "@tensorflow/tfjs";
import type { BinaryMask } from "../../data/types.ts";
import { decodeMaps, decoderConfig, type DecoderParams, initDecoder, type SegmentationHead } from "./head.ts";
import { type MappedCases, type MapSource, mapTensor } from "../maps.ts";
import { FIT_HEAD_RULES, fitHead, type FitHeadOptions, type FitHeadResult } from "../train.ts";
import { maskOfSize, maskTarget } from "./masks.ts";
import { segmentationLoss } from "./loss.ts";
import { type MaskOverlap, maskOverlap, meanMask, type SegmentationFigures, segmentationFigures } from "./metrics.ts";
import { disposeParams } from "../../tensor/params.ts";
import type { Tensor3D, Tensor4D } from "../../tensor/types.ts";
import { CALL, checkOptions, COUNT, needed, type Rules } from "../../platform/options.ts";

/** Options of {@linkcode trainSegmentation}. */
export interface TrainSegmentationOptions extends FitHeadOptions {
  /** Side of the encoder's patches: the decoder ends at the encoder's image size. */
  patchSize: number;
  /** Channels of the first stage. @default {512 from a width of 512 on, else 64} */
  widest?: number;
}

/** What they must be. */
const TRAIN_RULES: Rules<TrainSegmentationOptions> = { ...FIT_HEAD_RULES, patchSize: needed(COUNT), widest: COUNT };

/** Side of the predicted masks. */
export function sideOf(head: Pick<SegmentationHead, "config">, maps: MapSource): number {
  return maps.grid * 2 ** head.config.channels.length;
}

/** Masks of cases at the decoder's size, decoded once. */
function targetsOf({ cases, maps }: MappedCases, size: number): (index: number) => Promise<Uint8Array> {
  const known = new Map<number, Uint8Array>();
  return async (index) => {
    const target = known.get(index) ?? await maskTarget(cases[index]!, { size, image: maps.imageSizes[index]! });
    known.set(index, target);
    return target;
  };
}

/**
 * Trains a decoder; the epoch with the best mean Dice on the validation cases is kept.
 *
 * @returns The head (free its `params` with `disposeParams`) and the log.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function trainSegmentation(
  train: MappedCases,
  validation: MappedCases,
  options: TrainSegmentationOptions,
): Promise<{ head: SegmentationHead; fit: Omit<FitHeadResult<DecoderParams>, "params"> }> {
  checkOptions("train a segmentation head", options, TRAIN_RULES);
  const { patchSize, widest, ...fitting } = options;
  const { seed = 1 } = fitting;
  const { width } = train.maps;
  const config = decoderConfig(width, patchSize, widest ?? (width >= 512 ? 512 : 64));
  const side = sideOf({ config }, train.maps);
  const target = targetsOf(train, side);
  const truth = targetsOf(validation, side);
  const start = initDecoder(config, seed);
  try {
    const { params, ...fit } = await fitHead<DecoderParams, { maps: Tensor4D; masks: Tensor3D }>(start, {
      size: train.cases.length,
      load: async (indices) => {
        const masks = new Float32Array(indices.length * side * side);
        for (const [i, index] of indices.entries()) masks.set(await target(index), i * side * side);
        return {
          maps: await mapTensor(train.maps, indices),
          masks: tf.tensor3d(masks, [indices.length, side, side]),
        };
      },
      loss: (params, { maps, masks }, statistics) =>
        tf.tidy(() => segmentationLoss(decodeMaps(params, maps, config, { statistics }), masks)),
      validate: async (params) =>
        (await figuresOf({ task: "segment", params, config }, validation.maps, truth)).figures.dice,
    }, fitting);
    return { head: { task: "segment", params, config }, fit };
  } finally {
    disposeParams(start);
  }
}

/** Probabilities of every pixel of the image asked for, `[S · S]`, batch after batch. */
async function* probabilities(head: SegmentationHead, maps: MapSource): AsyncGenerator<[number, Float32Array]> {
  const batch = 8;
  const side = sideOf(head, maps);
  for (let start = 0; start < maps.size; start += batch) {
    const indices = Array.from({ length: Math.min(batch, maps.size - start) }, (_, i) => start + i);
    const features = await mapTensor(maps, indices);
    const p = tf.tidy(() => tf.sigmoid(decodeMaps(head.params, features, head.config)));
    features.dispose();
    const values = await p.data<"float32">();
    p.dispose();
    for (const [i, index] of indices.entries()) yield [index, values.subarray(i * side * side, (i + 1) * side * side)];
  }
}

async function figuresOf(
  head: SegmentationHead,
  maps: MapSource,
  truth: (index: number) => Promise<Uint8Array>,
  onCase?: (index: number, p: Float32Array, overlap: MaskOverlap) => Promise<void>,
): Promise<{ figures: SegmentationFigures; overlaps: MaskOverlap[] }> {
  const overlaps: MaskOverlap[] = [];
  for await (const [index, p] of probabilities(head, maps)) {
    const overlap = maskOverlap(Uint8Array.from(p, (value) => value > 0.5 ? 1 : 0), await truth(index));
    overlaps.push(overlap);
    await onCase?.(index, p, overlap);
  }
  return { figures: segmentationFigures(overlaps), overlaps };
}

/** Options of {@linkcode evaluateSegmentation}. */
export interface EvaluateSegmentationOptions {
  /** Called with each case in order: its mask at its image's size, and its overlap. @default {none} */
  onCase?: (index: number, mask: BinaryMask, overlap: MaskOverlap) => Promise<void>;
}

/** What they must be. */
const EVALUATE_RULES: Rules<EvaluateSegmentationOptions> = {
  onCase: CALL,
};

/**
 * Figures at the encoder's image size (the protocol's), and the overlap of every case.
 *
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function evaluateSegmentation(
  head: SegmentationHead,
  test: MappedCases,
  options: EvaluateSegmentationOptions = {},
): Promise<{ figures: SegmentationFigures; overlaps: MaskOverlap[] }> {
  checkOptions("evaluate segmentation", options, EVALUATE_RULES);
  const { onCase } = options;
  const size = sideOf(head, test.maps);
  return await figuresOf(
    head,
    test.maps,
    targetsOf(test, size),
    onCase &&
      (async (index, p, overlap) =>
        await onCase(index, maskOfSize(p, { size, image: test.maps.imageSizes[index]! }), overlap)),
  );
}

/** Figures of the best constant mask of the training cases: what a head must beat. */
export async function constantMaskFigures(
  train: MappedCases,
  test: MappedCases,
  size: number,
): Promise<SegmentationFigures> {
  const target = targetsOf(train, size), truth = targetsOf(test, size);
  const masks: Uint8Array[] = [];
  for (const index of train.cases.keys()) masks.push(await target(index));
  const constant = meanMask(masks);
  const overlaps: MaskOverlap[] = [];
  for (const index of test.cases.keys()) overlaps.push(maskOverlap(constant, await truth(index)));
  return segmentationFigures(overlaps);
}

/** The predicted mask of every case, at its image's size, in order. */
export async function* predictMasks(head: SegmentationHead, maps: MapSource): AsyncGenerator<BinaryMask> {
  const size = sideOf(head, maps);
  for await (const [index, p] of probabilities(head, maps)) {
    yield maskOfSize(p, { size, image: maps.imageSizes[index]! });
  }
}
