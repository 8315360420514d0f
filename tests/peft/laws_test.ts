import * as tf from "@tensorflow/tfjs";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { ClipParams } from "../../lib/clip/params.ts";
import { initClip } from "../../lib/clip/params.ts";
import { readAdapter } from "../../lib/adapters/files.ts";
import { loadPeft, savePeft } from "../../lib/peft/files.ts";
import type { PeftMethod, PeftParams } from "../../lib/peft/method.ts";
import { PEFT_METHODS, PEFT_NAMES, type PeftName } from "../../lib/peft/methods.ts";
import { normal } from "../../lib/tensor/init.ts";
import { disposeParams, mapTensors, namedTensors, withTensors } from "../../lib/tensor/params.ts";
import type { Tensor, Tensor2D, Tensor4D } from "../../lib/tensor/types.ts";
import { fit } from "../../lib/train/fit.ts";
import { batchOf } from "../../lib/train/batch.ts";
import { contrastiveGradients } from "../../lib/train/gradients.ts";
import { writeSafetensors } from "../../lib/io/safetensors.ts";
import { testOnBackends } from "../backends.ts";
import { assertClose, largestDifference, noLeak } from "../close.ts";
import { SMALL, smallIds, smallPixels, smallSource } from "../small_model.ts";

const UNTOUCHED: PeftName[] = ["none", "full", "heads", "bitfit", "adapter", "ia3", "lora", "rslora", "dora"];
const MERGED: PeftName[] = ["ia3", "lora", "rslora", "dora", "ace-lora"];

/** Bottlenecks of more than one unit, so that not all of them are on the flat side of the ReLU. */
const SETTINGS: Partial<Record<PeftName, Record<string, unknown>>> = {
  "adapter": { reduction: 2 },
  "clip-adapter": { reduction: 1 },
};

function small(name: PeftName): PeftMethod {
  return PEFT_METHODS[name](SMALL, SETTINGS[name]);
}

/** A base whose biases and gains are not all zero and one. */
function base(): ClipParams {
  return mapTensors(initClip(SMALL, 1), (tensor, name) => {
    if (tensor.rank !== 1) return tensor;
    const noise = normal(tensor.shape, 0.1, 3, name);
    return tf.add(tensor, noise);
  });
}

/** The method's tree with every trainable leaf moved off its start. */
async function moved(method: PeftMethod, from: ClipParams): Promise<PeftParams> {
  const fresh = await method.prepare(from);
  const leaves = [...namedTensors(fresh, method.model.isTrainable)];
  return withTensors(fresh, new Map(leaves.map(([name, x]) => [name, tf.add(x, normal(x.shape, 0.1, 8, name))])));
}

interface Features {
  image: Tensor2D;
  text: Tensor2D;
  prompts: Tensor2D;
}

function featuresOf({ model }: PeftMethod, params: PeftParams, pixels: Tensor4D, ids: Tensor2D): Features {
  return {
    image: model.imageFeatures(params, pixels),
    text: model.textFeatures(params, ids),
    prompts: model.promptFeatures(params, ids, 2),
  };
}

async function assertFeatures(a: Features, b: Features, tolerance: number, what: string): Promise<void> {
  for (const key of ["image", "text", "prompts"] as const) {
    await assertClose(a[key], b[key], tolerance, `${what}: ${key}`);
  }
}

testOnBackends("a fresh method changes no feature: " + UNTOUCHED.slice(1).join(", "), async () => {
  const start = base();
  const zeroShot = small("none");
  const [pixels, ids] = [smallPixels(4), smallIds(4)];
  const expected = featuresOf(zeroShot, await zeroShot.prepare(start), pixels, ids);
  for (const name of UNTOUCHED) {
    const method = small(name);
    const params = await method.prepare(start);
    // DoRA divides a row's length by itself, to rounding.
    await assertFeatures(featuresOf(method, params, pixels, ids), expected, name === "dora" ? 1e-6 : 0, name);
    const scale = (await method.model.scale(params).data())[0]!;
    assert(Math.abs(scale - 1 / 0.07) < 1e-4, `${name}: scale ${scale}`);
  }
});

