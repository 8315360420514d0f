/** The detection head: three scales of the encoder's map, joined top-down, as YOLOv3. @module */
import * as tf from "@tensorflow/tfjs";
import type { Tensor4D } from "../../tensor/types.ts";
import type { BoxShape } from "./anchors.ts";
import { isRecord, SIZE } from "../../io/fields.ts";
import { configFields } from "../_config_fields.ts";
import type { BatchStatistics } from "../../nn/batch_norm.ts";
import { conv2d, convNorm, type ConvNormParams, type ConvParams, initConv, initConvNorm } from "../../nn/conv.ts";
import { upsampleBilinear, upsampleNearest } from "../../nn/upsample.ts";
import { mul } from "../../tensor/typed.ts";

/** Sizes of a detection head. */
export interface DetectorConfig {
  /** Width of the encoder's tokens. */
  input: number;
  /** Side of the encoder's map; even. */
  grid: number;
  /** Channels of the finest scale; the others have 2 and 4 times as many. 512 at full size. */
  width: number;
  /** Pairs of 1 x 1 and 3 x 3 convolutions at each scale: 3 at full size. */
  pairs: number;
  /** Names of the classes. */
  classes: readonly string[];
  /** Three anchors for each scale: coarse, middle, fine. */
  anchors: readonly (readonly BoxShape[])[];
}

/** Weights of one scale's part of the head. */
export interface ScaleParams {
  /** From the coarser scale: 1 x 1 to half its channels, before the doubling. Absent at the coarsest. */
  down?: ConvNormParams;
  /** 1 x 1 and 3 x 3 in turn. */
  blocks: ConvNormParams[];
  /** 1 x 1 to the predictions. */
  output: ConvParams;
}

/** Weights of a detection head. */
export interface DetectorParams {
  /** Trainable linear map over the frozen tokens. */
  map: ConvParams;
  /** From that map to the coarse (3 x 3, stride 2), the middle and the fine scale (doubled first). */
  pyramid: ConvParams[];
  /** Coarse, middle, fine. */
  scales: ScaleParams[];
}

/** A trained detection head. */
export interface DetectionHead {
  /** Discriminant. */
  task: "detect";
  /** Weights; free them with `disposeParams`. */
  params: DetectorParams;
  /** Sizes, classes and anchors. */
  config: DetectorConfig;
}

/** Refuses a map that cannot be halved. @throws {RangeError} If its side is odd. */
export function checkGrid(grid: number): void {
  if (grid % 2 !== 0) {
    throw new RangeError(`Cannot build a detector as the map's side must be even: current value is ${grid}`);
  }
}

/**
 * A detector's sizes as a file states them, checked before anything of those sizes is made.
 *
 * @param weights How many weights the file has.
 * @throws {Error} If a field is missing, of another type, or larger than so many weights allow.
 */
export function checkDetectorConfig(config: unknown, weights: number): DetectorConfig {
  const { field, check } = configFields(config);
  const allowed = `what its ${weights} weights allow`;
  const input = field("input"), grid = field("grid"), width = field("width"), pairs = field("pairs");
  check("input", SIZE.fits(input) && input ** 2 <= weights, allowed);
  check("grid", SIZE.fits(grid) && grid <= 4096, "a size of at most 4096");
  check("width", SIZE.fits(width) && width * Math.max(width, input as number) <= weights, allowed);
  check("pairs", SIZE.fits(pairs) && pairs * (width as number) ** 2 <= weights, allowed);
  const classes = field("classes"), anchors = field("anchors");
  const isNames = Array.isArray(classes) && classes.length > 0 && classes.every((name) => typeof name === "string");
  check("classes", isNames && classes.length * (width as number) <= weights, "a list of names");
  const isBox = (box: unknown): boolean => {
    return isRecord(box) &&
      [box["width"], box["height"]].every((side) => typeof side === "number" && side > 0 && Number.isFinite(side));
  };
  const isScale = (scale: unknown): boolean =>
    Array.isArray(scale) && scale.length > 0 && scale.every(isBox) &&
    scale.length * (classes as string[]).length * (width as number) <= weights;
  check("anchors", Array.isArray(anchors) && anchors.length === 3 && anchors.every(isScale), "three lists of boxes");
  return config as DetectorConfig;
}

/** Share of boxes expected before training, the offset of every objectness. */
const PRIOR = 0.01;

/**
 * Random weights; free them with `disposeParams`. Objectness starts at 0.01, so that the many empty cells do not drown the
 * first steps.
 *
 * @throws {RangeError} If the map's side is odd, or there are not three scales of anchors.
 */
