/**
 * LayerNorm over the last axis: forward in one dispatch, the gradient of `x` in one, those of gain and bias in one or
 * two (two from 257 rows on: sums over blocks of rows, then the sum of the blocks, in a fixed order).
 *
 * One workgroup of 64 handles a row, so any width works; the row is read from memory once and from cache after that.
 *
 * @module
 */
import { lanes, output, sizeOf, type WebgpuCall, zeros } from "../../webgpu/call.ts";
import { add4, ROW_THREADS, rowMain, workgroupSum } from "../../webgpu/rows.ts";
import { type GpuProgram, runProgram } from "../../webgpu/run.ts";
import type { TensorInfo } from "../info.ts";
import type { KernelResult } from "../interface.ts";

const ROWS_IN_ONE_PASS = 256;

/** The program of the forward pass. */
export function layerNormProgram(rows: number, depth: number, epsilon: number): GpuProgram {
  const { type, width } = lanes(depth);
  return {
    key: `AceLayerNorm,${width}`,
    inputs: [["x", type], ["gain", type], ["bias", type]],
    outputs: [["y", type], ["means", "f32"], ["rstds", "f32"]],
    uniforms: {
      rows: { u32: rows },
      steps: { u32: depth / width },
      inverse: { f32: 1 / depth },
      epsilon: { f32: epsilon },
    },
    workgroups: rows,
    code: () =>
      workgroupSum("f32") + rowMain(`  var total = ${type}(0.0);
  for (var i = lane; i < params.steps; i += ${ROW_THREADS}u) { total += x[start + i]; }
  let mean = groupSum(${add4(width, "total")}, lane) * params.inverse;
  var squares = ${type}(0.0);
  for (var i = lane; i < params.steps; i += ${ROW_THREADS}u) {
    let centred = x[start + i] - mean;
    squares += centred * centred;
  }
  let variance = groupSum(${add4(width, "squares")}, lane) * params.inverse;
  let rstd = 1.0 / sqrt(variance + params.epsilon);
  for (var i = lane; i < params.steps; i += ${ROW_THREADS}u) {
    y[start + i] = (x[start + i] - mean) * rstd * gain[i] + bias[i];
  }
  if (lane == 0u) {
    means[row] = mean;
    rstds[row] = rstd;
  }`),
  };
}

/**
 * The program of the gradient of `x`: `dx = rstd (g - mean(g) - xhat mean(g xhat))` with `g = dy gain`, plus a tensor
 * that is there already with `addend`.
 */
export function layerNormGradXProgram(rows: number, depth: number, addend = false): GpuProgram {
  const { type, width } = lanes(depth);
  return {
    key: `AceLayerNormGradX,${width},${addend}`,
    inputs: [
      ["dy", type],
      ["x", type],
      ["gain", type],
      ["means", "f32"],
      ["rstds", "f32"],
      ...(addend ? [["addend", type]] as const : []),
    ],
    outputs: [["dx", type]],
    uniforms: { rows: { u32: rows }, steps: { u32: depth / width }, inverse: { f32: 1 / depth } },
    workgroups: rows,
    code: () =>
      workgroupSum("vec2<f32>") + rowMain(`  let mean = means[row];
  let rstd = rstds[row];
  var first = ${type}(0.0);
  var second = ${type}(0.0);
  for (var i = lane; i < params.steps; i += ${ROW_THREADS}u) {
    let g = dy[start + i] * gain[i];
    first += g;
    second += g * ((x[start + i] - mean) * rstd);
  }
  let sums = groupSum(vec2<f32>(${add4(width, "first")}, ${add4(width, "second")}), lane) * params.inverse;
  for (var i = lane; i < params.steps; i += ${ROW_THREADS}u) {
    let xhat = (x[start + i] - mean) * rstd;
    dx[start + i] = rstd * (dy[start + i] * gain[i] - sums.x - xhat * sums.y)${addend ? " + addend[start + i]" : ""};
  }`),
  };
}

/** How many rows one workgroup of the parameters' gradient sums: one block up to 256 rows, else up to 128 blocks. */
function rowBlock(rows: number): number {
  return rows <= ROWS_IN_ONE_PASS ? rows : Math.max(32, Math.ceil(rows / 128));
}

