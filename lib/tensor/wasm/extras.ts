/** tfjs kernels replaced on wasm because theirs are slow: TopK, LeakyRelu, Tile, GatherV2. @module */
import * as tf from "@tensorflow/tfjs";
import { replaceKernels } from "../kernels.ts";
import { addressOf, type KernelCall, output, wasmKernels, type WasmTensor } from "./module.ts";
import { runElements, runRows } from "./rows.ts";

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
  const rows = sizeFromShape(shape) / k;
  const results = [values, indices];
  runRows(backend, { name: "top_k", args: [n, k, x, ...results], results, rows, milliseconds: rows * n / 3e5 });
  return [values, indices];
}

function leakyRelu(call: KernelCall<"x", { alpha: number }>, fallback: tf.KernelFunc): unknown {
  const { inputs: { x }, backend, attrs: { alpha } } = call;
  if (x.dtype !== "float32") return fallback(call as never);
  const y = output(backend, x.shape);
  runElements(backend, {
    name: "leaky_relu",
    args: [x, alpha, y],
    results: [y],
    size: sizeFromShape(x.shape),
    perMs: 1e6,
  });
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

type GatherAttributes = { axis: number; batchDims: number };

/** Rows of a table; tfjs takes each number alone. */
function gather(call: KernelCall<"x" | "indices", GatherAttributes>, fallback: tf.KernelFunc): unknown {
  const { inputs: { x, indices }, backend, attrs: { axis, batchDims } } = call;
  const rows = sizeFromShape(indices.shape);
  const width = sizeFromShape(x.shape.slice(1));
  if (axis !== 0 || batchDims !== 0 || x.dtype !== "float32" || indices.dtype !== "int32" || rows * width === 0) {
    return fallback(call as never);
  }
  const ids = new Int32Array(backend.wasm.asm.memory.buffer, addressOf(backend, indices), rows);
  if (ids.some((id) => id < 0 || id >= x.shape[0]!)) return fallback(call as never); // which says so
  const out = output(backend, [...indices.shape, ...x.shape.slice(1)]);
  const args = [width, x, indices, out];
  runRows(backend, { name: "gather_rows", args, results: [out], rows, milliseconds: rows * width / 2e6 });
  return out;
}

/** Puts our kernels in the place of tfjs's; types ours do not take still go to theirs. */
export function registerExtras(): void {
  replaceKernels("wasm", { TopK: topK, LeakyRelu: leakyRelu, Tile: tile, GatherV2: gather });
}
