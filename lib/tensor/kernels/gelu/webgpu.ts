/**
 * GELU in its exact form, `x Φ(x)`, and its gradient: one dispatch each.
 *
 * The upper tail `Q(z) = 1 - Φ(z)` comes from formula 7.1.26 of Abramowitz and Stegun (absolute error of erf at most
 * 1.5e-7). `x - x Q(x)` for positive x keeps large values exact, so the absolute error stays below 1e-6.
 *
 * @module
 */
import type { WebgpuCall } from "../../webgpu/call.ts";
import { elementwise } from "../../webgpu/elementwise.ts";
import type { TensorInfo } from "../interface.ts";

/** `tail` (the upper tail at |x|) and `density` (`exp(-x²/2)`), for one number. */
const TAIL = `
struct Tail { density: f32, tail: f32 }
fn normalTail(x: f32) -> Tail {
  let z = abs(x) * 0.7071067811865476;
  let t = 1.0 / (1.0 + 0.3275911 * z);
  let poly = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  let density = exp(-min(z * z, 87.0));
  return Tail(density, 0.5 * poly * density);
}`;

/** AceGelu: 1 dispatch. */
export function gelu({ inputs, backend }: WebgpuCall<"AceGelu">): TensorInfo {
  return elementwise(backend, {
    name: "AceGelu",
    inputs: [["x", inputs.x]],
    outputs: ["y"],
    functions: `${TAIL}
fn apply(x: f32, index: u32) -> f32 {
  let part = x * normalTail(x).tail;
  return select(part, x - part, x > 0.0);
}`,
  })[0]!;
}

/** AceGeluGrad: 1 dispatch. */
export function geluGrad({ inputs, backend }: WebgpuCall<"AceGeluGrad">): TensorInfo {
  return elementwise(backend, {
    name: "AceGeluGrad",
    inputs: [["dy", inputs.dy], ["x", inputs.x]],
    outputs: ["dx"],
    functions: `${TAIL}
fn apply(dy: f32, x: f32, index: u32) -> f32 {
  let both = normalTail(x);
  let below = select(both.tail, 1.0 - both.tail, x > 0.0);
  return dy * (below + x * both.density * 0.3989422804014327);
}`,
  })[0]!;
}
