/**
 * Starts tfjs's `webgpu` backend on an owned device with this package's kernels.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { registerKernels } from "../kernels/register.ts";
import { createBackend } from "./backend.ts";
import { type OwnedDevice, requestDevice, type RequestDeviceOptions } from "./device.ts";
import { WEBGPU_KERNELS } from "./kernels.ts";
import { missingInternal, widened, withWidened } from "./run.ts";

/** What {@linkcode initWebgpu} found. */
export interface WebgpuAdapter {
  /** The adapter's readable name. */
  adapter: string;
  /** Whether the adapter runs on the CPU. */
  software: boolean;
}

let current: OwnedDevice | undefined;

/**
 * Registers tfjs's `webgpu` backend and the fused kernels; `tf.setBackend("webgpu")` is left to the caller.
 *
 * A second call gives the device of the first, unless an error was stored for it or it was lost: then the backend is
 * made anew, and tensors of the old one are gone. The large backend package is loaded only when a device was found.
 *
 * @returns The adapter, or the reason why webgpu cannot be used.
 */
export async function initWebgpu(
  options: RequestDeviceOptions = {},
): Promise<WebgpuAdapter | { reason: string }> {
  await lossIsReported();
  if (current && current.firstError() === undefined && tf.engine().registryFactory["webgpu"]) {
    if (current.software && !options.allowSoftware) {
      return { reason: `the only WebGPU adapter is a software one: ${current.adapterName}` };
    }
    return { adapter: current.adapterName, software: current.software };
  }
  const owned = await requestDevice(options);
  return "reason" in owned ? owned : await useDevice(owned);
}

/** Waits until a loss of the current device that has happened is reported: in browsers after an answer of the process that owns it. */
async function lossIsReported(): Promise<void> {
  await current?.device.queue.onSubmittedWorkDone().catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 0));
}

/** {@linkcode initWebgpu} on a given device. */
export async function useDevice(owned: OwnedDevice): Promise<WebgpuAdapter | { reason: string }> {
  const { WebGPUBackend } = await import("@tensorflow/tfjs-backend-webgpu");
  if (tf.engine().registryFactory["webgpu"]) tf.removeBackend("webgpu");
  const backend = createBackend(WebGPUBackend, owned, { widened, withWidened });
  const missing = missingInternal(backend);
  if (missing) return { reason: `tfjs-backend-webgpu must be 4.22.0: this one has no field "${missing}"` };
  tf.registerBackend("webgpu", () => backend, 3);
  registerKernels("webgpu", WEBGPU_KERNELS);
  current = owned;
  return { adapter: owned.adapterName, software: owned.software };
}

/** The device that {@linkcode initWebgpu} started, or `undefined`. */
export function currentDevice(): OwnedDevice | undefined {
  return current;
}
