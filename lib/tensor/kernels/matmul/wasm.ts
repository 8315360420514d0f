/** tfjs's kernels BatchMatMul and _FusedMatMul for the wasm backend, by matmul.c. @module */
import * as tf from "@tensorflow/tfjs";
import { BLAS_MATMUL } from "../../wasm/blas_matmul.ts";
import { addressOf, allocate, output, type WasmBackend, type WasmCall, wasmKernels } from "../../wasm/module.ts";
import { runRows } from "../../wasm/rows.ts";
import { threadPool } from "../../wasm/threads.ts";
import type { Info2D, TensorInfo } from "../info.ts";
import { runTfjsKernel } from "../register.ts";
import { matrixShape } from "./matrix_shape.ts";
import { multiplyPacked, NATIVE_FLOP_PER_MS, type RowsProduct } from "./wasm_packed.ts";

/** What the rows of a job are: see matmul.c. */
const [OF_BATCH, OF_ROWS, OF_COLUMNS] = [0, 1, 2];
const [TILE_ROWS, TILE_COLUMNS] = [4, 8];
const NATIVE_TILE = 16;

/** Narrower results are divided by rows: matmul.c has another method for them. */
const LEAST_COLUMNS = 16;

/** Rows or columns of a part: each part packs the whole of the other operand again, which so many make up for. */
const LEAST_LINES = 48;

/** Operations from which a product is worth a call of a library. */
const LEAST_NATIVE_FLOP = 1e6;

/** Rows from which those that are zeros are looked for. */
const LEAST_ROWS_TO_LEAVE_OUT = 256;

// Rough speeds of one thread, which only decide on threads.
const FLOP_PER_MS = 4e7;
const FLOATS_PER_MS = 2e6;

/** `A B (+ bias)` of tensors in wasm memory, batch dimensions broadcast. */
function multiply(
  backend: WasmBackend,
  a: TensorInfo,
  b: TensorInfo,
  attrs: tf.BatchMatMulAttrs,
  bias: TensorInfo | 0 = 0,
): TensorInfo {
  const { transposeA, transposeB } = attrs;
  const { m, n, k } = productSizes(a, b, attrs);
  const batchA = a.shape.slice(0, -2);
  const batchB = b.shape.slice(0, -2);
  const batchShape = tf.broadcast_util.assertAndGetBroadcastShape(batchA, batchB);
  const c = output(backend, [...batchShape, m, n]);
  const batch = tf.util.sizeFromShape(batchShape);
  if (batch * m * n === 0) return c;
  const [ta, tb] = [Number(transposeA), Number(transposeB)];
  const sizeA = tf.util.sizeFromShape(batchA);
  const sizeB = tf.util.sizeFromShape(batchB);
  const { blas, run: functions } = wasmKernels(backend);
  const isNative = blas !== undefined && 2 * m * n * k * (sizeB === 1 ? batch : 1) >= LEAST_NATIVE_FLOP;
  const flopPerMs = isNative ? NATIVE_FLOP_PER_MS : FLOP_PER_MS;
  const run = (batch: number, m: number, ia = 0, ib = 0): void => {
    const [part, rows] = batch > 1 ? [OF_BATCH, batch] : m >= n || n < LEAST_COLUMNS ? [OF_ROWS, m] : [OF_COLUMNS, n];
    runRows(backend, {
      name: isNative ? BLAS_MATMUL : "matmul",
      args: [part, batch, m, n, k, a, ta, ia, b, tb, ib, bias, c],
      results: [c],
      rows,
      milliseconds: isNative && !blas.isShared // the library divides it
        ? 0
        : batch * (2 * m * n * k / flopPerMs + (m * n + m * k + k * n) / FLOATS_PER_MS),
      ...(isNative ? { isEven: true } : { least: part === OF_BATCH ? undefined : LEAST_LINES }),
      grain: part === OF_BATCH ? 1 : isNative ? NATIVE_TILE : part === OF_ROWS ? TILE_ROWS : TILE_COLUMNS,
      scratchBytes: isNative ? 0 : functions["gemm_scratch"]!(),
    });
  };
  if (sizeB === 1 && (!transposeA || batch === 1)) {
    const plain = (): void => run(1, batch * m); // one B for all: the batch is just more rows
    const rows = { m: batch * m, n, k, a, b, transposeB, c };
    if (!transposeA && !bias && multiplyUsedRows(backend, rows, flopPerMs)) return c;
    if (!isNative || transposeA || bias || !multiplyPacked(backend, { ...rows, blas, plain })) plain();
  } else if (sizeA === batch && sizeB === batch) {
    run(batch, m);
  } else {
    const table = broadcastTable(backend, [batchA, batchB], batchShape);
    run(batch, m, table, table + 4 * batch);
    backend.wasm._free(table);
  }
  return c;
}

/** The product of two matrices. */
export function multiplyMatrices(backend: WasmBackend, a: Info2D, b: Info2D, attrs: tf.BatchMatMulAttrs): Info2D {
  const { m, n } = productSizes(a, b, attrs);
  return { ...multiply(backend, a, b, attrs), shape: [m, n] };
}