export function initDetector(config: DetectorConfig, seed: number): DetectorParams {
  const { input, grid, width, pairs, classes, anchors } = config;
  checkGrid(grid);
  if (anchors.length !== 3 || anchors.some((scale) => scale.length === 0)) {
    throw new RangeError(
      `Cannot build a detector as each of three scales must have anchors: there are ${anchors.length}`,
    );
  }
  const block = (from: number, output: number, kernel: 1 | 3, name: string): ConvNormParams =>
    initConvNorm({ input: from, output, kernel, bias: false }, seed, name);
  const pyramidWidths = [4 * width, 2 * width, width];
  const scales = pyramidWidths.map((lateral, i): ScaleParams => {
    const narrow = width / 2 ** i, wide = 2 * narrow;
    const from = i === 0 ? lateral : lateral + narrow;
    const outputs = anchors[i]!.length * (5 + classes.length);
    return {
      ...(i === 0 ? {} : { down: block(2 * narrow, narrow, 1, `scale ${i} down`) }),
      blocks: Array.from(
        { length: 2 * pairs },
        (_, k) =>
          k % 2 === 0
            ? block(k === 0 ? from : wide, narrow, 1, `scale ${i} block ${k}`)
            : block(narrow, wide, 3, `scale ${i} block ${k}`),
      ),
      output: predictionLayer(wide, outputs, { classes: classes.length, seed, name: `scale ${i} output` }),
    };
  });
  return {
    map: initConv({ input, output: input, kernel: 1 }, seed, "map"),
    pyramid: pyramidWidths.map((output, i) =>
      initConv(
        i === 0 ? { input, output, stride: 2 } : { input, output, kernel: 1 },
        seed,
        `pyramid ${i}`,
      )
    ),
    scales,
  };
}

function predictionLayer(
  input: number,
  output: number,
  { classes, seed, name }: { classes: number; seed: number; name: string },
): ConvParams {
  const layer = initConv({ input, output, kernel: 1, bias: false }, seed, name);
  const offsets = Float32Array.from(
    { length: output },
    (_, i) => i % (5 + classes) === 4 ? Math.log(PRIOR / (1 - PRIOR)) : 0,
  );
  const weight = tf.tidy(() => mul(layer.weight, 0.1));
  layer.weight.dispose();
  return { ...layer, weight, bias: tf.tensor1d(offsets) };
}

function convBlock(params: ConvNormParams, x: Tensor4D, statistics?: BatchStatistics): Tensor4D {
  return tf.leakyRelu(convNorm(params, x, statistics), 0.1);
}

/** Options of {@linkcode detectMaps}. */
export interface DetectMapsOptions {
  /** Takes the batch's statistics: the pass is then a training pass. */
  statistics?: BatchStatistics;
}

/**
 * Raw predictions at three scales, coarse to fine; a cell holds `x, y, w, h, objectness, classes...` of each anchor in turn.
 *
 * Source: Redmon and Farhadi 2018 (YOLOv3), section 2.3, with MGCA's sizes; the branch to the finer scale leaves after the
 * last 1 x 1 convolution.
 *
 * @param params Weights.
 * @param maps The encoder's tokens as a map, shape `[B, g, g, D]`.
 * @returns Shapes `[B, g/2, g/2, ·]`, `[B, g, g, ·]`, `[B, 2g, 2g, ·]`. The caller disposes them.
 */
export function detectMaps(params: DetectorParams, maps: Tensor4D, options: DetectMapsOptions = {}): Tensor4D[] {
  const { statistics } = options;
  return tf.tidy(() => {
    const x = conv2d(params.map, maps);
    const [coarse, middle, fine] = [params.pyramid[0]!, params.pyramid[1]!, params.pyramid[2]!];
    // A 1 x 1 convolution and the doubling commute: doubling the narrower one is cheaper.
    const laterals = [conv2d(coarse, x), conv2d(middle, x), upsampleBilinear(conv2d(fine, x))];
    const outputs: Tensor4D[] = [];
    let branch: Tensor4D | undefined;
    params.scales.forEach((scale, i) => {
      let y = laterals[i]!;
      if (scale.down && branch) {
        y = tf.concat([upsampleNearest(convBlock(scale.down, branch, statistics)), y], 3);
      }
      scale.blocks.forEach((block, k) => {
        y = convBlock(block, y, statistics);
        if (k === scale.blocks.length - 2) branch = y;
      });
      outputs.push(conv2d(scale.output, y));
    });
    return outputs;
  });
}
