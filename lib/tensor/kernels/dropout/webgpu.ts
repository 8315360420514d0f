/**
 * Dropout by a hash of the element's index and a seed: no mask in memory, and the backward pass is the same kernel on
 * `dy`. One dispatch. The hash is the 32-bit finaliser of MurmurHash3 (A. Appleby, public domain).
 *
 * @module
 */
import type { WebgpuCall } from "../../webgpu/call.ts";
import { elementwise } from "../../webgpu/elementwise.ts";
import type { TensorInfo } from "../info.ts";

/** AceDropout: 1 dispatch. Element i is kept iff `hash(i, seed) >= rate 2^32`. */
export function dropout({ inputs, attrs, backend }: WebgpuCall<"AceDropout">): TensorInfo {
  return elementwise(backend, {
    name: "AceDropout",
    inputs: [["x", inputs.x]],
    outputs: ["y"],
    uniforms: {
      seed: { u32: attrs.seed >>> 0 },
      threshold: { u32: Math.min(0xffffffff, Math.ceil(attrs.rate * 2 ** 32)) },
      scale: { f32: attrs.rate >= 1 ? 0 : 1 / (1 - attrs.rate) },
    },
    functions: `
fn apply(x: f32, index: u32) -> f32 {
  var h = (index * 0x9E3779B1u) ^ params.seed;
  h = (h ^ (h >> 16u)) * 0x85ebca6bu;
  h = (h ^ (h >> 13u)) * 0xc2b2ae35u;
  h = h ^ (h >> 16u);
  return select(0.0, x * params.scale, h >= params.threshold);
}`,
  })[0]!;
}
