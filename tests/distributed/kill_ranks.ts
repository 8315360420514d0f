/**
 * Kills one process of a training shared by two, at random moments and of a random rank, by SIGKILL and SIGTERM in turn, every third
 * as it starts: the job must end, say which process was killed, leave no file half-written under its final name, and go on, with
 * another number of processes, to the bits of a run that was left alone.
 *
 * `deno run --allow-read --allow-write --allow-env --allow-run --allow-sys tests/distributed/kill_ranks.ts [--kills 20] [--seed 1] [--launcher MPICH] [--most 4]`
 *
 * A launcher that is none of launch.ts's LAUNCHERS is a path, its library one that LD_LIBRARY_PATH names.
 */
import { parseArgs } from "node:util";
import { join } from "@std/path";
import { exists } from "../../lib/io/files.ts";
import { decodeSafetensors } from "../../lib/io/safetensors.ts";
import { mulberry32 } from "../../lib/tensor/random.ts";
import { writePairs } from "../cli/fixtures.ts";
import { loggedStep } from "../train/kill_sweep.ts";
import { adapterDigest, launchedTasks, launcherNamed, succeed } from "./launch.ts";
import { inFolder } from "../folder.ts";

/** What a sweep found. */
export interface RankSweepResult {
  /** The rank and signal of each kill. */
  killed: string[];
  /** Seconds from each kill to the end of the job. */
  seconds: number[];
  /** The last step that the log names after each kill; undefined where there was none. */
  steps: (number | undefined)[];
  /** Files under their final names that were read after kills, whole each time. */
  reads: number;
  /** Number of processes that went on each time, and whether they came to the bits of the run left alone. */
  ends: { size: number; equal: boolean }[];
}

/** Options of {@linkcode killRanks}. */
export interface KillRanksOptions {
  /** Kills. @default {3} */
  kills?: number;
  /** Of moments and ranks. @default {1} */
  seed?: number;
  /** Processes at most that go on. @default {4} */
  most?: number;
  /** Longest that a job may take to end after one of its processes was killed, seconds. @default {300} */
  patience?: number;
}

const TRAIN = ["train", "--pairs", "pairs.csv", "--batch-size", "8", "--micro-batch", "2", "--epochs", "8"];

/** Starts a job of so many processes. */
type Launch = (size: number, args: readonly string[]) => Deno.Command;

/** Jobs of a launcher on this machine. */
export function jobsOf(launcher: readonly string[], folder: string): Launch {
  return (size, args) => launchedTasks([...launcher, "-n", `${size}`], folder, args);
}

/** Kills as often as is asked; runs that end by themselves before their kill start again from nothing. */
export async function killRanks(
  folder: string,
  launch: Launch,
  options: KillRanksOptions = {},
): Promise<RankSweepResult> {
  const { kills = 3, seed = 1, most = 4, patience = 300 } = options;
  const rng = mulberry32(seed);
  await writePairs(folder, 20);
  const began = performance.now();
  await succeed(launchedTasks([], folder, [...TRAIN, "--out", "alone"]));
  const whole = performance.now() - began;
  const expected = await adapterDigest(folder, "alone");
  const result: RankSweepResult = { killed: [], seconds: [], steps: [], reads: 0, ends: [] };
  while (result.killed.length < kills) {
    const args = [...TRAIN, "--out", "killed", "--save-steps", "1", "--resume"];
    const isKilled = await killOnce(folder, launch(2, args), {
      rank: rng() < 0.5 ? 0 : 1,
      signal: result.killed.length % 2 === 0 ? "KILL" : "TERM",
      // Two processes on one processor take twice as long. Every third is killed as it starts, before it joins.
      after: result.killed.length % 3 === 2 ? 0 : whole * 2 * rng(),
      patience,
    }, result);
    result.reads += await readWhole(join(folder, "killed"));
    if (isKilled) result.steps.push(await loggedStep(join(folder, "killed")));
    if (isKilled && result.killed.length < kills && rng() < 0.5) continue; // killed again before it ends
    const size = 1 + Math.floor(rng() * most);
    await succeed(launch(size, args));
    result.ends.push({ size, equal: await adapterDigest(folder, "killed") === expected });
    await Deno.remove(join(folder, "killed"), { recursive: true });
  }
  return result;
}

