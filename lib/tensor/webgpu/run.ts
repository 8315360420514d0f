/**
 * Runs one WGSL program on tfjs's WebGPU backend with any number of outputs.
 *
 * tfjs's own `runWebGPUProgram` has one output per program; a LayerNorm (3 outputs) or AdamW (3) would cost three
 * dispatches. This records into the same compute pass through the fields of tfjs-backend-webgpu 4.22.0 named in
 * {@linkcode Internals}, so the order with tfjs's own programs, deferred disposal and `tf.time` stay as they are.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import type { TensorInfo } from "../kernels/info.ts";
import { privateParts } from "../private_parts.ts";
import type { WebgpuBackend } from "./backend.ts";
import { guarded } from "./device.ts";
import { askPipeline, isCompilingOnly, pipelineOf, type Uniform, uniformBuffer } from "./device_cache.ts";
import { HALVES, isHalf, widenProgram } from "./halves.ts";

/** A program to run: inputs are bound at 0.., then the outputs, then the uniform block `params`. */
export interface GpuProgram {
  /** Names the code: everything that changes it must be in the key. */
  key: string;
  /** The WGSL body after the bindings; its entry point is `main`. Called only when the key is new. */
  code: () => string;
  /** `[name, WGSL element type]` of each input. */
  inputs: readonly (readonly [string, string])[];
  /** `[name, WGSL element type]` of each output. */
  outputs: readonly (readonly [string, string])[];
  /** Names of the uniforms, with their values. */
  uniforms: Readonly<Record<string, Uniform>>;
  /** Number of workgroups; the code finds its own by `groupIndex(group, groups)`. */
  workgroups: number;
}

/** Fields of tfjs's backend that its types call private. */
interface Internals {
  commandEncoder: GPUCommandEncoder;
  computePassEncoder: GPUComputePassEncoder | null;
  commandQueueOwnedIds: WeakSet<object>;
  dispatchCountInPass: number;
  activeTimers: { name: string; query: Promise<number> }[] | null;
  supportTimestampQuery: boolean;
  querySet: GPUQuerySet | null;
  querySetCount: number;
}

let dispatches = 0;

/** Which field of tfjs's backend is not as this file needs it, or `undefined`: another version may differ. */
export function missingInternal(backend: WebgpuBackend): string | undefined {
  const names = ["commandEncoder", "commandQueueOwnedIds", "dispatchCountInPass", "supportTimestampQuery", "querySet"];
  return names.find((name) => !(name in backend));
}

/** Asked for at every dispatch: one stands for all that {@linkcode missingInternal} has seen to. */
function internalsOf(backend: WebgpuBackend): Internals {
  return privateParts<Internals>(backend, ["dispatchCountInPass"]);
}

function bufferOf(backend: WebgpuBackend, { dataId }: TensorInfo): GPUBuffer {
  const { resource } = backend.tensorMap.get(dataId);
  if (resource && "getMappedRange" in resource) return resource;
  throw new TypeError("Cannot run a program on a tensor as it must be in a buffer: it is in none");
}

/** How many programs {@linkcode runProgram} has dispatched in this process. */
export function dispatchCount(): number {
  return dispatches;
}

/**
 * Spreads `workgroups` over the dimensions of a dispatch, none over `limit` (65535 on most devices).
 *
 * @throws {RangeError} If they do not fit in two dimensions.
 */
export function spreadWorkgroups(workgroups: number, limit: number): [number, number, number] {
  if (workgroups <= limit) return [workgroups, 1, 1];
  const y = Math.ceil(workgroups / limit);
  if (y > limit) {
    throw new RangeError(
      `Cannot dispatch a program as its workgroups must be at most ${limit * limit}: current value is ${workgroups}`,
    );
  }
  return [Math.ceil(workgroups / y), y, 1];
}

/** The bindings and the function `groupIndex`, in WGSL. */
export function header(program: Pick<GpuProgram, "inputs" | "outputs" | "uniforms">): string {
  let binding = 0;
  const lines: string[] = [];
  for (const [name, type] of program.inputs) {
    lines.push(`@group(0) @binding(${binding++}) var<storage, read> ${name}: array<${type}>;`);
  }
  for (const [name, type] of program.outputs) {
    lines.push(`@group(0) @binding(${binding++}) var<storage, read_write> ${name}: array<${type}>;`);
  }
  const fields = Object.entries(program.uniforms).map(([name, value]) => `${name}: ${Object.keys(value)[0]}`);
  lines.push(`struct Params { ${fields.join(", ")} }`);
  lines.push(`@group(0) @binding(${binding}) var<uniform> params: Params;`);
  lines.push(`fn groupIndex(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.y * groups.x + group.x; }`);
  return lines.join("\n");
}

/**
 * Records one dispatch of `program`.
 *
 * @param backend The backend that owns the tensors.
 * @param io The input tensors (borrowed) and output tensors (made by `backend.makeTensorInfo`, none of them empty).
 */
export function runProgram(
  backend: WebgpuBackend,
  program: GpuProgram,
  io: { inputs: readonly TensorInfo[]; outputs: readonly TensorInfo[] },
): void {
  withWidened(backend, io.inputs, (inputs) => {
    const tensors = [...inputs, ...io.outputs];
    recording(backend, io.outputs, () => {
      if (isCompilingOnly()) return askPipeline(backend.device, program, () => codeOf(program));
      for (const tensor of tensors) backend.uploadToGPU(tensor.dataId);
      record(backend, program, tensors);
    });
  }, (i) => program.inputs[i]![1] === HALVES);
}