testOnBackends("a method with its leaves moved changes features, and gives unit rows", async () => {
  const start = base();
  const [pixels, ids] = [smallPixels(4), smallIds(4)];
  const zeroShot = featuresOf(small("none"), start, pixels, ids);
  for (const name of PEFT_NAMES.slice(1)) {
    const method = small(name);
    const actual = featuresOf(method, await moved(method, start), pixels, ids);
    const image = await largestDifference(actual.image, zeroShot.image);
    const text = await largestDifference(actual.text, zeroShot.text);
    assertEquals([image > 1e-4, text > 1e-4], [name !== "coop", name !== "vpt" && name !== "clip-adapter"], name);
    for (const rows of Object.values(actual)) {
      await assertClose(tf.sum(tf.square(rows), 1), tf.ones([rows.shape[0]]), 1e-5, `${name}: length`);
    }
  }
});

testOnBackends("merged = unmerged = reloaded, for every method that has a merge, and reloaded for all", async () => {
  const start = base();
  const [pixels, ids] = [smallPixels(4), smallIds(4)];
  const folder = await Deno.makeTempDir();
  for (const name of PEFT_NAMES) {
    const method = small(name);
    const params = await moved(method, start);
    const expected = featuresOf(method, params, pixels, ids);
    const merged = method.model.forEvaluation(params);
    assertEquals(
      namedTensors(merged).size < namedTensors(params).size,
      MERGED.includes(name),
      `${name} folds leaves away`,
    );
    await assertFeatures(featuresOf(method, merged, pixels, ids), expected, 1e-5, `${name} merged`);
    const path = `${folder}/${name}.safetensors`;
    await savePeft(path, method, params);
    await assertRejects(() => readAdapter(path), SyntaxError, '"ace-lora fine-tuning 1", which loadPeft() reads');
    const loaded = await loadPeft(path, start, SMALL);
    assertEquals([loaded.method.name, loaded.method.settings], [method.name, method.settings]);
    await assertFeatures(featuresOf(loaded.method, loaded.params, pixels, ids), expected, 0, `${name} reloaded`);
    await assertClose(loaded.method.model.scale(loaded.params), method.model.scale(params), 0, `${name} scale`);
  }
  await Deno.remove(folder, { recursive: true });
});

testOnBackends("every trainable leaf gets a gradient, no frozen one is asked for", async () => {
  const start = base();
  const batch = batchOf({ pixels: smallPixels(4), ids: smallIds(4) });
  for (const name of PEFT_NAMES.slice(1)) {
    const method = small(name);
    const params = await moved(method, start);
    const { gradients } = await contrastiveGradients(method.model, params, batch, { seed: 3 });
    assertEquals([...gradients.keys()], [...namedTensors(params, method.model.isTrainable).keys()], name);
    for (const [leaf, gradient] of gradients) {
      assertEquals(gradient.shape, namedTensors(params).get(leaf)!.shape, `${name}: ${leaf}`);
      const largest = (await tf.max(tf.abs(gradient)).data())[0]!;
      // Scores of one row of queries only move together with a key's bias, so the softmax does not see it.
      if (/attention\.key\.bias$/.test(leaf)) assert(largest < 1e-5, `${name}: ${leaf} has ${largest}`);
      else assert(largest > 0 && Number.isFinite(largest), `${name}: ${leaf} has gradient ${largest}`);
    }
  }
});

testOnBackends("fit() for three steps changes every trainable leaf and no frozen one, and leaks nothing", async () => {
  const start = base();
  const source = await smallSource(12);
  const before = new Map<string, Float32Array>();
  for (const [name, x] of namedTensors(start)) before.set(name, (await x.data() as Float32Array).slice());
  for (const name of PEFT_NAMES.slice(1)) {
    const method = small(name);
    await noLeak(async () => {
      const prepared = await method.prepare(start);
      const options = { epochs: 1, batchSize: 4, learningRate: 1e-2, warmupEpochs: 0, seed: 2 };
      const { params, history } = await fit(method.model, prepared, source, options);
      assertEquals(history.length, 3);
      const first = namedTensors(prepared);
      for (const [leaf, x] of namedTensors(params)) {
        const trains = method.model.isTrainable(leaf);
        assertEquals(x !== first.get(leaf), trains, `${name}: ${leaf}`);
        if (trains) assert(await largestDifference(x, first.get(leaf)!) > 0, `${name}: ${leaf} did not move`);
      }
      disposeParams(prepared, params);
      disposeParams(params, start);
    });
    for (const [leaf, x] of namedTensors(start)) {
      assertEquals(await x.data(), before.get(leaf), `${name}: ${leaf} of the base`);
    }
  }
});

