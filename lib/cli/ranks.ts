/** A command as one of several processes that MPI started. @module */
import { runTexts } from "../adapters/positions.ts";
import type { Communicator } from "../distributed/communicator.ts";
import { endIsKnown, hasShell } from "../distributed/death.ts";
import { launchedPlace, launchedProcesses } from "../distributed/launcher.ts";
import { MpiError, openMpi, RANK_VARIABLES } from "../distributed/mpi.ts";
import { abortByPmi } from "../distributed/pmi.ts";
import { checkShared } from "../distributed/shared_settings.ts";
import type { Shard } from "../eval/encode/features_file.ts";
import { parseShard } from "../eval/encode/shards.ts";
import { gitRevision, VERSION } from "../io/run_facts.ts";
import { readVariable } from "../platform/variables.ts";
import { type Arguments, type OptionSpec, UsageError } from "./command.ts";
import { leaveSignalsToLauncher } from "./interrupt.ts";

let world: Communicator | undefined;
let hasJoined = false;

/** How long a line may take to pass the launcher, ms: MPICH's throws away what it has not passed on when it hears of an end. */
const PASSING_MS = 500;

/**
 * The processes that share the command, or undefined when it was started alone. From the second on they print nothing but errors.
 *
 * @throws {UsageError} If a launcher started several and they cannot be connected: each would do the whole work.
 * @throws {RangeError} If this one runs other code than the first.
 */
export async function joinRanks(command: string): Promise<Communicator | undefined> {
  if (world) return world;
  if (!isFfiGranted()) {
    const count = launchedProcesses({ job: false });
    if (count === 1) return undefined;
    throw new UsageError(
      `${count} processes were started, which only deno task mpi connects: mpirun -n ${count} deno task mpi ${command} ...`,
    );
  }
  if (launchedProcesses() === 1) return undefined;
  leaveSignalsToLauncher();
  try {
    world = openMpi();
    hasJoined = true;
  } catch (error) {
    if (!(error instanceof MpiError)) throw error;
    throw new UsageError(error.message);
  }
  const code = { version: VERSION, Deno: Deno.version.deno, revision: await gitRevision() };
  checkShared(code, world, { verb: "run", remedy: "All must run the same code" }); // before any other call that a version makes
  if (world.rank > 0) console.log = console.error = () => {};
  else console.error(`processes: ${world.description}`);
  return world;
}

/** What computes on one process. */
export interface RankBackend {
  /** The machine's name. */
  node: string;
  /** Backend and adapter. */
  backend: string;
}

/** What computes on each process, by rank: one line, and a warning for each machine whose processes may share a GPU. */
export function backendsText(ranks: readonly RankBackend[]): { line: string; warnings: string[] } {
  const groups = Map.groupBy(ranks.keys(), (rank) => JSON.stringify([ranks[rank]!.node, ranks[rank]!.backend]));
  const told = [...groups].map(([key, members]) => {
    const [node, backend]: [string, string] = JSON.parse(key);
    return { place: `${ranksText(members)} on ${node}`, backend, isSeveral: members.length > 1 };
  });
  return {
    line: told.map(({ place, backend }) => `${place}: ${backend}`).join("; "),
    warnings: told.filter(({ backend, isSeveral }) => isSeveral && backend.startsWith("webgpu")).map(({ place }) =>
      `${place} have a GPU of the same name: one and the same, unless each process sees only its own ` +
      `("GPUs" in docs/cluster.md)`
    ),
  };
}

/** Ranks in ascending order, runs of them shortened. */
function ranksText(ranks: readonly number[]): string {
  return `${ranks.length === 1 ? "rank" : "ranks"} ${runTexts(ranks).join(", ")}`;
}

/** Says goodbye to the others, if there are any. */
export function leaveRanks(): void {
  if (!world) return;
  world.close();
  endIsKnown();
  world = undefined;
}

/** Ends the others, too, after a failure of this one: they would wait for it. */
export function abortRanks(message: string, exitCode: number): void {
  if (!world) return;
  Deno.stderr.writeSync(new TextEncoder().encode(`rank ${world.rank}: ${message}\n`));
  endIsKnown();
  letPass();
  world.abort(exitCode);
}

/** Ends the others, too, after a failure of this one before it joined them: MPICH's launcher lets them wait for ever else. */
export function endUnjoined(exitCode: number): void {
  if (hasJoined || hasShell() || !isFfiGranted() || launchedProcesses({ job: false }) === 1) return;
  const rank = RANK_VARIABLES.map(readVariable).find((text) => text);
  if (rank) console.error(`rank ${rank} failed before it joined the others`);
  letPass();
  abortByPmi(exitCode);
}

function isFfiGranted(): boolean {
  return Deno.permissions.querySync({ name: "ffi" }).state === "granted";
}

function letPass(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PASSING_MS);
}

/** The option of commands whose items can be shared out. */
export const SHARD_OPTION: Record<string, OptionSpec> = {
  shard: {
    value: "I/N",
    help: "Only this share; auto or auto/N: I as SLURM_PROCID, SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX says " +
      "(default: that of the MPI process or of srun's task, else all)",
  },
};

/** The share of a command's items that is this process's. */
export interface Share {
  /** Which; undefined for all. */
  shard: Shard | undefined;
  /** The others, where MPI connects them and each has its share. */
  ranks: Communicator | undefined;
}

/**
 * The share that an option names as i/n; undefined where it is not given.
 *
 * @throws {UsageError} If it is none.
 */
export function namedShare(args: Arguments, option: "shard" | "part"): Shard | undefined {
  const text = args.text(option);
  if (text === undefined) return undefined;
  try {
    return parseShard(text);
  } catch {
    const auto = option === "shard" ? ", or auto" : "";
    throw new UsageError(
      `--${option} must be i/n with i from 0 or 1 to n, such as 1/4${auto}: current value is "${text}"`,
    );
  }
}

/**
 * The share that `--shard` names, else that of the MPI process, else that of srun's task.
 *
 * @throws {UsageError} If a batch system started several processes and does not say how many.
 */
export async function shareFrom(args: Arguments, command: string): Promise<Share> {
  const given = args.text("shard");
  const auto = /^auto(?:\/([1-9]\d*))?$/.exec(given ?? "");
  if (given !== undefined && !auto) return { shard: namedShare(args, "shard"), ranks: undefined };
  const isConnected = isFfiGranted() && launchedProcesses() > 1;
  if (isConnected && !auto?.[1]) {
    const ranks = await joinRanks(command);
    return { shard: ranks && { index: ranks.rank, count: ranks.size }, ranks };
  }
  const place = launchedPlace();
  const isTask = place?.variable === "SLURM_PROCID";
  if (!auto && place && !isTask && place.count === undefined) {
    throw new UsageError(
      `${place.variable} is ${place.index}, and nothing says of how many: --shard auto/8 takes that share of 8, --shard 0/1 all`,
    );
  }
  if (!auto && !isTask) {
    await joinRanks(command); // refuses several that nothing connects
    return { shard: undefined, ranks: undefined };
  }
  const count = auto?.[1] === undefined ? place?.count : Number(auto[1]);
  if (!place || count === undefined) {
    throw new UsageError(
      `--shard ${given}: neither SLURM_PROCID, SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX says which share; name it: --shard 1/8`,
    );
  }
  const shard = parseShard(`${place.index}/${count}`);
  console.error(`share ${shard.index} of ${shard.count} (from 0), as ${place.variable} says`);
  return { shard, ranks: undefined };
}