/** What is killed, how, after how many milliseconds, and how many seconds its end may take. */
interface Kill {
  patience: number;
  rank: number;
  signal: "KILL" | "TERM";
  after: number;
}

/** Runs a job and kills one rank of it; whether it was still there. */
async function killOnce(
  folder: string,
  command: Deno.Command,
  { rank, signal, after, patience }: Kill,
  result: RankSweepResult,
): Promise<boolean> {
  const child = command.spawn();
  const output = child.output();
  let isOver = false;
  output.then(() => isOver = true);
  await new Promise((resolve) => setTimeout(resolve, after));
  let pid: string | undefined;
  let killed = performance.now();
  while (!isOver && (pid = await killRank(folder, rank, signal)) === undefined) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    killed = performance.now();
  }
  let watchdog: ReturnType<typeof setTimeout> | undefined;
  const stuck = new Promise<never>((_, reject) => {
    watchdog = setTimeout(() => {
      child.kill("SIGKILL"); // what the launcher started elsewhere may keep the output open
      reject(new Error(`the job went on for ${patience} s after SIG${signal} to its rank ${rank}`));
    }, 1000 * patience);
  });
  const { code, stdout, stderr } = await Promise.race([output, stuck]);
  clearTimeout(watchdog);
  const told = new TextDecoder().decode(stderr) + new TextDecoder().decode(stdout); // MPICH's launcher uses both
  if (code === 0) return false;
  if (signal === "KILL" && !told.includes(`rank ${rank} (process ${pid} on `)) {
    throw new Error(`not told that rank ${rank} was killed, process ${pid}: ${told}`);
  }
  result.killed.push(`rank ${rank} SIG${signal}`);
  result.seconds.push((performance.now() - killed) / 1000);
  return true;
}

/**
 * Sends a signal to a rank of the jobs called in this folder; its number on its own machine, undefined where there is none yet. What
 * else carries the rank in its environment is the task runner and the shell between them.
 */
async function killRank(folder: string, rank: number, signal: string): Promise<string | undefined> {
  const script = `for d in /proc/[0-9]*; do
    tr '\\0' '\\n' < $d/environ | grep -xqF 'INIT_CWD=${folder}' || continue
    tr '\\0' '\\n' < $d/environ | grep -qE '^(OMPI_COMM_WORLD_RANK|PMI_RANK)=${rank}$' || continue
    tr '\\0' ' ' < $d/cmdline | grep -q '^[^ ]*deno run .* cli.ts ' || continue
    own=$(sed -n 's/^NSpid:.*\\t//p' $d/status) && kill -${signal} "\${d#/proc/}" && echo "$own"
  done 2>/dev/null`;
  const { stdout } = await new Deno.Command("sh", { args: ["-c", script], stderr: "null" }).output();
  return new TextDecoder().decode(stdout).split("\n")[0] || undefined;
}

/** Reads every table and record that is there under its final name; one that is not whole throws. */
async function readWhole(out: string): Promise<number> {
  let count = 0;
  if (!await exists(out)) return count;
  for await (const { name } of Deno.readDir(out)) {
    if (name.endsWith(".safetensors")) await decodeSafetensors(await Deno.readFile(join(out, name)), name);
    else if (name.endsWith(".json")) JSON.parse(await Deno.readTextFile(join(out, name)));
    else continue;
    count++;
  }
  return count;
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      kills: { type: "string" },
      seed: { type: "string" },
      launcher: { type: "string" },
      most: { type: "string" },
    },
  });
  const launcher = launcherNamed(values.launcher);
  await inFolder(async (folder) => {
    const result = await killRanks(folder, jobsOf(launcher, folder), {
      kills: Number(values.kills ?? 20),
      seed: Number(values.seed ?? 1),
      most: Number(values.most ?? 4),
      patience: 30,
    });
    console.log(JSON.stringify(result));
    if (result.ends.some(({ equal }) => !equal)) Deno.exitCode = 1;
  });
}
