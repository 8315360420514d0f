/** Convolutions and poolings by conv.c and pooling.c. @module */
import * as tf from "@tensorflow/tfjs";
import { output, type WasmCall, wasmKernels } from "../../wasm/module.ts";
import { runRows } from "../../wasm/rows.ts";
import type { Info4D } from "../info.ts";

/** What the rows of a job are: see matmul.c. */
const [OF_ROWS, OF_COLUMNS] = [1, 2];
const [TILE_ROWS, TILE_COLUMNS] = [4, 8];
const NATIVE_TILE = 16;

/** Places or columns of a part: each part lays out, or packs, the whole of the other operand again. */
const LEAST_LINES = 48;

// Rough speeds of one thread, which only decide on threads.
const FLOP_PER_MS = 4e7;
const FLOATS_PER_MS = 2e6;

/** AceConv. */
export function conv({ inputs, attrs, backend }: WasmCall<"AceConv">): Info4D {
  const { x, weight, gain, bias, addend } = inputs;
  const { kernel, stride, relu } = attrs;
  const [batch, height, width, channels] = x.shape;
  const [n, k] = weight.shape;
  const [rows, columns] = [Math.ceil(height / stride), Math.ceil(width / stride)];
  const y = output(backend, [batch, rows, columns, n]);
  const m = batch * rows * columns;
  if (m * n === 0) return y;
  const { blas, run } = wasmKernels(backend);
  const [part, lines, grain] = m >= n ? [OF_ROWS, m, TILE_ROWS] : [OF_COLUMNS, n, TILE_COLUMNS];
  runRows(backend, {
    name: "conv",
    args: [
      ...[part, m, n, height, width, channels, kernel, stride, rows, columns],
      ...[x, weight, gain, bias, addend ?? 0, Number(relu), y],
    ],
    results: [y],
    rows: lines,
    milliseconds: 2 * m * n * k / FLOP_PER_MS + (m * n + m * k + k * n) / FLOATS_PER_MS,
    ...(blas?.isShared ? { isEven: true, grain: NATIVE_TILE } : { grain, least: LEAST_LINES }),
    scratchBytes: run["conv_scratch"]!(k),
  });
  return y;
}

/** AcePool. */
export function pool({ inputs: { x }, attrs: { kind }, backend }: WasmCall<"AcePool">): Info4D {
  const [batch, height, width, channels] = x.shape;
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
