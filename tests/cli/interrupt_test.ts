/** Requests to stop a run that its task runner passes on, or could not: the state is kept, the exit status tells. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { catchInterrupts, stopSignals } from "../../lib/cli/interrupt.ts";
import { inFolder } from "../folder.ts";
import { writePairs } from "./fixtures.ts";
import { PACKAGE } from "./run.ts";

const ROUNDS = ["SIGINT", "SIGTERM", "SIGKILL"] as const;

/** Starts a command by `deno task`, signals the task runner once it tells of its work, and waits for all to end. */
async function signalled(
  folder: string,
  line: readonly string[],
  { signal, works }: { signal: typeof ROUNDS[number]; works: RegExp },
): Promise<{ code: number; stderr: string }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "--config", join(PACKAGE, "deno.json"), ...line],
    cwd: folder,
    env: { ACE_BACKEND: "wasm", ACE_THREADS: "1", NO_COLOR: "1", INIT_CWD: folder },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const watchdog = setTimeout(() => child.kill("SIGKILL"), 300_000);
  let stderr = "";
  let sent = false;
  for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
    stderr += text;
    if (!sent && works.test(stderr)) {
      child.kill(signal);
      sent = true;
    }
  } // ends when the training itself has, whatever became of its parent
  clearTimeout(watchdog);
  return { code: (await child.status).code, stderr };
}

Deno.test({
  name: "train ends with its state kept at SIGINT, at SIGTERM, and when its task runner is killed",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await inFolder(async (folder) => {
      await writePairs(folder, 4);
      for (const signal of ROUNDS) {
        const line = ["train", "--pairs", "pairs.csv", "--epochs", "100000", "--batch-size", "2", "--out", signal];
        const { code, stderr } = await signalled(folder, line, { signal, works: /\btrain \d+\/\d+/ });
        assert(/interrupted after step \d+: .* --resume goes on/.test(stderr), `${signal}: ${stderr}`);
        assert((await Deno.stat(join(folder, signal, "state.safetensors"))).isFile, signal);
        assertEquals(code, { SIGINT: 130, SIGTERM: 143, SIGKILL: 137 }[signal], `${signal}: ${stderr}`);
      }
    });
  },
});

Deno.test({
  name: "retrieve and probe stop at Ctrl-C in the last of their parts, keep what they have, and go on from there",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await inFolder(async (folder) => {
      await writePairs(folder, 8);
      const rows = Array.from({ length: 8 }, (_, i) => `${i}.png,${"ab"[i % 2]}`);
      await Deno.writeTextFile(join(folder, "cases.csv"), ["path,class", ...rows].join("\n"));
      const query = ["retrieve", "--images", ".", "--query", "edema"],
        probe = ["probe", "--images", "cases.csv", "--methods", "knn"];
      for (const [name, line, works] of [["retrieval", query, /encode 0\//], ["probe", probe, /encode 0\//]] as const) {
        const { code, stderr } = await signalled(folder, [...line, "--out", name], { signal: "SIGINT", works });
        assertEquals(code, 130, stderr);
        assert(
          /interrupted: (\d+ features are kept; the same command goes on|nothing half-written)/.test(stderr),
          stderr,
        );
        const left = await Array.fromAsync(Deno.readDir(join(folder, name))).catch(() => []);
        assertEquals(left.filter((entry) => !/^images\.safetensors(\.parts)?$/.test(entry.name)), [], stderr);
      }
    });
  },
});

/** Signals itself, so that a busy machine delays no signal: at the request, as an echo, and when its time is over. */
const ECHOED = `
import { catchInterrupts } from "${new URL("../../lib/cli/interrupt.ts", import.meta.url)}";
const interruption = catchInterrupts();
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
interruption.signal.onabort = async () => {
  interruption.end();
  Deno.kill(Deno.pid, "SIGINT");
  await pause(300);
  console.log("kept");
  await pause(700);
  Deno.kill(Deno.pid, "SIGINT");
  await pause(60_000);
  console.log("not ended by the last");
};
Deno.kill(Deno.pid, "SIGINT");
await pause(60_000);
`;

Deno.test({
  name:
    "catchInterrupts() takes a signal that comes twice, as deno task passes Ctrl-C on, for one request; a later one ends at once",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await inFolder(async (folder) => {
      const program = join(folder, "program.ts");
      await Deno.writeTextFile(program, ECHOED);
      const { stdout, signal, code } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "--quiet", "--no-prompt", "--allow-read", "--allow-run", program],
        stderr: "inherit",
      }).output();
      assertEquals(new TextDecoder().decode(stdout), "kept\n");
      assert(signal === "SIGINT" || code === 130, `${signal} ${code}`);
    });
  },
});

