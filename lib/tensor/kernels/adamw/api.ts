/** One step of AdamW as one kernel; the optimiser over named tensors is lib/train/adamw.ts. @module */
import type { Tensor } from "../../types.ts";
import { checkFloat, runKernel } from "../run.ts";

/** A parameter, its gradient and its moments; all of one shape, float32. */
export interface AdamwInputs<T extends Tensor> {
  /** The parameter. */
  param: T;
  /** The loss's gradient. */
  grad: T;
  /** Running mean of the gradient; zeros before the first step. */
  m: T;
  /** Running mean of the squared gradient; zeros before the first step. */
  v: T;
}

/** A step's numbers. */
export interface AdamwStep {
  /** The learning rate of this step. */
  learningRate: number;
  /** The step's number, from 1. */
  step: number;
  /**
   * Decay of the mean of the gradient.
   *
   * @default 0.9
   */
  beta1?: number;
  /**
   * Decay of the mean of its square.
   *
   * @default 0.999
   */
  beta2?: number;
  /**
   * Added to the root of the second moment.
   *
   * @default 1e-8
   */
  epsilon?: number;
  /**
   * Decoupled weight decay, per unit of learning rate.
   *
   * @default 0.01
   */
  weightDecay?: number;
}

/**
 * One step of AdamW: `p = p (1 - lr wd) - lr mHat / (sqrt(vHat) + epsilon)`, exactly `torch.optim.AdamW`.
 *
 * Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019, Algorithm 2.
 *
 * @param inputs Parameter, gradient and moments; borrowed.
 * @param step The step's numbers.
 * @returns The new `[param, m, v]`. The caller disposes them.
 * @throws {TypeError} If a shape differs or a dtype is not float32.
 * @throws {RangeError} If the step is not a positive integer.
 */
export function adamwUpdate<T extends Tensor>(inputs: AdamwInputs<T>, step: AdamwStep): [T, T, T] {
  const { param, grad, m, v } = inputs;
  checkFloat("update", { param, grad, m, v });
  for (const [name, t] of Object.entries({ grad, m, v })) {
    if (t.shape.join() !== param.shape.join()) {
      throw new TypeError(
        `Cannot update param as ${name} must have its shape: current shapes are [${param.shape}] and [${t.shape}]`,
      );
    }
  }
  if (!(Number.isInteger(step.step) && step.step > 0)) {
    throw new RangeError(
      `Cannot update param as the step must be a positive integer: current value is ${step.step}`,
    );
  }
  const attrs = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01, ...step };
  return runKernel("AceAdamw", { param, grad, m, v }, attrs);
}