function codeOf(program: GpuProgram): string {
  return `${header(program)}\n${program.code()}`;
}

/** The same numbers at four bytes each. */
export function widened(backend: WebgpuBackend, x: TensorInfo): TensorInfo {
  const wide = backend.makeTensorInfo(x.shape, "float32");
  runProgram(backend, widenProgram(tf.util.sizeFromShape(x.shape)), { inputs: [x], outputs: [wide] });
  return wide;
}

/** Runs `f` with tensors of which those at two bytes a number are widened, except where `isRead` says that it reads them so. */
export function withWidened<T>(
  backend: WebgpuBackend,
  tensors: readonly TensorInfo[],
  f: (tensors: TensorInfo[]) => T,
  isRead: (i: number) => boolean = () => false,
): T {
  const made: TensorInfo[] = [];
  const given = tensors.map((x, i) => {
    if (!isHalf(x) || isRead(i)) return x;
    const wide = widened(backend, x);
    made.push(wide);
    return wide;
  });
  try {
    return f(given);
  } finally {
    for (const { dataId } of made) backend.disposeData(dataId);
  }
}

/** Records what `f` does; where it cannot be done its outputs go, as nobody will see them. */
function recording(backend: WebgpuBackend, outputs: readonly TensorInfo[], f: () => void): void {
  try {
    guarded(backend.device, f);
  } catch (error) {
    for (const { dataId } of outputs) if (backend.tensorMap.has(dataId)) backend.disposeData(dataId);
    throw error;
  }
}

function record(backend: WebgpuBackend, program: GpuProgram, tensors: readonly TensorInfo[]): void {
  const internals = internalsOf(backend);
  const { pipeline, layout } = pipelineOf(backend.device, program, () => codeOf(program));
  const buffers = tensors.map((tensor) => bufferOf(backend, tensor));
  buffers.push(uniformBuffer(backend.device, program.uniforms));
  const bindGroup = backend.device.createBindGroup({
    layout,
    entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  for (const tensor of tensors) internals.commandQueueOwnedIds.add(tensor.dataId);
  const groups = spreadWorkgroups(program.workgroups, backend.device.limits.maxComputeWorkgroupsPerDimension);
  const timed = internals.activeTimers !== null && internals.activeTimers !== undefined;
  const pass = beginPass(backend, internals, timed);
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, bindGroup);
  pass.dispatchWorkgroups(...groups);
  dispatches++;
  internals.dispatchCountInPass++;
  if (timed) {
    backend.endComputePassEncoder();
    internals.activeTimers!.push({ name: program.key, query: backend.getQueryTime() });
  } else if (internals.dispatchCountInPass >= tf.env().getNumber("WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE")) {
    backend.endComputePassEncoder();
    backend.submitQueue();
  }
}

/** Numbers copied from one tensor's buffer to another's; offsets and count in numbers of four bytes. */
export interface BufferCopy {
  /** Where from. */
  from: TensorInfo;
  /** First number read. */
  fromAt: number;
  /** Where to. */
  to: TensorInfo;
  /** First number written. */
  toAt: number;
  /** How many. */
  count: number;
}

/** Records copies between buffers, which make `outputs`. They need no program. */
export function recordCopies(
  backend: WebgpuBackend,
  copies: readonly BufferCopy[],
  outputs: readonly TensorInfo[],
): void {
  const some = copies.filter(({ count }) => count > 0); // a tensor without numbers has no buffer
  if (some.length === 0 || isCompilingOnly()) return;
  const internals = internalsOf(backend);
  const tensors = some.flatMap(({ from, to }) => [from, to]);
  if (tensors.some(isHalf)) {
    throw new TypeError("Cannot copy a tensor's numbers as they must take four bytes each: two");
  }
  recording(backend, outputs, () => {
    for (const tensor of tensors) backend.uploadToGPU(tensor.dataId);
    backend.ensureCommandEncoderReady();
    backend.endComputePassEncoder();
    for (const { from, fromAt, to, toAt, count } of some) {
      internals.commandEncoder.copyBufferToBuffer(
        bufferOf(backend, from),
        fromAt * 4,
        bufferOf(backend, to),
        toAt * 4,
        count * 4,
      );
    }
    for (const tensor of tensors) internals.commandQueueOwnedIds.add(tensor.dataId);
  });
}

function beginPass(backend: WebgpuBackend, internals: Internals, timed: boolean): GPUComputePassEncoder {
  backend.ensureCommandEncoderReady();
  if (timed && internals.supportTimestampQuery) {
    backend.endComputePassEncoder();
    internals.querySet ??= backend.device.createQuerySet({ type: "timestamp", count: internals.querySetCount });
    const timestampWrites = {
      querySet: internals.querySet,
      beginningOfPassWriteIndex: 0,
      endOfPassWriteIndex: 1,
    };
    internals.computePassEncoder = internals.commandEncoder.beginComputePass({ timestampWrites });
  }
  internals.computePassEncoder ??= internals.commandEncoder.beginComputePass();
  return internals.computePassEncoder;
}
