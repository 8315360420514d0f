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
  /** What begins to compile those that were asked for ahead. */
  asked: Map<string, () => Promise<void>>;
  layouts: Map<string, GPUBindGroupLayout>;
  uniforms: Map<string, GPUBuffer>;
}

const caches = new WeakMap<GPUDevice, DeviceCache>();
const MAX_UNIFORMS = 1024;
function cacheOf(device: GPUDevice): DeviceCache {
  let cache = caches.get(device);
  if (!cache) {
    cache = { pipelines: new Map(), asked: new Map(), layouts: new Map(), uniforms: new Map() };
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

/** Asks for a program to be compiled, unless it is there; {@linkcode compileAsked} does it. */
export function askPipeline(device: GPUDevice, program: Keyed, code: () => string): void {
  const cache = cacheOf(device);
  const { key } = program;
  if (cache.pipelines.has(key)) return;
  cache.asked.set(key, async () => {
    if (cache.pipelines.has(key)) return;
    const { layout, descriptor } = described(device, cache, program, code);
    const pipeline = await device.createComputePipelineAsync(descriptor);
    if (!cache.pipelines.has(key)) cache.pipelines.set(key, { pipeline, layout });
  });
}

/** Most milliseconds in which nothing else is done. */
const LONGEST_TURN = 10;

/**
 * Compiles the programs asked for since the last call. One that fails is told of when it runs.
 *
 * Browsers compile them beside each other and beside the page. Deno (2.9.6) compiles each before the call returns: between them
 * others get their turn, such as whoever reads a file.
 *
 * @returns How many there were.
 */
export async function compileAsked(device: GPUDevice): Promise<number> {
  const { asked } = cacheOf(device);
  const all = [...asked.values()];
  asked.clear();
  const compiled: Promise<void>[] = [];
  let began = performance.now();
  for (const compile of all) {
    compiled.push(compile());
    if (performance.now() - began < LONGEST_TURN) continue;
    await new Promise((resolve) => setTimeout(resolve, 0));
    began = performance.now();
  }
  await Promise.allSettled(compiled);
  return all.length;
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
