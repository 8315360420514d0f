/** Fresh random inputs, kept on the CPU as well so that sampled results can be computed in float64. @module */
import * as tf from "@tensorflow/tfjs";
import { mulberry32 } from "../../lib/tensor/random.ts";
import type { Tensor } from "../../lib/tensor/types.ts";

/** Numbers and their tensor. */
export interface Numbers {
  /** The numbers. */
  values: Float32Array;
  /** The same numbers for the device. */
  tensor: Tensor;
}

/** A source of inputs from one seed. */
export interface Source {
  /** Uniform numbers in `±scale`. */
  numbers: (shape: number[], scale?: number) => Numbers;
  /** `count` distinct-ish whole numbers below `limit`, the first and the last among them. */
  places: (limit: number, count: number) => number[];
}

/** Makes the source. */
export function makeSource(seed: number): Source {
  const rng = mulberry32(seed);
  return {
    numbers: (shape, scale = 1) => {
      const values = new Float32Array(shape.reduce((p, s) => p * s, 1));
      for (let i = 0; i < values.length; i++) values[i] = (rng() * 2 - 1) * scale;
      return { values, tensor: tf.tensor(values.slice(), shape, "float32") };
    },
    places: (limit, count) => [0, limit - 1, ...Array.from({ length: count - 2 }, () => Math.floor(rng() * limit))],
  };
}

/** Runs a kernel by name. */
export function runKernel(name: string, inputs: Record<string, Tensor>, attrs: object = {}): Tensor[] {
  const result = tf.engine().runKernel(name, inputs as never, attrs as never) as unknown as Tensor | Tensor[];
  return Array.isArray(result) ? result : [result];
}
