/** The product's own commands as processes, with the permissions of their tasks, and what they take. @module */
import { fromFileUrl } from "@std/path";
import { taskLine } from "../../lib/cli/permissions.ts";

const PACKAGE = fromFileUrl(new URL("../../", import.meta.url));

/** What a process took. */
export interface Taken {
  /** From its start to its end. */
  seconds: number;
  /** Processor time of all its threads, seconds; null where /proc does not tell. */
  processor: number | null;
  /** Highest resident memory, MiB; null likewise. */
  peak: number | null;
  /** Its exit status. */
  code: number;
  /** What it printed on stderr. */
  told: string;
}

/** A command that runs. */
export interface Running {
  /** Sends it a signal. */
  kill(signal: Deno.Signal): void;
  /** Its end. */
  ended: Promise<Taken>;
}

/** Memory and processor time of a process so far; read by another program, as Deno keeps /proc to itself. */
export async function usage(pid: number): Promise<{ peak: number; processor: number } | undefined> {
  try {
    const files = [`/proc/${pid}/status`, `/proc/${pid}/stat`];
    const { success, stdout } = await new Deno.Command("cat", { args: files, stderr: "null" }).output();
    const text = new TextDecoder().decode(stdout);
    const peak = Number(/VmHWM:\s+(\d+)/.exec(text)?.[1]) / 1024;
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" "); // the third field and on
    const processor = (Number(fields[11]) + Number(fields[12])) / 100; // utime, stime, in hundredths on Linux
    return success && peak > 0 ? { peak, processor } : undefined;
  } catch {
    return undefined;
  }
}

/** How often a process is looked at, ms; its peak never goes down. */
const EVERY = 250;

/** Starts a command as its task would. */
export function start(name: string, args: readonly string[]): Running {
  const [, , ...line] = taskLine(name).split(" ");
  const began = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: [...line, ...args],
    cwd: PACKAGE,
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", INIT_CWD: PACKAGE },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const ended = (async (): Promise<Taken> => {
    let isOver = false;
    let last: { peak: number; processor: number } | undefined;
    const watching = (async () => {
      while (!isOver) {
        last = await usage(child.pid) ?? last;
        if (!isOver) await new Promise((resolve) => setTimeout(resolve, EVERY));
      }
    })();
    const { code, stderr } = await child.output();
    const seconds = (performance.now() - began) / 1000;
    isOver = true;
    await watching;
    const told = new TextDecoder().decode(stderr);
    return { seconds, processor: last?.processor ?? null, peak: last?.peak ?? null, code, told };
  })();
  return { kill: (signal) => child.kill(signal), ended };
}

/** Runs a command that must succeed. */
export async function succeed(name: string, args: readonly string[]): Promise<Taken> {
  const taken = await start(name, args).ended;
  if (taken.code === 0) return taken;
  throw new Error(`deno task ${name} ${args.join(" ")} ended with ${taken.code}: ${taken.told}`);
}
