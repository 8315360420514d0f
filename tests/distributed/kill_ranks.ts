/**
 * Kills one process of a training shared by two, at random moments and of a random rank, by SIGKILL: the job must end, leave no file
 * half-written under its final name, and go on, with another number of processes, to the bits of a run that was left alone.
 *
 * `deno run --allow-read --allow-write --allow-env --allow-run --allow-sys tests/distributed/kill_ranks.ts [--kills 20] [--seed 1] [--launcher MPICH]`
 */
import { parseArgs } from "node:util";
import { join } from "@std/path";
import { decodeSafetensors } from "../../lib/io/safetensors.ts";
import { mulberry32 } from "../../lib/tensor/random.ts";
import { writePairs } from "../cli/fixtures.ts";
import { adapterDigest, launched, LAUNCHERS } from "./launch.ts";

/** What a sweep found. */
export interface RankSweepResult {
  /** The rank of each kill. */
  killed: number[];
  /** Seconds from each kill to the end of the job. */
  seconds: number[];
  /** Files under their final names that were read after kills, whole each time. */
  reads: number;
  /** Whether each run that went on came to the bits of the one left alone. */
  equal: boolean[];
}

/** Options of {@linkcode killRanks}. */
export interface KillRanksOptions {
  /** Kills. @default {3} */
  kills?: number;
  /** Of moments and ranks. @default {1} */
  seed?: number;
}

/** Longest that a job may take to end after one of its processes was killed. */
const MOST_SECONDS = 30;
const TRAIN = ["train", "--pairs", "pairs.csv", "--batch-size", "8", "--micro-batch", "2", "--epochs", "8"];
const FINAL = ["state.safetensors", "state.previous.safetensors", "best.safetensors", "adapter.safetensors"];

/** Kills as often as is asked; runs that end by themselves before their kill start again from nothing. */
export async function killRanks(
  folder: string,
  launcher: readonly string[],
  options: KillRanksOptions = {},
): Promise<RankSweepResult> {
  const { kills = 3, seed = 1 } = options;
  const rng = mulberry32(seed);
  await writePairs(folder, 20);
  const began = performance.now();
  await succeed(launched([], 1, folder, [...TRAIN, "--out", "alone"]));
  const whole = performance.now() - began;
  const expected = await adapterDigest(folder, "alone");
  const result: RankSweepResult = { killed: [], seconds: [], reads: 0, equal: [] };
  while (result.killed.length < kills) {
    const args = [...TRAIN, "--out", "killed", "--save-steps", "1", "--resume"];
    const rank = rng() < 0.5 ? 0 : 1;
    // Two processes on one processor take twice as long.
    const isKilled = await killOnce(
      folder,
      launched(launcher, 2, folder, args),
      { rank, after: whole * 2 * rng() },
      result,
    );
    result.reads += await readWhole(join(folder, "killed"));
    if (isKilled && result.killed.length < kills && rng() < 0.5) continue; // killed again before it ends
    const size = 1 + Math.floor(rng() * 4);
    await succeed(launched(launcher, size, folder, args));
    result.equal.push(await adapterDigest(folder, "killed") === expected);
    await Deno.remove(join(folder, "killed"), { recursive: true });
  }
  return result;
}

async function succeed(command: Deno.Command): Promise<void> {
  const { success, stderr } = await command.output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

/** Runs a job and kills one rank of it after so many milliseconds; whether it was still there. */
async function killOnce(
  folder: string,
  command: Deno.Command,
  { rank, after }: { rank: number; after: number },
  result: RankSweepResult,
): Promise<boolean> {
  const child = command.spawn();
  const output = child.output();
  let isOver = false;
  output.then(() => isOver = true);
  await new Promise((resolve) => setTimeout(resolve, after));
  while (!isOver && !await killRank(folder, rank)) await new Promise((resolve) => setTimeout(resolve, 20));
  const killed = performance.now();
  let isStuck = false;
  const watchdog = setTimeout(() => {
    isStuck = true;
    child.kill("SIGKILL");
  }, 1000 * MOST_SECONDS);
  const { code } = await output;
  clearTimeout(watchdog);
  if (isStuck) throw new Error(`the job went on for ${MOST_SECONDS} s after its rank ${rank} was killed`);
  if (code === 0) return false;
  result.killed.push(rank);
  result.seconds.push((performance.now() - killed) / 1000);
  return true;
}

/** Kills a rank of the jobs in this folder: the process whose environment says so. Whether there was one. */
async function killRank(folder: string, rank: number): Promise<boolean> {
  const script = `for d in /proc/[0-9]*; do
    [ "$(readlink $d/cwd)" = "${folder}" ] || continue
    tr '\\0' '\\n' < $d/environ 2>/dev/null | grep -qE '^(OMPI_COMM_WORLD_RANK|PMI_RANK)=${rank}$' && kill -9 "\${d#/proc/}" && echo killed
  done`;
  const { stdout } = await new Deno.Command("sh", { args: ["-c", script], stderr: "null" }).output();
  return new TextDecoder().decode(stdout).includes("killed");
}

/** Reads every file that is there under its final name; one that is not whole throws. */
async function readWhole(out: string): Promise<number> {
  let count = 0;
  for (const name of FINAL) {
    const bytes = await Deno.readFile(join(out, name)).catch(() => undefined);
    if (!bytes) continue;
    await decodeSafetensors(bytes, name);
    count++;
  }
  return count;
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { kills: { type: "string" }, seed: { type: "string" }, launcher: { type: "string" } },
  });
  const launcher = LAUNCHERS[(values.launcher ?? "Open MPI") as keyof typeof LAUNCHERS];
  const folder = await Deno.makeTempDir({ prefix: "ace-kill-ranks-" });
  try {
    const result = await killRanks(folder, launcher, {
      kills: Number(values.kills ?? 20),
      seed: Number(values.seed ?? 1),
    });
    console.log(JSON.stringify(result));
    if (result.equal.includes(false)) Deno.exitCode = 1;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
