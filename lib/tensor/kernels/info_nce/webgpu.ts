/** The contrastive loss of a matrix of products, and its gradient. @module */
import type { WebgpuBackend } from "../../webgpu/backend.ts";
import { output, type WebgpuCall, zeros } from "../../webgpu/call.ts";
import { EXPONENTIALS } from "../../webgpu/exponentials.ts";
import { ROW_THREADS, rowMain, workgroupSum } from "../../webgpu/rows.ts";
import { type GpuProgram, runProgram } from "../../webgpu/run.ts";
import type { InfoOf } from "../info.ts";
import type { KernelResult } from "../interface.ts";

type Inputs = GpuProgram["inputs"];

const masks = (isMasked: boolean): Inputs => isMasked ? [["pairMask", "f32"]] : [];

/** `logit(index)`, the scaled product, far below all others where the pair is removed. */
const logit = (isMasked: boolean): string =>
  `${EXPONENTIALS}
fn logit(index: u32) -> f32 { return products[index] * scale[0]${
    isMasked ? " + (pairMask[index] - 1.0) * 1e9" : ""
  }; }`;

/** The log of the sum of exponentials of every row, then of every column. */
function logSumExpProgram(size: number, isMasked: boolean): GpuProgram {
  const place = "select(own * params.size + i, i * params.size + own, isColumn)";
  return {
    key: `AceInfoNceSums,${isMasked}`,
    inputs: [["products", "f32"], ["scale", "f32"], ...masks(isMasked)],
    outputs: [["sums", "f32"]],
    uniforms: { rows: { u32: 2 * size }, size: { u32: size } },
    workgroups: 2 * size,
    code: () =>
      logit(isMasked) + workgroupSum("f32") + `
var<workgroup> largest: array<f32, ${ROW_THREADS}>;` +
      rowMain(
        `  let isColumn = row >= params.size;
  let own = row % params.size;
  var top = logit(own * params.size + own);
  for (var i = lane; i < params.size; i += ${ROW_THREADS}u) {
    let score = logit(${place});
    if (score > top) { top = score; }
  }
  largest[lane] = top;
  workgroupBarrier();
  for (var i = 0u; i < ${ROW_THREADS}u; i++) { if (largest[i] > top) { top = largest[i]; } }
  var sum = 0.0;
  for (var i = lane; i < params.size; i += ${ROW_THREADS}u) { sum += expOf(logit(${place}) - top); }
  let total = groupSum(sum, lane);
  if (lane == 0u) { sums[row] = logOf(total) + top; }`,
        { stride: "size" },
      ),
  };
}

/** The mean over pairs of the halved sums of row and column, less the pair's own logit. */
function meanProgram(size: number): GpuProgram {
  return {
    key: "AceInfoNceMean",
    inputs: [["sums", "f32"], ["products", "f32"], ["scale", "f32"]],
    outputs: [["loss", "f32"]],
    uniforms: { rows: { u32: 1 }, size: { u32: size } },
    workgroups: 1,
    code: () =>
      workgroupSum("f32") + rowMain(
        `  var sum = 0.0;
  for (var i = start + lane; i < params.size; i += ${ROW_THREADS}u) {
    sum += 0.5 * (sums[i] + sums[params.size + i]) - products[i * params.size + i] * scale[0];
  }
  let total = groupSum(sum, lane);
  if (lane == 0u) { loss[0] = total / f32(params.size); }`,
        { stride: "size" },
      ),
  };
}

/** The gradient of the products, and each row's part of that of the scale. */
function gradProgram(size: number, isMasked: boolean): GpuProgram {
  return {
    key: `AceInfoNceGrad,${isMasked}`,
    inputs: [["dy", "f32"], ["products", "f32"], ["scale", "f32"], ["sums", "f32"], ...masks(isMasked)],
    outputs: [["dProducts", "f32"], ["parts", "f32"]],
    uniforms: { rows: { u32: size }, size: { u32: size } },
    workgroups: size,
    code: () =>
      logit(isMasked) + workgroupSum("f32") + rowMain(
        `  let each = dy[0] / f32(params.size);
  var part = 0.0;
  for (var i = lane; i < params.size; i += ${ROW_THREADS}u) {
    let score = logit(start + i);
    let both = expOf(score - sums[row]) + expOf(score - sums[params.size + i]);
    let slope = each * (0.5 * both - select(0.0, 1.0, i == row));
    part += slope * products[start + i];
    dProducts[start + i] = slope * scale[0];
  }
  let total = groupSum(part, lane);
  if (lane == 0u) { parts[row] = total; }`,
        { stride: "size" },
      ),
  };
}

function totalProgram(size: number): GpuProgram {
  return {
    key: "AceInfoNceTotal",
    inputs: [["parts", "f32"]],
    outputs: [["total", "f32"]],
    uniforms: { rows: { u32: 1 }, size: { u32: size } },
    workgroups: 1,
    code: () =>
      workgroupSum("f32") + rowMain(
        `  var sum = 0.0;
  for (var i = start + lane; i < params.size; i += ${ROW_THREADS}u) { sum += parts[i]; }
  let all = groupSum(sum, lane);
  if (lane == 0u) { total[0] = all; }`,
        { stride: "size" },
      ),
  };
}

/** AceInfoNce: 2 dispatches. */
export function infoNce({ inputs, backend }: WebgpuCall<"AceInfoNce">): KernelResult<"AceInfoNce"> {
  const { products, scale, pairMask } = inputs;
  const size = products.shape[0];
  if (size === 0) return [notANumber(backend), zeros(backend, [0])];
  const [loss, sums] = [output(backend, []), output(backend, [2 * size])];
  const mask = pairMask ? [pairMask] : [];
  runProgram(backend, logSumExpProgram(size, !!pairMask), { inputs: [products, scale, ...mask], outputs: [sums] });
  runProgram(backend, meanProgram(size), { inputs: [sums, products, scale], outputs: [loss] });
  return [loss, sums];
}

/** The mean of nothing. */
function notANumber(backend: WebgpuBackend): InfoOf<[]> {
  return { ...backend.makeTensorInfo([], "float32", new Float32Array([NaN])), shape: [] };
}

/** AceInfoNceGrad: 2 dispatches. */
export function infoNceGrad({ inputs, backend }: WebgpuCall<"AceInfoNceGrad">): KernelResult<"AceInfoNceGrad"> {
  const { dy, products, scale, sums, pairMask } = inputs;
  const size = products.shape[0];
  if (size === 0) return [zeros(backend, products.shape), zeros(backend, [])];
  const [dProducts, parts] = [output(backend, products.shape), output(backend, [size])];
  const dScale = output(backend, []);
  const mask = pairMask ? [pairMask] : [];
  runProgram(backend, gradProgram(size, !!pairMask), {
    inputs: [dy, products, scale, sums, ...mask],
    outputs: [dProducts, parts],
  });
  runProgram(backend, totalProgram(size), { inputs: [parts], outputs: [dScale] });
  backend.disposeData(parts.dataId);
  return [dProducts, dScale];
}