testOnBackends("prepare(), forEvaluation() and loadPeft() free with nothing left over", async () => {
  const start = base();
  const folder = await Deno.makeTempDir();
  for (const name of PEFT_NAMES) {
    const method = small(name);
    await noLeak(async () => {
      const params = await method.prepare(start, { seed: 4 });
      const merged = method.model.forEvaluation(params);
      disposeParams(merged, params);
      await savePeft(`${folder}/x.safetensors`, method, params);
      disposeParams(params, start);
      disposeParams((await loadPeft(`${folder}/x.safetensors`, start, SMALL)).params, start);
    });
  }
  assert([...namedTensors(start).values()].every((x) => !x.isDisposed), "the base was freed");
  await Deno.remove(folder, { recursive: true });
});

testOnBackends("prepare() gives the same weights for the same seed, others for another", async () => {
  const start = base();
  const leaves = async (name: PeftName, seed: number): Promise<Map<string, Tensor>> => {
    const method = small(name);
    return namedTensors(await method.prepare(start, { seed }), method.model.isTrainable);
  };
  for (const name of ["adapter", "vpt", "coop", "clip-adapter", "lora", "dora", "ace-lora"] as const) {
    const [a, b, c] = [await leaves(name, 1), await leaves(name, 1), await leaves(name, 2)];
    let differences = 0;
    for (const [leaf, x] of a) {
      await assertClose(x, b.get(leaf)!, 0, leaf);
      differences += await largestDifference(x, c.get(leaf)!);
    }
    assert(differences > 0, name);
  }
});

Deno.test("a method refuses settings it does not have and sizes it cannot use", () => {
  assertThrows(
    () => PEFT_METHODS.ia3(SMALL, { rank: 4 }),
    TypeError,
    'Cannot set up (IA)^3 as there is no setting "rank": the settings are targets, encoders',
  );
  assertThrows(() => PEFT_METHODS.vpt(SMALL, { prompts: 0 }), RangeError, "positive integer: current value is 0");
  assertThrows(() => PEFT_METHODS.coop(SMALL, { words: 11 }), RangeError, "two of 12 places");
  assertThrows(() => PEFT_METHODS.dora(SMALL, { rank: 1.5 }), RangeError, "current value is 1.5");
});

testOnBackends("loadPeft() refuses other files, other sizes and damaged leaves, naming the file", async () => {
  const start = base();
  const folder = await Deno.makeTempDir();
  const path = `${folder}/x.safetensors`;
  const method = small("heads");
  const params = await method.prepare(start);
  const load = (): Promise<unknown> => loadPeft(path, start, SMALL);
  await writeSafetensors(path, {}, {});
  await assertRejects(
    load,
    SyntaxError,
    `"${path}" as its format must be "ace-lora fine-tuning 1", that of a fine-tuned method`,
  );
  const metadata = { format: "ace-lora fine-tuning 1", settings: "{}", encoders: JSON.stringify(SMALL) };
  await writeSafetensors(path, {}, { ...metadata, method: "magic" });
  await assertRejects(load, SyntaxError, '"method" must be one of none, full');
  await writeSafetensors(path, {}, { ...metadata, method: "heads", settings: "{" });
  await assertRejects(load, SyntaxError, 'its settings must be JSON: found "{"');
  await writeSafetensors(path, {}, { ...metadata, method: "heads" });
  await assertRejects(load, SyntaxError, '"vision.head.weight" must be of shape [8,16]: found no such tensor');
  await savePeft(path, { ...method, encoders: { ...SMALL, embedding: 9 } }, params);
  await assertRejects(
    load,
    RangeError,
    `Cannot load "${path}" as embedding must be as it was trained on, 9: current value is 8`,
  );
  const nan = withTensors(params, new Map([["scale", tf.scalar(NaN)]]));
  await savePeft(path, method, nan);
  await assertRejects(load, RangeError, `"${path}" ("scale")`);
  await Deno.remove(folder, { recursive: true });
});
