import * as tf from "@tensorflow/tfjs";
import { assert, assertAlmostEquals, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { aceLoraModel, type AceLoraParams, initAceLora, trainableTensors } from "../../lib/ace_lora.ts";
import { initClip } from "../../lib/clip/params.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { disposeParams, namedTensors } from "../../lib/tensor/params.ts";
import { batchOf } from "../../lib/train/batch.ts";
import { epochBatches } from "../../lib/train/batches.ts";
import type { FitOptions } from "../../lib/train/options.ts";
import { fit } from "../../lib/train/fit.ts";
import { contrastiveGradients } from "../../lib/train/gradients.ts";
import { NothingToLearnError } from "../../lib/train/learnable.ts";
import { warmupCosine } from "../../lib/train/schedule.ts";
import { falseNegativeMask } from "../../lib/losses/label_mask.ts";
import { testOnBackends } from "../backends.ts";
import { assertClose } from "../close.ts";
import { SMALL, SMALL_ACE, smallIds, smallPixels, smallSource } from "../small_model.ts";
import { inFolder } from "../folder.ts";

const MODEL = aceLoraModel(SMALL_ACE);
const OPTIONS: FitOptions = { epochs: 2, batchSize: 4, learningRate: 1e-2, warmupEpochs: 0.5 };

async function numbers(params: AceLoraParams): Promise<Map<string, number[]>> {
  const out = new Map<string, number[]>();
  for (const [name, tensor] of trainableTensors(params)) out.set(name, [...await tensor.data()]);
  return out;
}

Deno.test("warmupCosine() starts at 0, peaks after the warm-up and ends at 0", () => {
  const options = { learningRate: 2, warmupSteps: 4, totalSteps: 12 };
  assertEquals([0, 2, 4].map((step) => warmupCosine(step, options)), [0, 1, 2]);
  assertAlmostEquals(warmupCosine(8, options), 1, 1e-12);
  assertAlmostEquals(warmupCosine(12, options), 0, 1e-12);
});

Deno.test("epochBatches() visits every sample once, anew each epoch, the same under the same seed", () => {
  const batches = epochBatches(10, 0, { batchSize: 4 });
  assertEquals(batches.map((batch) => batch.length), [4, 4, 2]);
  assertEquals(batches.flat().sort((a, b) => a - b), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assertEquals(epochBatches(10, 0, { batchSize: 4 }), batches);
  assert(epochBatches(10, 1, { batchSize: 4 }).flat().join() !== batches.flat().join());
  assertEquals(epochBatches(3, 0, { batchSize: 2, shuffle: false, dropLast: true }), [[0, 1]]);
});

testOnBackends(
  "contrastiveGradients() in micro-batches equals the whole batch, sizes that do not divide included",
  async () => {
    // Dropout off: a mask's numbers depend on the place of a sample in its tensor.
    const params = await initAceLora(initClip(SMALL, 1), SMALL_ACE);
    const labels = [[1], [0], [0], [1], [null]] as const;
    const batch = batchOf({
      pixels: smallPixels(5),
      ids: smallIds(5),
      pairMask: tf.tensor2d(falseNegativeMask(labels), [5, 5]),
    });
    const whole = await contrastiveGradients(MODEL, params, batch);
    for (const microBatch of [1, 2, 5]) {
      const parts = await contrastiveGradients(MODEL, params, batch, { microBatch });
      await assertClose(parts.value, whole.value, 1e-5, `loss, ${microBatch}`);
      for (const [name, gradient] of whole.gradients) {
        await assertClose(parts.gradients.get(name)!, gradient, 2e-5, `${name}, ${microBatch}`);
      }
    }
  },
);

testOnBackends("fit() changes every trainable leaf and no frozen one", async () => {
  const base = initClip(SMALL, 1);
  const start = await initAceLora(base, SMALL_ACE);
  const before = await numbers(start);
  const { params, history } = await fit(MODEL, start, await smallSource(8), OPTIONS);
  assertEquals(history.length, 4);
  const after = await numbers(params);
  for (const [name, values] of before) {
    assert(values.some((x, i) => x !== after.get(name)![i]), `${name} did not change`);
  }
  const frozen = namedTensors(base);
  for (const [name, tensor] of namedTensors(params)) if (frozen.has(name)) assert(tensor === frozen.get(name), name);
});

testOnBackends("fit() gives the same numbers twice under one seed, others under another", async () => {
  const base = initClip(SMALL, 1);
  const run = async (seed: number): Promise<Map<string, number[]>> => {
    const start = await initAceLora(base, SMALL_ACE);
    return numbers((await fit(MODEL, start, await smallSource(8), { ...OPTIONS, seed })).params);
  };
  assertEquals(await run(3), await run(3));
  const [one, other] = [await run(3), await run(4)];
  assert([...one].some(([name, values]) => values.join() !== other.get(name)!.join()));
});

testOnBackends("fit() stopped and resumed ends in the numbers of one run, in micro-batches", async () => {
  const OPTIONS: FitOptions = { epochs: 2, batchSize: 4, microBatch: 3, learningRate: 1e-2, warmupEpochs: 0.5 };
  await inFolder(async (folder) => {
    const base = initClip(SMALL, 1);
    const source = await smallSource(8);
    const whole = await fit(MODEL, await initAceLora(base, SMALL_ACE), source, OPTIONS);
    const controller = new AbortController();
    const statePath = join(folder, "state.safetensors");
    const stopped = await fit(MODEL, await initAceLora(base, SMALL_ACE), source, {
      ...OPTIONS,
      statePath,
      signal: controller.signal,
      onStep: ({ step }) => step === 3 && controller.abort(),
    });
    assert(stopped.interrupted);
    assertEquals(stopped.history.length, 3);
    const resumed = await fit(MODEL, await initAceLora(base, SMALL_ACE), source, {
      ...OPTIONS,
      statePath,
      resume: true,
    });
    assertEquals(resumed.history, whole.history);
    assertEquals(await numbers(resumed.params), await numbers(whole.params));
    await assertRejects(
      () => fit(MODEL, whole.params, source, { ...OPTIONS, learningRate: 5, statePath, resume: true }),
      RangeError,
      "learningRate must be the same",
    );
    await assertRejects( // not the micro-batch that follows from it
      () => fit(MODEL, whole.params, source, { ...OPTIONS, batchSize: 3, statePath, resume: true }),
      RangeError,
      "batchSize must be the same",
    );
  });
});

testOnBackends("fit() calls the best epoch by its loss a sample, not a batch", async () => {
  const source = await smallSource(6); // batches of 4 and of 2
  const best: [number, number][] = [];
  const start = await initAceLora(initClip(SMALL, 1), SMALL_ACE);
  const { history } = await fit(MODEL, start, source, {
    ...OPTIONS,
    epochs: 4,
    loss: "info-nce",
    onBest: (_, epoch, loss) => Promise.resolve(best.push([epoch, loss])).then(() => {}),
  });
  const means = [0, 1, 2, 3].map((epoch) => (4 * history[2 * epoch]!.loss + 2 * history[2 * epoch + 1]!.loss) / 6);
  const expected = means.map((mean, epoch) => [epoch, mean] as const)
    .filter(([epoch, mean]) => means.slice(0, epoch).every((earlier) => mean < earlier));
  assertEquals(best.map(([epoch]) => epoch), expected.map(([epoch]) => epoch));
  best.forEach(([, loss], i) => assertAlmostEquals(loss, expected[i]![1], 1e-12));
});

testOnBackends("fit() refuses a loss that is not finite, and the label-guided loss without labels", async () => {
  const start = await initAceLora(initClip(SMALL, 1), SMALL_ACE);
  const source = await smallSource(4);
  const broken = {
    ...source,
    pixels: async (indices: readonly number[]) => {
      const pixels = await source.pixels(indices);
      if (indices.includes(2)) pixels[0] = NaN;
      return pixels;
    },
  };
  for (const microBatch of [4, 2]) {
    const error = await assertRejects(() => fit(MODEL, start, broken, { ...OPTIONS, microBatch }), RangeError);
    assertMatch(error.message, /finite: current value is NaN at step 1, samples (\d, ){3}\d\.\.\./);
  }
  await assertRejects(async () => fit(MODEL, start, await smallSource(4, false), OPTIONS), TypeError, "label row");
});

testOnBackends("fit() learns one batch by heart, and refuses one pair and a batch of one", async () => {
  const base = initClip(SMALL, 1);
  const source = await smallSource(4);
  const { history } = await fit(MODEL, await initAceLora(base, SMALL_ACE), source, {
    epochs: 25,
    batchSize: 4,
    learningRate: 2e-2,
    loss: "info-nce",
  });
  assert(history.at(-1)!.loss < 0.7 * history[0]!.loss, `loss ${history[0]!.loss} -> ${history.at(-1)!.loss}`);
  const start = await initAceLora(base, SMALL_ACE);
  await assertRejects(async () => fit(MODEL, start, await smallSource(1), { epochs: 1 }), NothingToLearnError);
  await assertRejects(() => fit(MODEL, start, source, { batchSize: 1 }), NothingToLearnError, "current value is 1");
  disposeParams(start, base);
});

Deno.test("fit() warns once when an epoch's loss is that of guessing", async () => {
  await selectBackend({ backend: "wasm" });
  const base = initClip(SMALL, 1);
  const start = await initAceLora(base, SMALL_ACE);
  const cold = { ...start, scale: tf.scalar(1e-4) }; // every pair is as similar as any other
  const warnings: string[] = [];
  const { history, params } = await fit(MODEL, cold, await smallSource(8), {
    epochs: 3,
    batchSize: 4,
    loss: "info-nce",
    learningRate: 1e-6,
    onWarning: (text) => warnings.push(text),
  });
  for (const { loss } of history) assertAlmostEquals(loss, Math.log(4), 1e-3);
  assertEquals(warnings, [
    "the loss of epoch 1 is 1.3863, that of guessing within a batch: nothing is learned yet",
  ]);
  disposeParams(params, base);
  tf.dispose(cold.scale);
});

Deno.test("fit() takes for guessing what is within half a percent of it, each batch by its own size", async () => {
  await selectBackend({ backend: "wasm" });
  const base = initClip(SMALL, 1);
  const start = await initAceLora(base, SMALL_ACE);
  const chance = (4 * Math.log(4) + 2 * Math.log(2)) / 6;
  for (const [scale, isChance] of [[0.2, true], [1, false]] as const) {
    const params = { ...start, scale: tf.scalar(scale) };
    const warnings: string[] = [];
    const { history, params: end } = await fit(MODEL, params, await smallSource(6), {
      ...{ epochs: 1, warmupEpochs: 0, batchSize: 4, loss: "info-nce", learningRate: 1e-9 },
      onWarning: (text) => warnings.push(text),
    });
    const off = Math.abs((4 * history[0]!.loss + 2 * history[1]!.loss) / 6 / chance - 1);
    assert(isChance ? off > 0.001 && off < 0.005 : off > 0.005, `${off}`);
    assertEquals(warnings.length, isChance ? 1 : 0);
    disposeParams(end, params);
    params.scale.dispose();
  }
  disposeParams(start, base);
  disposeParams(base);
});

Deno.test("fit() stopped before its first step gives tensors of its own: the start is still there when they are freed", async () => {
  await selectBackend({ backend: "wasm" });
  const base = initClip(SMALL, 1);
  const start = await initAceLora(base, SMALL_ACE);
  const { params, history, interrupted } = await fit(MODEL, start, await smallSource(4), {
    ...OPTIONS,
    signal: AbortSignal.abort(),
  });
  assertEquals([history, interrupted], [[], true]);
  const expected = await numbers(start);
  assertEquals(await numbers(params), expected);
  disposeParams(params, base);
  assertEquals(await numbers(start), expected);
  disposeParams(start, base);
  disposeParams(base);
});

Deno.test("200 training steps leave the number of tensors constant", async () => {
  await selectBackend({ backend: "wasm" });
  const base = initClip(SMALL, 1);
  const start = await initAceLora(base, SMALL_ACE);
  const counts: number[] = [];
  const { params } = await fit(MODEL, start, await smallSource(8), {
    epochs: 100,
    batchSize: 4,
    onStep: () => counts.push(tf.memory().numTensors),
  });
  assertEquals(counts.length, 200);
  assertEquals(new Set(counts.slice(1)).size, 1, `tensor counts: ${[...new Set(counts)].join(", ")}`);
  disposeParams(params, base);
  disposeParams(start, base);
  disposeParams(base);
});

Deno.test("fit() announces each batch's images and the next one's before it reads them, and comes to the same numbers", async () => {
  await selectBackend({ backend: "cpu" });
  const base = initClip(SMALL, 1);
  const start = await initAceLora(base, SMALL_ACE);
  const source = await smallSource(6);
  const options = { ...OPTIONS, batchSize: 4, microBatch: 2 };
  const plain = await fit(MODEL, start, source, options);
  const log: string[] = [];
  const told = await fit(MODEL, start, {
    ...source,
    pixels: (indices) => (log.push(`read ${indices}`), source.pixels(indices)),
    prefetch: (indices) => void log.push(`next ${indices}`),
  }, options);
  assertEquals(told.history, plain.history);
  const epochs = [0, 1].flatMap((epoch) => epochBatches(6, epoch, { batchSize: 4 }));
  const announced = epochs.flatMap((batch, i) => [`next ${batch}`, `next ${epochs[i + 1] ?? []}`]);
  assertEquals(log.filter((line) => line.startsWith("next")), announced);
  const first = log.indexOf(`next ${epochs[0]}`);
  assertEquals(log[first + 2], `read ${epochs[0]!.slice(0, 2)}`);
  for (const { params } of [plain, told]) disposeParams(params, start);
  disposeParams(start);
});

Deno.test("fit() says by name what it was given in place of a model, of trained weights or of pairs", async () => {
  await selectBackend({ backend: "cpu" });
  const frozen = initClip(SMALL, 1);
  const source = await smallSource(8);
  const given = (...args: unknown[]): Promise<unknown> => (fit as (...args: unknown[]) => Promise<unknown>)(...args);
  await assertRejects(() => given(frozen, MODEL, source), TypeError, "the model must be one to train");
  await assertRejects(() => given(MODEL, frozen, source), TypeError, "as initAceLora() adds them: none is");
  await assertRejects(() => given(MODEL, frozen, { cases: [] }), TypeError, "the pairs must be pairs in batches");
  disposeParams(frozen);
});
