/** Logistic regression on features: the linear probe. @module */
import { minimise } from "./lbfgs.ts";

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
  /** Ends when no component of the gradient is larger, per case. @default {1e-9} */
  tolerance?: number;
}

/**
 * Multinomial logistic regression (binary with two classes), L2 on the weights and not on the biases, found by L-BFGS:
 * scikit-learn's `LogisticRegression` at its minimum, which is one alone.
 *
 * @param features Row-major `[n, D]`.
 * @param targets `n` class indices.
 * @throws {TypeError} If `features` is not `[n, D]`.
 * @throws {RangeError} If there are fewer than two classes among the targets, or a number is not finite.
 */
export function fitLogistic(
  features: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: LogisticOptions = {},
): LogisticModel {
  const n = targets.length;
  const { c = 1, tolerance = 1e-9 } = options;
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
  if (!(c > 0)) throw new RangeError(`Cannot fit a linear probe as c must be positive: current value is ${c}`);
  for (let i = 0; i < features.length; i++) {
    if (!Number.isFinite(features[i]!)) {
      throw new RangeError(`Cannot fit a linear probe as features must be finite: row ${Math.floor(i / width)} is not`);
    }
  }
  const rows = classes === 2 ? 1 : classes;
  const size = rows * width;
  const logits = new Float64Array(rows);
  // All divided by C n, as scikit-learn does, so that one tolerance serves all sizes.
  const { point } = minimise(
    (model, gradient) => {
      gradient.fill(0);
      let loss = 0;
      for (let i = 0; i < n; i++) {
        linear(model, features, i, { rows, width, logits });
        loss += classes === 2 ? binary(logits, targets[i]!) : multinomial(logits, targets[i]!);
        for (let r = 0; r < rows; r++) {
          const error = logits[r]!;
          for (let d = 0, w = r * width, x = i * width; d < width; d++) gradient[w + d]! += error * features[x + d]!;
          gradient[size + r]! += error;
        }
      }
      let penalty = 0;
      for (let k = 0; k < gradient.length; k++) {
        gradient[k]! /= n;
        if (k >= size) continue;
        gradient[k]! += model[k]! / (c * n);
        penalty += model[k]! ** 2;
      }
      return loss / n + penalty / (2 * c * n);
    },
    new Float64Array(size + rows),
    { tolerance, iterations: 10_000 },
  );
  return { weight: point.slice(0, size), bias: point.slice(size), classes };
}

interface Shape {
  rows: number;
  width: number;
  logits: Float64Array;
}

function linear(model: Float64Array, features: ArrayLike<number>, row: number, { rows, width, logits }: Shape): void {
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

/** Cross-entropy of a row of logits, which become probabilities minus the one-hot target. */
function multinomial(logits: Float64Array, target: number): number {
  const max = Math.max(...logits);
  const own = logits[target]! - max;
  let sum = 0;
  for (let r = 0; r < logits.length; r++) sum += logits[r] = Math.exp(logits[r]! - max);
  for (let r = 0; r < logits.length; r++) logits[r]! /= sum;
  logits[target]! -= 1;
  return Math.log(sum) - own;
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
    linear(point, features, i, { rows, width, logits });
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
