/** Limited-memory BFGS for smooth convex functions of a few thousand numbers, in double precision. @module */

/** Value and gradient of a function at a point; the gradient is written into `gradient`. */
export type Objective = (point: Float64Array, gradient: Float64Array) => number;

/** Options of {@linkcode minimise}. */
export interface MinimiseOptions {
  /** Ends when no component of the gradient is larger. @default {1e-9} */
  tolerance?: number;
  /** Most iterations. @default {1000} */
  iterations?: number;
  /** Pairs of steps and changes of the gradient that are kept. @default {10} */
  memory?: number;
}

/** Where {@linkcode minimise} ended. */
export interface Minimum {
  /** The point. */
  point: Float64Array;
  /** The value there. */
  value: number;
  /** Largest component of the gradient. */
  gradient: number;
  /** Iterations taken. */
  iterations: number;
}

interface Correction {
  step: Float64Array;
  change: Float64Array;
  /** Their product. */
  curvature: number;
}

/**
 * The minimum of a smooth convex function.
 *
 * Source: Nocedal and Wright 2006, Algorithms 7.4 (two loops) and 3.5 with bisection for the Wolfe conditions.
 *
 * @param objective Value and gradient.
 * @param start Where to begin; not changed.
 */
export function minimise(objective: Objective, start: Float64Array, options: MinimiseOptions = {}): Minimum {
  const { tolerance = 1e-9, iterations = 1000, memory = 10 } = options;
  let point: Float64Array = start.slice();
  let gradient: Float64Array = new Float64Array(point.length);
  let value = objective(point, gradient);
  const corrections: Correction[] = [];
  let taken = 0;
  for (; taken < iterations && largest(gradient) > tolerance; taken++) {
    const direction = descent(gradient, corrections);
    const next = search(objective, { point, value, gradient }, direction, corrections.length === 0);
    if (!next) break; // no number nearer to the minimum can be told apart
    const step = next.point.map((x, i) => x - point[i]!);
    const change = next.gradient.map((g, i) => g - gradient[i]!);
    const curvature = dot(step, change);
    if (curvature > 0) corrections.push({ step, change, curvature });
    if (corrections.length > memory) corrections.shift();
    ({ point, value, gradient } = next);
  }
  return { point, value, gradient: largest(gradient), iterations: taken };
}

/** A point, and what the function is there. */
export interface State {
  /** The point. */
  point: Float64Array;
  /** The value there. */
  value: number;
  /** The gradient there. */
  gradient: Float64Array;
}

/** `-H g`, H the inverse Hessian that the corrections imply. */
function descent(gradient: Float64Array, corrections: readonly Correction[]): Float64Array {
  const q = gradient.slice();
  const weights: number[] = [];
  for (const { step, change, curvature } of corrections.toReversed()) {
    const weight = dot(step, q) / curvature;
    weights.unshift(weight);
    for (let i = 0; i < q.length; i++) q[i] = q[i]! - weight * change[i]!;
  }
  const last = corrections.at(-1);
  if (last) {
    const scale = last.curvature / dot(last.change, last.change);
    for (let i = 0; i < q.length; i++) q[i] = q[i]! * scale;
  }
  for (const [k, { step, change, curvature }] of corrections.entries()) {
    const weight = weights[k]! - dot(change, q) / curvature;
    for (let i = 0; i < q.length; i++) q[i] = q[i]! + weight * step[i]!;
  }
  return q.map((x) => -x);
}

/** A point along the direction that fulfils the (weak) Wolfe conditions, or undefined if none is found. */
export function search(
  objective: Objective,
  from: State,
  direction: Float64Array,
  first: boolean,
): State | undefined {
  const slope = dot(from.gradient, direction);
  if (slope >= 0) return undefined;
  let [low, high] = [0, Infinity];
  let length = first ? Math.min(1, 1 / Math.sqrt(dot(direction, direction))) : 1;
  for (let tries = 0; tries < 60; tries++) {
    const point = from.point.map((x, i) => x + length * direction[i]!);
    const gradient = new Float64Array(point.length);
    const value = objective(point, gradient);
    // Near the minimum the values are equal to the last bit: the slope alone then tells.
    const tiny = 4 * Number.EPSILON * Math.abs(from.value);
    if (!(value <= from.value + 1e-4 * length * slope + tiny)) high = length;
    else if (dot(gradient, direction) < 0.9 * slope) low = length;
    else return { point, value, gradient };
    length = high === Infinity ? 2 * length : (low + high) / 2;
  }
  return undefined;
}

/** Product of two vectors. */
export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** Largest component. */
export function largest(values: Float64Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}
