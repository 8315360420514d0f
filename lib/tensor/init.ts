/** Seeded initialisers with torch's formulas. @module */
import * as tf from "@tensorflow/tfjs";
import { deriveSeed, gaussian, mulberry32 } from "./random.ts";
import type { Tensor } from "./types.ts";

function filled(shape: readonly number[], next: () => number): Tensor {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  for (let i = 0; i < data.length; i++) data[i] = next();
  return tf.tensor(data, [...shape]);
}

/** Normal numbers of the given standard deviation; `name` keeps the streams of different tensors apart. */
export function normal(shape: readonly number[], std: number, seed: number, name: string): Tensor {
  const rng = mulberry32(deriveSeed(seed, name));
  return filled(shape, () => std * gaussian(rng));
}

/** Uniform numbers in `±bound`. */
export function uniform(shape: readonly number[], bound: number, seed: number, name: string): Tensor {
  const rng = mulberry32(deriveSeed(seed, name));
  return filled(shape, () => (2 * rng() - 1) * bound);
}

/** Uniform in `±sqrt(6 / ((1 + a²) fanIn))`, with `a = √5` so `±1/√fanIn`: torch's `kaiming_uniform_(w, a=√5)`; fanIn = last axis. */
export function kaimingUniform(shape: readonly number[], seed: number, name: string): Tensor {
  return uniform(shape, 1 / Math.sqrt(shape[shape.length - 1]!), seed, name);
}

/** Normal with `std = √(2 / fanIn)`: torch's `kaiming_normal_(w)`; fanIn = last axis. */
export function kaimingNormal(shape: readonly number[], seed: number, name: string): Tensor {
  return normal(shape, Math.sqrt(2 / shape[shape.length - 1]!), seed, name);
}

/** All zeros. */
export function zeros(shape: readonly number[]): Tensor {
  return tf.zeros([...shape]);
}

/** All ones. */
export function ones(shape: readonly number[]): Tensor {
  return tf.ones([...shape]);
}
