/** The fused kernels of lib/tensor/fused for the wasm backend: each calls a C function. @module */
import * as tf from "@tensorflow/tfjs";
import { type KernelTable, registerKernels } from "../kernels.ts";
import { attention, attentionGrad } from "./attention.ts";
import { addressOf, type KernelCall, output, wasmKernels, type WasmTensor } from "./module.ts";
import { runElements, runRows } from "./rows.ts";

const { sizeFromShape } = tf.util;

function layerNorm(call: KernelCall<"x" | "gain" | "bias", { epsilon: number }>): WasmTensor[] {
  const { inputs: { x, gain, bias }, backend, attrs } = call;
  const width = gain.shape[0]!;
  const rows = width ? sizeFromShape(x.shape) / width : 0;
  const results = [output(backend, x.shape), output(backend, [rows]), output(backend, [rows])];
  const args = [width, x, gain, bias, attrs.epsilon, ...results];
  runRows(backend, { name: "layer_norm", args, results, rows, milliseconds: rows * width / 1e6 });
  return results;
}

function layerNormGradX(call: KernelCall<"dy" | "x" | "gain" | "mean" | "rstd">): WasmTensor {
  const { inputs: { dy, x, gain, mean, rstd }, backend } = call;
  const dx = output(backend, x.shape);
  const [rows, width] = [mean.shape[0]!, gain.shape[0]!];
  const args = [width, dy, x, gain, mean, rstd, dx];
  runRows(backend, { name: "layer_norm_grad_x", args, results: [dx], rows, milliseconds: rows * width / 1e6 });
  return dx;
}

function layerNormGradParams(call: KernelCall<"dy" | "x" | "mean" | "rstd">): WasmTensor[] {
  const { inputs: { dy, x, mean, rstd }, backend } = call;
  const width = x.shape.at(-1)!;
  const out = [output(backend, [width]), output(backend, [width])];
  const addresses = [dy, x, mean, rstd, ...out].map((t) => addressOf(backend, t));
  wasmKernels(backend).run.layer_norm_grad_params!(mean.shape[0]!, width, ...addresses);
  return out;
}

function gelu({ inputs: { x }, backend }: KernelCall<"x">): WasmTensor {
  const y = output(backend, x.shape);
  runElements(backend, { name: "gelu", args: [x, y], results: [y], size: sizeFromShape(x.shape), perMs: 4e5 });
  return y;
}

function geluGrad({ inputs: { dy, x }, backend }: KernelCall<"dy" | "x">): WasmTensor {
  const dx = output(backend, x.shape);
  const size = sizeFromShape(x.shape);
  runElements(backend, { name: "gelu_grad", args: [dy, x, dx], results: [dx], size, perMs: 4e5 });
  return dx;
}

function dropout({ inputs: { x }, backend, attrs }: KernelCall<"x", { rate: number; seed: number }>): WasmTensor {
  const y = output(backend, x.shape);
  // hash >= rate 2^32 is hash > limit, which fits 32 bits for every rate below 1.
  const limit = Math.ceil(attrs.rate * 2 ** 32) - 1;
  const args = [x, attrs.seed, limit, 1 / (1 - attrs.rate), y];
  runElements(backend, { name: "dropout", args, results: [y], size: sizeFromShape(x.shape), perMs: 1e6 });
  return y;
}

interface AdamwAttributes {
  learningRate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
  step: number;
}

function adamw(call: KernelCall<"param" | "grad" | "m" | "v", AdamwAttributes>): WasmTensor[] {
  const { inputs: { param, grad, m, v }, backend, attrs } = call;
  const results = [0, 1, 2].map(() => output(backend, param.shape));
  const size = attrs.learningRate / (1 - attrs.beta1 ** attrs.step);
  const root = Math.sqrt(1 - attrs.beta2 ** attrs.step);
  const decay = 1 - attrs.learningRate * attrs.weightDecay;
  const { beta1, beta2, epsilon } = attrs;
  const numbers = [beta1, 1 - beta1, beta2, 1 - beta2, epsilon, decay, size, root];
  const args = [param, grad, m, v, ...numbers, ...results];
  runElements(backend, { name: "adamw", args, results, size: sizeFromShape(param.shape), perMs: 3e5 });
  return results;
}

const KERNELS: KernelTable = {
  AceLayerNorm: layerNorm,
  AceLayerNormGradX: layerNormGradX,
  AceLayerNormGradParams: layerNormGradParams,
  AceGelu: gelu,
  AceGeluGrad: geluGrad,
  AceAttention: attention,
  AceAttentionGrad: attentionGrad,
  AceDropout: dropout,
  AceAdamw: adamw,
};

/** Registers the fused kernels for the backend `wasm`. */
export function registerFusedWasm(): void {
  registerKernels("wasm", KERNELS);
}
