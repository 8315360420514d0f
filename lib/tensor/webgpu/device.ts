/**
 * The GPU device, owned by this package: errors that WebGPU reports outside of any call are kept and thrown at the
 * next read, because a buffer over the limit otherwise gives wrong numbers without a word.
 *
 * @module
 */
import { isDeno } from "../../platform/runtime.ts";

/** The names WebGPU gives an adapter (the fields of `GPUAdapterInfo` that are read here). */
export interface AdapterDescription {
  /** Vendor, e.g. `nvidia`, or a PCI number in decimal digits. */
  vendor?: string;
  /** Architecture, often empty. */
  architecture?: string;
  /** Device, or a PCI number in decimal digits. */
  device?: string;
  /** The driver's name for the adapter, e.g. `llvmpipe (LLVM 15.0.6, 256 bits)`. */
  description?: string;
  /** Whether the adapter is the software fallback, where the runtime says so. */
  isFallbackAdapter?: boolean;
}

/** Options of {@linkcode requestDevice}. */
export interface RequestDeviceOptions {
  /**
   * Whether an adapter that runs on the CPU (lavapipe, SwiftShader, WARP) is accepted: right, and slow.
   * @default {false}
   */
  allowSoftware?: boolean;
}

/** A device with the record of what went wrong on it. */
export interface OwnedDevice {
  /** The WebGPU device. */
  device: GPUDevice;
  /** WebGPU's description of the adapter. */
  adapterInfo: GPUAdapterInfo;
  /** The adapter's readable name. */
  adapterName: string;
  /** Whether the adapter runs on the CPU. */
  software: boolean;
  /** Throws the first error stored for this device, if any, as {@linkcode DeviceError}. */
  check: () => void;
  /** The first error stored, as one line, or `undefined`. */
  firstError: () => string | undefined;
}

/** Why no device could be had. */
export interface NoDevice {
  /** One line for the user. */
  reason: string;
}

/** What happened to a device that cannot be used any more. */
export type DeviceFault = "lost" | "reported an error";

/**
 * The error of every call and read on a device that was lost, or that reported an error outside of any call. Tensors on it are gone;
 * `selectBackend` starts a new device, and training goes on from its last state.
 */
export class DeviceError extends Error {
  /** Name shown in stack traces. */
  override name = "DeviceError";
  /** What happened first. */
  readonly fault: DeviceFault;

  /** Says what happened, in one line. */
  constructor(message: string, fault: DeviceFault) {
    super(message);
    this.fault = fault;
  }
}

/** Limits asked for at the adapter's own values: WebGPU's defaults (128 MiB bindings, 16 KiB shared) are small. */
const LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeWorkgroupsPerDimension",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxComputeWorkgroupSizeZ",
] as const;

const SOFTWARE = /llvmpipe|lavapipe|softpipe|swiftshader|basic render|software/i;

/** Whether the adapter runs on the CPU, by its own flag or by its driver's name. */
export function isSoftwareAdapter(info: AdapterDescription): boolean {
  if (info.isFallbackAdapter === true) return true;
  return [info.vendor, info.architecture, info.device, info.description].some((text) => SOFTWARE.test(text ?? ""));
}

/** A readable name for the adapter: the driver's description, or what else it gives. */
export function nameAdapter(info: AdapterDescription): string {
  if (info.description) return info.description;
  const parts = [info.vendor, info.architecture, info.device].filter((part) => part);
  return parts.length > 0 ? parts.join(" ") : "unnamed adapter";
}

/**
 * What the search for adapters is told where its user has not: any value of the first keeps an error about it from being printed
 * where there is no display; the second keeps OpenGL away, whose library on Linux frees memory twice now and then as a process
 * with threads ends (once in 60 runs of Deno 2.9.6 with Mesa), and by which no kernel is tested.
 */
const SEARCH_VARIABLES = { XDG_RUNTIME_DIR: "/tmp", DENO_WEBGPU_BACKEND: "vulkan,metal,dx12" };

