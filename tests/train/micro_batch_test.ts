import * as tf from "@tensorflow/tfjs";
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { aceLoraModel, type AceLoraParams, initAceLora } from "../../lib/ace_lora.ts";
import { initClip } from "../../lib/clip/params.ts";
import { type Batch, batchOf, type Samples } from "../../lib/train/batch.ts";
import type { FitOptions } from "../../lib/train/options.ts";
import { fit } from "../../lib/train/fit.ts";
import { contrastiveGradients } from "../../lib/train/gradients.ts";
import { openBatch } from "../../lib/train/source.ts";
import { testOnBackends } from "../backends.ts";
import { assertClose, largestDifference, noLeak } from "../close.ts";
import { SMALL, SMALL_ACE, smallIds, smallPixels, smallSource } from "../small_model.ts";

// Dropout off: a mask's numbers depend on the place of a sample in its tensor.
const ENCODERS = { ...SMALL, text: { ...SMALL.text, dropout: 0 } };
const CONFIG = { encoders: ENCODERS, lora: { ...SMALL_ACE.lora!, dropout: 0 }, hgnn: SMALL_ACE.hgnn! };
const MODEL = aceLoraModel(CONFIG);

const fresh = (): Promise<AceLoraParams> => initAceLora(initClip(ENCODERS, 1), CONFIG);

testOnBackends(
  "contrastiveGradients() in micro-batches equals the whole batch: both losses, each padding, with recompute",
  async () => {
    const params = await fresh();
    const source = await smallSource(10);
    const short = { // at most seven tokens
      ...source,
      ids: async (indices: readonly number[]) => (await source.ids(indices)).map((id, i) => i % 10 < 7 ? id : 0),
    };
    const losses = new Set<number>();
    for (const loss of ["label-guided", "info-nce"] as const) {
      for (const padding of ["context", "longest"] as const) {
        const batch = await openBatch(short, [7, 1, 4, 0, 9], { loss, padding });
        const whole = await contrastiveGradients(MODEL, params, batch);
        losses.add((await whole.value.data())[0]!);
        for (const recompute of [false, true]) {
          const parts = await contrastiveGradients(MODEL, params, batch, { microBatch: 2, recompute });
          const what = `${loss}, ${padding}, recompute ${recompute}`;
          await assertClose(parts.value, whole.value, 1e-5, what);
          for (const [name, gradient] of whole.gradients) {
            await assertClose(parts.gradients.get(name)!, gradient, 2e-5, `${name}, ${what}`);
          }
        }
      }
    }
    assertEquals(losses.size, 4, "losses and paddings differ from each other");
  },
);

testOnBackends("contrastiveGradients() in many micro-batches equals the whole batch", async () => {
  const params = await fresh();
  const batch = batchOf({ pixels: smallPixels(17), ids: smallIds(17) });
  const whole = await contrastiveGradients(MODEL, params, batch);
  const parts = await contrastiveGradients(MODEL, params, batch, { microBatch: 1 });
  await assertClose(parts.value, whole.value, 1e-5, "loss");
  for (const [name, gradient] of whole.gradients) await assertClose(parts.gradients.get(name)!, gradient, 2e-5, name);
});

testOnBackends("fit() in micro-batches takes the steps of whole batches", async () => {
  const source = await smallSource(10);
  const options: FitOptions = { epochs: 1, batchSize: 5, learningRate: 1e-3, warmupEpochs: 0 };
  const losses = async (more: FitOptions): Promise<number[]> =>
    (await fit(MODEL, await fresh(), source, { ...options, ...more })).history.map((step) => step.loss);
  const whole = await losses({});
  (await losses({ microBatch: 3 })).forEach((loss, i) => assertAlmostEquals(loss, whole[i]!, 1e-4, `step ${i + 1}`));
  assert(whole[0] !== whole[1]);
});

