/** Runs commands as a user would, with no more permissions than they are given. */
import { assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";

/** Folder of the package. */
export const PACKAGE = fromFileUrl(new URL("../../", import.meta.url));
const CLI = join(PACKAGE, "cli.ts");

/** The shipped files of the mini models: read by commands that are given no weights. */
export const MINI_FILES = ["mini_generalist.safetensors", "mini_vocab.txt", "mini_joint.safetensors"].map((name) =>
  join(PACKAGE, "data", name)
);

/**
 * Every environment variable that the commands ask for: the backend, its threads, and one that the search for GPU adapters
 * wants to be set. They run without any of them, too.
 */
export const VARIABLES = ["ACE_BACKEND", "ACE_THREADS", "DENO_V8_FLAGS", "DENO_WEBGPU_BACKEND", "XDG_RUNTIME_DIR"];

/** What a command may do, beyond computing. */
export interface Permissions {
  /** Paths it may read. @default {none} */
  read?: readonly string[];
  /** Paths it may write. @default {none} */
  write?: readonly string[];
  /** Variables it may read. @default {VARIABLES} */
  env?: readonly string[];
}

/** How a command is run. */
export interface RunOptions extends Permissions {
  /** Its standard input. @default {empty} */
  stdin?: string;
  /** Its folder. */
  cwd?: string;
}

/** What came of it. */
export interface RunResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** The command, ready to be started: `deno run --deny-net --no-prompt ... cli.ts`. */
export function command(args: readonly string[], options: RunOptions = {}): Deno.Command {
  const { read = [], write = [], env = VARIABLES } = options;
  const list = (name: string, values: readonly string[]): string[] =>
    values.length > 0 ? [`--allow-${name}=${values.join(",")}`] : [];
  return new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-lock", "--no-prompt", "--deny-net", "--deny-run", "--deny-ffi", "--deny-sys"],
      ...[...list("read", read), ...list("write", write), ...list("env", env), CLI, ...args],
    ],
    env: { ACE_BACKEND: "wasm", ACE_THREADS: "1", XDG_RUNTIME_DIR: "/tmp", NO_COLOR: "1" },
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
}

/** Runs a command to its end. */
export async function run(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const child = command(args, options).spawn();
  if (options.stdin !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(options.stdin));
    await writer.close();
  }
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** Runs a command that must succeed; returns its standard output. */
export async function succeed(args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(args, options);
  assertEquals(code, 0, `${args.join(" ")}: ${stderr}`);
  return stdout;
}

/** Lines of stderr that tell of errors. A run that computes may first say which backend it is on, and what it read. */
export function errorLines({ stderr }: RunResult): string[] {
  return stderr.split("\n").filter((line) => line.startsWith("error:"));
}

/**
 * Runs a command that must fail: exit code 1, nothing on stdout, one line that begins with "error:" and matches all of
 * `patterns`, no stack.
 */
export async function fail(
  args: readonly string[],
  patterns: readonly (RegExp | string)[],
  options: RunOptions = {},
): Promise<void> {
  const result = await run(args, options);
  const told = `${args.join(" ")}\nstdout: ${result.stdout}\nstderr: ${result.stderr}`;
  assertEquals(result.code, 1, told);
  assertEquals(result.stdout, "", told);
  const lines = errorLines(result);
  assertEquals(lines.length, 1, told);
  assertEquals(/^\s+at /m.test(result.stderr), false, told);
  for (const pattern of patterns) {
    const actual = typeof pattern === "string" ? lines[0]!.includes(pattern) : pattern.test(lines[0]!);
    assertEquals(actual, true, `expected ${pattern} in: ${told}`);
  }
}

/** Every file below a folder, by its path from there, with its bytes' SHA-256. */
export async function snapshot(folder: string): Promise<Record<string, string>> {
  const out: Record<string, string> = {};
  const walk = async (path: string): Promise<void> => {
    for await (const entry of Deno.readDir(join(folder, path))) {
      const child = join(path, entry.name);
      if (entry.isDirectory) await walk(child);
      else {
        const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(join(folder, child)));
        out[child] = new Uint8Array(digest).toHex();
      }
    }
  };
  await walk("");
  return Object.fromEntries(Object.entries(out).sort());
}
