/** AdamW, plainly. @module */
import { type CpuCall, result, valuesOf } from "../../cpu/call.ts";
import type { KernelResult } from "../interface.ts";

/** AceAdamw: the new param, m and v. */
export function adamw(call: CpuCall<"AceAdamw">): KernelResult<"AceAdamw"> {
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
