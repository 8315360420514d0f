/** What a device keeps from program to program: pipelines, layouts of bindings, uniform blocks. @module */

import * as tf from "@tensorflow/tfjs";

/** tf.js's flag by which programs are compiled and not run. */
export const COMPILE_ONLY = "WEBGPU_ENGINE_COMPILE_ONLY";

/** Whether programs are compiled and not run. */
export function isCompilingOnly(): boolean {
  return tf.env().getBool(COMPILE_ONLY);
}

/** One value of the uniform block: unsigned, signed or floating point. */
export type Uniform = { u32: number } | { i32: number } | { f32: number };

interface Compiled {
  pipeline: GPUComputePipeline;
  layout: GPUBindGroupLayout;
}

interface DeviceCache {
  pipelines: Map<string, Compiled>;
  /** Those that are being compiled ahead. */
  begun: Map<string, Promise<void>>;
  layouts: Map<string, GPUBindGroupLayout>;
  uniforms: Map<string, GPUBuffer>;
}

const caches = new WeakMap<GPUDevice, DeviceCache>();
const MAX_UNIFORMS = 1024;
function cacheOf(device: GPUDevice): DeviceCache {
  let cache = caches.get(device);
  if (!cache) {
    cache = { pipelines: new Map(), begun: new Map(), layouts: new Map(), uniforms: new Map() };
    caches.set(device, cache);
  }
  return cache;
}

/** A program, as its key and bindings. */
interface Keyed {
  key: string;
  inputs: readonly unknown[];
  outputs: readonly unknown[];
}

/** The compiled program of a key, and the layout of its bindings. */
export function pipelineOf(device: GPUDevice, program: Keyed, code: () => string): Compiled {
  const cache = cacheOf(device);
  const cached = cache.pipelines.get(program.key);
  if (cached) return cached;
  const { layout, descriptor } = described(device, cache, program, code);
  const made = { pipeline: device.createComputePipeline(descriptor), layout };
  cache.pipelines.set(program.key, made);
  return made;
}

/** Begins to compile a program, unless that was done; {@linkcode finishPipelines} waits for it. */
export function beginPipeline(device: GPUDevice, program: Keyed, code: () => string): void {
  const cache = cacheOf(device);
  const { key } = program;
  if (cache.pipelines.has(key) || cache.begun.has(key)) return;
  const { layout, descriptor } = described(device, cache, program, code);
  const finish = (pipeline: GPUComputePipeline): void => {
    if (!cache.pipelines.has(key)) cache.pipelines.set(key, { pipeline, layout });
  };
  cache.begun.set(key, device.createComputePipelineAsync(descriptor).then(finish));
}

/** The programs begun since the last call, each settled once it is compiled. */
export function finishPipelines(device: GPUDevice): Promise<void>[] {
  const { begun } = cacheOf(device);
  const all = [...begun.values()];
  begun.clear();
  return all;
}

function described(
  device: GPUDevice,
  cache: DeviceCache,
  { key, inputs, outputs }: Keyed,
  code: () => string,
): { layout: GPUBindGroupLayout; descriptor: GPUComputePipelineDescriptor } {
  const layout = layoutOf(device, cache, inputs.length, outputs.length);
  const module = device.createShaderModule({ code: code(), label: key });
  const descriptor = {
    label: key,
    layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module, entryPoint: "main" },
  };
  return { layout, descriptor };
}

function layoutOf(device: GPUDevice, cache: DeviceCache, inputs: number, outputs: number): GPUBindGroupLayout {
  const key = `${inputs},${outputs}`;
  let layout = cache.layouts.get(key);
  if (!layout) {
    const types: GPUBufferBindingType[] = [
      ...Array<GPUBufferBindingType>(inputs).fill("read-only-storage"),
      ...Array<GPUBufferBindingType>(outputs).fill("storage"),
      "uniform",
    ];
    layout = device.createBindGroupLayout({
      entries: types.map((type, binding) => ({ binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } })),
    });
    cache.layouts.set(key, layout);
  }
  return layout;
}

/** Uniform blocks repeat from step to step, so a block is written once and kept; the oldest is dropped, unused. */
export function uniformBuffer(device: GPUDevice, uniforms: Readonly<Record<string, Uniform>>): GPUBuffer {
  const cache = cacheOf(device);
  const values = Object.values(uniforms);
  const data = new DataView(new ArrayBuffer(Math.max(16, Math.ceil(values.length / 4) * 16)));
  values.forEach((value, index) => {
    if ("u32" in value) data.setUint32(index * 4, value.u32, true);
    else if ("i32" in value) data.setInt32(index * 4, value.i32, true);
    else data.setFloat32(index * 4, value.f32, true);
  });
  const key = new Uint32Array(data.buffer).join();
  let buffer = cache.uniforms.get(key);
  if (!buffer) {
    buffer = device.createBuffer({
      size: data.byteLength,
      usage: GPUBufferUsage.UNIFORM,
      mappedAtCreation: true,
    });
    new Uint8Array(buffer.getMappedRange()).set(new Uint8Array(data.buffer));
    buffer.unmap();
    if (cache.uniforms.size >= MAX_UNIFORMS) cache.uniforms.delete(cache.uniforms.keys().next().value!);
    cache.uniforms.set(key, buffer);
  }
  return buffer;
}
