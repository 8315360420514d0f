/** tfjs kernels replaced on wasm because theirs are slow: TopK, LeakyRelu, Tile. @module */
import * as tf from "@tensorflow/tfjs";
import { replaceKernels } from "../kernels.ts";
import { addressOf, type KernelCall, output, wasmKernels, type WasmTensor } from "./module.ts";

const { sizeFromShape } = tf.util;

/** Longer lists are left to tfjs, which sorts; ours inserts. */
const LONGEST_LIST = 32;

type TopKAttributes = { k: number; sorted: boolean };

function topK(call: KernelCall<"x", TopKAttributes>, fallback: tf.KernelFunc): unknown {
  const { inputs: { x }, backend, attrs: { k } } = call;
  const n = x.shape.at(-1)!;
  if (x.dtype !== "float32" || k > LONGEST_LIST || k > n || k < 1) return fallback(call as never);
  const shape = [...x.shape.slice(0, -1), k];
  const values = output(backend, shape);
  const indices = backend.makeOutput(shape, "int32");
  const addresses = [x, values, indices].map((t) => addressOf(backend, t));
  wasmKernels(backend).run.top_k!(sizeFromShape(shape) / k, n, k, ...addresses);
  return [values, indices];
}

function leakyRelu(call: KernelCall<"x", { alpha: number }>, fallback: tf.KernelFunc): unknown {
  const { inputs: { x }, backend, attrs: { alpha } } = call;
  if (x.dtype !== "float32") return fallback(call as never);
  const y = output(backend, x.shape);
  wasmKernels(backend).run.leaky_relu!(sizeFromShape(x.shape), addressOf(backend, x), alpha, addressOf(backend, y));
  return y;
}

function tile(call: KernelCall<"x", { reps: number[] }>, fallback: tf.KernelFunc): unknown {
  const { inputs: { x }, backend, attrs: { reps } } = call;
  if (!x.shape.length || (x.dtype !== "float32" && x.dtype !== "int32")) return fallback(call as never);
  const { run } = wasmKernels(backend);
  let current: WasmTensor = x;
  // The innermost dimension first: then each step repeats whole blocks.
  for (let d = x.shape.length - 1; d >= 0; d--) {
    if (reps[d] === 1 && d > 0) continue;
    const shape = current.shape.map((size, i) => i === d ? size * reps[d]! : size);
    const next = backend.makeOutput(shape, x.dtype);
    const blocks = sizeFromShape(current.shape.slice(0, d));
    const size = sizeFromShape(current.shape.slice(d));
    run.repeat_blocks!(blocks, size, reps[d]!, addressOf(backend, current), addressOf(backend, next));
    if (current !== x) backend.disposeData(current.dataId);
    current = next;
  }
  return current;
}

/** Puts our kernels in the place of tfjs's; types ours do not take still go to theirs. */
export function registerExtras(): void {
  replaceKernels("wasm", { TopK: topK, LeakyRelu: leakyRelu, Tile: tile });
}
