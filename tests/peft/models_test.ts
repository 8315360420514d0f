/** Every fine-tuning method in every kind of model: CLIP's causal text tower, sigmoid similarity, poolers and means. */
import * as tf from "@tensorflow/tfjs";
import { assert, assertEquals } from "@std/assert";
import { loadAdapter, saveAdapter } from "../../lib/adapters/model.ts";
import { aceLoraModel } from "../../lib/ace_lora.ts";
import type { BertConfig, ClipConfig } from "../../lib/clip/config.ts";
import { type ClipParams, initClip } from "../../lib/clip/params.ts";
import { loadPeft, savePeft } from "../../lib/peft/files.ts";
import type { PeftMethod, PeftParams } from "../../lib/peft/method.ts";
import { PEFT_METHODS, PEFT_NAMES, type PeftName } from "../../lib/peft/methods.ts";
import { normal } from "../../lib/tensor/init.ts";
import { disposeParams, namedTensors, withTensors } from "../../lib/tensor/params.ts";
import type { Tensor2D } from "../../lib/tensor/types.ts";
import { fit } from "../../lib/train/fit.ts";
import { testOnBackends } from "../backends.ts";
import { assertClose, largestDifference, noLeak } from "../close.ts";
import { SMALL, smallIds, smallPixels, smallSource } from "../small_model.ts";

/** Methods that start with the model's own features. */
const UNTOUCHED: PeftName[] = ["full", "heads", "bitfit", "adapter", "ia3", "lora", "rslora", "dora"];

/** Bottlenecks of more than one unit, so that not all of them are on the flat side of the ReLU. */
const SETTINGS: Partial<Record<PeftName, Record<string, unknown>>> = {
  "adapter": { reduction: 2 },
  "clip-adapter": { reduction: 1 },
};

const CAUSAL: ClipConfig = {
  ...SMALL,
  vision: { ...SMALL.vision, kind: "clip", activation: "quick-gelu", epsilon: 1e-5 },
  text: {
    ...{ vocabularySize: 40, contextLength: 10, positions: 12, width: 16, depth: 2, heads: 2, mlpWidth: 32 },
    ...{ kind: "clip", activation: "quick-gelu", epsilon: 1e-5, eotId: 3 },
  },
};
const bert = (changes: Partial<BertConfig>): ClipConfig => ({ ...SMALL, text: { ...SMALL.text, ...changes } });
const MODELS: Record<string, ClipConfig> = {
  "a causal CLIP": CAUSAL,
  "a causal CLIP with sigmoid similarity": { ...CAUSAL, similarity: "sigmoid" },
  "a ViT and a BERT read through poolers": {
    ...bert({ pool: "pooler", head: "linear", headWidth: 0 }),
    vision: { ...SMALL.vision, pool: "pooler" },
  },
  "a BERT read as the mean of its tokens": bert({ pool: "mean" }),
};

/** The method's tree with every trainable leaf moved off its start. */
async function moved(method: PeftMethod, from: ClipParams): Promise<PeftParams> {
  const fresh = await method.prepare(from);
  const leaves = [...namedTensors(fresh, method.model.isTrainable)];
  return withTensors(fresh, new Map(leaves.map(([name, x]) => [name, tf.add(x, normal(x.shape, 0.1, 8, name))])));
}

for (const [kind, config] of Object.entries(MODELS)) {
  const pairs = () => [smallPixels(4), smallIds(4)] as const;
  const featuresOf = ({ model }: PeftMethod, params: PeftParams): Tensor2D => {
    const [pixels, ids] = pairs();
    return tf.tidy(() => tf.concat([model.imageFeatures(params, pixels), model.textFeatures(params, ids)]) as Tensor2D);
  };

  testOnBackends(`in ${kind} a fresh method changes nothing, and merged = unmerged = reloaded`, async () => {
    const start = initClip(config, 1);
    const plain = featuresOf(PEFT_METHODS.none(config), start);
    const folder = await Deno.makeTempDir();
    for (const name of PEFT_NAMES.slice(1)) {
      const method = PEFT_METHODS[name](config, SETTINGS[name]);
      if (UNTOUCHED.includes(name)) {
        const fresh = featuresOf(method, await method.prepare(start));
        // On webgpu a plain perceptron is two products with the activation inside, one with factors takes each step.
        const isOtherwiseSummed = name === "dora" || (name === "ia3" && tf.getBackend() === "webgpu");
        await assertClose(fresh, plain, isOtherwiseSummed ? 1e-6 : 0, `${name} fresh`);
      }
      const params = await moved(method, start);
      const expected = featuresOf(method, params);
      assert(await largestDifference(expected, plain) > 1e-4, `${name}: moved leaves change nothing`);
      await assertClose(featuresOf(method, method.model.forEvaluation(params)), expected, 1e-5, `${name} merged`);
      const path = `${folder}/${name}.safetensors`;
      await savePeft(path, method, params);
      const loaded = await loadPeft(path, start, config);
      await assertClose(featuresOf(loaded.method, loaded.params), expected, 0, `${name} reloaded`);
    }
    await Deno.remove(folder, { recursive: true });
  });

  testOnBackends(`in ${kind} fit() changes every trainable leaf and no frozen one, and leaks nothing`, async () => {
    const start = initClip(config, 1);
    const source = await smallSource(12);
    for (const name of PEFT_NAMES.slice(1)) {
      const method = PEFT_METHODS[name](config, SETTINGS[name]);
      await noLeak(async () => {
        const prepared = await method.prepare(start);
        const options = { epochs: 1, batchSize: 6, microBatch: 3, learningRate: 1e-2, warmupEpochs: 0, seed: 2 };
        const { params, history } = await fit(method.model, prepared, source, options);
        assert(history.every(({ loss }) => Number.isFinite(loss)), `${name}: loss`);
        const first = namedTensors(prepared);
        for (const [leaf, x] of namedTensors(params)) {
          assertEquals(x !== first.get(leaf), method.model.isTrainable(leaf), `${name}: ${leaf}`);
        }
        disposeParams(prepared, params);
        disposeParams(params, start);
      });
    }
  });

  testOnBackends(`in ${kind} an adapter keeps its features in each of its layouts`, async () => {
    const start = initClip(config, 1);
    const method = PEFT_METHODS["ace-lora"](config);
    const params = await moved(method, start);
    const expected = featuresOf(method, params);
    const folder = await Deno.makeTempDir();
    const added = { encoders: config, ...method.settings } as Parameters<typeof aceLoraModel>[0];
    for (const format of ["ace", "peft", "authors"] as const) {
      const path = `${folder}/${format}${format === "peft" ? "" : format === "ace" ? ".safetensors" : ".pt"}`;
      await saveAdapter(path, params, added, { format });
      const loaded = await loadAdapter(path, start, config);
      const model = { ...method, model: aceLoraModel(loaded.config) };
      await assertClose(featuresOf(model, loaded.params), expected, 1e-6, format);
    }
    await Deno.remove(folder, { recursive: true });
  });
}
