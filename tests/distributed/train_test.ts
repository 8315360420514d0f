/** One training shared by several processes: the same bits on any number of them; one that dies ends all, and the run goes on. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { readSafetensors } from "../../lib/io/safetensors.ts";
import { inFolder, writePairs } from "../cli/fixtures.ts";
import { PACKAGE } from "../cli/run.ts";

const LAUNCHERS = {
  "Open MPI": ["mpirun.openmpi", "--allow-run-as-root", "--oversubscribe"],
  MPICH: ["mpirun.mpich"],
} as const;

async function isThere(launcher: string): Promise<boolean> {
  return await new Deno.Command(launcher, { args: ["--version"], stdout: "null", stderr: "null" }).output()
    .then(({ success }) => success, () => false);
}

const { tasks } = JSON.parse(await Deno.readTextFile(join(PACKAGE, "deno.json")));
const PERMISSIONS = (tasks.mpi.command as string).split(" ").filter((word) => word.startsWith("--"));
const TRAIN = ["train", "--pairs", "pairs.csv", "--batch-size", "8", "--micro-batch", "2"];

function command(
  launcher: readonly string[],
  size: number,
  folder: string,
  args: readonly string[],
  before: readonly string[] = TRAIN,
): Deno.Command {
  const deno = [Deno.execPath(), "run", "--quiet", "--no-prompt", ...PERMISSIONS, join(PACKAGE, "cli.ts")];
  const line = [...launcher, ...(launcher.length > 0 ? ["-n", `${size}`] : []), ...deno, ...before, ...args];
  return new Deno.Command(line[0]!, {
    args: line.slice(1),
    cwd: folder,
    env: { ACE_BACKEND: "wasm", ACE_THREADS: "1", ACE_BLAS: "off", NO_COLOR: "1", INIT_CWD: folder },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

async function adapter(folder: string, out: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(join(folder, out, "adapter.safetensors")));
  return new Uint8Array(digest).toHex();
}

for (const [name, launcher] of Object.entries(LAUNCHERS)) {
  const ignore = !await isThere(launcher[0]);
  const skipped = ignore ? ` (skipped: no ${launcher[0]})` : "";
  Deno.test({
    name:
      `train on 1, 2 and 4 processes comes to the bits of one process alone, one of them printing: ${name}${skipped}`,
    ignore,
    fn: async () => {
      await inFolder(async (folder) => {
        await writePairs(folder, 20);
        const alone = await command([], 1, folder, ["--out", "alone", "--epochs", "3"]).output();
        assertEquals(alone.code, 0, new TextDecoder().decode(alone.stderr));
        const expected = await adapter(folder, "alone");
        for (const size of [1, 2, 4]) {
          const { code, stdout, stderr } = await command(launcher, size, folder, ["--out", `${size}`, "--epochs", "3"])
            .output();
          const errors = new TextDecoder().decode(stderr);
          assertEquals(code, 0, errors);
          assertEquals(new TextDecoder().decode(stdout).match(/last loss/g)?.length, 1);
          if (size > 1) assert(errors.includes(`${size} processes`), errors);
          assertEquals(await adapter(folder, `${size}`), expected, `${size} processes`);
        }
      });
    },
  });

  Deno.test({
    name:
      `train with --gradient-sum allreduce comes to the ordered sums' adapter but for the last digits: ${name}${skipped}`,
    ignore,
    fn: async () => {
      await inFolder(async (folder) => {
        await writePairs(folder, 20);
        const tensors = async (out: string, ...more: string[]) => {
          const { code, stderr } = await command(launcher, 2, folder, ["--out", out, "--epochs", "1", ...more])
            .output();
          assertEquals(code, 0, new TextDecoder().decode(stderr));
          const record = JSON.parse(await Deno.readTextFile(join(folder, out, "training.json")));
          return [
            record.gradient_sum,
            (await readSafetensors(join(folder, out, "adapter.safetensors"))).tensors,
          ] as const;
        };
        const [ordered, expected] = await tensors("ordered");
        const [reduced, actual] = await tensors("reduced", "--gradient-sum", "allreduce");
        assertEquals([ordered, reduced], ["ordered", "allreduce"]);
        const numbers = (data: Uint8Array): Float32Array => new Float32Array(data.slice().buffer);
        let furthest = 0, largest = 0;
        for (const [key, { data }] of expected) {
          const others = numbers(actual.get(key)!.data);
          for (const [i, value] of numbers(data).entries()) {
            furthest = Math.max(furthest, Math.abs(value - others[i]!));
            largest = Math.max(largest, Math.abs(value));
          }
        }
        // AdamW divides by the gradient's own size, so that a last bit may turn a step of a gradient near 0.
        assert(furthest < 2e-4 && largest > 0.01, `furthest apart ${furthest}, largest number ${largest}`);
        const alone = await command([], 1, folder, ["--out", "alone", "--gradient-sum", "allreduce"]).output();
        assert(new TextDecoder().decode(alone.stderr).includes("--gradient-sum is for several processes"));
      });
    },
  });

  Deno.test({
    name: `encode on 3 processes joins the features of one: ${name}${skipped}`,
    ignore,
    fn: async () => {
      await inFolder(async (folder) => {
        await writePairs(folder, 7);
        const line = (
          out: string,
        ): string[] => ["encode", "--images", "pairs.csv", "--texts", "pairs.csv", "--out", out];
        for (const [size, out] of [[1, "one.safetensors"], [3, "three.safetensors"]] as const) {
          const { code, stderr } = await command(size === 1 ? [] : launcher, size, folder, [], line(out)).output();
          assertEquals(code, 0, new TextDecoder().decode(stderr));
        }
        const read = (name: string) => readSafetensors(join(folder, `${name}.safetensors`));
        const [one, three] = [await read("one"), await read("three")];
        for (const [key, tensor] of one.tensors) assertEquals(three.tensors.get(key), tensor, key);
        assertEquals(three.metadata["image_ids"], one.metadata["image_ids"]);
      });
    },
  });

  Deno.test({
    name:
      `a process that is killed ends the others, and --resume goes on with another number of them: ${name}${skipped}`,
    ignore,
    fn: async () => {
      await inFolder(async (folder) => {
        await writePairs(folder, 20);
        const alone = await command([], 1, folder, ["--out", "alone", "--epochs", "15"]).output();
        assertEquals(alone.code, 0);
        const child = command(launcher, 2, folder, ["--out", "killed", "--epochs", "15"]).spawn();
        const watchdog = setTimeout(() => child.kill("SIGKILL"), 600_000);
        const output = child.output();
        let isOver = false;
        output.then(() => isOver = true);
        while (!isOver && !await isStateThere(folder)) await new Promise((resolve) => setTimeout(resolve, 20));
        await killOne(folder);
        const { code, stderr } = await output;
        clearTimeout(watchdog);
        assert(code !== 0, new TextDecoder().decode(stderr)); // else it ended before it could be killed
        const resumed = await command(launcher, 4, folder, ["--out", "killed", "--epochs", "15", "--resume"]).output();
        assertEquals(resumed.code, 0, new TextDecoder().decode(resumed.stderr));
        assertEquals(await adapter(folder, "killed"), await adapter(folder, "alone"));
      });
    },
  });
}

async function isStateThere(folder: string): Promise<boolean> {
  return await Deno.stat(join(folder, "killed", "state.safetensors")).then(() => true, () => false);
}

/** Kills the process of rank 1: of those in this folder the one whose environment says so. */
async function killOne(folder: string): Promise<void> {
  const script = `for d in /proc/[0-9]*; do
    [ "$(readlink $d/cwd)" = "${folder}" ] || continue
    tr '\\0' '\\n' < $d/environ 2>/dev/null | grep -qE '^(OMPI_COMM_WORLD_RANK|PMI_RANK)=1$' && kill -9 "\${d#/proc/}"
  done`;
  await new Deno.Command("sh", { args: ["-c", script] }).output();
}
