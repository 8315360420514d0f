/**
 * Processes connected by an MPI library of the system, called through Deno's FFI: Open MPI, MPICH and what shares their ABI (Intel
 * MPI, MVAPICH, Cray MPICH), or any library by MPI 5's standard ABI. Needs `--allow-ffi`.
 *
 * @module
 */
import { errorMessage } from "../platform/error_message.ts";
import { readVariable } from "../platform/variables.ts";
import type { Communicator } from "./communicator.ts";
import { SHELL_VARIABLE } from "./death.ts";
import { launchedProcesses } from "./launcher.ts";
import { leaveByPmi, mayHangInFinalize, PMI_VARIABLE } from "./pmi.ts";
import { checkOptions, type Rules, TEXT } from "../platform/options.ts";

/** Why there are no processes to work with. */
export class MpiError extends Error {
  /** Name shown in stack traces. */
  override name = "MpiError";
}

/** The handles that C's header names; integers, or addresses of the library's objects. */
interface Handles {
  world: bigint;
  float: bigint;
  byte: bigint;
  sum: bigint;
}

const SYMBOLS = {
  MPI_Init_thread: { parameters: ["pointer", "pointer", "i32", "buffer"], result: "i32" },
  MPI_Comm_rank: { parameters: ["u64", "buffer"], result: "i32" },
  MPI_Comm_size: { parameters: ["u64", "buffer"], result: "i32" },
  MPI_Allgather: { parameters: ["buffer", "i32", "u64", "buffer", "i32", "u64", "u64"], result: "i32" },
  MPI_Allreduce: { parameters: ["buffer", "buffer", "i32", "u64", "u64", "u64"], result: "i32" },
  MPI_Bcast: { parameters: ["buffer", "i32", "u64", "i32", "u64"], result: "i32" },
  MPI_Barrier: { parameters: ["u64"], result: "i32" },
  MPI_Abort: { parameters: ["u64", "i32"], result: "i32" },
  MPI_Finalize: { parameters: [], result: "i32" },
  MPI_Get_processor_name: { parameters: ["buffer", "buffer"], result: "i32" },
  MPI_Get_library_version: { parameters: ["buffer", "buffer"], result: "i32" },
  MPI_Abi_get_version: { parameters: ["buffer", "buffer"], result: "i32", optional: true },
} as const satisfies Deno.ForeignLibraryInterface;

type Symbols = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

