/** LoRA with few labels: it learns the shots it is given, chooses its rate by the validation cases, and stops when asked. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { loadClip } from "../../../lib/clip/load.ts";
import { rsnaLike } from "../../../lib/data/synthetic/sets.ts";
import { loraProbe } from "../../../lib/eval/probe/lora.ts";
import { shareRight } from "../../../lib/eval/probe/task.ts";
import { selectBackend } from "../../../lib/tensor/backend.ts";
import { disposeParams } from "../../../lib/tensor/params.ts";

Deno.test("loraProbe() learns names that say nothing of the images, by the rate that answers the validation cases", async () => {
  await selectBackend({ backend: "wasm" });
  const { params, config, tokenizer } = await loadClip();
  const { cases } = rsnaLike(6, 1);
  const probe = {
    base: params,
    encoders: config,
    tokenizer,
    classes: ["left", "right"], // for no finding and pneumonia
    train: cases,
    validation: cases,
    queries: cases,
  };
  const targets = cases.map(({ target }) => target!);
  const before = tf.memory().numTensors;
  const untrained = await loraProbe(probe, { epochs: 1, learningRates: [1e-9] });
  assert(shareRight(untrained.scores, targets) < 1);
  const trained = await loraProbe(probe, { epochs: 14, learningRates: [1e-9, 1e-2], microBatch: 3 });
  assertEquals(trained.chosen, { learning_rate: 1e-2 });
  assertEquals(shareRight(trained.scores, targets), 1);
  // Of one case that either rate answers, the likelier answer tells.
  const validation = [
    cases[targets.findIndex((target, i) => (shareRight(untrained.scores.slice(2 * i, 2 * i + 2), [target]) === 1))]!,
  ];
  const tied = await loraProbe({ ...probe, validation }, { epochs: 14, learningRates: [1e-9, 1e-2], microBatch: 3 });
  assertEquals(tied.chosen, { learning_rate: 1e-2 });
  const stopped = new Error("stopped");
  const signal = AbortSignal.abort(stopped);
  await assertRejects(() => loraProbe(probe, { signal }), Error, "stopped");
  assertEquals(tf.memory().numTensors, before);
  disposeParams(params);
});
