/** Residual networks as image towers: OpenAI's modified one, read through attention, and the plain one, read by its mean. @module */
import * as tf from "@tensorflow/tfjs";
import { queryAffinity } from "../../nn/attention.ts";
import type { BatchNormParams } from "../../nn/batch_norm.ts";
import type { ConvNormParams } from "../../nn/conv.ts";
import { gatedAttention } from "../../nn/gated_attention.ts";
import { type LinearParams, linears } from "../../nn/linear.ts";
import type { BlockParams } from "../../nn/transformer.ts";
import { enlargeBilinear } from "../../nn/upsample.ts";
import { attention } from "../../tensor/kernels/attention/api.ts";
import { averagePool2, convolve, maxPool3 } from "../../tensor/kernels/conv/api.ts";
import { tidy } from "../../tensor/ops.ts";
import { checkShape } from "../../tensor/shape.ts";
import { add, mul, reshape, slice, sub } from "../../tensor/typed.ts";
import type { Tensor2D, Tensor3D, Tensor4D } from "../../tensor/types.ts";
import type { ResnetConfig } from "../config.ts";
import type { EncodeOptions, EncoderResult, ImageTower } from "./encoder.ts";
import type { Parts } from "./parts.ts";

/** Weights of a residual block: 1 x 1, 3 x 3, 1 x 1, each followed by a batch normalisation with frozen statistics. */
export interface ResidualParams {
  /** To a quarter of the channels. */
  conv1: ConvNormParams;
  /** Over neighbours. */
  conv2: ConvNormParams;
  /** Back. */
  conv3: ConvNormParams;
  /** What the input goes through where its size changes. @default {it stays as it is} */
  downsample?: ConvNormParams;
}

/** The attention that reads OpenAI's towers: its output projection is the tower's head. */
export interface MeanQueryParams {
  /** Of the mean and of each place, `[N + 1, D]`. */
  posEmbed: Tensor2D;
  /** Query projection, `[D, D]`. */
  query: LinearParams;
  /** Key projection, `[D, D]`. */
  key: LinearParams;
  /** Value projection, `[D, D]`. */
  value: LinearParams;
}

/** Weights of a ResNet. */
export interface ResnetTrunk {
  /** One convolution of 7 x 7, or three of 3 x 3. */
  stem: ConvNormParams[];
  /** Blocks of each stage. */
  stages: ResidualParams[][];
  /** Where the tower is read through attention. */
  pool?: MeanQueryParams;
  /** None: what changes transformer blocks finds none here. */
  blocks: BlockParams[];
}

/** torch's batch normalisation. */
const EPSILON = 1e-5;

/** A convolution normalised by frozen statistics: `gain (W ∗ x) + bias - gain · mean`, `addend` added, and ReLU. */
function convolved(
  { conv, norm }: ConvNormParams,
  x: Tensor4D,
  { addend, relu = true }: { addend?: Tensor4D; relu?: boolean } = {},
): Tensor4D {
  const { weight, kernel, stride } = conv;
  return tf.tidy(() => {
    const gain = mul(norm.weight, tf.rsqrt(add(norm.variance, EPSILON)));
    const bias = sub(norm.bias, mul(norm.mean, gain));
    return convolve({ weight, gain, bias }, x, { kernel, stride, relu, ...(addend ? { addend } : {}) });
  });
}

/**
 * A residual block. The plain one takes its step in the middle convolution; OpenAI's averages squares of two pixels after it and
 * before the shortcut, against aliasing, and its convolutions have no step.
 */
function residual(params: ResidualParams, x: Tensor4D, averages: boolean): Tensor4D {
  const { conv1, conv2, conv3, downsample } = params;
  return tf.tidy(() => {
    const middle = convolved(conv2, convolved(conv1, x));
    const shortcut = averages ? averagePool2(x) : x;
    const addend = downsample ? convolved(downsample, shortcut, { relu: false }) : x;
    return convolved(conv3, averages ? averagePool2(middle) : middle, { addend });
  });
}

/**
 * The map of the last of some stages, `[B, H, W, D]`.
 *
 * Source: He et al. 2016, with the step in the 3 x 3 convolution as torchvision has it; Radford et al. 2021, section 2.4.
 */
