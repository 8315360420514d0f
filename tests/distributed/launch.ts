/** Commands as several processes, by the launchers of Open MPI and MPICH. */
import { dirname, join } from "@std/path";
import { PACKAGE } from "../cli/run.ts";

/** Launchers and what they need here: tests may run as root, on fewer processors. */
export const LAUNCHERS = {
  "Open MPI": ["mpirun.openmpi", "--allow-run-as-root", "--oversubscribe"],
  MPICH: ["mpirun.mpich"],
} as const;

/** A launcher by its name here, else by its words. */
export function launcherNamed(name = "Open MPI"): readonly string[] {
  return LAUNCHERS[name as keyof typeof LAUNCHERS] ?? name.split(" ");
}

/** Where PyPI's MPICH 5 lies if it was installed beside the tests' Python: the library with MPI's standard ABI. */
export const MPICH_5: string = join(dirname(dirname(Deno.env.get("ACE_PYTHON") || "/none/bin/python")), "lib");

/** Whether a program is installed. */
export async function isThere(program: string, option = "--version"): Promise<boolean> {
  return await new Deno.Command(program, { args: [option], stdout: "null", stderr: "null" }).output()
    .then(({ success }) => success, () => false);
}

const { tasks } = JSON.parse(await Deno.readTextFile(join(PACKAGE, "deno.json")));
const PERMISSIONS = (tasks.mpi.command as string).split(" ").filter((word) => word.startsWith("--"));

/** One thread each, our own kernels. */
const ENVIRONMENT = { ACE_BACKEND: "wasm", ACE_THREADS: "1", ACE_BLAS: "off", NO_COLOR: "1" };

/**
 * What `deno task mpi ...` runs, in a folder, as `size` processes of a launcher; of none: alone.
 *
 * @param more Arguments of one more process. @default {there is none}
 */
export function launched(
  launcher: readonly string[],
  size: number,
  folder: string,
  args: readonly string[],
  more?: readonly string[],
): Deno.Command {
  const deno = [Deno.execPath(), "run", "--quiet", "--no-prompt", ...PERMISSIONS, join(PACKAGE, "cli.ts")];
  const line = [...launcher, ...(launcher.length > 0 ? ["-n", `${size}`] : []), ...deno, ...args];
  if (more) line.push(":", "-n", "1", ...deno, ...more);
  return new Deno.Command(line[0]!, {
    args: line.slice(1),
    cwd: folder,
    env: { ...ENVIRONMENT, INIT_CWD: folder },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/**
 * `deno task mpi ...` itself, which is then what the launcher sees of each process.
 *
 * @param more Arguments of one more process. @default {there is none}
 */
export function launchedTasks(
  line: readonly string[],
  folder: string,
  args: readonly string[],
  more?: readonly string[],
): Deno.Command {
  const others = more ? [":", "-n", "1", ...TASK, ...more] : [];
  return inUsersFolder([...line, ...TASK, ...args, ...others], folder, "null");
}

/** The same as a line that is typed in a terminal, whose keyboard is the child's input. */
export function typedTasks(line: readonly string[], folder: string, args: readonly string[]): Deno.Command {
  const words = [...line, ...TASK, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`);
  return inUsersFolder(["script", "-qec", `exec ${words.join(" ")}`, "/dev/null"], folder, "piped");
}

const TASK = [Deno.execPath(), "task", "--quiet", "--config", join(PACKAGE, "deno.json"), "mpi"];

function inUsersFolder([program, ...args]: readonly string[], folder: string, stdin: "null" | "piped"): Deno.Command {
  return new Deno.Command(program!, {
    args,
    cwd: folder,
    env: { ...ENVIRONMENT, INIT_CWD: folder, PATH: `${dirname(Deno.execPath())}:${Deno.env.get("PATH")}` },
    stdin,
    stdout: "piped",
    stderr: "piped",
  });
}

/** Runs a command to its end; what it said is the error where it fails. */
export async function succeed(command: Deno.Command): Promise<void> {
  const { success, stderr } = await command.output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

/** SHA-256 of the adapter that a run wrote. */
export async function adapterDigest(folder: string, out: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(join(folder, out, "adapter.safetensors")));
  return new Uint8Array(digest).toHex();
}