/** Runs a program that writes in a folder, where it lies, too. */
async function runWriting(folder: string, text: string, ...args: string[]): Promise<{ code: number; told: string }> {
  const program = join(folder, "program.ts");
  await Deno.writeTextFile(program, text);
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--allow-read", "--allow-run", `--allow-write=${folder}`].concat([
      ...["--config", join(PACKAGE, "deno.json"), program, ...args],
    ]),
  }).output();
  return { code, told: new TextDecoder().decode(stderr) };
}

/** Asks itself to stop while the second of two results is being written. */
const HALF_WRITTEN = `
import { join } from "@std/path";
import { Arguments } from "${new URL("../../lib/cli/command.ts", import.meta.url)}";
import { holdOutput } from "${new URL("../../lib/cli/output.ts", import.meta.url)}";
import { writeAll, writeFileAtomic, writeFileAtomicWith } from "${new URL("../../lib/io/files.ts", import.meta.url)}";
const [path, signal] = Deno.args;
await holdOutput(new Arguments([], {}), { path, results: ["a", "b"] }, async () => {
  await writeFileAtomic(join(path, "a"), "whole");
  await writeFileAtomicWith(join(path, "b"), async (file) => {
    await writeAll(file, new Uint8Array(1000));
    Deno.kill(Deno.pid, signal);
    await new Promise((resolve) => setTimeout(resolve, 60_000));
  });
});
`;

Deno.test({
  name: "a command that writes ends at a signal with nothing half-written, in one line and with the signal's exit code",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await inFolder(async (folder) => {
      await Deno.mkdir(join(folder, "there"));
      for (const [signal, expected] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
        for (const path of [join(folder, "made", "out"), join(folder, "there")]) {
          const { code, told } = await runWriting(folder, HALF_WRITTEN, path, signal);
          assertEquals([code, told], [expected, "interrupted: nothing half-written is left\n"]);
        }
        assertEquals((await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort(), [
          "program.ts",
          "there",
        ]);
        assertEquals(await Array.fromAsync(Deno.readDir(join(folder, "there"))), []);
      }
    });
  },
});

Deno.test("stopSignals() names on Windows only signals that Deno can listen to there", () => {
  const names = (os: typeof Deno.build.os): string[] => stopSignals(os).map(([name]) => name);
  assertEquals(names("windows"), ["SIGINT", "SIGBREAK"]);
  for (const os of ["linux", "darwin"] as const) assertEquals(names(os), ["SIGINT", "SIGTERM"]);
});

Deno.test("catchInterrupts() listens to the signals of the system it runs on, and to none after the end", () => {
  const { addSignalListener, removeSignalListener } = Deno;
  const heard = new Set<string>();
  Deno.addSignalListener = (name) => void heard.add(name);
  Deno.removeSignalListener = (name) => void heard.delete(name);
  try {
    const interruption = catchInterrupts();
    assertEquals([...heard], stopSignals(Deno.build.os).map(([name]) => name));
    interruption.end();
    assertEquals([...heard], []);
  } finally {
    Object.assign(Deno, { addSignalListener, removeSignalListener });
  }
});

/** Is asked to stop, keeps a result, and is signalled again before it has written the other. */
const KEPT = `
import { join } from "@std/path";
import { Arguments } from "${new URL("../../lib/cli/command.ts", import.meta.url)}";
import { catchInterrupts } from "${new URL("../../lib/cli/interrupt.ts", import.meta.url)}";
import { holdOutput } from "${new URL("../../lib/cli/output.ts", import.meta.url)}";
import { writeFileAtomic } from "${new URL("../../lib/io/files.ts", import.meta.url)}";
const [path] = Deno.args;
await holdOutput(new Arguments([], {}), { path, results: ["a", "b"] }, async () => {
  const { signal } = catchInterrupts();
  Deno.kill(Deno.pid, "SIGTERM");
  while (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, 10));
  await writeFileAtomic(join(path, "a"), "kept");
  await new Promise((resolve) => setTimeout(resolve, 2000)); // longer than what counts as the same request
  Deno.kill(Deno.pid, "SIGTERM");
  await new Promise((resolve) => setTimeout(resolve, 60_000));
});
`;

Deno.test({
  name: "what a command has kept at a first request to stop is there after a second",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await inFolder(async (folder) => {
      const path = join(folder, "out");
      const { code } = await runWriting(folder, KEPT, path);
      assertEquals(code, 143);
      assertEquals(await Deno.readTextFile(join(path, "a")), "kept");
      assertEquals((await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name), ["a"]);
    });
  },
});