function mapOf(
  { stem, stages }: ResnetTrunk,
  pixels: Tensor4D,
  config: ResnetConfig,
  count = stages.length,
): Tensor4D {
  const isOpenAi = config.kind === "clip-resnet";
  const { enlargedTo: side } = config;
  return tf.tidy(() => {
    let x = tf.tidy(() => {
      const image = side === undefined ? pixels : enlargeBilinear(pixels, [side, side], { alignCorners: true });
      const start = stem.reduce((map, layer) => convolved(layer, map), image);
      return isOpenAi ? averagePool2(start) : maxPool3(start);
    });
    for (const [stage, blocks] of stages.slice(0, count).entries()) {
      for (const [i, block] of blocks.entries()) {
        const next = residual(block, x, isOpenAi && stage > 0 && i === 0);
        x.dispose();
        x = next;
      }
    }
    return x;
  });
}

/** The places of the last map with their mean before them, and what of them is read. */
function encodeResnet(
  trunk: ResnetTrunk,
  pixels: Tensor4D,
  config: ResnetConfig,
  options: EncodeOptions,
): EncoderResult {
  const { imageSize } = config;
  checkShape(pixels, [null, imageSize, imageSize, 3], "pixels");
  return tidy(() => {
    const map = mapOf(trunk, pixels, config);
    const [batch, height, width, channels] = map.shape;
    const places = reshape(map, [batch, height * width, channels]);
    const averaging = tf.fill([1, 1, height * width], 1 / (height * width));
    const mean: Tensor3D = tf.matMul(averaging, places); // [B, 1, D]
    if (trunk.pool) return throughAttention(trunk.pool, tf.concat([mean, places], 1), config.heads, options);
    return { tokens: options.clsOnly ? mean : tf.concat([mean, places], 1) };
  });
}

/** The places of the last stage but one, `[B, P, D / 2]`, row by row. */
export function middlePlaces(trunk: ResnetTrunk, pixels: Tensor4D, config: ResnetConfig): Tensor3D {
  checkShape(pixels, [null, config.imageSize, config.imageSize, 3], "pixels");
  return tidy(() => {
    const map = mapOf(trunk, pixels, config, trunk.stages.length - 1);
    const [batch, height, width, channels] = map.shape;
    return reshape(map, [batch, height * width, channels]);
  });
}

/**
 * The mean's attention to itself and to every place. The places follow, each as it would be read were all attention on it; the
 * affinity is the attention to them.
 *
 * Source: Radford et al. 2021, section 2.4; open_clip 3.3 `AttentionPool2d`.
 */
function throughAttention(
  pool: MeanQueryParams,
  means: Tensor3D,
  heads: number,
  options: EncodeOptions,
): EncoderResult {
  const { affinity: kind, clsOnly = false, gate } = options;
  const placed = add(means, pool.posEmbed);
  const [batch, size, width] = placed.shape;
  const [query] = linears([pool.query], slice(placed, [0, 0, 0], [batch, 1, width]), [{}]);
  const [key, value] = linears([pool.key, pool.value], placed, [{}, {}]);
  const read = gate
    ? gatedAttention([query, key, value], slice(gate, [0, 0, 0, 0], [-1, -1, 1, -1]))
    : attention(query, key, value, { heads });
  const tokens = clsOnly ? read : tf.concat([read, slice(value, [0, 1, 0], [batch, size - 1, width])], 1);
  if (!kind) return { tokens };
  return { tokens, affinity: slice(queryAffinity(query, key, { heads, kind }), [0, 1], [batch, size - 1]) };
}

/** Channels of a stage's result over those of its middle. */
const EXPANSION = 4;

function buildResnet(vision: ResnetConfig, make: Parts): ResnetTrunk {
  const isOpenAi = vision.kind === "clip-resnet";
  const trunk = "vision.trunk";
  const { stemWidth, stages } = vision;
  const half = stemWidth / 2;
  const stem: [[number, number], Step][] = isOpenAi
    ? [[[3, half], [3, 2]], [[half, half], [3, 1]], [[half, stemWidth], [3, 1]]]
    : [[[3, stemWidth], [7, 2]]];
  return {
    stem: stem.map(([channels, step], i) => convNorm(channels, step, `${trunk}.stem.${i}`, make)),
    stages: stages.map((depth, stage) => {
      const middle = stemWidth * 2 ** stage;
      const before = stage === 0 ? stemWidth : EXPANSION * middle / 2;
      const step = isOpenAi || stage === 0 ? 1 : 2;
      const name = `${trunk}.stages.${stage}`;
      return Array.from(
        { length: depth },
        (_, i) =>
          i === 0
            ? buildFirst([before, middle], step, `${name}.0`, make)
            : buildResidual([EXPANSION * middle, middle], 1, `${name}.${i}`, make),
      );
    }),
    ...(isOpenAi ? { pool: meanQuery(vision, `${trunk}.pool`, make) } : {}),
    blocks: [],
  };
}

