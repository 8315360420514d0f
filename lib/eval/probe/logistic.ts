/** Logistic regression on features: the linear probe. @module */
import { minimise, type Objective } from "./lbfgs.ts";
import { type HessianAt, refine } from "./newton.ts";
import { AMOUNT, checkOptions, COUNT, POSITIVE, type Rules } from "../../platform/options.ts";

/** A linear classifier. */
export interface LogisticModel {
  /** Row-major `[C, D]`, or `[1, D]` for two classes. */
  weight: Float64Array;
  /** `[C]`, or `[1]`. */
  bias: Float64Array;
  /** Classes C. */
  classes: number;
}

/** Options of {@linkcode fitLogistic}. */
export interface LogisticOptions {
  /** Inverse strength of the penalty: the loss is `C Σ log-loss + |W|² / 2`. @default {1} */
  c?: number;
  /** Number of classes. @default {the highest target, plus one; at least two} */
  classes?: number;
  /** How near to the minimum the weights come, so far as float64 can tell. @default {1e-8} */
  tolerance?: number;
}

/** What they must be. */
const LOGISTIC_RULES: Rules<LogisticOptions> = {
  c: POSITIVE,
  classes: COUNT,
  tolerance: AMOUNT,
};

/** Gradient at which Newton's steps follow those of L-BFGS. */
const NEAR = 1e-3;

/**
 * Multinomial logistic regression (binary with two classes), L2 on the weights and not on the biases, found by L-BFGS and, where
 * a weak penalty leaves the valley flat, Newton's steps: scikit-learn's `LogisticRegression` at its minimum, which is one alone.
 *
 * @param features Row-major `[n, D]`.
 * @param targets `n` class indices.
 * @throws {TypeError} If `features` is not `[n, D]`.
 * @throws {RangeError} If there are fewer than two classes among the targets, or a number is not finite.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function fitLogistic(
  features: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: LogisticOptions = {},
): LogisticModel {
  checkOptions("fit a linear probe", options, LOGISTIC_RULES);
  const n = targets.length;
  const { c = 1, tolerance = 1e-8 } = options;
  const classes = options.classes ?? Math.max(2, ...Array.from(targets, (target) => target + 1));
  const width = features.length / n;
  if (n < 2 || !Number.isInteger(width) || width < 1) {
    throw new TypeError(
      `Cannot fit a linear probe as features must be [n, D] for ${n} cases: current length is ${features.length}`,
    );
  }
  if (new Set(Array.from(targets)).size < 2) {
    throw new RangeError(`Cannot fit a linear probe as two classes must occur: current targets are all ${targets[0]}`);
  }
  for (let i = 0; i < features.length; i++) {
    if (!Number.isFinite(features[i]!)) {
      throw new RangeError(`Cannot fit a linear probe as features must be finite: row ${Math.floor(i / width)} is not`);
    }
  }
  const rows = classes === 2 ? 1 : classes;
  const data = { features: Float64Array.from(features), targets, classes, rows, width, c };
  const objective = penalisedLoss(data);
  const near = minimise(objective, new Float64Array(rows * (width + 1)), { tolerance: NEAR, iterations: 10_000 });
  // The penalty's curvature, 1 / (C n), bounds how far a gradient lets the weights be from the minimum.
  const { point } = refine(objective, lossHessian(data), near, { tolerance: tolerance / (c * n) });
  return { weight: point.slice(0, rows * width), bias: point.slice(rows * width), classes };
}

interface Shape {
  /** Rows of weights. */
  rows: number;
  /** D. */
  width: number;
}

interface Task extends Shape {
  features: Float64Array;
  targets: ArrayLike<number>;
  classes: number;
  c: number;
}

/** The loss and its gradient, divided by C n as scikit-learn does. */
function penalisedLoss({ features, targets, classes, rows, width, c }: Task): Objective {
  const n = targets.length;
  const logits = new Float64Array(rows);
  return (model, gradient) => {
    gradient.fill(0);
    let loss = 0;
    for (let i = 0; i < n; i++) {
      linear(model, features, i, { rows, width }, logits);
      loss += classes === 2 ? binary(logits, targets[i]!) : multinomial(logits, targets[i]!);
      addProduct(gradient, features, i, { rows, width }, logits);
    }
    return loss / n + addPenalty(gradient, model, { rows, width }, { n, c }) / 2;
  };
}

