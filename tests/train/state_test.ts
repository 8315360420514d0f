import * as tf from "@tensorflow/tfjs";
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { readSafetensors, writeSafetensors } from "../../lib/io/safetensors.ts";
import { initAdamw } from "../../lib/train/adamw.ts";
import {
  hasRunState,
  previousStatePath,
  readRunState,
  StateDifferenceError,
  writeRunState,
} from "../../lib/train/state.ts";
import { inFolder } from "../folder.ts";

Deno.test("readRunState() takes a state as version 0.1.0 wrote it, and names what differs from it", async () => {
  await selectBackend({ backend: "cpu" });
  await inFolder(async (folder) => {
    const path = join(folder, "state.safetensors");
    const tensors = new Map([["a", tf.tensor1d([1, 2])]]);
    const progress = { epoch: 1, batch: 0, bestLoss: 1, history: [{ loss: 1, learningRate: 0.1 }], validations: [] };
    const adapted = { lora: { rank: 4, targets: ["q"] }, hgnn: { topK: 5 }, weights: "w", cases: "c" };
    const old = { model: `ACE-LoRA ${JSON.stringify(adapted)}`, epochs: 2, seed: 1 };
    await writeRunState(path, { tensors, adamw: initAdamw(tensors), progress }, old);
    const now = {
      model: "ACE-LoRA",
      ...adapted,
      epochs: 2,
      seed: 1,
      padding: "context",
      texts: "t",
      weightDecay: 0.01,
    };
    const state = await readRunState(path, now, tensors);
    assertEquals([...await state.tensors.get("a")!.data()], [1, 2]);
    for (
      const [change, field, was] of [
        [{ lora: { rank: 8, targets: ["q"] } }, "lora.rank", 4],
        [{ lora: { rank: 4, targets: ["q", "v"] } }, "lora.targets", ["q"]],
        [{ hgnn: null }, "hgnn", { topK: 5 }],
        [{ cases: "d" }, "cases", "c"],
        [{ epochs: 1 }, "epochs", 2],
        [{ clipNorm: 1 }, "clipNorm", null],
        [{ padding: "longest" }, "padding", "context"],
      ] as const
    ) {
      const error = await assertRejects(
        () => readRunState(path, { ...now, ...change }, tensors),
        StateDifferenceError,
      );
      assertEquals([error.field, error.was], [field, was]);
    }
  });
});

Deno.test("readRunState() goes on from the state before where the newest is damaged or missing, and says so", async () => {
  await selectBackend({ backend: "cpu" });
  await inFolder(async (folder) => {
    const path = join(folder, "state.safetensors");
    const settings = { epochs: 2 };
    const write = async (value: number): Promise<void> => {
      const tensors = new Map([["a", tf.tensor1d([value, value])]]);
      const progress = { epoch: 0, batch: value, bestLoss: null, history: [], validations: [] };
      await writeRunState(path, { tensors, adamw: initAdamw(tensors), progress }, settings);
    };
    const expected = new Map([["a", tf.tensor1d([0, 0])]]);
    const notes: string[] = [];
    const batch = async (now = settings): Promise<number> => {
      const state = await readRunState(path, now, expected, { onNote: (text) => notes.push(text) });
      assertEquals([...await state.tensors.get("a")!.data()], [state.progress.batch, state.progress.batch]);
      return state.progress.batch;
    };
    for (const value of [1, 2, 3]) await write(value);
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), [
      "state.previous.safetensors",
      "state.safetensors",
    ]);
    assertEquals([await batch(), notes.length], [3, 0]);
    const whole = await Deno.readFile(path);
    const flipped = whole.slice();
    flipped[flipped.length - 2]! ^= 1; // a number that is still a number
    for (const damaged of [flipped, whole.subarray(0, whole.length / 2), new Uint8Array(0), undefined]) {
      if (damaged) await Deno.writeFile(path, damaged);
      else await Deno.remove(path);
      notes.length = 0;
      assertEquals([await batch(), notes.length], [2, 1]);
      assertMatch(
        notes[0]!,
        /^going on from ".*state\.previous\.safetensors", step 0, as the newest state is of no use/,
      );
      assertEquals(await hasRunState(path), true);
    }
    await Deno.writeFile(path, whole);
    await assertRejects(() => batch({ epochs: 1 }), StateDifferenceError, "epochs must be the same: it was 2");
    notes.length = 0;
    assertEquals(await batch({ epochs: 5 }), 3);
    assertMatch(notes.join(), /began with 2 epochs and goes on with 5: from step 1 on .* the longer run's cosine/);
    await Deno.writeFile(path, flipped);
    await Deno.writeFile(previousStatePath(path), whole.subarray(0, 9));
    await assertRejects(() => batch(), SyntaxError, "numbers must be those that were written");
  });
});

Deno.test("readRunState() refuses a step that is no whole number, by the file's field", async () => {
  await selectBackend({ backend: "cpu" });
  await inFolder(async (folder) => {
    const path = join(folder, "state.safetensors");
    const tensors = new Map([["a", tf.tensor1d([1, 2])]]);
    const progress = { epoch: 0, batch: 0, bestLoss: null, history: [], validations: [] };
    await writeRunState(path, { tensors, adamw: initAdamw(tensors), progress }, { epochs: 2 });
    const { tensors: stored, metadata } = await readSafetensors(path);
    for (const step of ["", "1e1", " 3"]) {
      await writeSafetensors(path, stored, { ...metadata as Record<string, string>, step });
      await assertRejects(
        () => readRunState(path, { epochs: 2 }, tensors),
        SyntaxError,
        '"step" must be a whole number',
      );
    }
  });
});
