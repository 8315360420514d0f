/** The compiled C kernels, instantiated in the memory of tfjs's wasm backend. @module */
import { PLAIN, RELAXED } from "./kernels_binary.ts";
import type { InfoOf } from "../kernels/info.ts";
import type { KernelCall, KernelName } from "../kernels/interface.ts";
import type { PackedMatrices } from "./blas_pack.ts";
import { MemoryLimitError, WASM_BYTES } from "../memory.ts";
import { compileStrips, stripImports, type StripModule } from "./matmul_strips.ts";
import { base64Bytes } from "../../platform/runtime.ts";

/** What is used of tfjs's `BackendWasm`. */
export interface WasmBackend {
  /** The Emscripten module. */
  wasm: {
    /** Its raw exports. */
    asm: { memory: WebAssembly.Memory; malloc(bytes: number): number; free(address: number): void };
    /** C's malloc. */
    _malloc(bytes: number): number;
    /** C's free. */
    _free(address: number): void;
    /** tfjs's own functions. */
    tfjs: {
      /** Tells the C++ side where a tensor stands. */
      registerTensor(id: number, size: number, address: number): void;
      /** Makes it forget that. */
      disposeData(id: number): void;
    };
  };
  /** Where each tensor's values stand, and its number on the C++ side. */
  dataIdMap: { get(dataId: object): { id: number; memoryOffset: number } };
  /** A new tensor, its values not set. */
  makeOutput<Shape extends readonly number[] | []>(shape: Shape, dtype: string): InfoOf<[...Shape]>;
  /** Takes one more reference. */
  incRef(dataId: object): void;
  /** Gives up one reference. */
  disposeData(dataId: object): boolean;
}

/** What tfjs hands to a kernel. */
export type WasmCall<Name extends KernelName> = KernelCall<Name, WasmBackend>;

/** The C functions: addresses and counts are numbers, see the C for their meaning. */
export type KernelFunctions = Record<string, (...args: number[]) => number>;

/** What is needed to instantiate the kernels, here or in a worker. */
export interface KernelModules {
  /** The C kernels. */
  module: WebAssembly.Module;
  /** Whether they use relaxed SIMD. */
  relaxed: boolean;
  /** The strips they call. @default {none: products are by panels} */
  strips: StripModule | undefined;
}

/** What a worker needs to multiply by the steps of a library's product (blas_steps.ts). */
export interface BlasSteps {
  symbols: Deno.ForeignLibraryInterface;
  /** Terms that the library sums at a time. */
  terms: number;
}

/** What a worker needs to call a library: its file, and where wasm's memory lies in the process's. */
export interface BlasLibrary {
  path: string;
  base: number;
  /** OpenBLAS's, for products by packed weights. @default {none: MKL's own} */
  steps?: BlasSteps | undefined;
}

/** What the C kernels call of a library on their own thread: the imports `blas` of matmul.c and attention.c. Lines are counted in floats. */
export interface ThreadLibrary {
  /** `C = alpha op(A) op(B)`; transposed is 1. */
  sgemm(
    ...args: [
      ...[ta: number, tb: number, m: number, n: number, k: number, alpha: number],
      ...[a: number, lda: number, b: number, ldb: number, c: number, ldc: number],
    ]
  ): void;
  /** The sums of `rows` of `n` numbers, for which as many ones are at hand. */
  sums(rows: number, n: number, x: number, line: number, ones: number, sums: number): void;
  /** `e^x` of so many numbers in their place, and the index of the one that is furthest from 0. */
  exponentials?: {
    exp(n: number, x: number): void;
    greatest(n: number, x: number): number;
  } | undefined;
}

/** A library in use. */
export interface Blas extends ThreadLibrary {
  /** Library, version and kind of processor, for logs and records. */
  description: string;
  /** For workers. */
  library: BlasLibrary;
  /** `matmul` of matmul.c. */
  matmul: KernelFunctions[string];
  /** Likewise by weights it has packed. */
  matmulPacked: KernelFunctions[string];
  /** Weights it has packed. @default {it packs none} */
  packs: PackedMatrices | undefined;
  /** Tells the library how many threads of its own it may use. */
  useThreads(count: number): void;
  /** Whether all of our own threads call it, each alone. */
  isShared: boolean;
}