const LIBC = {
  dlopen: { parameters: ["buffer", "i32"], result: "pointer" },
  dlsym: { parameters: ["pointer", "buffer"], result: "pointer" },
  dlerror: { parameters: [], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

/** MPICH's ABI, which its derivatives keep: `MPI_COMM_WORLD`, `MPI_FLOAT`, `MPI_BYTE`, `MPI_SUM`. */
const MPICH: Handles = { world: 0x44000000n, float: 0x4c00040an, byte: 0x4c00010dn, sum: 0x58000003n };

/** The standard ABI of MPI 5.0, chapter 20. */
const STANDARD: Handles = { world: 0x101n, float: 0x210n, byte: 0x247n, sum: 0x21n };

/** The library's file, where the one found is not the launcher's. */
const LIBRARY_VARIABLE = "ACE_MPI";

/** Set for each process by what speaks PMIx: srun --mpi=pmix, and Open MPI's own launcher. */
const PMIX_VARIABLE = "PMIX_RANK";

/** Which process this is, as launchers say before the library does. */
export const RANK_VARIABLES: readonly string[] = ["OMPI_COMM_WORLD_RANK", PMIX_VARIABLE, "PMI_RANK"];

/** The variables that are read here, besides the launchers'. */
export const MPI_VARIABLES: readonly string[] = [LIBRARY_VARIABLE, ...RANK_VARIABLES, PMI_VARIABLE, SHELL_VARIABLE];

/** File names by preference where none is given; the one of the launcher that started the process comes first. */
const OPEN_MPI_FILES = ["libmpi.so.40", "libmpi.40.dylib"];
const MPICH_FILES = ["libmpi.so.12", "libmpich.so.12", "libmpi.12.dylib"];
const STANDARD_FILES = ["libmpi_abi.so.0", "libmpi_abi.so.1"];

/** Options of {@linkcode openMpi}. */
export interface MpiOptions {
  /** The library's file. @default {what ACE_MPI names, else that of the launcher} */
  library?: string;
}

/** What they must be. */
const MPI_RULES: Rules<MpiOptions> = {
  library: TEXT,
};

/**
 * Joins the other processes of this run.
 *
 * @throws {MpiError} If no library is found, one lacks a function, or it says that this process is alone where the launcher
 * started several (a library other than the launcher's).
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function openMpi(options: MpiOptions = {}): Communicator {
  checkOptions("use MPI", options, MPI_RULES);
  if (Deno.build.os === "windows") throw new MpiError("Cannot use MPI on Windows");
  const { path, handle } = openLibrary(options.library ?? (readVariable(LIBRARY_VARIABLE) || undefined));
  const { symbols } = functionsOf(path);
  const handles = isStandard(symbols) ? STANDARD : openMpiHandles(path, handle) ?? MPICH;
  const integer = new Int32Array(1);
  check("MPI_Init_thread", symbols.MPI_Init_thread(null, null, 1, integer));
  check("MPI_Comm_rank", symbols.MPI_Comm_rank(handles.world, integer));
  const rank = integer[0]!;
  check("MPI_Comm_size", symbols.MPI_Comm_size(handles.world, integer));
  const size = integer[0]!;
  checkConnected(path, size);
  const about = libraryText(symbols, "MPI_Get_library_version");
  const version = about.split(/[\n,]/)[0]!.replaceAll(/[\s\0]+/g, " ").trim();
  return {
    rank,
    size,
    description: `${version}, ${size} processes`,
    node: libraryText(symbols, "MPI_Get_processor_name"),
    ...collectives(symbols, handles, size),
    abort(exitCode) {
      symbols.MPI_Abort(handles.world, exitCode);
      Deno.exit(exitCode);
    },
    close() {
      if (size > 1 && mayHangInFinalize(about)) {
        check("MPI_Barrier", symbols.MPI_Barrier(handles.world));
        if (leaveByPmi()) return;
      }
      check("MPI_Finalize", symbols.MPI_Finalize());
    },
  };
}

function check(name: keyof typeof SYMBOLS, code: number): void {
  if (code !== 0) throw new MpiError(`Cannot go on as ${name} must succeed: it returned ${code}`);
}

/** Refuses to be the only process where the launcher started several. */
function checkConnected(path: string, size: number): void {
  const launched = launchedProcesses();
  if (size > 1 || launched <= 1) return;
  throw new MpiError(
    `Cannot run as one of ${launched} processes as "${path}" must know of the others: it says that this one is alone. ` +
      `It is not the launcher's, whose file ${LIBRARY_VARIABLE} can name, or the launcher connects none, as srun does by default: ` +
      "its --mpi=pmix is for Open MPI, --mpi=pmi2 for MPICH",
  );
}

/** What the library says of itself, or of where it runs. */
function libraryText(symbols: Symbols, name: "MPI_Get_library_version" | "MPI_Get_processor_name"): string {
  const [text, length] = [new Uint8Array(8192), new Int32Array(1)];
  check(name, symbols[name](text, length));
  return new TextDecoder().decode(text.subarray(0, length[0]!));
}

/** What all processes do together. */
function collectives(
  symbols: Symbols,
  { world, float, byte, sum }: Handles,
  size: number,
): Pick<Communicator, "allGather" | "allReduceSum" | "broadcast" | "barrier"> {
  return {
    allGather(own) {
      const all = new Float32Array(size * own.length);
      const [from, to] = [[bytesOf(own), own.length, float], [bytesOf(all), own.length, float]] as const;
      check("MPI_Allgather", symbols.MPI_Allgather(...from, ...to, world));
      return all;
    },
    allReduceSum(own) {
      const copy = own.slice();
      check("MPI_Allreduce", symbols.MPI_Allreduce(bytesOf(copy), bytesOf(own), own.length, float, sum, world));
    },
    broadcast(own) {
      check("MPI_Bcast", symbols.MPI_Bcast(bytesOf(own), own.length, byte, 0, world));
    },
    barrier() {
      check("MPI_Barrier", symbols.MPI_Barrier(world));
    },
  };
}

function bytesOf(array: Float32Array | Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(array.buffer as ArrayBuffer, array.byteOffset, array.byteLength);
}

const zeroEnded = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(`${text}\0`);

interface OpenLibrary {
  path: string;
  handle: Deno.PointerObject;
}

function libc(): Deno.DynamicLibrary<typeof LIBC>["symbols"] {
  return Deno.dlopen(Deno.build.os === "darwin" ? "libSystem.dylib" : "libc.so.6", LIBC).symbols;
}

/** Opens a library with its names visible to the plug-ins that Open MPI loads itself, which Deno.dlopen does not do. */
function openLibrary(given: string | undefined): OpenLibrary {
  const [now, global] = [2, Deno.build.os === "darwin" ? 8 : 0x100];
  const isSet = (name: string): boolean => readVariable(name) !== undefined;
  const byOpenMpi = isSet("OMPI_COMM_WORLD_SIZE") || (isSet(PMIX_VARIABLE) && !isSet("PMI_SIZE"));
  const named = byOpenMpi
    ? [...OPEN_MPI_FILES, ...STANDARD_FILES]
    : [...MPICH_FILES, ...STANDARD_FILES, ...OPEN_MPI_FILES];
  const paths = given === undefined ? named : [given];
  const { dlopen, dlerror } = libc();
  const reasons: string[] = [];
  for (const path of paths) {
    const handle = dlopen(zeroEnded(path), now | global);
    if (handle) return { path, handle };
    const reason = Deno.UnsafePointerView.getCString(dlerror()!);
    if (!reason.startsWith(`${path}: cannot open`)) reasons.push(reason); // it is there, and lacks something itself
  }
  const why = reasons.length > 0 ? `: ${reasons.join("; ")}` : "";
  throw new MpiError(`Cannot use MPI as a library must be there: none of ${paths.join(", ")} can be opened${why}`);
}

function functionsOf(path: string): Deno.DynamicLibrary<typeof SYMBOLS> {
  try {
    return Deno.dlopen(path, SYMBOLS);
  } catch (error) {
    const [line] = errorMessage(error).split("\n");
    throw new MpiError(`Cannot use "${path}" as it must have MPI's functions: ${line}`, { cause: error });
  }
}

/** Whether a library has MPI 5's standard ABI, which it says itself, also before MPI_Init: -1 where it has its own. */
function isStandard(symbols: Symbols): boolean {
  const [major, minor] = [Int32Array.of(-1), Int32Array.of(-1)];
  return symbols.MPI_Abi_get_version?.(major, minor) === 0 && major[0]! >= 1;
}

/** The handles of Open MPI's own ABI, which are addresses of its objects; undefined if the library is another. */
function openMpiHandles(path: string, library: Deno.PointerObject): Handles | undefined {
  const { dlsym } = libc();
  if (!dlsym(library, zeroEnded("ompi_mpi_comm_world"))) return undefined;
  const address = (name: string): bigint => {
    const pointer = dlsym(library, zeroEnded(name));
    if (!pointer) throw new MpiError(`Cannot use "${path}" as Open MPI as it must hold ${name}: it does not`);
    return BigInt(Deno.UnsafePointer.value(pointer));
  };
  return {
    world: address("ompi_mpi_comm_world"),
    float: address("ompi_mpi_float"),
    byte: address("ompi_mpi_byte"),
    sum: address("ompi_mpi_op_sum"),
  };
}