function convNorm(channels: [number, number], step: Step, name: string, make: Parts): ConvNormParams {
  const [input, output] = channels;
  return {
    conv: { weight: make.leaf(`${name}.conv.weight`, [output, step[0] ** 2 * input], "weight"), ...sizes(step) },
    norm: batchNorm(output, `${name}.norm`, make),
  };
}

function buildResidual([input, middle]: [number, number], stride: 1 | 2, name: string, make: Parts): ResidualParams {
  return {
    conv1: convNorm([input, middle], [1, 1], `${name}.conv1`, make),
    conv2: convNorm([middle, middle], [3, stride], `${name}.conv2`, make),
    conv3: convNorm([middle, EXPANSION * middle], [1, 1], `${name}.conv3`, make),
  };
}

/** The first of a stage, whose input has another width. */
function buildFirst(channels: [number, number], stride: 1 | 2, name: string, make: Parts): ResidualParams {
  const [input, middle] = channels;
  return {
    ...buildResidual(channels, stride, name, make),
    downsample: convNorm([input, EXPANSION * middle], [1, stride], `${name}.downsample`, make),
  };
}

function meanQuery(vision: ResnetConfig, name: string, make: Parts): MeanQueryParams {
  const { width } = vision;
  return {
    posEmbed: make.leaf(`${name}.posEmbed`, [gridOf(vision) ** 2 + 1, width], "embedding"),
    query: make.dense(width, width, `${name}.query`),
    key: make.dense(width, width, `${name}.key`),
    value: make.dense(width, width, `${name}.value`),
  };
}

/** Kernel and step. */
type Step = [1 | 3 | 7, 1 | 2];

const sizes = ([kernel, stride]: Step): Pick<ConvNormParams["conv"], "kernel" | "stride"> => ({ kernel, stride });

function batchNorm(channels: number, name: string, make: Parts): BatchNormParams {
  return {
    weight: make.leaf(`${name}.weight`, [channels], "gain"),
    bias: make.leaf(`${name}.bias`, [channels], "bias"),
    mean: make.leaf(`${name}.mean`, [channels], "bias"),
    variance: make.leaf(`${name}.variance`, [channels], "gain"),
  };
}

/** The side of the last map: five halvings, each rounded up (OpenAI's down, of sizes that 32 divides). */
function gridOf({ imageSize, enlargedTo = imageSize }: ResnetConfig): number {
  return Math.ceil(enlargedTo / 32);
}

/** Of the stem, of each block's three convolutions and of what its input goes through. */
function numbersOf({ kind, imageSize, enlargedTo = imageSize, stemWidth, stages }: ResnetConfig): number {
  const isOpenAi = kind === "clip-resnet";
  const half = (side: number): number => Math.ceil(side / 2);
  let side = half(enlargedTo);
  let sum = side ** 2 * stemWidth * (isOpenAi ? 2 : 1); // two of its three maps are half as wide
  side = half(side);
  for (const [stage, depth] of stages.entries()) {
    const middle = stemWidth * 2 ** stage;
    for (let i = 0; i < depth; i++) {
      const before = side ** 2;
      if (i === 0 && stage > 0) side = half(side);
      const after = side ** 2;
      sum += middle * (before + (isOpenAi ? before : after) + EXPANSION * after * (i === 0 ? 2 : 1));
    }
  }
  return sum;
}

/** The residual networks. */
export const RESNET_TOWER: ImageTower<ResnetConfig, ResnetTrunk> = {
  encode: encodeResnet,
  grid: gridOf,
  heads: ({ kind, heads }) => kind === "clip-resnet" ? heads : 0,
  numbers: numbersOf,
  describe: ({ kind, stages, stemWidth, heads }) =>
    `${kind === "clip-resnet" ? "OpenAI's ResNet" : "ResNet"} of ${
      stages.join("-")
    } blocks, stem of ${stemWidth}; read ${
      kind === "clip-resnet" ? `through attention of ${heads} heads` : "at the mean of its places"
    }`,
  build: buildResnet,
};
