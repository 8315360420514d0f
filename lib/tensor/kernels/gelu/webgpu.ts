/** GELU in its exact form, `x Φ(x)`, and its gradient: one dispatch each. @module */
import type { WebgpuCall } from "../../webgpu/call.ts";
import { elementwise } from "../../webgpu/elementwise.ts";
import type { TensorInfo } from "../info.ts";
import { activationCode } from "../matmul/webgpu_activation.ts";

/** AceGelu: 1 dispatch. */
export function gelu({ inputs, backend }: WebgpuCall<"AceGelu">): TensorInfo {
  return elementwise(backend, {
    name: "AceGelu",
    inputs: [["x", inputs.x]],
    outputs: ["y"],
    functions: `${activationCode("gelu")}
fn apply(x: f32, index: u32) -> f32 { return activate(x); }`,
  })[0]!;
}

/** AceGeluGrad: 1 dispatch. */
export function geluGrad({ inputs, backend }: WebgpuCall<"AceGeluGrad">): TensorInfo {
  return elementwise(backend, {
    name: "AceGeluGrad",
    inputs: [["dy", inputs.dy], ["x", inputs.x]],
    outputs: ["dx"],
    functions: `${activationCode("linear", "gelu")}
fn apply(dy: f32, x: f32, index: u32) -> f32 { return dy * slope(x); }`,
  })[0]!;
}
