/**
 * Rows of unit length, `x / max(|x|, 1e-12)`, and the gradient: one dispatch each, one workgroup of 64 a row.
 *
 * @module
 */
import { emptyOutput, kernel, type KernelConfig, lanes, output, sizeOf, type TensorInfo } from "./kernel.ts";
import { add4, ROW_THREADS, rowMain, workgroupSum } from "./rows.ts";
import { type GpuProgram, runProgram } from "./run.ts";

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
  let scale = 1.0 / sqrt(max(sums.x, 1e-24));
  let along = select(0.0, sums.y * scale * scale, long);`
          : `let scale = 1.0 / sqrt(max(groupSum(${add4(width, "squares")}, lane), 1e-24));`
      }
  for (var i = lane; i < params.steps; i += ${ROW_THREADS}u) {
    y[start + i] = ${grad ? "(dy[start + i] - x[start + i] * along) * scale" : "x[start + i] * scale"};
  }`),
  };
}

function run(name: string, grad: boolean): KernelConfig {
  return kernel(name, ({ inputs, backend }) => {
    const x = inputs["x"]!;
    const depth = x.shape[x.shape.length - 1] ?? 1;
    if (sizeOf(x.shape) === 0) return emptyOutput(backend, x.shape);
    const y = output(backend, x.shape);
    const given: TensorInfo[] = grad ? [inputs["dy"]!, x] : [x];
    runProgram(backend, l2NormaliseProgram(sizeOf(x.shape) / depth, depth, grad), { inputs: given, outputs: [y] });
    return y;
  });
}

/** AceL2Normalise: 1 dispatch. AceL2NormaliseGrad: 1. */
export const l2NormaliseKernels: readonly KernelConfig[] = [
  run("AceL2Normalise", false),
  run("AceL2NormaliseGrad", true),
];
