/** One thread per number, or per four when the length allows: the frame of GELU, dropout and AdamW. @module */
import type { TensorInfo } from "../kernels/info.ts";
import type { WebgpuBackend } from "./backend.ts";
import { lanes, output, sizeOf, zeros } from "./call.ts";
import type { Uniform } from "./device_cache.ts";
import { runProgram } from "./run.ts";

const THREADS = 256;

/** An element-wise program. */
export interface Elementwise {
  /** The kernel's name; with the width it names the code. */
  name: string;
  /** Inputs of one common size. */
  inputs: readonly (readonly [string, TensorInfo])[];
  /** Names of the outputs, of the first input's shape. */
  outputs: readonly string[];
  /** WGSL functions with `apply(<one f32 per input>, index: u32)`; it returns f32, or `array<f32, outputs>`. */
  functions: string;
  /** Uniforms, seen as `params.<name>`. */
  uniforms?: Readonly<Record<string, Uniform>>;
}

/** Runs it in one dispatch and returns the outputs. */
export function elementwise(backend: WebgpuBackend, program: Elementwise): TensorInfo[] {
  const shape = program.inputs[0]![1].shape;
  const size = sizeOf(shape);
  if (size === 0) return program.outputs.map(() => zeros(backend, shape));
  const { type, width } = lanes(size);
  const names = program.inputs.map(([name]) => name);
  const outputs = program.outputs.map(() => output(backend, shape));
  runProgram(backend, {
    key: `${program.name},${width}`,
    inputs: names.map((name) => [name, type]),
    outputs: program.outputs.map((name) => [name, type]),
    uniforms: { size: { u32: size / width }, ...program.uniforms },
    workgroups: Math.ceil(size / width / THREADS),
    code: () => `
${program.functions}
@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
  let i = groupIndex(group, groups) * ${THREADS}u + lane;
  if (i >= params.size) { return; }
${names.map((name) => `  let ${name}_ = ${name}[i];`).join("\n")}
${applyLanes(names, width)}
${program.outputs.map((name, index) => `  ${name}[i] = ${gather(program.outputs.length, width, index)};`).join("\n")}
}`,
  }, { inputs: program.inputs.map(([, tensor]) => tensor), outputs });
  return outputs;
}

function applyLanes(names: readonly string[], width: 1 | 4): string {
  if (width === 1) return `  let r0 = apply(${names.map((name) => `${name}_`).join(", ")}, i);`;
  return [..."xyzw"].map((lane, index) =>
    `  let r${index} = apply(${names.map((name) => `${name}_.${lane}`).join(", ")}, i * 4u + ${index}u);`
  ).join("\n");
}

function gather(outputs: number, width: 1 | 4, index: number): string {
  const parts = (width === 1 ? [0] : [0, 1, 2, 3]).map((lane) => outputs === 1 ? `r${lane}` : `r${lane}[${index}]`);
  return width === 1 ? parts[0]! : `vec4<f32>(${parts.join(", ")})`;
}
