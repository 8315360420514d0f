/** Newton's method by conjugate gradients, for the last digits of a minimum that L-BFGS came near to. @module */
import { dot, largest, type Minimum, type Objective, search, type State } from "./lbfgs.ts";

/** The product of the Hessian at a point with a vector, written into `product`. */
export type HessianAt = (point: Float64Array) => (vector: Float64Array, product: Float64Array) => void;

/** Options of {@linkcode refine}. */
export interface RefineOptions {
  /** Ends when no component of the gradient is larger, or when rounding lets it fall no further. */
  tolerance: number;
  /** Most steps. @default {50} */
  iterations?: number;
}

/** Share of the gradient's norm that a step may leave. */
const LEFT = 0.01;

/**
 * A nearer point to the minimum of a convex function.
 *
 * Source: Nocedal and Wright 2006, Algorithm 7.1, with the line search of `minimise`.
 *
 * @param hessian Products with the Hessian.
 * @param start Where `minimise` ended; not changed.
 */
export function refine(objective: Objective, hessian: HessianAt, start: Minimum, options: RefineOptions): Minimum {
  const { tolerance, iterations = 50 } = options;
  const gradient = new Float64Array(start.point.length);
  let state: State = { point: start.point, value: objective(start.point, gradient), gradient };
  let taken = 0;
  while (taken < iterations && largest(state.gradient) > tolerance) {
    const next = search(objective, state, newtonStep(hessian(state.point), state.gradient), false);
    if (!next || (next.value >= state.value && largest(next.gradient) >= largest(state.gradient))) break;
    state = next;
    taken++;
  }
  return { ...state, gradient: largest(state.gradient), iterations: start.iterations + taken };
}

/** `-H⁻¹ g` to a hundredth of the gradient. */
function newtonStep(
  product: (vector: Float64Array, product: Float64Array) => void,
  gradient: Float64Array,
): Float64Array {
  const step = new Float64Array(gradient.length);
  const residual = gradient.map((g) => -g);
  const image = new Float64Array(gradient.length);
  let direction = residual.slice();
  let left = dot(residual, residual);
  const enough = left * LEFT ** 2;
  for (let k = 0; k < gradient.length && left > enough; k++) {
    product(direction, image);
    const curvature = dot(direction, image);
    if (!(curvature > 0)) break;
    const length = left / curvature;
    for (let i = 0; i < step.length; i++) {
      step[i]! += length * direction[i]!;
      residual[i]! -= length * image[i]!;
    }
    const next = dot(residual, residual);
    direction = direction.map((d, i) => residual[i]! + next / left * d);
    left = next;
  }
  return step;
}
