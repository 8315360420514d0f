/**
 * Matrix products by a BLAS library of the system, called through Deno's FFI on tensors where they lie in wasm memory: no copy.
 * Used only where `--allow-ffi` was granted. The base address is taken once, so that the permission may be given up afterwards.
 *
 * @module
 */
import { errorMessage } from "../../platform/error_message.ts";
import { isDeno } from "../../platform/runtime.ts";
import { readVariable } from "../../platform/variables.ts";
import { processorFeatures } from "./processor.ts";
import { blasMatmul, blasPacked, mklProduct, PRODUCTS, repeatRow, threadLibrary } from "./blas_matmul.ts";
import { mklPacker, packedMatrices, PACKING } from "./blas_pack.ts";
import { BlasError, checkProducts, checkRows, memoryOf } from "./blas_checks.ts";
import { openSteps } from "./blas_steps.ts";
import { threadPool } from "./threads.ts";
import type { Blas, WasmBackend } from "./module.ts";

const SYMBOLS = {
  ...PRODUCTS,
  ...PACKING,
  sgemm_of_wide_rows: {
    name: "cblas_sgemm",
    parameters: [
      ...["i32", "i32", "i32", "i64", "i32", "i32"] as const,
      ...["f32", "buffer", "i32", "buffer", "i32", "f32", "buffer", "i32"] as const,
    ],
    result: "void",
  },
  openblas_get_config: { parameters: [], result: "pointer", optional: true },
  openblas_get_corename: { parameters: [], result: "pointer", optional: true },
  openblas_set_num_threads: { parameters: ["i32"], result: "void", optional: true },
  MKL_Get_Version_String: { parameters: ["buffer", "i32"], result: "void", optional: true },
  MKL_Get_Version: { parameters: ["buffer"], result: "void", optional: true },
  MKL_Set_Num_Threads: { parameters: ["i32"], result: "void", optional: true },
  MKL_Set_Interface_Layer: { parameters: ["i32"], result: "i32", optional: true },
  bli_info_get_version_str: { parameters: [], result: "pointer", optional: true },
  bli_arch_query_id: { parameters: [], result: "i32", optional: true },
  bli_arch_string: { parameters: ["i32"], result: "pointer", optional: true },
  bli_info_get_blas_int_type_size: { parameters: [], result: "i64", optional: true },
  bli_thread_set_num_threads: { parameters: ["i64"], result: "void", optional: true },
} as const satisfies Deno.ForeignLibraryInterface;

type Library = Deno.DynamicLibrary<typeof SYMBOLS>;

const MKL = ["libmkl_rt.so.3", "libmkl_rt.so.2", "libmkl_rt.so"];
const OTHERS = ["libopenblas.so.0", "libopenblas.so", "libblis.so.4", "libblis.so"];

/** Files tried by `auto`. MKL is the fastest on Intel's processors and none of the fastest on AMD's. */
function candidates(): readonly string[] {
  if (Deno.build.os === "darwin") return ["/System/Library/Frameworks/Accelerate.framework/Accelerate"];
  if (Deno.build.os !== "linux") return [];
  return processorFeatures()?.sse4a ? [...OTHERS, ...MKL] : [...MKL, ...OTHERS];
}

/** Which kernels OpenBLAS is to use. */
const CORE_VARIABLE = "OPENBLAS_CORETYPE";

const MKL_LP64 = 0;
const [ROW_MAJOR, AS_IS] = [101, 111];

/** What is asked for: a library's file, the first of the system's that serves, or none. */
export function blasChoice(option?: string): string {
  return option ?? (readVariable("ACE_BLAS") || "auto");
}

/**
 * Opens a library for the tensors of a backend.
 *
 * @param choice `auto`, `off` or a file.
 * @param threads Threads it may use.
 * @returns Undefined where none is used: switched off, or `auto` without the permission, a shared memory or a library.
 * @throws {BlasError} If a file is named that cannot be used; the message says why.
 */
export function openBlas(backend: WasmBackend, choice: string, threads: number): Blas | undefined {
  if (choice === "off") return undefined;
  const isAuto = choice === "auto";
  if (!isDeno) {
    if (isAuto) return undefined;
    throw new BlasError(`Cannot use "${choice}" as a BLAS library as FFI must be Deno's: this is another runtime`);
  }
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") {
    if (isAuto) return undefined;
    throw new BlasError(`Cannot use "${choice}" as calls of native libraries (FFI) must be allowed: they are not`);
  }
  const buffer = backend.wasm.asm.memory.buffer;
  if (!(buffer instanceof SharedArrayBuffer)) {
    if (isAuto) return undefined;
    throw new BlasError(
      `Cannot use "${choice}" as tensors must lie in a shared memory, which does not move: they do not`,
    );
  }
  const failures: string[] = [];
  for (const path of isAuto ? candidates() : [choice]) {
    try {
      return bind(backend, path, threads);
    } catch (error) {
      if (!(error instanceof BlasError)) throw error;
      failures.push(error.message);
    }
  }
  if (isAuto) return undefined;
  throw new BlasError(failures.join("; "));
}

function open(path: string): Library {
  try {
    return Deno.dlopen(path, SYMBOLS);
  } catch (error) {
    const [line] = errorMessage(error).split("\n");
    throw new BlasError(`Cannot use "${path}" as a BLAS library with cblas_sgemm: ${line}`, { cause: error });
  }
}