/** Sums of `dy xhat` and `dy` over blocks of rows: 64 columns by 4 rows per workgroup. */
function paramSumsProgram(rows: number, depth: number): GpuProgram {
  const block = rowBlock(rows);
  const columnGroups = Math.ceil(depth / 64);
  const blocks = Math.ceil(rows / block);
  return {
    key: "AceLayerNormGradParams",
    inputs: [["dy", "f32"], ["x", "f32"], ["means", "f32"], ["rstds", "f32"]],
    outputs: [["gainSums", "f32"], ["biasSums", "f32"]],
    uniforms: {
      rows: { u32: rows },
      depth: { u32: depth },
      rowsPerBlock: { u32: block },
      columnGroups: { u32: columnGroups },
      total: { u32: columnGroups * blocks },
    },
    workgroups: columnGroups * blocks,
    code: () => `
var<workgroup> partial: array<vec2<f32>, 256>;
@compute @workgroup_size(64, 4)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_id) local: vec3<u32>) {
  let index = groupIndex(group, groups);
  if (index >= params.total) { return; }
  let block = index / params.columnGroups;
  let column = (index % params.columnGroups) * 64u + local.x;
  let end = min(params.rows, (block + 1u) * params.rowsPerBlock);
  var sums = vec2<f32>(0.0);
  if (column < params.depth) {
    for (var row = block * params.rowsPerBlock + local.y; row < end; row += 4u) {
      let g = dy[row * params.depth + column];
      sums += vec2<f32>(g * ((x[row * params.depth + column] - means[row]) * rstds[row]), g);
    }
  }
  partial[local.y * 64u + local.x] = sums;
  workgroupBarrier();
  if (local.y == 0u && column < params.depth) {
    let total = (partial[local.x] + partial[64u + local.x]) + (partial[128u + local.x] + partial[192u + local.x]);
    gainSums[block * params.depth + column] = total.x;
    biasSums[block * params.depth + column] = total.y;
  }
}`,
  };
}

/** Adds the blocks of {@linkcode paramSumsProgram}, in order. */
function addBlocksProgram(blocks: number, depth: number): GpuProgram {
  return {
    key: "AceLayerNormAddBlocks",
    inputs: [["gainSums", "f32"], ["biasSums", "f32"]],
    outputs: [["dGain", "f32"], ["dBias", "f32"]],
    uniforms: { blocks: { u32: blocks }, depth: { u32: depth } },
    workgroups: Math.ceil(depth / 64),
    code: () => `
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
  let column = groupIndex(group, groups) * 64u + lane;
  if (column >= params.depth) { return; }
  var total = vec2<f32>(0.0);
  for (var block = 0u; block < params.blocks; block++) {
    total += vec2<f32>(gainSums[block * params.depth + column], biasSums[block * params.depth + column]);
  }
  dGain[column] = total.x;
  dBias[column] = total.y;
}`,
  };
}

function split(x: TensorInfo): { rows: number; depth: number } {
  const depth = x.shape[x.shape.length - 1] ?? 1;
  return { rows: depth === 0 ? 0 : sizeOf(x.shape) / depth, depth };
}

/** AceLayerNorm: 1 dispatch. */
export function layerNorm(
  { inputs: { x, gain, bias }, attrs, backend }: WebgpuCall<"AceLayerNorm">,
): KernelResult<"AceLayerNorm"> {
  const { rows, depth } = split(x);
  if (rows === 0) return [zeros(backend, x.shape), zeros(backend, [0]), zeros(backend, [0])];
  const outputs: KernelResult<"AceLayerNorm"> = [
    output(backend, x.shape),
    output(backend, [rows]),
    output(backend, [rows]),
  ];
  runProgram(backend, layerNormProgram(rows, depth, attrs.epsilon), { inputs: [x, gain, bias], outputs });
  return outputs;
}

/** AceLayerNormFork: 1 dispatch. */
export function layerNormFork(call: WebgpuCall<"AceLayerNormFork">): KernelResult<"AceLayerNormFork"> {
  const { inputs, attrs, backend } = call;
  const outputs = layerNorm({ inputs, attrs, backend });
  const { dataId, shape, dtype } = inputs.x;
  backend.incRef(dataId);
  return [...outputs, { dataId, shape, dtype }];
}

/** AceLayerNormGradX: 1 dispatch. */
export function layerNormGradX({ inputs, backend }: WebgpuCall<"AceLayerNormGradX">): TensorInfo {
  const { dy, x, gain, mean, rstd, addend } = inputs;
  const { rows, depth } = split(x);
  if (rows === 0) return zeros(backend, x.shape);
  const dx = output(backend, x.shape);
  const all = [dy, x, gain, mean, rstd, ...(addend ? [addend] : [])];
  runProgram(backend, layerNormGradXProgram(rows, depth, addend !== undefined), { inputs: all, outputs: [dx] });
  return dx;
}

/** AceLayerNormGradParams: 1 dispatch, or 2 beyond 256 rows. */
export function layerNormGradParams(
  { inputs: { dy, x, mean, rstd }, backend }: WebgpuCall<"AceLayerNormGradParams">,
): KernelResult<"AceLayerNormGradParams"> {
  const { rows, depth } = split(x);
  if (rows === 0) return [zeros(backend, [depth]), zeros(backend, [depth])];
  const blocks = Math.ceil(rows / rowBlock(rows));
  const grads: KernelResult<"AceLayerNormGradParams"> = [output(backend, [depth]), output(backend, [depth])];
  const sums = blocks === 1 ? grads : [output(backend, [blocks, depth]), output(backend, [blocks, depth])];
  runProgram(backend, paramSumsProgram(rows, depth), { inputs: [dy, x, mean, rstd], outputs: sums });
  if (blocks === 1) return grads;
  runProgram(backend, addBlocksProgram(blocks, depth), { inputs: sums, outputs: grads });
  for (const sum of sums) backend.disposeData(sum.dataId);
  return grads;
}