/** Sets them, as far as that needs no question. */
function prepareAdapterSearch(): void {
  if (!isDeno) return;
  for (const [variable, value] of Object.entries(SEARCH_VARIABLES)) {
    if (Deno.permissions.querySync({ name: "env", variable }).state !== "granted") continue;
    if (!Deno.env.get(variable)) Deno.env.set(variable, value);
  }
}

/**
 * Asks for the fastest adapter and a device with the adapter's own limits. No permission is needed.
 *
 * The device's first uncaptured error, or its loss, is stored; {@linkcode OwnedDevice.check} throws it.
 *
 * @returns The device, or the reason why there is none (never throws).
 */
export async function requestDevice(options: RequestDeviceOptions = {}): Promise<OwnedDevice | NoDevice> {
  const gpu: GPU | undefined = globalThis.navigator?.gpu;
  if (!gpu) return { reason: "this runtime has no WebGPU (Deno 2.9.1 or newer has it)" };
  try {
    prepareAdapterSearch();
    const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
    if (!adapter) return { reason: "no WebGPU adapter was found (is a Vulkan, Metal or D3D12 driver installed?)" };
    const software = isSoftwareAdapter(adapter.info);
    const adapterName = nameAdapter(adapter.info);
    if (software && !options.allowSoftware) {
      return { reason: `the only WebGPU adapter is a software one: ${adapterName}` };
    }
    const requiredLimits: Record<string, number> = {};
    for (const name of LIMITS) requiredLimits[name] = adapter.limits[name];
    const requiredFeatures: GPUFeatureName[] = adapter.features.has("timestamp-query") ? ["timestamp-query"] : [];
    const device = await adapter.requestDevice({ requiredLimits, requiredFeatures });
    return { device, adapterInfo: adapter.info, adapterName, software, ...watchDevice(device) };
  } catch (error) {
    return { reason: `WebGPU failed to start: ${oneLine(error)}` };
  }
}

/** By device, what stores an error as its first, unless there is one, and throws the first. */
const firstErrors = new WeakMap<GPUDevice, (error: DeviceError) => never>();

/**
 * Runs `f`, which gives the device something to do. What a lost device throws is a bare DOMException, and it comes before the
 * loss is reported: it is stored as the device's first error, and thrown as that.
 */
export function guarded<T>(device: GPUDevice, f: () => T): T {
  try {
    return f();
  } catch (error) {
    const fail = firstErrors.get(device);
    if (!(error instanceof DOMException) || !fail) throw error;
    return fail(notAlive(`${error.name} "${oneLine(error)}"`));
  }
}

function notAlive(current: string): DeviceError {
  return new DeviceError(
    `Cannot use webgpu as the device must be alive: current value is ${current}, restart the process from the last checkpoint`,
    "lost",
  );
}

/** Stores the device's first uncaptured error or its loss; `check` throws it. */
export function watchDevice(device: GPUDevice): Pick<OwnedDevice, "check" | "firstError"> {
  let first: DeviceError | undefined;
  firstErrors.set(device, (error) => {
    throw first ??= error;
  });
  device.addEventListener("uncapturederror", (event) => {
    event.preventDefault();
    if (!isUncapturedError(event)) return;
    const { error } = event;
    first ??= new DeviceError(
      `Cannot trust the results on webgpu as the device must report no error: current value is ` +
        `${error.constructor.name} "${oneLine(error)}", restart the process with smaller batches`,
      "reported an error",
    );
  });
  device.lost.then((info) => {
    first ??= notAlive(`lost (${info.reason}: ${oneLine(info)})`);
  });
  return {
    firstError: () => first?.message,
    check: () => {
      if (first !== undefined) throw first;
    },
  };
}

/** With other libraries of types it is an Event alone. */
function isUncapturedError(event: Event): event is GPUUncapturedErrorEvent {
  return "error" in event;
}

function oneLine(error: unknown): string {
  const hasMessage = typeof error === "object" && error !== null && "message" in error;
  const message = String(hasMessage ? error.message : error);
  return message.replace(/\s+/g, " ").trim();
}
