/** Convolutions and poolings by conv.c and pooling.c; products by a library where there is one. @module */
import * as tf from "@tensorflow/tfjs";
import { output, type WasmBackend, type WasmCall, wasmKernels } from "../../wasm/module.ts";
import { runRows } from "../../wasm/rows.ts";
import type { TensorInfo } from "../interface.ts";
import { multiply } from "../matmul/wasm.ts";

/** What the rows of a job are: see matmul.c. */
const [OF_ROWS, OF_COLUMNS] = [1, 2];
const [TILE_ROWS, TILE_COLUMNS] = [4, 8];

/** Places or columns of a part: each part lays out, or packs, the whole of the other operand again. */
const LEAST_LINES = 48;

// Rough speeds of one thread, which only decide on threads.
const FLOP_PER_MS = 4e7;
const FLOATS_PER_MS = 2e6;

/** Numbers of the patches that are multiplied at a time by a library: 4 MB, which its threads' L2 hold. */
const NATIVE_PATCHES = 2 ** 20;

/** AceConv. */
export function conv({ inputs, attrs, backend }: WasmCall<"AceConv">): TensorInfo {
  const { x, weight, gain, bias, addend } = inputs;
  const { kernel, stride, relu } = attrs;
  const [batch, height, width, channels] = x.shape as [number, number, number, number];
  const [n, k] = weight.shape as [number, number];
  const [rows, columns] = [Math.ceil(height / stride), Math.ceil(width / stride)];
  const y = output(backend, [batch, rows, columns, n]);
  const m = batch * rows * columns;
  if (m * n === 0) return y;
  const sizes = [height, width, channels, kernel, stride, rows, columns];
  const finish = [gain, bias, addend ?? 0, Number(relu), y];
  const { blas, run } = wasmKernels(backend);
  if (blas) {
    convNatively(backend, { x, weight, finish, y, ...(kernel === 1 && stride === 1 ? {} : { sizes }) });
    return y;
  }
  const [part, lines, grain] = m >= n ? [OF_ROWS, m, TILE_ROWS] : [OF_COLUMNS, n, TILE_COLUMNS];
  runRows(backend, {
    name: "conv",
    args: [part, m, n, ...sizes, x, weight, ...finish],
    results: [y],
    rows: lines,
    milliseconds: 2 * m * n * k / FLOP_PER_MS + (m * n + m * k + k * n) / FLOATS_PER_MS,
    grain,
    least: LEAST_LINES,
    scratchBytes: run["conv_scratch"]!(k),
  });
  return y;
}

interface NativeConv {
  x: TensorInfo;
  weight: TensorInfo;
  /** Arguments of `conv_patches` before the tensors; none where x is its own patches. */
  sizes?: number[];
  /** Arguments of `conv_finish` after the product. */
  finish: (number | TensorInfo)[];
  y: TensorInfo;
}

/** Patches, a library's products, and what comes after them, a block of places after the other. */
function convNatively(backend: WasmBackend, { x, weight, sizes, finish, y }: NativeConv): void {
  const [n, k] = weight.shape as [number, number];
  const m = tf.util.sizeFromShape(y.shape) / n;
  const block = sizes ? Math.min(m, Math.max(1, Math.floor(NATIVE_PATCHES / k))) : m;
  for (let base = 0; base < m; base += block) {
    const rows = Math.min(block, m - base);
    const patches = sizes ? output(backend, [rows, k]) : { ...x, shape: [m, k] };
    if (sizes) {
      const milliseconds = rows * k / FLOATS_PER_MS;
      const args = [...sizes, x, base, patches];
      runRows(backend, { name: "conv_patches", args, results: [patches], rows, milliseconds });
    }
    const product = multiply(backend, patches, weight, { transposeA: false, transposeB: true });
    const milliseconds = 2 * rows * n / FLOATS_PER_MS;
    const args = [n, product, ...finish, base];
    runRows(backend, { name: "conv_finish", args, results: [y], rows, milliseconds });
    backend.disposeData(product.dataId);
    if (sizes) backend.disposeData(patches.dataId);
  }
}

/** AcePool. */
export function pool({ inputs: { x }, attrs: { kind }, backend }: WasmCall<"AcePool">): TensorInfo {
  const [batch, height, width, channels] = x.shape as [number, number, number, number];
  const half = kind === "max" ? Math.ceil : Math.floor;
  const [rows, columns] = [half(height / 2), half(width / 2)];
  const y = output(backend, [batch, rows, columns, channels]);
  if (tf.util.sizeFromShape(y.shape) === 0) return y;
  runRows(backend, {
    name: "pool_pixels",
    args: [Number(kind === "max"), height, width, channels, rows, columns, x, y],
    results: [y],
    rows: batch * rows,
    milliseconds: tf.util.sizeFromShape(x.shape) / FLOATS_PER_MS,
  });
  return y;
}