/** The kernels of one backend. */
export interface WasmKernels {
  /** What they were made of. */
  modules: KernelModules;
  /** The exported functions. */
  run: KernelFunctions;
  /** A library for large products. @default {none} */
  blas?: Blas;
  /** Address of a scratch block of at least so many bytes, good until the next call. */
  scratch(bytes: number): number;
}

/** Whether other threads can be given a memory; pages that are not isolated have no name for such. */
export function isShared({ buffer }: WebAssembly.Memory): boolean {
  const bytes: ArrayBufferLike = buffer;
  return typeof SharedArrayBuffer !== "undefined" && bytes instanceof SharedArrayBuffer;
}

/** The stack of a thread. */
export const STACK_BYTES = 65536;
const instances = new WeakMap<object, WasmKernels>();

/** Options of {@linkcode compileModules}. */
export interface CompileOptions {
  /** Whether to use relaxed SIMD. @default whether the engine accepts it */
  relaxed?: boolean;
  /** Whether the memory they import is shared between threads. @default false */
  shared?: boolean;

  strips?: 0 | 128 | 256;
}

/**
 * Compiles one of the two binaries, and the strips it imports.
 *
 * @param options Which.
 * @returns The compiled modules, to be given to {@linkcode instantiate}.
 */
export function compileModules(options: CompileOptions = {}): KernelModules {
  const { shared = false, strips = 128 } = options;
  const fast = base64Bytes(RELAXED);
  const relaxed = options.relaxed ?? WebAssembly.validate(fast);
  const bytes = relaxed ? fast : base64Bytes(PLAIN);
  if (shared) markShared(bytes);
  return {
    module: new WebAssembly.Module(bytes),
    relaxed,
    strips: relaxed && strips ? compileStrips(strips, shared) : undefined,
  };
}

/**
 * Makes the imported memory a shared one: the flag byte after `env`, `memory` and the kind 2 (memory) changes from 1 (has a
 * maximum) to 3 (and is shared). The code needs no change.
 */
function markShared(bytes: Uint8Array): void {
  const entry = new TextEncoder().encode("\x03env\x06memory");
  const offset = bytes.findIndex((_, i) => entry.every((v, j) => bytes[i + j] === v)) + entry.length;
  if (bytes[offset] !== 2 || bytes[offset + 1] !== 1) {
    throw new Error("Cannot share the kernels' memory as it is not as expected");
  }
  bytes[offset + 1] = 3;
}

/**
 * The kernels bound to a memory.
 *
 * @param modules What they are made of.
 * @param memory tfjs's memory, or another.
 * @param library A library's functions, used after `use_blas(1)` and `use_exp(1)`. @default {none}
 * @returns The exports; the stack is still to be set.
 */
export function instantiate(
  { module, strips }: KernelModules,
  memory: WebAssembly.Memory,
  library: ThreadLibrary = { sgemm: () => {}, sums: () => {} },
): WebAssembly.Exports {
  const { strip, bits } = stripImports(module, strips, memory);
  const { sgemm, sums, exponentials = { exp: () => {}, greatest: () => 0 } } = library;
  const { exports } = new WebAssembly.Instance(module, {
    env: { memory },
    strip,
    blas: { sgemm, sums, ...exponentials },
  });
  functionsOf(exports)["use_strips"]!(bits);
  return exports;
}

/** The functions that a module exports. */
export function functionsOf(exports: WebAssembly.Exports): KernelFunctions {
  const functions: KernelFunctions = {};
  for (const [name, value] of Object.entries(exports)) if (isFunction(value)) functions[name] = value;
  return functions;
}

function isFunction(value: unknown): value is KernelFunctions[string] {
  return typeof value === "function";
}

