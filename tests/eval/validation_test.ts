import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { aceLoraModel, initAceLora } from "../../lib/ace_lora.ts";
import { loadClip } from "../../lib/clip/load.ts";
import { rsnaLike, trainingSet } from "../../lib/data/synthetic/sets.ts";
import { assess, ClassCountError } from "../../lib/eval/assess.ts";
import { retrievalValidation, zeroShotValidation } from "../../lib/eval/validation.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import * as tf from "@tensorflow/tfjs";

Deno.test("zeroShotValidation() gives the AUROC of assess(), and ends when it is told to", async () => {
  await selectBackend({ backend: "wasm" });
  const { params: base, config, tokenizer } = await loadClip();
  const adaptation = { encoders: config, learnScale: false };
  const params = await initAceLora(base, adaptation);
  const model = aceLoraModel(adaptation);
  const set = await rsnaLike(24, 3);
  const measure = zeroShotValidation(model, set, { config, tokenizer, batchSize: 8 });
  const { result } = await assess(model, params, set, { config, tokenizer, resamples: 100 });
  const before = tf.memory().numTensors;
  assertEquals(await measure(params), { name: "auroc", value: result.auroc! });
  const controller = new AbortController();
  controller.abort();
  await assertRejects(() => measure(params, controller.signal), DOMException);
  assertEquals(tf.memory().numTensors, before);
  const targets = set.cases.map(({ target }) => target === 1 ? [1, 0] : [0, 1]);
  const many = {
    ...set,
    task: "multilabel" as const,
    cases: set.cases.map((one, i) => ({ ...one, targets: targets[i]! })),
  };
  const actual = await zeroShotValidation(model, many, { config, tokenizer })(params);
  const expected = await assess(model, params, many, { config, tokenizer, resamples: 100 });
  assertAlmostEquals(actual.value, expected.result.auroc!, 1e-6);
  assertThrows(() => zeroShotValidation(model, { ...set, classes: ["one"] }, { config, tokenizer }), ClassCountError);
});

Deno.test("retrievalValidation() gives the mean recall of both directions, all of it where all are looked at", async () => {
  await selectBackend({ backend: "wasm" });
  const { params: base, config, tokenizer } = await loadClip();
  const adaptation = { encoders: config, learnScale: false };
  const params = await initAceLora(base, adaptation);
  const model = aceLoraModel(adaptation);
  const set = await trainingSet(20, 3);
  const at = (k: number) => retrievalValidation(model, set, { config, tokenizer, k, batchSize: 8 })(params);
  const before = tf.memory().numTensors;
  assertEquals(await at(20), { name: "recall@20", value: 1 });
  const [one, five] = [await at(1), await at(5)];
  assert(one.value < five.value && five.value > 5 / 20, `${one.value} ${five.value}`);
  assertEquals(tf.memory().numTensors, before);
  const [first, ...others] = set.cases;
  const { text: _, ...wordless } = first!;
  assertThrows(
    () => retrievalValidation(model, { ...set, cases: [wordless, ...others] }, { config, tokenizer }),
    TypeError,
    "must have a text",
  );
});
