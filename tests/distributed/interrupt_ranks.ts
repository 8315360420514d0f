/**
 * Presses Ctrl-C in a terminal in which `mpirun -n 2 deno task mpi train` runs, at random moments of its first seconds: the job must
 * end, and leave no process.
 *
 * `deno run --allow-read --allow-write --allow-env --allow-run --allow-sys tests/distributed/interrupt_ranks.ts [--tries 20] [--seed 1] [--launcher MPICH]`
 */
import { parseArgs } from "node:util";
import { mulberry32 } from "../../lib/tensor/random.ts";
import { writePairs } from "../cli/fixtures.ts";
import { eventually } from "../eventually.ts";
import { inFolder } from "../folder.ts";
import { launcherNamed, typedTasks } from "./launch.ts";

/** What came of a job that Ctrl-C was pressed in. */
export interface Interrupted {
  /** Milliseconds from its start to the key. */
  after: number;
  /** Seconds from the key to its end. */
  seconds: number;
  /** Its status. */
  code: number;
  /** Whether Ctrl-C was pressed again, as the job went on. */
  isAgain: boolean;
  /** What the terminal showed. */
  told: string;
}

/** Options of {@linkcode interruptRanks}. */
export interface InterruptRanksOptions {
  /** Jobs. @default {3} */
  tries?: number;
  /** Of the moments. @default {1} */
  seed?: number;
  /** Latest moment, milliseconds. @default {3000} */
  latest?: number;
  /**
   * Whether moments count from when the launcher has started all processes, instead of from its own start: MPICH's is not ready for
   * a signal before. @default {false}
   */
  whenStarted?: boolean;
  /** Longest that a job may take to end, seconds. @default {300} */
  patience?: number;
}

const TRAIN = ["train", "--pairs", "pairs.csv", "--batch-size", "8", "--micro-batch", "2", "--epochs", "100000"];

/**
 * Starts jobs that would not end, and presses Ctrl-C in each.
 *
 * @throws {Error} If one goes on, or leaves a process.
 */
export async function interruptRanks(
  folder: string,
  launcher: readonly string[],
  options: InterruptRanksOptions = {},
): Promise<Interrupted[]> {
  const { tries = 3, seed = 1, latest = 3000, patience = 300, whenStarted = false } = options;
  const random = mulberry32(seed);
  await writePairs(folder, 20);
  const results: Interrupted[] = [];
  for (let i = 0; i < tries; i++) {
    const line = [...launcher, "-n", "2"];
    const after = 100 + (latest - 100) * random();
    results.push(await interruptOnce(folder, line, { after, whenStarted, patience, out: `${i}` }));
  }
  return results;
}

const CTRL_C = Uint8Array.of(3);
const AGAIN_MS = 15_000;

async function interruptOnce(
  folder: string,
  line: readonly string[],
  { after, whenStarted, patience, out }: { after: number; whenStarted: boolean; patience: number; out: string },
): Promise<Interrupted> {
  const child = typedTasks(line, folder, [...TRAIN, "--out", out]).spawn();
  const keyboard = child.stdin.getWriter();
  const output = Promise.all([new Response(child.stdout).text(), child.stderr.cancel(), child.status]);
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  if (whenStarted) await eventually(() => isStarted(folder), "the last process");
  await pause(after);
  const pressed = performance.now();
  await keyboard.write(CTRL_C);
  const watchdog = setTimeout(() => child.kill("SIGKILL"), 1000 * patience);
  let isOver = false;
  const ended = output.finally(() => isOver = true);
  while (!isOver && performance.now() - pressed < AGAIN_MS) await Promise.race([ended, pause(200)]);
  // MPICH's launcher loses one that comes before it has started all processes, and says itself to press again.
  if (!isOver) await keyboard.write(CTRL_C).catch(() => {});
  const isAgain = !isOver;
  const [told, , { code, signal }] = await ended;
  clearTimeout(watchdog);
  const seconds = (performance.now() - pressed) / 1000;
  await keyboard.close().catch(() => {}); // the terminal has gone
  const left = await processesOf(folder, signal === null ? 0 : 9);
  const moment = `Ctrl-C after ${after.toFixed(0)} ms`;
  if (signal !== null) throw new Error(`the job went on for ${patience} s after ${moment}: ${left}: ${told}`);
  if (left) throw new Error(`${moment} left ${left}: ${told}`);
  return { after, seconds, code, isAgain, told };
}

/** Whether the last of two processes that were called in this folder has been started. */
async function isStarted(folder: string): Promise<boolean> {
  const script = `for d in /proc/[0-9]*; do
    tr '\\0' '\\n' < $d/environ | grep -xqF 'INIT_CWD=${folder}' || continue
    tr '\\0' '\\n' < $d/environ | grep -qE '^(OMPI_COMM_WORLD_RANK|PMI_RANK)=1$' && exit 0
  done 2>/dev/null
  exit 1`;
  return (await new Deno.Command("sh", { args: ["-c", script], stderr: "null" }).output()).success;
}

/** The command lines of what was called in this folder and is there still, after a while; they are sent a signal, if it is not 0. */
async function processesOf(folder: string, signal: number): Promise<string> {
  const script = `for try in $(seq 100); do
    left=
    for d in /proc/[0-9]*; do
      tr '\\0' '\\n' < $d/environ | grep -xqF 'INIT_CWD=${folder}' && left="$left $(tr '\\0' ' ' < $d/cmdline)" && kill -${signal} "\${d#/proc/}"
    done 2>/dev/null
    [ -n "$left" ] || exit 0
    [ ${signal} -eq 0 ] || break
    sleep .1
  done
  echo "$left"`;
  const { stdout } = await new Deno.Command("sh", { args: ["-c", script], stderr: "null" }).output();
  return new TextDecoder().decode(stdout).trim();
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      tries: { type: "string" },
      seed: { type: "string" },
      latest: { type: "string" },
      launcher: { type: "string" },
    },
  });
  const launcher = launcherNamed(values.launcher);
  await inFolder(async (folder) => {
    const results = await interruptRanks(folder, launcher, {
      tries: Number(values.tries ?? 20),
      seed: Number(values.seed ?? 1),
      latest: Number(values.latest ?? 3000),
      patience: 30,
    });
    for (const { after, seconds, code, isAgain } of results) {
      const again = isAgain ? ", pressed again" : "";
      console.log(`${after.toFixed(0)} ms: status ${code} after ${seconds.toFixed(1)} s${again}`);
    }
  });
}
