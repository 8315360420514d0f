/** AdamW, plainly. @module */
import { type CpuCall, type CpuTensor, result, valuesOf } from "./call.ts";

/** The numbers of a step. */
export interface AdamwAttributes {
  learningRate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
  step: number;
}

/** AceAdamw: the new param, m and v. */
export function adamw(call: CpuCall<"param" | "grad" | "m" | "v", AdamwAttributes>): CpuTensor[] {
  const { inputs, attrs } = call;
  const { learningRate, beta1, beta2, epsilon, weightDecay, step } = attrs;
  const { shape } = inputs.param;
  const param = Float32Array.from(valuesOf(call, inputs.param));
  const grad = valuesOf(call, inputs.grad);
  const m = Float32Array.from(valuesOf(call, inputs.m));
  const v = Float32Array.from(valuesOf(call, inputs.v));
  for (let i = 0; i < param.length; i++) {
    m[i] = beta1 * m[i]! + (1 - beta1) * grad[i]!;
    v[i] = beta2 * v[i]! + (1 - beta2) * grad[i]! ** 2;
    const mHat = m[i]! / (1 - beta1 ** step);
    const vHat = v[i]! / (1 - beta2 ** step);
    param[i] = param[i]! * (1 - learningRate * weightDecay) - learningRate * mHat / (Math.sqrt(vHat) + epsilon);
  }
  return [result(call, shape, param), result(call, shape, m), result(call, shape, v)];
}
