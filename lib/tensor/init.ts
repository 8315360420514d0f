/** Seeded initialisers with torch's formulas. The shape written out gives the rank. @module */
import * as tf from "@tensorflow/tfjs";
import { deriveSeed, gaussian, mulberry32 } from "./random.ts";
import { shaped } from "./shape.ts";
import type { TensorOf } from "./types.ts";

/** The tensor of these numbers. */
export function tensorOf<const Shape extends readonly number[]>(
  values: Float32Array,
  shape: Shape,
): TensorOf<Shape> {
  return shaped(tf.tensor(values, [...shape]), shape);
}

function filled<const Shape extends readonly number[]>(shape: Shape, next: () => number): TensorOf<Shape> {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  for (let i = 0; i < data.length; i++) data[i] = next();
  return tensorOf(data, shape);
}

/** Normal numbers of the given standard deviation; `name` keeps the streams of different tensors apart. */
export function normal<const Shape extends readonly number[]>(
  shape: Shape,
  std: number,
  seed: number,
  name: string,
): TensorOf<Shape> {
  const rng = mulberry32(deriveSeed(seed, name));
  return filled(shape, () => std * gaussian(rng));
}

/** Uniform numbers in `±bound`. */
export function uniform<const Shape extends readonly number[]>(
  shape: Shape,
  bound: number,
  seed: number,
  name: string,
): TensorOf<Shape> {
  const rng = mulberry32(deriveSeed(seed, name));
  return filled(shape, () => (2 * rng() - 1) * bound);
}

/** Uniform in `±sqrt(6 / ((1 + a²) fanIn))`, with `a = √5` so `±1/√fanIn`: torch's `kaiming_uniform_(w, a=√5)`; fanIn = last axis. */
export function kaimingUniform<const Shape extends readonly number[]>(
  shape: Shape,
  seed: number,
  name: string,
): TensorOf<Shape> {
  return uniform(shape, 1 / Math.sqrt(shape[shape.length - 1]!), seed, name);
}

/** Normal with `std = √(2 / fanIn)`: torch's `kaiming_normal_(w)`; fanIn = last axis. */
export function kaimingNormal<const Shape extends readonly number[]>(
  shape: Shape,
  seed: number,
  name: string,
): TensorOf<Shape> {
  return normal(shape, Math.sqrt(2 / shape[shape.length - 1]!), seed, name);
}

/** All zeros. */
export function zeros<const Shape extends readonly number[]>(
  shape: Shape,
): TensorOf<Shape> {
  return shaped(tf.zeros([...shape]), shape);
}

/** All ones. */
export function ones<const Shape extends readonly number[]>(
  shape: Shape,
): TensorOf<Shape> {
  return shaped(tf.ones([...shape]), shape);
}