/**
 * The kernels bound to a backend's memory; made on first use.
 *
 * No view of the memory is kept: when tfjs's heap grows, views are detached but addresses stay.
 *
 * @param backend tfjs's wasm backend.
 * @param wide Whether to use the micro-kernel for 256-bit SIMD; what was said first holds. @default {false}
 * @returns Its kernels.
 */
export function wasmKernels(backend: WasmBackend, wide = false): WasmKernels {
  const known = instances.get(backend);
  if (known) return known;
  const { wasm } = backend;
  const { memory } = wasm.asm;
  wasm._malloc = (bytes) => checkedMalloc(wasm.asm, bytes);
  const modules = compileModules({ shared: isShared(memory), strips: wide ? 256 : 128 });
  const exports = instantiate(modules, memory, {
    sgemm: (...args) => kernels.blas!.sgemm(...args),
    sums: (...args) => kernels.blas!.sums(...args),
    exponentials: {
      exp: (...args) => kernels.blas!.exponentials!.exp(...args),
      greatest: (...args) => kernels.blas!.exponentials!.greatest(...args),
    },
  });
  // The module's own idea of where its stack is would be tfjs's first 64 KB.
  const stackPointer = exports["__stack_pointer"];
  if (!(stackPointer instanceof WebAssembly.Global)) throw new Error("Cannot use kernels that export no stack pointer");
  stackPointer.value = (allocate(backend, STACK_BYTES) + STACK_BYTES) & ~15;
  let address = 0;
  let size = 0;
  const kernels: WasmKernels = {
    modules,
    run: functionsOf(exports),
    scratch(bytes: number): number {
      if (bytes > size) {
        if (address) wasm._free(address);
        address = size = 0;
        address = allocate(backend, bytes);
        size = bytes;
      }
      return address;
    },
  };
  instances.set(backend, kernels);
  return kernels;
}

/** C's malloc for our kernels and tfjs's alike, which would carry on at address 0 and write over whatever lies there. */
function checkedMalloc(asm: WasmBackend["wasm"]["asm"], bytes: number): number {
  const address = bytes < WASM_BYTES ? asm.malloc(bytes) >>> 0 : 0; // malloc would take the lower 32 bits
  // Near the end of the 4 GiB malloc has been seen to return an address whose bytes lie beyond it.
  const isThere = address !== 0 && address + bytes <= asm.memory.buffer.byteLength;
  if (isThere || bytes === 0) return address;
  throw new MemoryLimitError(
    `Cannot allocate ${bytes.toLocaleString("en")} bytes of wasm memory as all tensors must fit in ${
      WASM_BYTES / 2 ** 30
    } GiB: ${gib(asm.memory.buffer.byteLength)} GiB are in use`,
    { backend: "wasm", bytes, limit: WASM_BYTES },
  );
}

function gib(bytes: number): string {
  return (bytes / 2 ** 30).toFixed(2);
}

/**
 * Memory from tfjs's allocator.
 *
 * @param backend tfjs's wasm backend.
 * @param bytes How much.
 * @returns The address; the caller frees it.
 * @throws {MemoryLimitError} If the 4 GiB of wasm memory, or the machine's, are used up.
 */
export function allocate(backend: WasmBackend, bytes: number): number {
  return backend.wasm._malloc(bytes);
}

/** A tensor's address. */
export function addressOf(backend: WasmBackend, tensor: { dataId: object }): number {
  return backend.dataIdMap.get(tensor.dataId).memoryOffset;
}

/**
 * A new float32 tensor in wasm memory.
 *
 * @param backend tfjs's wasm backend.
 * @param shape Its shape.
 * @returns The tensor's record; its values are not set.
 * @throws {MemoryLimitError} If memory is used up.
 */
export function output<Shape extends readonly number[] | []>(backend: WasmBackend, shape: Shape): InfoOf<[...Shape]> {
  return backend.makeOutput(shape, "float32");
}
