/** What each command may do: the task lines of deno.json are made from this one table. @module */
import { type Arguments, UsageError } from "./command.ts";
import { LAUNCHER_VARIABLES } from "../distributed/launcher.ts";
import { MPI_VARIABLES } from "../distributed/mpi.ts";

/** The least a command needs besides reading, which the paths it is given decide. */
interface Needs {
  /** Whether several processes may share it: what launchers tell is read, or each would do the whole work. @default {false} */
  shared?: boolean;
  /** Whether it computes: the backend looks at these variables of the environment. */
  computes: boolean;
  /**
   * Where it writes: nowhere, below one folder, or wherever its options say. The last needs a bare `--allow-write`: Deno reads a
   * task's line before it knows the options, and scratch disks and mounted shares are seldom below the folder one stands in.
   */
  writes: "nowhere" | "anywhere" | "$INIT_CWD" | "$INIT_CWD/results";
}

const BACKEND_VARIABLES = ["ACE_BACKEND", "ACE_THREADS", "DENO_V8_FLAGS", "DENO_WEBGPU_BACKEND"];

const NATIVE_VARIABLES = [
  "ACE_BACKEND",
  "ACE_BLAS",
  "ACE_THREADS",
  "DENO_V8_FLAGS",
  "DENO_WEBGPU_BACKEND",
  "INIT_CWD",
  "OPENBLAS_CORETYPE",
  "XDG_RUNTIME_DIR",
];

/**
 * V8 collects its heap once that has grown by 30 %. By default a training run lets dead tensors' records pile up to twice what is
 * alive: 90 MiB more for the mini model, and how much depended on when steps paused to save.
 */
export const HEAP = "--v8-flags=--heap-growing-percent=30";

/**
 * What the native lines begin with: V8's flag for 256-bit products where the processor has them, and OpenBLAS's and MKL's threads
 * sleep when they have nothing to do, in place of waiting in a loop beside ours.
 */
const NATIVE_START = [
  "DENO_NO_UPDATE_CHECK=1",
  "OPENBLAS_THREAD_TIMEOUT=4",
  "KMP_BLOCKTIME=0",
  "DENO_V8_FLAGS=$(deno run --quiet --no-prompt --allow-ffi --allow-env=DENO_V8_FLAGS lib/tensor/wasm/v8_flags.ts)",
];

const NATIVE_PERMISSIONS = [
  "--allow-read",
  "--allow-write",
  "--allow-ffi",
  "--allow-sys=systemMemoryInfo", // for weights that a library packs
];

/** By command. */
export const PERMISSIONS: Readonly<Record<string, Needs>> = {
  demo: { computes: true, writes: "$INIT_CWD/results" },
  train: { shared: true, computes: true, writes: "anywhere" },
  evaluate: { shared: true, computes: true, writes: "anywhere" },
  classify: { computes: true, writes: "anywhere" },
  encode: { shared: true, computes: true, writes: "anywhere" },
  explain: { computes: true, writes: "anywhere" },
  probe: { computes: true, writes: "anywhere" },
  cache: { shared: true, computes: false, writes: "anywhere" },
  retrieve: { computes: true, writes: "anywhere" },
  doctor: { computes: true, writes: "anywhere" },
  inspect: { computes: false, writes: "nowhere" },
  convert: { computes: false, writes: "anywhere" },
  export: { computes: true, writes: "anywhere" },
  tokenize: { computes: false, writes: "nowhere" },
  segment: { computes: true, writes: "anywhere" },
  detect: { computes: true, writes: "anywhere" },
  pretrain: { computes: true, writes: "$INIT_CWD/results" },
  reproduce: { computes: true, writes: "$INIT_CWD/results" },
  report: { computes: false, writes: "$INIT_CWD" },
};

const PLACES: Readonly<Record<string, string>> = {
  "$INIT_CWD": "the folder you stand in",
  "$INIT_CWD/results": '"results" in the folder you stand in',
};

/** Options that name what is written. */
const OUTPUTS = ["out", "cache", "keep", "explain", "onnx", "card", "reference"];

/** One sentence on where a command's task may write. */
export function mayWrite(name: string, options: Readonly<Record<string, unknown>>): string {
  const { writes } = PERMISSIONS[name]!;
  if (writes === "nowhere") return "It may write nothing.";
  if (writes !== "anywhere") return `It may write in ${PLACES[writes]} alone.`;
  const named = OUTPUTS.filter((option) => Object.hasOwn(options, option)).map((option) => `\`--${option}\``);
  return `It writes where ${named.join(", ")} say${named.length === 1 ? "s" : ""}.`;
}

/**
 * Fails before any work, and in place of Deno's question in a terminal, where an output lies outside what a task may write.
 *
 * @throws {UsageError} If it does.
 */
export async function checkOutputs(command: string, args: Arguments): Promise<void> {
  const place = PLACES[PERMISSIONS[command]?.writes ?? ""];
  if (place === undefined) return;
  for (const option of ["out", "keep"]) {
    const path = args.knows(option) ? args.text(option) : undefined;
    if (path === undefined || (await Deno.permissions.query({ name: "write", path })).state === "granted") continue;
    throw new UsageError(`--${option} must lie in ${place}, where this task may write: current value is "${path}"`);
  }
}

/** The line of `deno task native`, which stands in front of a command: the widest of all, as a BLAS library is called through FFI. */
export const NATIVE_TASK_LINE: string = nativeLine("deno", []);

/**
 * The line of `deno task mpi`, which stands in front of a command that several processes share: MPI is called through FFI. A shell
 * stands between, from before Deno starts, to have the launcher end the others where this process dies.
 */
export const MPI_TASK_LINE: string = nativeLine("sh lib/distributed/rank.sh", [
  ...LAUNCHER_VARIABLES,
  ...MPI_VARIABLES,
]);

function nativeLine(deno: string, variables: readonly string[]): string {
  const environment = `--allow-env=${[...NATIVE_VARIABLES, ...variables].join(",")}`;
  return [...NATIVE_START, deno, "run", HEAP, ...NATIVE_PERMISSIONS, environment, "--deny-net", "cli.ts"].join(" ");
}

/** The line of a command's task: no network, no other program, no prompt. */
export function taskLine(name: string): string {
  const { computes, shared = false, writes } = PERMISSIONS[name]!;
  const variables = [
    ...(computes ? BACKEND_VARIABLES : []),
    "INIT_CWD",
    ...(computes ? ["XDG_RUNTIME_DIR"] : []),
    ...(shared ? LAUNCHER_VARIABLES : []),
  ];
  const write = { nowhere: [], anywhere: ["--allow-write"] }[writes as string] ?? [`--allow-write="${writes}"`];
  return [
    ...["DENO_NO_UPDATE_CHECK=1", "deno", "run", ...(computes ? [HEAP] : [])],
    ...["--allow-read", `--allow-env=${variables.join(",")}`, "--deny-net", ...write, "cli.ts", name],
  ].join(" ");
}
