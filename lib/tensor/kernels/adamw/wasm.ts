/** A step of AdamW by elementwise.c. @module */
import * as tf from "@tensorflow/tfjs";
import { output, type WasmCall } from "../../wasm/module.ts";
import { runElements } from "../../wasm/rows.ts";
import type { KernelResult } from "../interface.ts";

const { sizeFromShape } = tf.util;

/** AceAdamw. */
export function adamw(call: WasmCall<"AceAdamw">): KernelResult<"AceAdamw"> {
  const { inputs: { param, grad, m, v }, backend, attrs } = call;
  const { shape } = param;
  const results: KernelResult<"AceAdamw"> = [output(backend, shape), output(backend, shape), output(backend, shape)];
  const size = attrs.learningRate / (1 - attrs.beta1 ** attrs.step);
  const root = Math.sqrt(1 - attrs.beta2 ** attrs.step);
  const decay = 1 - attrs.learningRate * attrs.weightDecay;
  const { beta1, beta2, epsilon } = attrs;
  const numbers = [beta1, 1 - beta1, beta2, 1 - beta2, epsilon, decay, size, root];
  const args = [param, grad, m, v, ...numbers, ...results];
  runElements(backend, { name: "adamw", args, results, size: sizeFromShape(param.shape), perMs: 1.2e6 });
  return results;
}
