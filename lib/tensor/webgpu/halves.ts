/**
 * Tensors that take two bytes a number in the device's memory and four in every sum. WGSL packs and unpacks pairs of float16 without
 * the feature `shader-f16`. A program that reads them so says it by {@linkcode HALVES}; before any other they are widened.
 *
 * @module
 */
import type { TensorInfo } from "../kernels/info.ts";

/** The WGSL type by which a program reads four float16 at a time. */
export const HALVES = "vec2<u32>";

const THREADS = 256;
const halves = new WeakSet<object>();

/** Whether a tensor takes two bytes a number. */
export function isHalf({ dataId }: Pick<TensorInfo, "dataId">): boolean {
  return halves.has(dataId);
}

/** Says that a tensor takes two bytes a number. */
export function markHalf({ dataId }: TensorInfo): void {
  halves.add(dataId);
}

/** `widen(pairs)` in WGSL. */
export const WIDEN = `
fn widen(pairs: ${HALVES}) -> vec4<f32> { return vec4<f32>(unpack2x16float(pairs.x), unpack2x16float(pairs.y)); }`;

/** A program of run.ts. */
export interface ConversionProgram {
  /** Names the code. */
  key: string;
  /** The WGSL. */
  code: () => string;
  /** `x` with its type. */
  inputs: readonly (readonly [string, string])[];
  /** `y` with its type. */
  outputs: readonly (readonly [string, string])[];
  /** How many fours. */
  uniforms: { size: { u32: number } };
  /** Of them. */
  workgroups: number;
}

function perFour(
  size: number,
  program: Pick<ConversionProgram, "key" | "inputs" | "outputs">,
  store: string,
): ConversionProgram {
  return {
    ...program,
    uniforms: { size: { u32: size / 4 } },
    workgroups: Math.ceil(size / 4 / THREADS),
    code: () => `
${WIDEN}
@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
  let i = groupIndex(group, groups) * ${THREADS}u + lane;
  if (i >= params.size) { return; }
  let four = x[i];
  y[i] = ${store};
}`,
  };
}

/** From four bytes a number to two, rounded to float16. */
export function narrowProgram(size: number): ConversionProgram {
  const [inputs, outputs] = [[["x", "vec4<f32>"]], [["y", HALVES]]] as const;
  const program = { key: "AceNarrow", inputs, outputs };
  return perFour(size, program, `${HALVES}(pack2x16float(four.xy), pack2x16float(four.zw))`);
}

/** From two bytes a number to four. */
export function widenProgram(size: number): ConversionProgram {
  const [inputs, outputs] = [[["x", HALVES]], [["y", "vec4<f32>"]]] as const;
  return perFour(size, { key: "AceWiden", inputs, outputs }, "widen(four)");
}