/** Products with that loss's Hessian: `Xᵀ S (X V)`, S each case's covariance of the answers. */
function lossHessian({ features, targets, classes, rows, width, c }: Task): HessianAt {
  const n = targets.length;
  const shape = { rows, width };
  const change = new Float64Array(rows);
  return (model) => {
    const probabilities = predictLogistic(
      { weight: model.subarray(0, rows * width), bias: model.subarray(rows * width), classes },
      features,
    );
    return (vector, product) => {
      product.fill(0);
      for (let i = 0; i < n; i++) {
        linear(vector, features, i, shape, change);
        const own = probabilities.subarray(i * classes, (i + 1) * classes);
        if (rows === 1) change[0]! *= own[0]! * own[1]!;
        else {
          let mean = 0;
          for (let r = 0; r < rows; r++) mean += own[r]! * change[r]!;
          for (let r = 0; r < rows; r++) change[r] = own[r]! * (change[r]! - mean);
        }
        addProduct(product, features, i, shape, change);
      }
      addPenalty(product, vector, shape, { n, c });
    };
  };
}

/** Adds each row's number times a case's features, and the number to its bias. */
function addProduct(
  sum: Float64Array,
  features: Float64Array,
  row: number,
  { rows, width }: Shape,
  by: Float64Array,
): void {
  for (let r = 0; r < rows; r++) {
    const factor = by[r]!;
    for (let d = 0, w = r * width, x = row * width; d < width; d++) sum[w + d]! += factor * features[x + d]!;
    sum[rows * width + r]! += factor;
  }
}

/** Divides a sum over cases by their number and adds the penalty's `w / (C n)`; returns `|w|² / (C n)`. */
function addPenalty(
  sum: Float64Array,
  model: Float64Array,
  { rows, width }: Shape,
  { n, c }: { n: number; c: number },
): number {
  let squares = 0;
  for (let k = 0; k < sum.length; k++) {
    sum[k]! /= n;
    if (k >= rows * width) continue;
    sum[k]! += model[k]! / (c * n);
    squares += model[k]! ** 2;
  }
  return squares / (c * n);
}

/** A case's logits: weights times features, plus biases. */
function linear(
  model: Float64Array,
  features: ArrayLike<number>,
  row: number,
  { rows, width }: Shape,
  logits: Float64Array,
): void {
  for (let r = 0; r < rows; r++) {
    let sum = model[rows * width + r]!;
    for (let d = 0, w = r * width, x = row * width; d < width; d++) sum += model[w + d]! * features[x + d]!;
    logits[r] = sum;
  }
}

/** Log-loss of one logit, which becomes probability minus target. */
function binary(logits: Float64Array, target: number): number {
  const z = logits[0]!;
  const tail = Math.log1p(Math.exp(-Math.abs(z)));
  logits[0] = 1 / (1 + Math.exp(-z)) - target;
  return tail + (target === 1 ? Math.max(-z, 0) : Math.max(z, 0));
}

/**
 * Cross-entropy of a row of logits, which become probabilities minus the one-hot target; both from the other classes' share, so
 * that of a sure answer no digits are lost.
 */
function multinomial(logits: Float64Array, target: number): number {
  const max = Math.max(...logits);
  const own = logits[target]! - max;
  let others = 0;
  for (let r = 0; r < logits.length; r++) {
    logits[r] = Math.exp(logits[r]! - max);
    if (r !== target) others += logits[r]!;
  }
  const sum = others + logits[target]!;
  for (let r = 0; r < logits.length; r++) logits[r]! /= sum;
  logits[target] = -others / sum;
  return own === 0 ? Math.log1p(others) : Math.log(sum) - own;
}

/**
 * Class probabilities of features.
 *
 * @param features Row-major `[n, D]`.
 * @returns Row-major `[n, C]`; the rows sum to 1.
 */
export function predictLogistic(model: LogisticModel, features: ArrayLike<number>): Float64Array {
  const rows = model.bias.length;
  const width = model.weight.length / rows;
  const n = features.length / width;
  const point = new Float64Array([...model.weight, ...model.bias]);
  const logits = new Float64Array(rows);
  const out = new Float64Array(n * model.classes);
  for (let i = 0; i < n; i++) {
    linear(point, features, i, { rows, width }, logits);
    if (rows === 1) {
      const positive = 1 / (1 + Math.exp(-logits[0]!));
      out.set([1 - positive, positive], 2 * i);
      continue;
    }
    multinomial(logits, 0);
    logits[0]! += 1;
    out.set(logits, i * rows);
  }
  return out;
}
