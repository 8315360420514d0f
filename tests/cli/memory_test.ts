/** Memory that is not there: refused before the work, or the option that bounds it named after. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { advice } from "../../lib/cli/advice.ts";
import { parseCommandLine } from "../../lib/cli/command.ts";
import { MemoryLimitError } from "../../lib/tensor/memory.ts";
import { inFolder, writePairs } from "./fixtures.ts";
import { MINI_FILES, run } from "./run.ts";

Deno.test("train refuses a micro-batch that wasm's memory does not hold, and names one that fits", async () => {
  await inFolder(async (folder) => {
    const out = join(folder, "out");
    await Deno.mkdir(out);
    const pairs = await writePairs(join(folder, "pairs"), 4);
    const [header, ...rows] = (await Deno.readTextFile(pairs)).trimEnd().split("\n");
    await Deno.writeTextFile(pairs, [header, ...Array(160).fill(rows).flat()].join("\n") + "\n");
    const args = ["train", "--pairs", pairs, "--out", join(out, "run"), "--loss", "info-nce"];
    const { code, stderr } = await run([...args, "--batch-size", "640"], {
      read: [...MINI_FILES, folder],
      write: [out],
    });
    assertEquals(code, 1, stderr);
    const [, taken, fitting] =
      stderr.match(/640 pairs at a time takes about ([\d.]+) GiB .*; --micro-batch (\d+) fits/) ?? [];
    assert(Number(taken) > 6 && Number(taken) < 8, stderr);
    assert(Number(fitting) > 250 && Number(fitting) < 400, stderr);
    assertEquals([...Deno.readDirSync(out)], [], "before anything is written");
  });
});

Deno.test("an allocation that fails names the option that bounds it, with half its value", async () => {
  const error = new MemoryLimitError("Cannot allocate", { backend: "wasm", bytes: 1, limit: 2 ** 32 });
  for (
    const [name, option, fallback] of [
      ["train", "micro-batch", 64],
      ...["encode", "evaluate", "classify", "probe", "retrieve", "segment", "detect"].map((name) =>
        [name, "batch-size", 16] as const
      ),
    ] as const
  ) {
    const { COMMAND } = await import(`../../lib/cli/${name}.ts`);
    for (const [words, half] of [[[], fallback / 2], [[`--${option}`, "9"], 4]] as const) {
      const args = parseCommandLine(COMMAND, words);
      args.integer(option, fallback, 1);
      assertEquals(await advice(error, args), `--${option} ${half} holds half as much at a time`, name);
    }
    const least = parseCommandLine(COMMAND, [`--${option}`, "1"]);
    least.integer(option, fallback, 1);
    assertStringIncludes(await advice(error, least) ?? "", "--backend cpu", name);
  }
  const probe = parseCommandLine((await import("../../lib/cli/probe.ts")).COMMAND, ["--methods", "knn,lora"]);
  assertEquals(await advice(error, probe), "--methods without lora trains no model");
});
