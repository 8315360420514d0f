/**
 * A GPU device that computes nothing and counts what it is given. It needs no GPU and no memory, so a step at full size is counted
 * on any machine. What is read from it is zeros.
 *
 * @module
 */
import type { OwnedDevice } from "../../lib/tensor/webgpu/device.ts";

/** What a device was given. */
export interface GpuCounts {
  /** Programs. */
  dispatches: number;
  /** Bytes of the buffers they were bound to, each buffer once a program. */
  boundBytes: number;
  /** Copies from buffer to buffer, those of uploads among them. */
  copies: number;
  /** Bytes read and written by them. */
  copiedBytes: number;
  /** Buffers filled from here, uniform blocks left out. */
  uploads: number;
  /** Their bytes. */
  uploadedBytes: number;
  /** Pipelines. */
  pipelines: number;
}

/** What a desktop GPU offers. */
const LIMITS = {
  maxBufferSize: 2 ** 40,
  maxStorageBufferBindingSize: 2 ** 40,
  maxStorageBuffersPerShaderStage: 16,
  maxComputeWorkgroupStorageSize: 32768,
  maxComputeWorkgroupsPerDimension: 65535,
  maxComputeInvocationsPerWorkgroup: 1024,
};

/** A group of bindings. */
interface BindGroup {
  bytes: number;
}

/** Makes the device. */
export function countingDevice(limits: Partial<typeof LIMITS> = {}): { owned: OwnedDevice; counts: GpuCounts } {
  const counts: GpuCounts = {
    dispatches: 0,
    boundBytes: 0,
    copies: 0,
    copiedBytes: 0,
    uploads: 0,
    uploadedBytes: 0,
    pipelines: 0,
  };
  // tf.js asks for the class of a buffer.
  const createBuffer = ({ size, usage, mappedAtCreation }: GPUBufferDescriptor): GPUBuffer => {
    if (mappedAtCreation && !(usage & GPUBufferUsage.UNIFORM)) {
      counts.uploads++;
      counts.uploadedBytes += size;
    }
    const buffer = Object.create(GPUBuffer.prototype, {
      size: { value: size },
      usage: { value: usage },
      mapState: { value: mappedAtCreation ? "mapped" : "unmapped", writable: true },
      getMappedRange: { value: () => new ArrayBuffer(size) },
      mapAsync: { value: () => Promise.resolve() },
      unmap: { value: () => void (buffer.mapState = "unmapped") },
      destroy: { value: () => {} },
    });
    return buffer;
  };
  const createBindGroup = ({ entries }: GPUBindGroupDescriptor): BindGroup => {
    const buffers = new Set([...entries].map(({ resource }) => (resource as GPUBufferBinding).buffer));
    return { bytes: [...buffers].reduce((sum, { size }) => sum + size, 0) };
  };
  const beginComputePass = () => {
    let bound: BindGroup = { bytes: 0 };
    return {
      setPipeline: () => {},
      setBindGroup: (_: number, group: BindGroup) => void (bound = group),
      dispatchWorkgroups: () => {
        counts.dispatches++;
        counts.boundBytes += bound.bytes;
      },
      end: () => {},
    };
  };
  const createPipeline = () => {
    counts.pipelines++;
    return { getBindGroupLayout: () => ({}) };
  };
  const device = {
    limits: { ...LIMITS, ...limits },
    features: new Set(),
    lost: new Promise(() => {}),
    addEventListener: () => {},
    destroy: () => {},
    createBuffer,
    createBindGroup,
    createBindGroupLayout: () => ({}),
    createPipelineLayout: () => ({}),
    createShaderModule: () => ({}),
    createComputePipeline: createPipeline,
    createComputePipelineAsync: () => Promise.resolve(createPipeline()),
    createCommandEncoder: () => ({
      beginComputePass,
      copyBufferToBuffer: (_: GPUBuffer, _from: number, _to: GPUBuffer, _at: number, bytes: number) => {
        counts.copies++;
        counts.copiedBytes += 2 * bytes;
      },
      finish: () => ({}),
    }),
    queue: { submit: () => {}, writeBuffer: () => {}, onSubmittedWorkDone: () => Promise.resolve() },
  };
  return {
    owned: {
      device: device as unknown as GPUDevice,
      adapterInfo: { vendor: "", architecture: "", device: "", description: "" } as unknown as GPUAdapterInfo,
      adapterName: "a device that counts",
      software: true,
      check: () => {},
      firstError: () => undefined,
    },
    counts,
  };
}
