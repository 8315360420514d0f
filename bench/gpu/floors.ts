/** What the device can do at best: a copy for the bandwidth, independent multiply-adds for the float32 rate. @module */
import type { WebgpuBackend } from "../../lib/tensor/webgpu/backend.ts";
import { type GpuProgram, runProgram } from "../../lib/tensor/webgpu/run.ts";
import { gpuMilliseconds, seconds, type TimingOptions } from "./measure.ts";
import type { Floors } from "./row.ts";

function copyProgram(vectors: number): GpuProgram {
  return {
    key: "bench-copy",
    inputs: [["x", "vec4<f32>"]],
    outputs: [["y", "vec4<f32>"]],
    uniforms: { size: { u32: vectors } },
    workgroups: Math.ceil(vectors / 256),
    code: () => `
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
  let i = groupIndex(group, groups) * 256u + lane;
  if (i < params.size) { y[i] = x[i]; }
}`,
  };
}

const CHAINS = 8;
const STEPS = 16;

/** Each thread runs 8 chains of vec4 multiply-adds, 16 written out per turn of the loop. */
function fmaProgram(threads: number, turns: number): GpuProgram {
  const chains = Array.from({ length: CHAINS }, (_, c) => c);
  return {
    key: "bench-fma",
    inputs: [],
    outputs: [["y", "vec4<f32>"]],
    uniforms: { turns: { u32: turns }, factor: { f32: 0.999 }, term: { f32: 0.001 } },
    workgroups: threads / 256,
    code: () => `
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
  let i = groupIndex(group, groups) * 256u + lane;
  let factor = vec4<f32>(params.factor);
  let term = vec4<f32>(params.term);
  ${chains.map((c) => `var a${c} = vec4<f32>(f32(i + ${c}u));`).join(" ")}
  for (var turn = 0u; turn < params.turns; turn++) {
    ${Array.from({ length: STEPS }, () => chains.map((c) => `a${c} = a${c} * factor + term;`).join(" ")).join("\n")}
  }
  y[i] = ${chains.map((c) => `a${c}`).join(" + ")};
}`,
  };
}

/** Measures the floors. `tiny` uses sizes for a software adapter. */
export async function measureFloors(
  backend: WebgpuBackend,
  options: { tiny: boolean; timing: TimingOptions },
): Promise<Floors> {
  const bytes = Math.min(options.tiny ? 1 << 20 : 1 << 28, backend.device.limits.maxStorageBufferBindingSize);
  const median = async (program: GpuProgram, inputFloats: number, outputFloats: number) => {
    const inputs = inputFloats > 0 ? [backend.makeTensorInfo([inputFloats], "float32")] : [];
    const once = () => {
      const output = backend.makeTensorInfo([outputFloats], "float32");
      runProgram(backend, program, { inputs, outputs: [output] });
      backend.disposeData(output.dataId);
    };
    const sorted = await seconds(backend, once, options.timing);
    const gpuMs = await gpuMilliseconds(backend, once);
    for (const input of inputs) backend.disposeData(input.dataId);
    const wall = sorted[sorted.length >> 1]!;
    return { wall, device: gpuMs ? gpuMs / 1000 : wall };
  };
  const copy = (await median(copyProgram(bytes / 16), bytes / 4, bytes / 4)).device;
  const [threads, turns] = options.tiny ? [2048, 16] : [1 << 20, 256];
  const fma = (await median(fmaProgram(threads, turns), 0, threads * 4)).device;
  const dispatch = (await median(copyProgram(64), 256, 256)).wall;
  const flops = threads * turns * CHAINS * STEPS * 4 * 2;
  return { bandwidth: 2 * bytes / copy, float32: flops / fma, dispatch };
}
