/**
 * tf.js's WebGPU `Cast` from integers to float32 hands on the integers' buffer under the other type; its own programs ask
 * the buffer's type, kernels that are bound to floats would read the bits. Here the numbers are converted.
 *
 * @module
 */
import type { WebgpuBackend } from "../../webgpu/backend.ts";
import { output, sizeOf, type WebgpuCall } from "../../webgpu/call.ts";
import { runProgram } from "../../webgpu/run.ts";
import type { TensorInfo } from "../info.ts";
import type { Kernel } from "../interface.ts";

const THREADS = 256;

/** Cast. */
export function cast(call: WebgpuCall<"Cast">, tfjs: Kernel<"Cast", WebgpuBackend>): TensorInfo {
  const { inputs: { x }, attrs: { dtype }, backend } = call;
  const stored = backend.tensorMap.get(x.dataId);
  const isConverted = dtype === "float32" && (stored.dtype === "int32" || stored.dtype === "bool");
  if (!isConverted) return tfjs(call);
  const size = sizeOf(x.shape);
  const values = size === 0 ? new Int32Array(0) : stored.values;
  if (values && !Array.isArray(values)) return backend.makeTensorInfo(x.shape, "float32", Float32Array.from(values));
  const y = output(backend, x.shape);
  runProgram(backend, {
    key: "AceCast",
    inputs: [["x", "i32"]],
    outputs: [["y", "f32"]],
    uniforms: { size: { u32: size } },
    workgroups: Math.ceil(size / THREADS),
    code: () => `
@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
  let i = groupIndex(group, groups) * ${THREADS}u + lane;
  if (i < params.size) { y[i] = f32(x[i]); }
}`,
  }, { inputs: [x], outputs: [y] });
  return y;
}
