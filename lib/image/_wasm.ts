/** The project's own WebAssembly for images: programs with a memory of their own, which grows to what they work on. @module */
import { base64Bytes } from "../platform/runtime.ts";
import { mapTuple } from "../platform/map_tuple.ts";

/** What every one of them exports. */
export interface WasmProgram {
  memory: WebAssembly.Memory;
  /** The first address that is free. */
  __heap_base: WebAssembly.Global;
}

/** A program from its base64 text; made on first use. */
export function wasmProgram<Program extends WasmProgram>(text: string): () => Program {
  let program: Program | undefined;
  const start = (): Program =>
    new WebAssembly.Instance(new WebAssembly.Module(base64Bytes(text))).exports as unknown as Program;
  return () => program ??= start();
}

/** Bytes that a vector may read past a part. */
export const SPARE = 64;

/** Where parts of these sizes lie, one after the other, each at a multiple of 16; the memory grows to hold them. */
export function placed<const S extends readonly number[]>(
  { memory, __heap_base }: WasmProgram,
  sizes: S,
): { -readonly [I in keyof S]: number } {
  let end = __heap_base.value;
  const starts = mapTuple(sizes, (size) => {
    const start = Math.ceil(end / 16) * 16;
    end = start + size;
    return start;
  });
  const missing = end + SPARE - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / 65536));
  return starts;
}
