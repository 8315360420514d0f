/** The exact GELU, plainly. @module */
import { type CpuCall, result, valuesOf } from "../../cpu/call.ts";
import type { TensorInfo } from "../info.ts";

/**
 * The error function to double precision: `erf(x) = 2/sqrt(pi) e^(-x²) sum 2^n x^(2n+1) / (2n+1)!!`, whose terms all have
 * one sign, so that nothing cancels.
 *
 * @param x Any number.
 * @returns A number in `[-1, 1]`.
 */
export function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= 2 * x * x / (2 * n + 1);
    sum += term;
  }
  return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
}

/** AceGelu: `x (1 + erf(x / sqrt(2))) / 2`. */
export function gelu(call: CpuCall<"AceGelu">): TensorInfo {
  const x = valuesOf(call, call.inputs.x);
  const y = Float32Array.from(x, (v) => v === -Infinity ? -0 : v * 0.5 * (1 + erf(v * Math.SQRT1_2)));
  return result(call, call.inputs.x.shape, y);
}

/** AceGeluGrad: `dy (P(Z < x) + x density(x))` of the standard normal. */
export function geluGrad(call: CpuCall<"AceGeluGrad">): TensorInfo {
  const dy = valuesOf(call, call.inputs.dy);
  const dx = Float32Array.from(valuesOf(call, call.inputs.x), (v, i) => {
    const density = Math.abs(v) > 40 ? 0 : v * Math.exp(-v * v / 2) / Math.sqrt(2 * Math.PI);
    return dy[i]! * (0.5 * (1 + erf(v * Math.SQRT1_2)) + density);
  });
  return result(call, call.inputs.x.shape, dx);
}
