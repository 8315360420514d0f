import * as tf from "@tensorflow/tfjs";
import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { initAdamw } from "../../lib/train/adamw.ts";
import { readRunState, StateDifferenceError, writeRunState } from "../../lib/train/state.ts";

Deno.test("readRunState() takes a state as version 0.1.0 wrote it, and names what differs from it", async () => {
  await selectBackend({ backend: "cpu" });
  const folder = await Deno.makeTempDir();
  const path = join(folder, "state.safetensors");
  const tensors = new Map([["a", tf.tensor1d([1, 2])]]);
  const progress = { epoch: 1, batch: 0, bestLoss: 1, history: [{ loss: 1, learningRate: 0.1 }] };
  const adapted = { lora: { rank: 4, targets: ["q"] }, hgnn: { topK: 5 }, weights: "w", cases: "c" };
  const old = { model: `ACE-LoRA ${JSON.stringify(adapted)}`, epochs: 2, seed: 1 };
  try {
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
        [{ epochs: 3 }, "epochs", 2],
        [{ padding: "longest" }, "padding", "context"],
      ] as const
    ) {
      const error = await assertRejects(
        () => readRunState(path, { ...now, ...change }, tensors),
        StateDifferenceError,
      );
      assertEquals([error.field, error.was], [field, was]);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
