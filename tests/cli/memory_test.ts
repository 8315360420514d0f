/** Memory that is not there: refused before the work, or the option that bounds it named after. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { join } from "@std/path";
import { advice } from "../../lib/cli/advice.ts";
import { parseCommandLine } from "../../lib/cli/command_line.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { MemoryLimitError } from "../../lib/tensor/memory.ts";
import type { WasmBackend } from "../../lib/tensor/wasm/module.ts";
import { inFolder } from "../folder.ts";
import { writeClasses, writePairs } from "./fixtures.ts";
import { MINI_FILES, run } from "./run.ts";

Deno.test("train refuses a micro-batch that wasm's memory does not hold, and names one that fits", async () => {
  await inFolder(async (folder) => {
    const out = join(folder, "out");
    await Deno.mkdir(out);
    const pairs = await writePairs(join(folder, "pairs"), 4);
    const [header, ...rows] = (await Deno.readTextFile(pairs)).trimEnd().split("\n");
    await Deno.writeTextFile(pairs, [header, ...Array(640).fill(rows).flat()].join("\n") + "\n");
    const args = ["train", "--pairs", pairs, "--out", join(out, "run"), "--loss", "info-nce"];
    const { code, stderr } = await run([...args, "--batch-size", "2560"], {
      read: [...MINI_FILES, folder],
      write: [out],
    });
    assertEquals(code, 1, stderr);
    const [, taken, fitting] =
      stderr.match(/2560 pairs at a time takes about ([\d.]+) GiB .*; --micro-batch (\d+) fits/) ?? [];
    assert(Number(taken) > 6 && Number(taken) < 8, stderr);
    assert(Number(fitting) > 1000 && Number(fitting) < 1600, stderr);
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
      args.number(option, fallback);
      assertEquals(await advice(error, args), `--${option} ${half} holds half as much at a time`, name);
    }
    const least = parseCommandLine(COMMAND, [`--${option}`, name === "segment" || name === "detect" ? "2" : "1"]);
    least.number(option, fallback);
    assertStringIncludes(await advice(error, least) ?? "", "--backend cpu", name);
  }
  const probe = parseCommandLine((await import("../../lib/cli/probe.ts")).COMMAND, ["--methods", "knn,lora"]);
  assertEquals(await advice(error, probe), "--methods without lora trains no model");
});

Deno.test("encode, evaluate, classify and retrieve end with the option to type where wasm's memory is used up", async () => {
  await selectBackend({ backend: "wasm", wasm: { threads: 1 } });
  const { wasm } = tf.backend() as unknown as WasmBackend;
  const held: number[] = [];
  for (let bytes = 2 ** 30; bytes >= 2 ** 22; bytes /= 2) { // reserved, not written to: it takes no memory of the machine
    for (let address; (address = wasm.asm.malloc(bytes) >>> 0) !== 0;) held.push(address);
  }
  for (const address of held.splice(-2)) wasm._free(address); // room for the mini model
  const { error, log } = console;
  try {
    await inFolder(async (folder) => {
      const films = join(folder, "films");
      await writeClasses(films, ["normal", "pneumonia"], 1);
      for (let i = 1; i < 48; i++) {
        for (const name of ["normal", "pneumonia"]) {
          await Deno.copyFile(join(films, name, "0.png"), join(films, name, `${i}.png`));
        }
      }
      const lines: [string, string[]][] = [
        ["encode", ["--images", films, "--out", join(folder, "features.safetensors")]],
        ["evaluate", ["--images", films, "--out", join(folder, "e")]],
        ["classify", ["--labels", "normal,pneumonia", films]],
        ["retrieve", ["--images", films, "--query", "pneumonia", "--out", join(folder, "r")]],
      ];
      for (const [name, line] of lines) {
        const { COMMAND } = await import(`../../lib/cli/${name}.ts`);
        const args = parseCommandLine(COMMAND, [...line, "--batch-size", "96", "--backend", "wasm"]);
        console.error = console.log = () => {};
        tf.engine().startScope(); // what a command holds when it fails is freed with its process
        const failure = await assertRejects(async () => await COMMAND.run(args), MemoryLimitError, "wasm memory");
        tf.engine().endScope();
        Object.assign(console, { error, log });
        assertEquals(await advice(failure, args), "--batch-size 48 holds half as much at a time", name);
      }
    });
  } finally {
    Object.assign(console, { error, log });
    for (const address of held) wasm._free(address);
  }
});