testOnBackends("contrastiveGradients() holds one micro-batch at a time, whatever the batch", async () => {
  const params = await fresh();
  const peak = async (count: number, microBatch: number): Promise<number> => {
    const [pixels, ids] = [await smallPixels(count).data(), await smallIds(count).data()];
    let read: Samples[] = [];
    let reads = 0;
    const batch: Batch = {
      size: count,
      read(start, n) {
        assert(read.every((s) => s.pixels.isDisposed && s.ids.isDisposed), "an earlier micro-batch is still there");
        reads++;
        const rows: Samples = {
          pixels: tf.tensor4d(pixels.slice(start * 768, (start + n) * 768), [n, 16, 16, 3]),
          ids: tf.tensor2d(ids.slice(start * 10, (start + n) * 10), [n, 10], "int32"),
        };
        read = [rows];
        return Promise.resolve(rows);
      },
    };
    const before = tf.memory().numBytes;
    let most = 0;
    const watched = {
      ...MODEL,
      textFeatures: (...given: Parameters<typeof MODEL.textFeatures>) => { // the image's tape is there already
        most = Math.max(most, tf.memory().numBytes - before);
        return MODEL.textFeatures(...given);
      },
    };
    await noLeak(async () => {
      const { value, gradients } = await contrastiveGradients(watched, params, batch, { seed: 3, microBatch });
      tf.dispose([value, ...gradients.values()]);
    });
    assert(read.every((s) => s.pixels.isDisposed && s.ids.isDisposed), "the last samples were not freed");
    const chunks = count / microBatch;
    assertEquals(reads, chunks > 16 ? 2 * chunks : 2 * chunks - 1); // of few, the last is read once

    return most;
  };
  const [small, large, many, whole] = [await peak(4, 2), await peak(24, 2), await peak(34, 2), await peak(24, 24)];
  const features = 20 * 2 * 8 * 4; // of 20 more samples: two of eight floats each, or their gradients
  assert(large - small <= 2 * features, `${large} bytes for 24 samples, ${small} for 4`);
  assert(many <= large + features, `${many} bytes for 34 samples, ${large} for 24`);
  assert(whole > 3 * large, `${whole} bytes for 24 samples at once, ${large} for two at a time`);
});

testOnBackends("contrastiveGradients() leaves nothing behind when samples cannot be read", async () => {
  const params = await fresh();
  const samples = batchOf({ pixels: smallPixels(5), ids: smallIds(5) });
  for (const microBatch of [5, 2]) {
    for (const last of microBatch === 5 ? [1] : [1, 3, 4, 5]) {
      let reads = 0;
      const batch: Batch = {
        ...samples,
        read: (start, count) =>
          ++reads < last ? samples.read(start, count) : Promise.reject(new Deno.errors.NotFound("no such image")),
      };
      await noLeak(async () => {
        await assertRejects(
          () => contrastiveGradients(MODEL, params, batch, { microBatch }),
          Deno.errors.NotFound,
          "no such image",
        );
      });
      assertEquals(reads, last);
    }
  }
});

testOnBackends(
  "openBatch() pads every part to the longest text of the whole batch, and reads images late",
  async () => {
    const source = await smallSource(6);
    const lengths = [3, 6, 4, 3, 5, 10];
    const asked: number[][] = [];
    const watched = {
      ...source,
      ids: (indices: readonly number[]) => {
        const rows = indices.flatMap((index) => Array.from({ length: 10 }, (_, i) => i < lengths[index]! ? 7 : 0));
        return Promise.resolve(Int32Array.from(rows));
      },
      pixels: (indices: readonly number[]) => {
        asked.push([...indices]);
        return source.pixels(indices);
      },
    };
    const batch = await openBatch(watched, [4, 0, 1, 2], { loss: "label-guided", padding: "longest" });
    assertEquals(asked, []);
    const part = await batch.read(1, 2);
    assertEquals(asked, [[0, 1]]);
    assertEquals([part.pixels.shape, part.ids.shape, batch.size], [[2, 16, 16, 3], [2, 6], 4]);
    assertEquals([...await part.ids.data()], [7, 7, 7, 0, 0, 0, 7, 7, 7, 7, 7, 7]);
    const rows = tf.tensor4d(await source.pixels([0, 1]), [2, 16, 16, 3]);
    assertEquals(await largestDifference(part.pixels, rows), 0);
    // Labels of smallSource: 0 and 4 have none of them in common, 2 and 4 are the same.
    assertEquals([...await batch.pairMask!.data()], [1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1]);
    const plain = await openBatch(watched, [4, 5], { loss: "info-nce", padding: "context" });
    assertEquals([(await plain.read(0, 1)).ids.shape, plain.pairMask], [[1, 10], undefined]);
  },
);
