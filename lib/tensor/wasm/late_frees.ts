/** Memory that a late worker may still be reading or writing is not given to anybody else. @module */
import type { TensorInfo } from "../kernels/info.ts";
import { allocate, type WasmBackend } from "./module.ts";
import type { ThreadPool } from "./pool.ts";

/** A worker later than this is waited for after all, so that little memory is held back. */
const HOLD_MS = 50;

/**
 * Puts off every `free` while a worker is late.
 *
 * @param wasm tfjs's module.
 * @param pool The workers.
 * @returns Undoes it; the workers must have been ended.
 */
export function holdFrees(wasm: WasmBackend["wasm"], pool: Pick<ThreadPool, "late" | "settle">): () => void {
  const { _free: original } = wasm;
  const { free } = wasm.asm;
  const held: number[] = [];
  let since = 0;
  const release = (): void => {
    while (held.length > 0) free(held.pop()!);
  };
  wasm._free = (address) => {
    if (pool.late()) {
      if (held.length === 0) since = performance.now();
      held.push(address);
      if (performance.now() - since < HOLD_MS) return;
      pool.settle();
    } else free(address);
    if (held.length > 0) release();
  };
  return () => {
    wasm._free = original;
    release();
  };
}

/**
 * Moves a tensor of four bytes an element, values included, away from where a late worker may still write.
 *
 * @param backend tfjs's wasm backend.
 * @param tensor The tensor.
 * @throws {MemoryLimitError} If memory is used up.
 */
export function moveTensor(backend: WasmBackend, tensor: TensorInfo): void {
  const { wasm, dataIdMap } = backend;
  const data = dataIdMap.get(tensor.dataId);
  const size = tensor.shape.reduce((a, b) => a * b, 1);
  const from = data.memoryOffset;
  const to = allocate(backend, 4 * size);
  new Float32Array(wasm.asm.memory.buffer).copyWithin(to / 4, from / 4, from / 4 + size);
  data.memoryOffset = to;
  wasm.tfjs.disposeData(data.id);
  wasm.tfjs.registerTensor(data.id, size, to);
  wasm._free(from);
}
