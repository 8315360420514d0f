/** The fused kernels of lib/tensor/fused for the wasm backend: each hands addresses to a C function. @module */
import * as tf from "@tensorflow/tfjs";
import { type KernelTable, registerKernels } from "../kernels.ts";
import { attention, attentionGrad } from "./attention.ts";
import { addressOf, type KernelCall, output, wasmKernels, type WasmTensor } from "./module.ts";

const { sizeFromShape } = tf.util;

function layerNorm(call: KernelCall<"x" | "gain" | "bias", { epsilon: number }>): WasmTensor[] {
  const { inputs: { x, gain, bias }, backend, attrs } = call;
  const width = gain.shape[0]!;
  const rows = width ? sizeFromShape(x.shape) / width : 0;
  const [y, mean, rstd] = [output(backend, x.shape), output(backend, [rows]), output(backend, [rows])] as const;
  const [px, pg, pb, py, pm, pr] = [x, gain, bias, y, mean, rstd].map((t) => addressOf(backend, t)) as number[];
  wasmKernels(backend).run.layer_norm!(rows, width, px!, pg!, pb!, attrs.epsilon, py!, pm!, pr!);
  return [y, mean, rstd];
}

function layerNormGradX(call: KernelCall<"dy" | "x" | "gain" | "mean" | "rstd">): WasmTensor {
  const { inputs: { dy, x, gain, mean, rstd }, backend } = call;
  const dx = output(backend, x.shape);
  const addresses = [dy, x, gain, mean, rstd, dx].map((t) => addressOf(backend, t));
  wasmKernels(backend).run.layer_norm_grad_x!(mean.shape[0]!, gain.shape[0]!, ...addresses);
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
  wasmKernels(backend).run.gelu!(sizeFromShape(x.shape), addressOf(backend, x), addressOf(backend, y));
  return y;
}

function geluGrad({ inputs: { dy, x }, backend }: KernelCall<"dy" | "x">): WasmTensor {
  const dx = output(backend, x.shape);
  const addresses = [dy, x, dx].map((t) => addressOf(backend, t));
  wasmKernels(backend).run.gelu_grad!(sizeFromShape(x.shape), ...addresses);
  return dx;
}

function dropout({ inputs: { x }, backend, attrs }: KernelCall<"x", { rate: number; seed: number }>): WasmTensor {
  const y = output(backend, x.shape);
  // hash >= rate 2^32 is hash > limit, which fits 32 bits for every rate below 1.
  const limit = Math.ceil(attrs.rate * 2 ** 32) - 1;
  const [px, py] = [addressOf(backend, x), addressOf(backend, y)];
  wasmKernels(backend).run.dropout!(sizeFromShape(x.shape), px, attrs.seed, limit, 1 / (1 - attrs.rate), py);
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
  const out = [0, 1, 2].map(() => output(backend, param.shape));
  const [from, to] = [[param, grad, m, v], out].map((list) => list.map((t) => addressOf(backend, t)));
  const size = attrs.learningRate / (1 - attrs.beta1 ** attrs.step);
  const root = Math.sqrt(1 - attrs.beta2 ** attrs.step);
  const decay = 1 - attrs.learningRate * attrs.weightDecay;
  const { beta1, beta2, epsilon } = attrs;
  const numbers = [beta1, 1 - beta1, beta2, 1 - beta2, epsilon, decay, size, root];
  wasmKernels(backend).run.adamw!(sizeFromShape(param.shape), ...from!, ...numbers, ...to!);
  return out;
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
