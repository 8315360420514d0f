/** A tensor at two bytes a number. Dispatches: 1. @module */
import { output, sizeOf, type WebgpuCall, zeros } from "../../webgpu/call.ts";
import { isCompilingOnly } from "../../webgpu/device_cache.ts";
import { markHalf, narrowProgram } from "../../webgpu/halves.ts";
import { runProgram } from "../../webgpu/run.ts";
import type { TensorInfo } from "../info.ts";

/** AceNarrow. */
export function narrow({ inputs: { x }, backend }: WebgpuCall<"AceNarrow">): TensorInfo {
  const size = sizeOf(x.shape);
  if (size === 0) return zeros(backend, x.shape);
  const y = output(backend, x.shape);
  markHalf(y);
  if (!isCompilingOnly()) {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    backend.tensorMap.get(y.dataId).resource = backend.bufferManager.acquireBuffer(2 * size, usage);
  }
  runProgram(backend, narrowProgram(size), { inputs: [x], outputs: [y] });
  return y;
}
