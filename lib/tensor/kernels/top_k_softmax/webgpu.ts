/**
 * Softmax over the k largest of each row, 0 elsewhere, with their places: one dispatch where tfjs's top-k alone sorts
 * in 28. One workgroup of 64 a row looks k times for the largest number after the last one found; equal numbers go by
 * place, lowest first.
 *
 * @module
 */
import { lanes, output, sizeOf, type WebgpuCall, zeros } from "../../webgpu/call.ts";
import { EXPONENTIALS } from "../../webgpu/exponentials.ts";
import { add4, ROW_THREADS, rowMain, workgroupSum } from "../../webgpu/rows.ts";
import { type GpuProgram, runProgram } from "../../webgpu/run.ts";
import type { TensorInfo } from "../info.ts";
import type { KernelResult } from "../interface.ts";
import { mapTuple } from "../../../platform/map_tuple.ts";

/** The workgroup memory and the functions of {@linkcode pickLargest}, in WGSL. */
export const PICK_LARGEST = `${EXPONENTIALS}
fn isAbove(a: f32, b: f32) -> bool {
  if (isNan(a) || isNan(b)) { return isNan(a) && !isNan(b); }
  return a > b;
}
fn comesAfter(a: f32, placeOfA: u32, b: f32, placeOfB: u32) -> bool {
  return isAbove(b, a) || (!isAbove(a, b) && placeOfA > placeOfB);
}
var<workgroup> bestValue: array<f32, ${ROW_THREADS}>;
var<workgroup> bestPlace: array<u32, ${ROW_THREADS}>;`;

/** What {@linkcode pickLargest} looks for, in WGSL. */
export interface Picks {
  /** How many. */
  k: number;
  /** The score of place `i`. */
  score: string;
  /** Whether place `i` may be picked. @default {every one} */
  open?: string;
  /** Number of places. */
  size: string;
  /** What the names begin with. @default {""} */
  prefix?: string;
}

/**
 * Statements of a row's workgroup of 64 that find the k largest, NaN before all, largest first and lower places first among equals: their
 * scores `v0 ..`, their places `p0 ..` (the size where there is none) and their shares of a softmax `w0 ..`, 0 then.
 */
export function pickLargest({ k, score, open = "true", size, prefix = "" }: Picks): string {
  const picks = Array.from({ length: k }, (_, j) => j);
  const [v, p, e, w] = mapTuple(["v", "p", "e", "w"], (letter) => (j: number) => `${prefix}${letter}${j}`);
  const after = (j: number): string =>
    j === 0 ? "true" : `${p(j - 1)} != ${size} && comesAfter(score, i, ${v(j - 1)}, ${p(j - 1)})`;
  return `
  ${picks.map((j) => `var ${v(j)} = 0.0; var ${p(j)} = ${size};`).join(" ")}
  ${
    picks.map((j) =>
      `{
    var value = 0.0;
    var place = ${size};
    for (var i = lane; i < ${size}; i += ${ROW_THREADS}u) {
      let score = ${score};
      let isOpen = ${after(j)} && (${open});
      if (isOpen && (place == ${size} || isAbove(score, value))) { value = score; place = i; }
    }
    workgroupBarrier();
    bestValue[lane] = value;
    bestPlace[lane] = place;
    workgroupBarrier();
    for (var half = ${ROW_THREADS / 2}u; half >= 1u; half = half / 2u) {
      if (lane < half) {
        let other = bestPlace[lane + half];
        let rival = bestValue[lane + half];
        let mine = bestPlace[lane];
        if (other != ${size} && (mine == ${size} || comesAfter(bestValue[lane], mine, rival, other))) {
          bestValue[lane] = rival;
          bestPlace[lane] = other;
        }
      }
      workgroupBarrier();
    }
    ${v(j)} = bestValue[0];
    ${p(j)} = bestPlace[0];
  }`
    ).join("\n  ")
  }
  ${picks.map((j) => `let ${e(j)} = select(0.0, expOf(${v(j)} - ${v(0)}), ${p(j)} != ${size});`).join(" ")}
  let ${prefix}total = ${picks.map(e).join(" + ")};
  ${picks.map((j) => `let ${w(j)} = select(0.0, ${e(j)} / ${prefix}total, ${p(j)} != ${size});`).join(" ")}`;
}

