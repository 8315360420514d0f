/** One training shared by several processes: the same bits on any number of them; one that dies ends all, and the run goes on. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { exists } from "../../lib/io/files.ts";
import { readSafetensors } from "../../lib/io/safetensors.ts";
import { inFolder } from "../folder.ts";
import { writeClasses, writePairs } from "../cli/fixtures.ts";
import { interruptRanks } from "./interrupt_ranks.ts";
import { jobsOf, killRanks } from "./kill_ranks.ts";
import { adapterDigest as adapter, isThere, launched, launchedTasks, LAUNCHERS } from "./launch.ts";

const TRAIN = ["train", "--pairs", "pairs.csv", "--batch-size", "8", "--micro-batch", "2"];

function command(
  launcher: readonly string[],
  size: number,
  folder: string,
  args: readonly string[],
  before: readonly string[] = TRAIN,
): Deno.Command {
  return launched(launcher, size, folder, [...before, ...args]);
}

const hasScript = await isThere("script");

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
    name: `evaluate on 3 processes comes to the figures of one, and its scores to 1e-6: ${name}${skipped}`,
    ignore,
    fn: async () => {
      await inFolder(async (folder) => {
        await writeClasses(join(folder, "set"), ["normal", "pneumonia"], 4);
        const evaluated = async (size: number, out: string) => {
          const line = ["evaluate", "--images", "set", "--out", out];
          const { code, stderr } = await command(size === 1 ? [] : launcher, size, folder, [], line).output();
          assertEquals(code, 0, new TextDecoder().decode(stderr));
          const { sets } = JSON.parse(await Deno.readTextFile(join(folder, out, "metrics.json")));
          const { accuracy, auroc, n } = sets.set["zero-shot"];
          const rows = (await Deno.readTextFile(join(folder, out, "predictions.csv"))).trimEnd().split("\n").slice(1);
          const cells = rows.map((row) => row.split(","));
          return {
            figures: [accuracy, auroc, n, ...cells.map(([id]) => id)],
            scores: cells.flatMap((row) => row.slice(-2).map(Number)),
          };
        };
        const [one, three] = [await evaluated(1, "one"), await evaluated(3, "three")];
        assertEquals(three.figures, one.figures);
        // Features of three images at a time differ in their last bits from those of eight.
        assert(one.scores.length === 16 && one.scores.every((score, i) => Math.abs(score - three.scores[i]!) < 1e-6));
      });
    },
  });

  Deno.test({
    name:
      `a process that cannot read what the others can, or reads something else, ends them and says which and why: ${name}${skipped}`,
    ignore,
    fn: async () => {
      await inFolder(async (folder) => {
        const table = await Deno.readTextFile(await writePairs(folder, 20));
        const image = await Deno.readFile(join(folder, "19.png"));
        await Deno.writeFile(join(folder, "half.png"), image.subarray(0, image.length / 2));
        await Deno.writeTextFile(join(folder, "half.csv"), table.replace("\n19.png", "\nhalf.png"));
        await Deno.writeTextFile(join(folder, "other.csv"), table.replace("\n19.png", "\n18.png"));
        for (
          const [file, why] of [
            ["none.csv", /rank 1: Cannot read "none.csv" as it must be a file/],
            [
              "half.csv",
              /rank 1: Cannot begin as every image must be readable: 1 of 20.* Cannot read "half.png" as PNG/,
            ],
            [
              "other.csv",
              /rank 1: Cannot train as one of 2 processes as all must have the same cases: that of process 1 is/,
            ],
          ] as const
        ) {
          const line = (pairs: string) => ["train", "--pairs", pairs, ...TRAIN.slice(3), "--out", "out"];
          const { code, stderr } = await launched(launcher, 1, folder, line("pairs.csv"), line(file)).output();
          const told = new TextDecoder().decode(stderr);
          assertMatch(told, why);
          assert(code !== 0 && !await exists(join(folder, "out", "adapter.safetensors")), told);
        }
      });
    },
  });

  Deno.test({
    name: `a process of other options, or that fails before it joins, ends the others and is named: ${name}${skipped}`,
    ignore,
    fn: async () => {
      await inFolder(async (folder) => {
        await writePairs(folder, 20);
        const line = [...TRAIN, "--out", "out", "--epochs", "1"];
        for (
          const [other, why] of [
            [["--seed", "2"], /rank 1: Cannot train .* the same seed: that of process 1 is 2, that of process 0 1/],
            [["--top-k", "3"], /rank 1: Cannot train .* the same hgnn: that of process 1 is {"topK":3/],
            [["--held-out", "0.2"], /rank 1: --held-out needs --patient-column/],
            [["--backend", "cpu"], /rank 1: Cannot train .* the same backend: that of process 1 is "cpu \(/],
            [
              ["--sed", "2"],
              /Unknown option '--sed'[^]*rank 1 \(process \d+ on \S+\) failed before it joined the others/,
            ],
          ] as const
        ) {
          const { code, stderr, stdout } = await launchedTasks([...launcher, "-n", "1"], folder, line, [
            ...line,
            ...other,
          ]).output();
          const told = new TextDecoder().decode(stderr) + new TextDecoder().decode(stdout);
          assertMatch(told, why);
          assert(code !== 0 && !await exists(join(folder, "out", "adapter.safetensors")), told);
        }
        const without = await launched(launcher, 1, folder, line, [...line, "--sed", "2"]).output(); // a task between them
        assert(without.code !== 0);
        assertMatch(
          new TextDecoder().decode(without.stderr),
          /Unknown option '--sed'[^]*rank 1 failed before it joined/,
        );
        const { code, stderr } = await launchedTasks([...launcher, "-n", "5"], folder, line).output();
        assert(code !== 0);
        assertMatch(
          new TextDecoder().decode(stderr),
          /rank \d: Cannot share a batch among 5 processes as it must have a micro-batch for each: .* have 4/,
        );
      });
    },
  });

  Deno.test({
    name: `Ctrl-C in a terminal ends the processes, also as they start, and leaves none${
      hasScript ? skipped : " (skipped: no script of util-linux)"
    }`,
    ignore: ignore || !hasScript,
    fn: async () => {
      await inFolder(async (folder) => {
        assertEquals((await interruptRanks(folder, launcher, { tries: 3, whenStarted: true })).length, 3); // throws where one goes on
      });
    },
  });

  Deno.test({
    name:
      `a process that is killed, also as it starts, ends the others, and --resume goes on with another number of them: ${name}${skipped}`,
    ignore,
    fn: async () => {
      await inFolder(async (folder) => {
        const { killed, ends } = await killRanks(folder, jobsOf(launcher, folder), { kills: 3, seed: 3 });
        assertEquals([killed.length, ends.length > 0, ends.every(({ equal }) => equal)], [3, true, true]);
      });
    },
  });
}
