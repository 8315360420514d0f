/**
 * Replaces tfjs's BatchMatMul and _FusedMatMul on webgpu: all four transposed forms at the same rate, tiles of up to
 * 128 x 128 and, for few results of long sums, sums in parts that are added in a fixed order (no atomics).
 *
 * Dispatches: 1, or 2 when the sums are split. What it does not suit (integers, a bias that is not one number per
 * column, activations besides relu, more than three separate batch axes) goes to tfjs's kernel.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { WebgpuBackend } from "../../webgpu/backend.ts";
import { output, sizeOf, type WebgpuCall, zeros } from "../../webgpu/call.ts";
import { isHalf } from "../../webgpu/halves.ts";
import { runProgram } from "../../webgpu/run.ts";
import type { InfoOf, TensorInfo } from "../info.ts";
import type { Contracts, Kernel } from "../interface.ts";
import { matrixShape } from "./matrix_shape.ts";
import type { BatchAxes, MatMulCall } from "./webgpu_operand.ts";
import { planMatMul } from "./webgpu_plan.ts";
import { addPartsProgram, matMulProgram } from "./webgpu_program.ts";

/** A batch axis: its size, and how far apart its matrices stand. */
interface Axis {
  size: number;
  a: number;
  b: number;
}

const ONE: Axis = { size: 1, a: 0, b: 0 };

/**
 * Collapses the batch axes of two operands to at most three that both walk with fixed strides.
 *
 * @returns The axes, outermost first, or `undefined` when more than three are needed.
 */
export function batchAxes(outerA: readonly number[], outerB: readonly number[]): BatchAxes | undefined {
  const rank = Math.max(outerA.length, outerB.length);
  const sizeAt = (outer: readonly number[], axis: number) => outer[outer.length - 1 - axis] ?? 1;
  const axes: Axis[] = []; // innermost first
  let [strideA, strideB] = [1, 1];
  for (let axis = 0; axis < rank; axis++) {
    const [sizeA, sizeB] = [sizeAt(outerA, axis), sizeAt(outerB, axis)];
    const next = { size: Math.max(sizeA, sizeB), a: sizeA === 1 ? 0 : strideA, b: sizeB === 1 ? 0 : strideB };
    strideA *= sizeA;
    strideB *= sizeB;
    if (next.size === 1) continue;
    const last = axes[axes.length - 1];
    if (last && next.a === last.a * last.size && next.b === last.b * last.size) last.size *= next.size;
    else axes.push(next);
  }
  if (axes.length > 3) return undefined;
  const [z = ONE, y = ONE, x = ONE] = axes;
  return { sizes: [x.size, y.size, z.size], strideA: [x.a, y.a, z.a], strideB: [x.b, y.b, z.b] };
}

/** Tensors of a product. */
interface ProductTensors<Shape extends number[]> {
  /** a, b, then the bias and the epilogue's tensors where there are any. */
  inputs: readonly [a: TensorInfo, b: TensorInfo, ...rest: TensorInfo[]];
  /** Of the result. */
  shape: Shape;
  /** Outputs after the result: what the epilogue keeps, the sums. @default {none} */
  more?: readonly TensorInfo[];
}

/** Sums of no terms: a buffer cannot be empty, so one term of zero stands for them. */
function multiplyNothing<Shape extends number[]>(
  backend: WebgpuBackend,
  call: MatMulCall,
  io: ProductTensors<Shape>,
): InfoOf<Shape> {
  const { batch, m, n } = call.shape;
  const [a, b] = [zeros(backend, [batch, m]), zeros(backend, [batch, n])];
  const [, , ...rest] = io.inputs;
  const one = { ...call, shape: { ...call.shape, k: 1 } };
  const result = multiply(backend, one, { ...io, inputs: [a, b, ...rest] });
  for (const { dataId } of [a, b]) backend.disposeData(dataId);
  return result;
}

type FusedMatMul = Pick<Contracts["_FusedMatMul"], "inputs"> & {
  attrs: Partial<Contracts["_FusedMatMul"]["attrs"]> & tf.BatchMatMulAttrs;
};