/** The program; `allowed` (0 or 1) has `allowedSize` numbers and repeats, 0 for none. */
export function topKSoftmaxProgram(size: { rows: number; columns: number; k: number; allowed: number }): GpuProgram {
  const { rows, columns, k, allowed } = size;
  const picks = Array.from({ length: k }, (_, j) => j);
  return {
    key: `AceTopKSoftmax,${k},${allowed > 0}`,
    inputs: [["scores", "f32"], ...(allowed > 0 ? [["allowed", "f32"]] as const : [])],
    outputs: [["weights", "f32"], ["places", "i32"]],
    uniforms: { rows: { u32: rows }, columns: { u32: columns }, allowedSize: { u32: Math.max(1, allowed) } },
    workgroups: rows,
    code: () =>
      PICK_LARGEST + rowMain(
        `${
          pickLargest({
            k,
            score: "scores[start + i]",
            ...(allowed > 0 ? { open: "allowed[(start + i) % params.allowedSize] != 0.0" } : {}),
            size: "params.columns",
          })
        }
  for (var i = lane; i < params.columns; i += ${ROW_THREADS}u) {
    var weight = select(0.0, total, isNan(total));
    ${picks.map((j) => `if (i == p${j}) { weight = w${j}; }`).join("\n    ")}
    weights[start + i] = weight;
  }
  if (lane == 0u) {
    ${
          picks.map((j) => `places[row * ${k}u + ${j}u] = i32(select(0u, p${j}, p${j} != params.columns));`).join(
            "\n    ",
          )
        }
  }`,
        { stride: "columns" },
      ),
  };
}

/** The gradient of a softmax by its result: `dx = w (dy - Σ w dy)`; 0 wherever the weight is. */
function softmaxGradProgram(rows: number, depth: number): GpuProgram {
  const { type, width } = lanes(depth);
  return {
    key: `AceSoftmaxGrad,${width}`,
    inputs: [["dy", type], ["weights", type]],
    outputs: [["dx", type]],
    uniforms: { rows: { u32: rows }, steps: { u32: depth / width } },
    workgroups: rows,
    code: () =>
      workgroupSum("f32") + rowMain(`  var products = ${type}(0.0);
  for (var i = lane; i < params.steps; i += ${ROW_THREADS}u) { products += dy[start + i] * weights[start + i]; }
  let mean = groupSum(${add4(width, "products")}, lane);
  for (var i = lane; i < params.steps; i += ${ROW_THREADS}u) {
    dx[start + i] = weights[start + i] * (dy[start + i] - mean);
  }`),
  };
}

/** AceTopKSoftmax: 1 dispatch. */
export function topKSoftmax(call: WebgpuCall<"AceTopKSoftmax">): KernelResult<"AceTopKSoftmax"> {
  const { inputs: { scores, allowed }, attrs: { k }, backend } = call;
  const columns = scores.shape[scores.shape.length - 1]!;
  const rows = columns === 0 ? 0 : sizeOf(scores.shape) / columns;
  const shape = [...scores.shape.slice(0, -1), k];
  if (rows * k === 0) {
    return [zeros(backend, scores.shape), backend.makeTensorInfo(shape, "int32", new Int32Array(0))];
  }
  const outputs: KernelResult<"AceTopKSoftmax"> = [
    output(backend, scores.shape),
    backend.makeTensorInfo(shape, "int32"),
  ];
  const size = { rows, columns, k, allowed: allowed ? sizeOf(allowed.shape) : 0 };
  runProgram(backend, topKSoftmaxProgram(size), { inputs: allowed ? [scores, allowed] : [scores], outputs });
  return outputs;
}

/** AceTopKSoftmaxGrad: 1 dispatch. */
export function topKSoftmaxGrad({ inputs, backend }: WebgpuCall<"AceTopKSoftmaxGrad">): TensorInfo {
  const { dy, weights } = inputs;
  const depth = weights.shape[weights.shape.length - 1]!;
  if (sizeOf(weights.shape) === 0) return zeros(backend, weights.shape);
  const dx = output(backend, weights.shape);
  const program = softmaxGradProgram(sizeOf(weights.shape) / depth, depth);
  runProgram(backend, program, { inputs: [dy, weights], outputs: [dx] });
  return dx;
}
