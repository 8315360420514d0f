/**
 * Cheap seeded noise for synthetic images: smooth value noise and a table of normal numbers.
 *
 * @module
 */
import { gaussian, mulberry32 } from "../../tensor/random.ts";

const NORMALS_COUNT = 8192;

/** Wraps an index into {@linkcode NORMALS}. */
const NORMALS_MASK = NORMALS_COUNT - 1;

const source = mulberry32(20260323);

/** Standard normal numbers, the same in every process: pixel noise picks among them at random. */
const NORMALS: Float32Array = Float32Array.from({ length: NORMALS_COUNT }, () => gaussian(source));

/** Adds normal noise of standard deviation `sigma` to every entry of `values`, in place. */
export function addPixelNoise(values: Float32Array, sigma: number, rng: () => number): void {
  let state = (Math.floor(rng() * 4294967296) | 1) >>> 0;
  for (let i = 0; i < values.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    values[i]! += sigma * NORMALS[state & NORMALS_MASK]!;
  }
}

/** Smooth noise on a square lattice: `at(u, v)` is in `[0, 1]`, `u` and `v` in units of the image. */
export interface ValueNoise {
  /** Lattice cells a side. */
  cells: number;
  /** `(cells + 1)` squared lattice values in `[0, 1]`. */
  lattice: Float32Array;
}

/** A lattice of `cells` by `cells` cells of uniform values. */
export function valueNoise(cells: number, rng: () => number): ValueNoise {
  const lattice = new Float32Array((cells + 1) * (cells + 1));
  for (let i = 0; i < lattice.length; i++) lattice[i] = rng();
  return { cells, lattice };
}

/** The noise at `(u, v)`, bilinear between lattice points; coordinates outside `[0, 1]` are clamped. */
export function noiseAt(noise: ValueNoise, u: number, v: number): number {
  const { cells, lattice } = noise;
  const x = Math.min(Math.max(u, 0), 0.9999) * cells;
  const y = Math.min(Math.max(v, 0), 0.9999) * cells;
  const i = x | 0, j = y | 0;
  const fx = x - i, fy = y - j;
  const row = j * (cells + 1) + i;
  const top = lattice[row]! + fx * (lattice[row + 1]! - lattice[row]!);
  const low = lattice[row + cells + 1]! + fx * (lattice[row + cells + 2]! - lattice[row + cells + 1]!);
  return top + fy * (low - top);
}