/** Rows, columns and terms of a product. */
function productSizes(
  a: TensorInfo,
  b: TensorInfo,
  { transposeA, transposeB }: tf.BatchMatMulAttrs,
): { m: number; n: number; k: number } {
  if (a.dtype !== "float32" || b.dtype !== "float32") {
    throw new TypeError(
      `Cannot multiply matrices as they must be float32: current dtypes are ${a.dtype} and ${b.dtype}`,
    );
  }
  const [m, k] = matrixShape(a.shape, transposeA);
  const [inner, n] = matrixShape(b.shape, transposeB);
  if (k === inner) return { m, n, k };
  throw new TypeError(
    `Cannot multiply matrices as the inner sizes must be equal: current shapes are [${a.shape}] and [${b.shape}], ` +
      `transposeA=${transposeA} and transposeB=${transposeB}`,
  );
}

/** Whether a library with threads of its own does what is large, so that no C function asks it for a part. */
export function isDividedByLibrary(backend: WasmBackend): boolean {
  const { blas } = wasmKernels(backend);
  return blas !== undefined && !blas.isShared && (threadPool()?.threads ?? 1) > 1;
}

/** Whether many rows of a matrix are zeros, by a glance at some. */
export function hasZeroRows(backend: WasmBackend, { dataId, shape: [m, k] }: Info2D): boolean {
  return wasmKernels(backend).run["has_zero_rows"]!(m, k, addressOf(backend, { dataId })) !== 0;
}

/**
 * The product without those rows of A that are zeros, where there are many of them; false: nothing was done. B is taken to be finite, as
 * 0 times Infinity would be NaN.
 */
function multiplyUsedRows(
  backend: WasmBackend,
  { m, n, k, a, b, transposeB, c }: RowsProduct,
  flopPerMs: number,
): boolean {
  const { blas, run } = wasmKernels(backend);
  if (m < LEAST_ROWS_TO_LEAVE_OUT || n < LEAST_COLUMNS || k === 0 || isDividedByLibrary(backend)) return false;
  if (!run["has_zero_rows"]!(m, k, addressOf(backend, a))) return false;
  runRows(backend, {
    name: "matmul_used",
    args: [n, k, a, b, Number(transposeB), c],
    results: [c],
    rows: m,
    milliseconds: 2 * m * n * k / flopPerMs,
    least: LEAST_LINES,
    isEven: blas !== undefined,
    scratchBytes: run["matmul_used_scratch"]!(k),
  });
  return true;
}

/** What {@linkcode broadcastIndices} gives for each of these shapes, one after the other in wasm memory. */
function broadcastTable(backend: WasmBackend, from: readonly number[][], to: number[]): number {
  const indices = from.flatMap((shape) => [...broadcastIndices(shape, to)]);
  const table = allocate(backend, 4 * indices.length);
  new Int32Array(backend.wasm.asm.memory.buffer, table, indices.length).set(indices);
  return table;
}

/** For each index into `to`, the flat index into `from` that broadcasting pairs it with. */
function broadcastIndices(from: number[], to: number[]): Int32Array {
  const indices = new Int32Array(tf.util.sizeFromShape(to));
  for (let i = 0; i < indices.length; i++) {
    let rest = i;
    let stride = 1;
    for (let d = to.length - 1, e = from.length - 1; e >= 0; d--, e--) {
      const index = rest % to[d]!;
      rest = (rest - index) / to[d]!;
      if (from[e] !== 1) indices[i]! += index * stride;
      stride *= from[e]!;
    }
  }
  return indices;
}

/** BatchMatMul, in all four transpose forms (tfjs's own is fast in one of them only). */
export function batchMatMul(call: WasmCall<"BatchMatMul">): TensorInfo {
  return multiply(call.backend, call.inputs.a, call.inputs.b, call.attrs);
}

const ACTIVATIONS: Readonly<Record<string, string>> = {
  relu: "Relu",
  relu6: "Relu6",
  elu: "Elu",
  sigmoid: "Sigmoid",
  leakyrelu: "LeakyRelu",
  prelu: "Prelu",
};

/** _FusedMatMul. */
export function fusedMatMul({ inputs, backend, attrs }: WasmCall<"_FusedMatMul">): TensorInfo {
  const { a, b, bias, preluActivationWeights } = inputs;
  const columns = matrixShape(b.shape, attrs.transposeB)[1];
  const perColumn = bias !== undefined && bias.dtype === "float32" && bias.shape.at(-1) === columns &&
    tf.util.sizeFromShape(bias.shape) === columns;
  let y = multiply(backend, a, b, attrs, perColumn ? bias : 0);
  const apply = (kernelName: string, inputs: tf.NamedTensorInfoMap, attrs = {}): void => {
    const result = runTfjsKernel("wasm", kernelName, { inputs, backend, attrs });
    backend.disposeData(y.dataId);
    y = result;
  };
  if (bias && !perColumn) apply("Add", { a: y, b: bias });
  if (attrs.activation && attrs.activation !== "linear") {
    const kernelName = ACTIVATIONS[attrs.activation];
    if (!kernelName) {
      throw new RangeError(
        `Cannot apply an activation as it must be one of ${Object.keys(ACTIVATIONS).join(", ")}: ` +
          `current value is "${attrs.activation}"`,
      );
    }
    if (kernelName === "Prelu") apply(kernelName, { x: y, alpha: preluActivationWeights });
    else apply(kernelName, { x: y }, { alpha: attrs.leakyreluAlpha ?? 0 });
  }
  return y;
}
