/**
 * tfjs's WebGPU backend on a device that this package owns: every read throws what went wrong on the device, and a
 * tensor over the device's limits is refused before anything is dispatched.
 *
 * @module
 */
import type * as webgpu from "@tensorflow/tfjs-backend-webgpu";
import type { TensorInfo } from "../kernels/info.ts";
import { MemoryLimitError } from "../memory.ts";
import { guarded, type OwnedDevice } from "./device.ts";
import { isCompilingOnly } from "./device_cache.ts";
import { isHalf } from "./halves.ts";

/** tfjs's WebGPU backend. */
export type WebgpuBackend = webgpu.WebGPUBackend;
/** The class of tfjs's WebGPU backend. */
export type WebgpuBackendClass = new (device: GPUDevice, info?: GPUAdapterInfo) => WebgpuBackend;

type DataId = Parameters<WebgpuBackend["read"]>[0];

/** Limits of a device on the size of one buffer, in bytes. */
export interface BufferLimits {
  /** Largest buffer that can be made. */
  maxBufferSize: number;
  /** Largest part of a buffer that a program can see. */
  maxStorageBufferBindingSize: number;
}

/**
 * Refuses a tensor whose buffer would be over the device's limits.
 *
 * @throws {MemoryLimitError} Naming the shape, the size and the limit.
 */
export function checkBufferSize(shape: readonly number[], dtype: string, limits: BufferLimits): void {
  const bytes = shape.reduce((product, size) => product * size, 1) * (dtype === "complex64" ? 8 : 4);
  const binding = limits.maxStorageBufferBindingSize <= limits.maxBufferSize;
  const limit = binding ? limits.maxStorageBufferBindingSize : limits.maxBufferSize;
  if (bytes <= limit) return;
  throw new MemoryLimitError(
    `Cannot allocate a ${dtype} tensor of shape [${shape.join(", ")}] on webgpu as one buffer must be at most ` +
      `${limit} bytes (${binding ? "maxStorageBufferBindingSize" : "maxBufferSize"}): current value is ${bytes}`,
    { backend: "webgpu", bytes, limit },
  );
}

/** What tensors of two bytes a number become before programs that do not read them so: run.ts has it. */
export interface Widening {
  /** The same numbers at four bytes each. */
  widened(backend: WebgpuBackend, x: TensorInfo): TensorInfo;
  /** Runs `f` with tensors of four bytes a number. */
  withWidened<T>(backend: WebgpuBackend, tensors: readonly TensorInfo[], f: (tensors: TensorInfo[]) => T): T;
}

/** The class whose reads throw what went wrong on the device. */
function withCheckedReads(Backend: WebgpuBackendClass, owned: OwnedDevice, { widened }: Widening): WebgpuBackendClass {
  return class extends Backend {
    /** tfjs's own gives zeros for what stands on a lost device. */
    override readSync(dataId: DataId): ReturnType<WebgpuBackend["readSync"]> {
      owned.check();
      if (isHalf({ dataId })) throw new TypeError("Cannot read numbers of two bytes at once as data() must be awaited");
      const values = guarded(owned.device, () => super.readSync(dataId));
      owned.check();
      return values;
    }

    override async read(dataId: DataId): ReturnType<WebgpuBackend["read"]> {
      owned.check();
      try {
        const values = await this.readWide(dataId);
        owned.check();
        return values;
      } catch (error) {
        // A lost device rejects the read first and reports its loss a moment later.
        await new Promise((resolve) => setTimeout(resolve, 0));
        owned.check();
        throw error;
      }
    }

    private async readWide(dataId: DataId): ReturnType<WebgpuBackend["read"]> {
      if (!isHalf({ dataId })) return await super.read(dataId);
      const wide = widened(this, { dataId, shape: this.tensorMap.get(dataId).shape, dtype: "float32" });
      try {
        return await super.read(wide.dataId);
      } finally {
        this.disposeData(wide.dataId);
      }
    }
  };
}

/** Makes the backend. `Backend` is tfjs's class, passed in so that importing this file does not load it. */
export function createBackend(Backend: WebgpuBackendClass, owned: OwnedDevice, widening: Widening): WebgpuBackend {
  class AceWebgpuBackend extends withCheckedReads(Backend, owned, widening) {
    override uploadToGPU(dataId: DataId): void {
      owned.check();
      if (isCompilingOnly()) return;
      const data = this.tensorMap.get(dataId);
      if (data.resource == null && data.dtype !== "string") {
        checkBufferSize(data.shape, data.dtype, owned.device.limits);
      }
      guarded(owned.device, () => super.uploadToGPU(dataId));
    }

    override runWebGPUProgram(...given: Parameters<WebgpuBackend["runWebGPUProgram"]>): TensorInfo {
      owned.check();
      const [program, inputs, dtype, uniforms, made = this.makeTensorInfo(program.outputShape, dtype)] = given;
      try {
        return widening.withWidened(
          this,
          inputs,
          (wide) => guarded(owned.device, () => super.runWebGPUProgram(program, wide, dtype, uniforms, made)),
        );
      } catch (error) {
        this.disposeData(made.dataId); // nobody will see it
        throw error;
      }
    }

    override shouldExecuteOnCPU(...given: Parameters<WebgpuBackend["shouldExecuteOnCPU"]>): boolean {
      if (!super.shouldExecuteOnCPU(...given)) return false;
      // Without a buffer are also tensors that no program has made yet.
      return !isCompilingOnly() || given[0].every(({ dataId }) => this.tensorMap.get(dataId).values != null);
    }

    override submitQueue(): void {
      guarded(owned.device, () => super.submitQueue());
    }
  }
  return new AceWebgpuBackend(owned.device, owned.adapterInfo);
}
