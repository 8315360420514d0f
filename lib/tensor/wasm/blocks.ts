/** Slice, SplitV and PadV2 along one dimension on wasm: tfjs copies row by row through typed arrays. @module */
import * as tf from "@tensorflow/tfjs";
import { replaceKernels } from "../kernels.ts";
import { addressOf, type KernelCall, wasmKernels } from "./module.ts";

const { sizeFromShape } = tf.util;

/** The only dimension in which the shapes differ, or undefined where there is none or more than one. */
function oneDimension(a: readonly number[], b: readonly number[]): number | undefined {
  const differing = a.flatMap((size, d) => size === b[d] ? [] : [d]);
  return differing.length === 1 ? differing[0] : undefined;
}

type Fallback = (call: never) => unknown;

function slice(call: KernelCall<"x", { begin: number[]; size: number[] }>, fallback: Fallback): unknown {
  const { inputs: { x }, backend, attrs } = call;
  const [begin, size] = tf.slice_util.parseSliceParams(x as unknown as tf.Tensor, attrs.begin, attrs.size) as [
    number[],
    number[],
  ];
  const d = oneDimension(x.shape, size);
  if (d === undefined || sizeFromShape(size) === 0 || (x.dtype !== "float32" && x.dtype !== "int32")) {
    return fallback(call as never);
  }
  const out = backend.makeOutput(size, x.dtype);
  const inner = sizeFromShape(x.shape.slice(d + 1));
  const from = addressOf(backend, x) + 4 * begin[d]! * inner;
  const [stride, n] = [x.shape[d]! * inner, size[d]! * inner];
  wasmKernels(backend).run.copy_blocks!(sizeFromShape(size.slice(0, d)), n, from, stride, addressOf(backend, out), n);
  return out;
}

type SplitAttributes = { numOrSizeSplits: number | number[]; axis: number };

function split(call: KernelCall<"x", SplitAttributes>, fallback: Fallback): unknown {
  const { inputs: { x }, backend, attrs } = call;
  if (x.dtype !== "float32" && x.dtype !== "int32") return fallback(call as never);
  const d = tf.util.parseAxisParam(attrs.axis, x.shape)[0]!;
  const sizes = tf.backend_util.prepareSplitSize(x as unknown as tf.Tensor, attrs.numOrSizeSplits, d);
  const [blocks, inner] = [sizeFromShape(x.shape.slice(0, d)), sizeFromShape(x.shape.slice(d + 1))];
  let from = addressOf(backend, x);
  return sizes.map((size) => {
    const out = backend.makeOutput(x.shape.map((full, i) => i === d ? size : full), x.dtype);
    const n = size * inner;
    wasmKernels(backend).run.copy_blocks!(blocks, n, from, x.shape[d]! * inner, addressOf(backend, out), n);
    from += 4 * n;
    return out;
  });
}

type PadAttributes = { paddings: [number, number][]; constantValue: number };

function pad(call: KernelCall<"x", PadAttributes>, fallback: Fallback): unknown {
  const { inputs: { x }, backend, attrs: { paddings, constantValue } } = call;
  const shape = x.shape.map((size, d) => size + paddings[d]![0] + paddings[d]![1]);
  const d = oneDimension(x.shape, shape);
  if (d === undefined || sizeFromShape(x.shape) === 0 || x.dtype !== "float32") return fallback(call as never);
  const out = backend.makeOutput(shape, x.dtype);
  const inner = sizeFromShape(x.shape.slice(d + 1));
  const blocks = sizeFromShape(shape.slice(0, d));
  const [n, stride] = [x.shape[d]! * inner, shape[d]! * inner];
  const [before, after] = paddings[d]!.map((count) => count * inner) as [number, number];
  const to = addressOf(backend, out);
  const values = new Float32Array(backend.wasm.asm.memory.buffer, to, blocks * stride);
  for (let b = 0; b < blocks; b++) {
    values.fill(constantValue, b * stride, b * stride + before);
    values.fill(constantValue, (b + 1) * stride - after, (b + 1) * stride);
  }
  wasmKernels(backend).run.copy_blocks!(blocks, n, addressOf(backend, x), n, to + 4 * before, stride);
  return out;
}

/** Puts our copies in the place of tfjs's; what differs in more than one dimension still goes to theirs. */
export function registerBlocks(): void {
  replaceKernels("wasm", { Slice: slice, SplitV: split, PadV2: pad });
}
