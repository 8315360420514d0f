/** The segmentation decoder: progressive upsampling of the encoder's map. @module */
import * as tf from "@tensorflow/tfjs";
import type { Tensor3D, Tensor4D } from "../../tensor/types.ts";
import { SIZE } from "../../io/fields.ts";
import { configFields } from "../_config_fields.ts";
import type { BatchStatistics } from "../../nn/batch_norm.ts";
import { conv2d, convNorm, type ConvNormParams, type ConvParams, initConv, initConvNorm } from "../../nn/conv.ts";
import { upsampleBilinear } from "../../nn/upsample.ts";

/** Sizes of a decoder. */
export interface DecoderConfig {
  /** Width of the encoder's tokens. */
  input: number;
  /** Channels of each stage; every stage doubles the side. */
  channels: readonly number[];
  /** Whether the enlargement keeps corners, as the works compared with do. @default {true} */
  alignCorners?: boolean;
}

/** Weights of a decoder. */
export interface DecoderParams {
  /** One a stage. */
  stages: ConvNormParams[];
  /** 3 x 3 to one channel. */
  head: ConvParams;
}

/** A trained segmentation head. */
export interface SegmentationHead {
  /** Discriminant. */
  task: "segment";
  /** Weights; free them with `disposeParams`. */
  params: DecoderParams;
  /** Sizes. */
  config: DecoderConfig;
}

/**
 * The decoder for patches of side `patch`: 512-256-128-64 for 16 pixels of a ViT-B, and the same halving from `widest` for
 * other sizes, so that the logits have the image's size.
 *
 * @throws {RangeError} If the patch is not a power of two of at least 2.
 */
export function decoderConfig(input: number, patch: number, widest = 512): DecoderConfig {
  const stages = Math.log2(patch);
  if (!Number.isInteger(stages) || stages < 1) {
    throw new RangeError(`Cannot size a decoder as the patch must be a power of two >= 2: current value is ${patch}`);
  }
  const channels = Array.from({ length: stages }, (_, i) => Math.max(8, widest / 2 ** i));
  return { input, channels, alignCorners: true };
}

/**
 * A decoder's sizes as a file states them, checked before anything of those sizes is made.
 *
 * @param weights How many weights the file has.
 * @throws {Error} If a field is missing, of another type, or larger than so many weights allow.
 */
export function checkDecoderConfig(config: unknown, weights: number): DecoderConfig {
  const { field, check } = configFields(config);
  const input = field("input"), channels = field("channels"), corners = field("alignCorners");
  check("input", SIZE.fits(input) && input <= weights, `a size that its ${weights} weights allow`);
  const sizes = Array.isArray(channels) && channels.length > 0 && channels.every(SIZE.fits)
    ? [input as number, ...channels]
    : [];
  const least = sizes.slice(1).reduce((sum, size, i) => sum + size * sizes[i]!, 0);
  check("channels", sizes.length > 0 && least <= weights, `a list of sizes that its ${weights} weights allow`);
  check("alignCorners", corners === undefined || typeof corners === "boolean", "true or false");
  return config as DecoderConfig;
}

/** Random weights; free them with `disposeParams`. */
export function initDecoder(config: DecoderConfig, seed: number): DecoderParams {
  const inputs = [config.input, ...config.channels];
  return {
    stages: config.channels.map((output, i) => initConvNorm({ input: inputs[i]!, output }, seed, `decoder ${i}`)),
    head: initConv({ input: inputs.at(-1)!, output: 1 }, seed, "decoder head"),
  };
}

/** Options of {@linkcode decodeMaps}. */
export interface DecodeMapsOptions {
  /** Takes the batch's statistics: the pass is then a training pass. */
  statistics?: BatchStatistics;
}

/**
 * Logits of every pixel: for each stage a 3 x 3 convolution, batch normalisation, ReLU and bilinear doubling; then a 3 x 3
 * convolution to one channel.
 *
 * Source: SETR's progressive upsampling (Zheng et al. 2021) as MGCA's `Decoder2D` has it (bilinear with aligned corners).
 *
 * @param params Weights.
 * @param maps The encoder's tokens as a map, shape `[B, g, g, D]`.
 * @returns Shape `[B, S, S]` with `S = g · 2^stages`. The caller disposes it.
 */
export function decodeMaps(
  params: DecoderParams,
  maps: Tensor4D,
  config: DecoderConfig,
  options: DecodeMapsOptions = {},
): Tensor3D {
  return tf.tidy(() => {
    let x = maps;
    for (const stage of params.stages) {
      const active = tf.relu(convNorm(stage, x, options.statistics));
      x = upsampleBilinear(active, { alignCorners: config.alignCorners ?? true });
    }
    const logits = conv2d(params.head, x);
    const [batch, height, width] = logits.shape;
    return tf.reshape(logits, [batch, height, width]);
  });
}
