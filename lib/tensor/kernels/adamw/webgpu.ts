/**
 * One AdamW step of one tensor, as torch.optim.AdamW does it (decoupled weight decay, bias-corrected moments). One
 * dispatch with three outputs; put all parameters into one flat tensor to spend one dispatch on a whole model.
 *
 * Source: I. Loshchilov, F. Hutter: Decoupled Weight Decay Regularization, ICLR 2019, algorithm 2.
 *
 * @module
 */
import type { WebgpuCall } from "../../webgpu/call.ts";
import { elementwise } from "../../webgpu/elementwise.ts";
import type { KernelResult } from "../interface.ts";

/** AceAdamw: 1 dispatch. */
export function adamw({ inputs, attrs, backend }: WebgpuCall<"AceAdamw">): KernelResult<"AceAdamw"> {
  const [param, m, v] = elementwise(backend, {
    name: "AceAdamw",
    inputs: [["p", inputs.param], ["g", inputs.grad], ["m", inputs.m], ["v", inputs.v]],
    outputs: ["newP", "newM", "newV"],
    uniforms: {
      beta1: { f32: attrs.beta1 },
      oneMinusBeta1: { f32: 1 - attrs.beta1 },
      beta2: { f32: attrs.beta2 },
      oneMinusBeta2: { f32: 1 - attrs.beta2 },
      epsilon: { f32: attrs.epsilon },
      decay: { f32: 1 - attrs.learningRate * attrs.weightDecay },
      rate: { f32: attrs.learningRate / (1 - attrs.beta1 ** attrs.step) },
      rootScale: { f32: 1 / Math.sqrt(1 - attrs.beta2 ** attrs.step) },
    },
    functions: `
fn apply(p: f32, g: f32, m: f32, v: f32, index: u32) -> array<f32, 3> {
  let first = params.beta1 * m + params.oneMinusBeta1 * g;
  let second = params.beta2 * v + params.oneMinusBeta2 * g * g;
  let next = p * params.decay - params.rate * first / (sqrt(second) * params.rootScale + params.epsilon);
  return array<f32, 3>(next, first, second);
}`,
  });
  return [param!, m!, v!];
}
