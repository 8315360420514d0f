/** Batch normalisation over images, rows and columns. @module */
import * as tf from "@tensorflow/tfjs";
import { checkValue, COUNT } from "../platform/options.ts";
import { ones, zeros } from "../tensor/init.ts";
import { tidy } from "../tensor/ops.ts";
import { customGrad } from "../tensor/gradients.ts";
import { checkWeights, TENSOR } from "../tensor/shape.ts";
import { add, mul, reshape, sub, unflatten } from "../tensor/typed.ts";
import type { Tensor, Tensor1D, Tensor2D } from "../tensor/types.ts";

/** Weights and running statistics of a batch normalisation. */
export interface BatchNormParams {
  /** Gain, shape `[C]`. */
  weight: Tensor1D;
  /** Offset, shape `[C]`. */
  bias: Tensor1D;
  /** Running mean, shape `[C]`; not trained. */
  mean: Tensor1D;
  /** Running variance, shape `[C]`; not trained. */
  variance: Tensor1D;
}

/** What a training pass saw, by layer. The tensors outlive `tf.tidy`; {@linkcode runningStatistics} frees them. */
export type BatchStatistics = Map<BatchNormParams, { mean: Tensor1D; variance: Tensor1D; count: number }>;

/** torch's defaults. */
const EPSILON = 1e-5;
const MOMENTUM = 0.1;

/** Gain 1, offset 0, running mean 0 and variance 1. */
export function initBatchNorm(channels: number): BatchNormParams {
  checkValue("build a batch normalisation", "channels", channels, COUNT);
  return {
    weight: ones([channels]),
    bias: zeros([channels]),
    mean: zeros([channels]),
    variance: ones([channels]),
  };
}

/**
 * `(x - mean) / √(variance + 1e-5) · weight + bias` for every channel: with the batch's own mean and biased variance while
 * training (when `statistics` is given, which takes them), else with the running ones.
 *
 * Source: torch `BatchNorm2d`; no difference.
 *
 * @param params Weights and running statistics.
 * @param x Shape `[..., C]`.
 * @returns Same shape. The caller disposes it.
 */
export function batchNorm<T extends Tensor>(params: BatchNormParams, x: T, statistics?: BatchStatistics): T {
  checkWeights("a batch normalisation", params, ["weight", "bias", "mean", "variance"]);
  checkValue("apply a batch normalisation", "x", x, TENSOR);
  const channels = params.weight.shape[0];
  return tf.tidy(() => {
    const rows = reshape(x, [x.size / channels, channels]);
    if (!statistics) {
      const gain = tf.mul(params.weight, tf.rsqrt(tf.add(params.variance, EPSILON)));
      return unflatten(add(mul(rows, gain), tf.sub(params.bias, tf.mul(params.mean, gain))), x);
    }
    return unflatten(trainingNorm(params, rows, statistics), x);
  });
}

/** Mean of each column as a product with ones: a reduction over the first axis is slow on wasm. Shape `[1, C]`. */
function columnMean(x: Tensor2D): Tensor2D {
  const count = x.shape[0];
  return tf.matMul(tf.fill([1, count], 1 / count), x);
}

function trainingNorm(params: BatchNormParams, x: Tensor2D, statistics: BatchStatistics): Tensor2D {
  return customGrad([x, params.weight, params.bias], (rows, weight, bias) => {
    const { unit, inverse, value } = tidy(() => {
      const mean = columnMean(rows);
      const centred = sub(rows, mean);
      const variance = columnMean(tf.square<Tensor2D>(centred));
      const inverse = tf.rsqrt(add(variance, EPSILON));
      const unit = mul(centred, inverse);
      const seen = { mean: tf.keep(reshape(mean, [-1])), variance: tf.keep(reshape(variance, [-1])) };
      statistics.set(params, { ...seen, count: rows.shape[0] });
      return { unit, inverse, value: add(mul(unit, weight), bias) };
    });
    type Saved = readonly [Tensor2D, Tensor2D, Tensor1D];
    const gradFunc = (slope: Tensor2D, [unit, inverse, weight]: Saved): [Tensor, Tensor, Tensor] => {
      const count = unit.shape[0];
      const { dx, dWeight, dBias } = tidy(() => {
        const meanSlope = columnMean(slope);
        const meanProduct = columnMean(mul(slope, unit));
        const dx = tf.mul(
          tf.sub(tf.sub(slope, meanSlope), tf.mul(unit, meanProduct)),
          tf.mul(inverse, weight),
        );
        return {
          dx,
          dWeight: tf.reshape(tf.mul(meanProduct, count), [-1]),
          dBias: tf.reshape(tf.mul(meanSlope, count), [-1]),
        };
      });
      return [dx, dWeight, dBias];
    };
    const saved: Saved = [unit, inverse, weight];
    return { value, saved, gradFunc };
  });
}

function isSeen(node: object, statistics: ReadonlyMap<object, unknown>): node is BatchNormParams {
  return statistics.has(node);
}

/**
 * The running averages after a training pass: `0.9 · old + 0.1 · seen`, the variance unbiased, by leaf name of `tree`. Frees
 * what `statistics` held.
 *
 * @param tree The tree the pass read.
 * @returns New tensors, for `withTensors`.
 */
export function runningStatistics(tree: unknown, statistics: BatchStatistics): Map<string, Tensor> {
  const out = new Map<string, Tensor>();
  const visit = (node: unknown, name: string): void => {
    if (node === null || typeof node !== "object" || node instanceof tf.Tensor) return;
    if (isSeen(node, statistics)) {
      const { mean, variance } = node;
      const seen = statistics.get(node)!;
      const blend = (old: Tensor, fresh: Tensor): Tensor =>
        tf.tidy(() => tf.add(tf.mul(old, 1 - MOMENTUM), tf.mul(fresh, MOMENTUM)));
      const unbiased = tf.mul(seen.variance, seen.count / Math.max(1, seen.count - 1));
      out.set(`${name}mean`, blend(mean, seen.mean));
      out.set(`${name}variance`, blend(variance, unbiased));
      tf.dispose([unbiased, seen.mean, seen.variance]);
      return;
    }
    for (const [key, child] of Object.entries(node)) visit(child, `${name}${key}.`);
  };
  visit(tree, "");
  statistics.clear();
  return out;
}

/** Whether training changes the leaf of this name by gradient: all but the running statistics. */
export function isTrainedLeaf(name: string): boolean {
  return !/(^|\.)norm\d?\.(mean|variance)$/.test(name);
}