/** Kernels of OpenBLAS that use AVX2 or more. */
const WIDE_CORES = ["haswell", "zen", "skylakex", "cooperlake", "sapphirerapids"];

/**
 * Opens a library, OpenBLAS a second time where it does not know the processor: on one newer than itself it falls back to
 * kernels of 2004, a sixth as fast. It reads the variable as it is loaded.
 */
function openForProcessor(path: string): Library {
  const library = open(path);
  const core = text(library.symbols.openblas_get_corename?.() ?? null).toLowerCase();
  const features = core === "" || WIDE_CORES.includes(core) ? undefined : processorFeatures();
  if (!features?.avx2) return library;
  try {
    if (Deno.env.get(CORE_VARIABLE)) return library; // the user's word
    Deno.env.set(CORE_VARIABLE, features.avx512 ? "SkylakeX" : "Haswell");
  } catch {
    return library; // The variable may not be set: the core stands in the backend's line.
  }
  library.close();
  return open(path);
}

function text(pointer: Deno.PointerValue): string {
  return pointer ? Deno.UnsafePointerView.getCString(pointer) : "";
}

function bind(backend: WasmBackend, path: string, threads: number): Blas {
  const { symbols } = openForProcessor(path);
  const config = symbols.openblas_get_config ? text(symbols.openblas_get_config()) : "";
  // MKL's interface is chosen by a variable, unless it is told before its first call.
  const isWide = config.includes("USE64BITINT") || (symbols.MKL_Set_Interface_Layer?.(MKL_LP64) ?? 0) % 2 === 1 ||
    symbols.bli_info_get_blas_int_type_size?.() === 64n;
  if (isWide || readsWide(symbols)) {
    throw new BlasError(`Cannot use "${path}" as its integers must have 32 bits: it reads 64`);
  }
  const useThreads = (count: number): void => {
    symbols.openblas_set_num_threads?.(count);
    symbols.MKL_Set_Num_Threads?.(count);
    symbols.bli_thread_set_num_threads?.(BigInt(count));
  };
  useThreads(threads);
  const base = Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(new Uint8Array(memoryOf(backend)))));
  const matmul = blasMatmul(symbols, base, backend.wasm.asm.memory, repeatRow);
  const forThreads = threadLibrary(symbols, base);
  checkProducts(backend, path, matmul);
  checkRows(backend, path, forThreads);
  useThreads(1);
  const core = text(symbols.openblas_get_corename?.() ?? null);
  const opened = openSteps(backend, { path, core, base, matmul });
  useThreads(threads);
  const packer = opened?.packer ?? mklPacker(symbols);
  const name = `${nameOf(path, symbols, config)}, ${threads} thread${threads === 1 ? "" : "s"}`;
  return {
    description: name,
    library: { path, base, steps: opened?.steps },
    matmul,
    matmulPacked: blasPacked(opened?.product ?? mklProduct(symbols, base)),
    ...forThreads,
    packs: packer && packedMatrices(path, packer, () => threadPool()?.settle()),
    useThreads,
    isShared: false,
  };
}

/**
 * Whether a library reads integers of 64 bits. Its name need not tell, and most calls would even be right. One that reads 32
 * leaves the upper half of a register alone, so 1 may stand in a negative number: read whole, that is no number of rows.
 */
function readsWide({ sgemm_of_wide_rows }: Library["symbols"]): boolean {
  const [a, b, c] = [Float32Array.of(2), Float32Array.of(3), Float32Array.of(0)];
  sgemm_of_wide_rows(ROW_MAJOR, AS_IS, AS_IS, 1n - 2n ** 32n, 1, 1, 1, a, 1, b, 1, 0, c, 1);
  return c[0] === 0;
}

/** A library's name and version, and the processor whose kernels it uses, which variables of its own may change. */
function nameOf(path: string, symbols: Library["symbols"], config: string): string {
  if (config !== "") {
    const core = text(symbols.openblas_get_corename?.() ?? null);
    return `${config.split(" ").slice(0, 2).join(" ")} (${core || "?"})`;
  }
  if (symbols.MKL_Get_Version_String) {
    const bytes = new Uint8Array(200);
    symbols.MKL_Get_Version_String(bytes, bytes.length);
    const text = new TextDecoder().decode(bytes).replaceAll("\0", "").trim();
    const version = /Version ([\d.]+)/.exec(text)?.[1];
    return version ? `MKL ${version}${mklInstructions(symbols)}` : text;
  }
  const version = symbols.bli_info_get_version_str?.();
  if (version) {
    const core = text(symbols.bli_arch_string?.(symbols.bli_arch_query_id?.() ?? -1) ?? null);
    return `BLIS ${Deno.UnsafePointerView.getCString(version)} (${core || "?"})`;
  }
  return path.includes("Accelerate") ? "Accelerate" : path;
}

/**
 * The instructions that MKL uses, as " (AVX-512)": the first of the names in its own sentence on the processor. It has none for
 * AMD's, nor where a variable asks for compatible ones, though it uses AVX2 there, too.
 */
function mklInstructions({ MKL_Get_Version }: Library["symbols"]): string {
  if (!MKL_Get_Version) return "";
  const fields = new BigUint64Array(8); // three numbers in two words; status, build, processor, platform
  MKL_Get_Version(new Uint8Array(fields.buffer));
  const processor = text(Deno.UnsafePointer.create(fields[4]!));
  return ` (${/\(Intel\(R\) ([\w.-]+)[^)]*\)/.exec(processor)?.[1] ?? "instructions not named"})`;
}
