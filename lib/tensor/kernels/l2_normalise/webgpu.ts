/**
 * Rows of unit length, `x / max(|x|, 1e-12)`, and the gradient: one dispatch each, one workgroup of 64 a row.
 *
 * @module
 */
import type { WebgpuBackend } from "../../webgpu/backend.ts";
import { lanes, output, sizeOf, type WebgpuCall, zeros } from "../../webgpu/call.ts";
import { add4, atLeast, ROW_THREADS, rowMain, workgroupSum } from "../../webgpu/rows.ts";
import { type GpuProgram, runProgram } from "../../webgpu/run.ts";
import type { TensorInfo } from "../info.ts";

/** The program of the forward pass, or with `grad` of the gradient of `x`. */
export function l2NormaliseProgram(rows: number, depth: number, grad: boolean): GpuProgram {
  const { type, width } = lanes(depth);
  const sum = grad ? "vec2<f32>" : "f32";
  return {
    key: `AceL2Normalise,${width},${grad}`,
    inputs: [...(grad ? [["dy", type]] as const : []), ["x", type]],
    outputs: [["y", type]],
    uniforms: { rows: { u32: rows }, steps: { u32: depth / width } },
    workgroups: rows,
    code: () =>
      workgroupSum(sum) + rowMain(`  var squares = ${type}(0.0);
  ${grad ? `var products = ${type}(0.0);` : ""}
  for (var i = lane; i < params.steps; i += ${ROW_THREADS}u) {
    let value = x[start + i];
    squares += value * value;
    ${grad ? "products += value * dy[start + i];" : ""}
  }
  ${
        grad
          ? `let sums = groupSum(vec2<f32>(${add4(width, "squares")}, ${add4(width, "products")}), lane);
  let long = sums.x >= 1e-24;
  let scale = 1.0 / sqrt(${atLeast("sums.x", "1e-24")});
  let along = select(0.0, sums.y * scale * scale, long);`
          : `let sum = groupSum(${add4(width, "squares")}, lane);
  let scale = 1.0 / sqrt(${atLeast("sum", "1e-24")});`
      }
  for (var i = lane; i < params.steps; i += ${ROW_THREADS}u) {
    y[start + i] = ${grad ? "(dy[start + i] - x[start + i] * along) * scale" : "x[start + i] * scale"};
  }`),
  };
}

function normalise(backend: WebgpuBackend, x: TensorInfo, dy?: TensorInfo): TensorInfo {
  const depth = x.shape[x.shape.length - 1] ?? 1;
  if (sizeOf(x.shape) === 0) return zeros(backend, x.shape);
  const y = output(backend, x.shape);
  const program = l2NormaliseProgram(sizeOf(x.shape) / depth, depth, dy !== undefined);
  runProgram(backend, program, { inputs: dy ? [dy, x] : [x], outputs: [y] });
  return y;
}

/** AceL2Normalise: 1 dispatch. */
export function l2Normalise({ inputs, backend }: WebgpuCall<"AceL2Normalise">): TensorInfo {
  return normalise(backend, inputs.x);
}

/** AceL2NormaliseGrad: 1 dispatch. */
export function l2NormaliseGrad({ inputs, backend }: WebgpuCall<"AceL2NormaliseGrad">): TensorInfo {
  return normalise(backend, inputs.x, inputs.dy);
}
