/**
 * Timing on the device. Deno 2.9 looks every 10 ms whether the device has finished, so one wait costs 10 to 14 ms: a
 * sample is as many calls as take half a second, with one wait at its end (at most 3 % of it). Recording a dispatch
 * takes CPU time too, which hides the speed of short programs; the device's own timestamps do not count it.
 *
 * @module
 */
import type { WebgpuBackend } from "../../lib/tensor/webgpu/backend.ts";
import type { Case, Floors, Outputs, Row } from "./row.ts";

/** Options of {@linkcode seconds}. */
export interface TimingOptions {
  /** Least seconds of one sample. @default 0.5 */
  leastSeconds?: number;
  /** Samples. @default 5 */
  samples?: number;
}

/** Sorted seconds of one call of `body`, one for each sample; the first calls, which compile, are not counted. */
export async function seconds(
  backend: WebgpuBackend,
  body: () => void | Promise<void>,
  options: TimingOptions = {},
): Promise<number[]> {
  const { leastSeconds = 0.5, samples = 5 } = options;
  const finish = async () => {
    backend.ensureCommandEncoderReady();
    backend.endComputePassEncoder();
    backend.submitQueue();
    await backend.queue.onSubmittedWorkDone();
  };
  const time = async (calls: number) => {
    const start = performance.now();
    for (let i = 0; i < calls; i++) {
      const running = body();
      if (running) await running; // no turn of the event loop for programs that need none
    }
    await finish();
    return (performance.now() - start) / 1000;
  };
  await body();
  await finish();
  let calls = 1;
  while (calls < 1 << 16 && await time(calls) < leastSeconds) calls *= 2;
  const all: number[] = [];
  for (let i = 0; i < samples; i++) all.push(await time(calls) / calls);
  return all.sort((a, b) => a - b);
}

/** Median milliseconds of one call by the device's timestamps, or null where it has none. */
export async function gpuMilliseconds(backend: WebgpuBackend, body: () => void, samples = 5): Promise<number | null> {
  if (!backend.device.features.has("timestamp-query")) return null;
  const all: number[] = [];
  for (let i = 0; i < samples; i++) all.push((await backend.time(body)).kernelMs as number);
  return all.sort((a, b) => a - b)[samples >> 1]!;
}

/** Checks one case, times it and counts its dispatches. */
export async function measure(
  backend: WebgpuBackend,
  given: Case,
  context: { floors: Floors; timing: TimingOptions },
): Promise<Row> {
  const prepared = await given.prepare();
  const outputs = await prepared.run();
  const values: ArrayLike<number>[] = [];
  for (const output of outputs) values.push(await output.data());
  for (const output of outputs) output.dispose();
  const wants = prepared.want();
  let error: number | null = wants.length === 0 ? null : 0;
  for (const [output, element, value] of wants) {
    const off = Math.abs(values[output]![element]! - value) / (1 + Math.abs(value));
    if (!(off <= error!)) error = off;
  }
  const once = (): void | Promise<void> => {
    const made = prepared.run();
    const free = (all: Outputs): void => all.forEach((output) => output.dispose());
    return made instanceof Promise ? made.then(free) : free(made);
  };
  const counted = startCounting(backend);
  await once();
  const dispatches = counted();
  const sorted = await seconds(backend, once, context.timing);
  const gpuMs = given.deviceTime === false ? null : await gpuMilliseconds(backend, once);
  prepared.free();
  const ms = (value: number) => Number((value * 1000).toPrecision(4));
  const floor = Math.max(given.bytes / context.floors.bandwidth, given.flops / context.floors.float32);
  const median = sorted[sorted.length >> 1]!;
  return {
    op: given.op,
    implementation: given.implementation ?? "ace-webgpu",
    shape: given.shape,
    ms: { median: ms(median), min: ms(sorted[0]!), max: ms(sorted[sorted.length - 1]!) },
    gpuMs: gpuMs === null ? null : Number(gpuMs.toPrecision(4)),
    work: { bytes: given.bytes, flops: given.flops },
    floor: { ms: ms(floor), ratio: Number(((gpuMs ? gpuMs / 1000 : median) / floor).toPrecision(3)) },
    dispatches,
    error: error === null ? null : Number(error.toPrecision(3)),
    tolerance: given.tolerance,
  };
}

/** Counts the dispatches recorded from now on; what is returned ends that and gives their number. Starts may be nested. */
export function startCounting(backend: WebgpuBackend): () => number {
  const prototype = GPUComputePassEncoder.prototype;
  const original = prototype.dispatchWorkgroups;
  let count = 0;
  let counting = true;
  prototype.dispatchWorkgroups = function (...args: Parameters<typeof original>) {
    count++;
    return original.apply(this, args);
  };
  return () => {
    if (counting) {
      counting = false;
      backend.ensureCommandEncoderReady();
      prototype.dispatchWorkgroups = original;
    }
    return count;
  };
}