/** Describes a call for the programs, or `undefined` where tfjs's kernel must take it. */
function describe({ inputs, attrs }: FusedMatMul): MatMulCall | undefined {
  const { a, b, bias, preluActivationWeights } = inputs;
  const { activation = "linear" } = attrs;
  const [m, k] = matrixShape(a.shape, attrs.transposeA);
  const [kB, n] = matrixShape(b.shape, attrs.transposeB);
  const floats = a.dtype === "float32" && b.dtype === "float32" && (!bias || bias.dtype === "float32");
  if (!floats || k !== kB || preluActivationWeights) return undefined;
  if (activation !== "linear" && activation !== "relu") return undefined;
  if (bias && !(bias.shape[bias.shape.length - 1] === n && sizeOf(bias.shape) === n)) return undefined;
  let axes = batchAxes(a.shape.slice(0, -2), b.shape.slice(0, -2));
  if (!axes) return undefined;
  let batch = sizeOf(axes.sizes);
  let rows = m;
  if (!attrs.transposeA && batch > 1 && sizeOf(b.shape) === n * k) {
    rows = m * batch; // one matrix b for every row of a: [batch, m, k] is [batch m, k]
    batch = 1;
    axes = batchAxes([], [])!;
  }
  const { transposeA, transposeB } = attrs;
  return { shape: { batch, m: rows, n, k }, transposeA, transposeB, axes, bias: !!bias, activation };
}

/** Runs the programs. */
export function multiply<Shape extends number[] | []>(
  backend: WebgpuBackend,
  given: MatMulCall,
  io: ProductTensors<Shape>,
): InfoOf<Shape> {
  if (given.shape.k === 0) return multiplyNothing(backend, given, io);
  const call = { ...given, half: isHalf(io.inputs[1]) };
  const plan = planMatMul(call.shape, backend.device.limits, { unsplit: call.sums === true });
  const [a, b, ...rest] = io.inputs;
  const result = output(backend, io.shape);
  const outputs = [result, ...io.more ?? []];
  if (plan.splits === 1) {
    runProgram(backend, matMulProgram(call, plan), { inputs: [a, b, ...rest], outputs });
    return result;
  }
  const { batch, m, n } = call.shape;
  const parts = output(backend, [plan.splits, batch, m, n]);
  runProgram(backend, matMulProgram(call, plan), { inputs: [a, b], outputs: [parts] });
  runProgram(backend, addPartsProgram(call, plan.splits), { inputs: [parts, ...rest], outputs });
  backend.disposeData(parts.dataId);
  return result;
}

/** Several products as one program: no batch, a as it is, sums unsplit, terms one after the other. */
export function multiplySeveral(
  backend: WebgpuBackend,
  call: Pick<MatMulCall, "shape" | "transposeB" | "bias" | "epilogue" | "several">,
  io: { inputs: readonly TensorInfo[]; outputs: readonly TensorInfo[] },
): void {
  const { count, of } = call.several!;
  const { device: { limits } } = backend;
  const plan = planMatMul({ ...call.shape, batch: of === "results" ? count : 1 }, limits, { unsplit: true });
  const first = of === "results" ? 1 : count;
  const half = io.inputs.slice(first, first + count).every(isHalf);
  const whole: MatMulCall = { ...call, half, transposeA: false, axes: batchAxes([], [])!, activation: "linear" };
  runProgram(backend, matMulProgram(whole, plan), io);
}

/** The product, or undefined where it is tfjs's to compute. */
function matMul(backend: WebgpuBackend, given: FusedMatMul): TensorInfo | undefined {
  const call = describe(given);
  if (!call) return undefined;
  const { inputs: { a, b, bias }, attrs } = given;
  const outer = tf.broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const [m] = matrixShape(a.shape, attrs.transposeA);
  const shape = [...outer, m, call.shape.n];
  if (sizeOf(shape) === 0) return zeros(backend, shape);
  return multiply(backend, call, { inputs: bias ? [a, b, bias] : [a, b], shape });
}

/** BatchMatMul. */
export function batchMatMul(
  call: WebgpuCall<"BatchMatMul">,
  tfjs: Kernel<"BatchMatMul", WebgpuBackend>,
): TensorInfo {
  return matMul(call.backend, call) ?? tfjs(call);
}

/** _FusedMatMul. */
export function fusedMatMul(
  call: WebgpuCall<"_FusedMatMul">,
  tfjs: Kernel<"_FusedMatMul", WebgpuBackend>,
): TensorInfo {
  return matMul(call.backend, call) ?? tfjs(call);
}
