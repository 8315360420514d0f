/** tfjs's kernels BatchMatMul and _FusedMatMul for the wasm backend, by matmul.c. @module */
import * as tf from "@tensorflow/tfjs";
import { registerKernels } from "../kernels.ts";
import {
  addressOf,
  allocate,
  type KernelCall,
  output,
  type WasmBackend,
  wasmKernels,
  type WasmTensor,
} from "./module.ts";
import { product } from "./split.ts";

interface MatMulAttributes {
  transposeA: boolean;
  transposeB: boolean;
}

/** `A B (+ bias)` of tensors in wasm memory, batch dimensions broadcast. */
function multiply(backend: WasmBackend, a: WasmTensor, b: WasmTensor, attrs: MatMulAttributes, bias = 0): WasmTensor {
  const { transposeA, transposeB } = attrs;
  if (a.dtype !== "float32" || b.dtype !== "float32") {
    throw new TypeError(
      `Cannot multiply matrices as they must be float32: current dtypes are ${a.dtype} and ${b.dtype}`,
    );
  }
  const [m, k] = matrixShape(a.shape, transposeA);
  const [inner, n] = matrixShape(b.shape, transposeB);
  if (k !== inner) {
    throw new TypeError(
      `Cannot multiply matrices as the inner sizes must be equal: current shapes are [${a.shape}] and [${b.shape}], ` +
        `transposeA=${transposeA} and transposeB=${transposeB}`,
    );
  }
  const batchA = a.shape.slice(0, -2);
  const batchB = b.shape.slice(0, -2);
  const batchShape = tf.broadcast_util.assertAndGetBroadcastShape(batchA, batchB);
  const c = output(backend, [...batchShape, m, n]);
  const batch = tf.util.sizeFromShape(batchShape);
  if (batch * m * n === 0) return c;
  const { run, scratch } = wasmKernels(backend);
  const [pa, pb, pc] = [addressOf(backend, a), addressOf(backend, b), addressOf(backend, c)];
  const work = scratch(run.gemm_scratch!());
  const [ta, tb] = [Number(transposeA), Number(transposeB)];
  const sizeA = tf.util.sizeFromShape(batchA);
  const sizeB = tf.util.sizeFromShape(batchB);
  if (sizeB === 1 && (!transposeA || batch === 1)) {
    // One B for all: the batch is just more rows.
    product(backend, { m: batch * m, n, k, ta, tb, a: pa, b: pb, c: pc, bias }, work);
  } else if (sizeA === batch && sizeB === batch) {
    run.matmul!(batch, m, n, k, pa, ta, 0, pb, tb, 0, bias, pc, 0, m, work);
  } else {
    const table = allocate(backend, 8 * batch);
    const view = new Int32Array(backend.wasm.asm.memory.buffer, table, 2 * batch);
    view.set(broadcastIndices(batchA, batchShape));
    view.set(broadcastIndices(batchB, batchShape), batch);
    run.matmul!(batch, m, n, k, pa, ta, table, pb, tb, table + 4 * batch, bias, pc, 0, m, work);
    backend.wasm._free(table);
  }
  return c;
}

/** Rows and columns of the last two dimensions, as they are after the transposition. */
function matrixShape(shape: number[], transpose: boolean): [number, number] {
  const [rows, columns] = shape.slice(-2) as [number, number];
  return transpose ? [columns, rows] : [rows, columns];
}

/** For each index into `to`, the flat index into `from` that broadcasting pairs it with. */
function broadcastIndices(from: number[], to: number[]): Int32Array {
  const indices = new Int32Array(tf.util.sizeFromShape(to));
  for (let i = 0; i < indices.length; i++) {
    let rest = i;
    let stride = 1;
    for (let d = to.length - 1, e = from.length - 1; e >= 0; d--, e--) {
      const at = rest % to[d]!;
      rest = (rest - at) / to[d]!;
      if (from[e] !== 1) indices[i]! += at * stride;
      stride *= from[e]!;
    }
  }
  return indices;
}

function batchMatMul(call: KernelCall<"a" | "b", MatMulAttributes>): WasmTensor {
  return multiply(call.backend, call.inputs.a, call.inputs.b, call.attrs);
}

type FusedAttributes = MatMulAttributes & { activation: string; leakyreluAlpha?: number };

const ACTIVATIONS: Readonly<Record<string, string>> = {
  relu: "Relu",
  relu6: "Relu6",
  elu: "Elu",
  sigmoid: "Sigmoid",
  leakyrelu: "LeakyRelu",
  prelu: "Prelu",
};

type FusedInputs = "a" | "b" | "bias" | "preluActivationWeights";

function fusedMatMul({ inputs, backend, attrs }: KernelCall<FusedInputs, FusedAttributes>): WasmTensor {
  const { a, b, preluActivationWeights } = inputs;
  const bias = inputs.bias as WasmTensor | undefined;
  const columns = matrixShape(b.shape, attrs.transposeB)[1];
  const perColumn = bias !== undefined && bias.dtype === "float32" && bias.shape.at(-1) === columns &&
    tf.util.sizeFromShape(bias.shape) === columns;
  let y = multiply(backend, a, b, attrs, perColumn ? addressOf(backend, bias) : 0);
  const apply = (kernelName: string, inputs: Record<string, WasmTensor>, attrs = {}): void => {
    const kernel = tf.getKernel(kernelName, "wasm").kernelFunc;
    const result = kernel({ inputs: inputs as never, backend: backend as never, attrs }) as unknown as WasmTensor;
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

/** Puts our matmul in the place of tfjs's, in all four transpose forms (tfjs's own is fast in one of them only). */
export function registerMatMul(): void {
  registerKernels("wasm", { BatchMatMul: batchMatMul, _FusedMatMul: fusedMatMul });
}
