import * as tf from "@tensorflow/tfjs";
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { basename, dirname, fromFileUrl, join } from "@std/path";
import { inFolder } from "../folder.ts";
import { succeed } from "../cli/run.ts";
import { HypergraphMergeError, mergeIntoCheckpoint } from "../../lib/adapters/merge.ts";
import { readAdapter, writeAdapter } from "../../lib/adapters/files.ts";
import { AdapterSizeError } from "../../lib/adapters/size_error.ts";
import { ACE_LORA_CONFIG } from "../../lib/adapters/config.ts";
import type { AdapterFile, HypergraphTensors } from "../../lib/adapters/record.ts";
import { type Checkpoint, loadCheckpoint, openCheckpoint } from "../../lib/clip/checkpoint/checkpoint.ts";
import { parseClipConfig } from "../../lib/clip/config_file/parse.ts";
import type { ClipConfig, VitConfig } from "../../lib/clip/config.ts";
import { encodeImage } from "../../lib/clip/towers/image.ts";
import { encodeText } from "../../lib/clip/towers/text.ts";
import { readSafetensors, writeSafetensors } from "../../lib/io/safetensors.ts";
import { readFinite } from "../../lib/io/tensor_file.ts";
import { float32Tensor, type TensorData, toFloat32 } from "../../lib/io/tensors.ts";
import { writeTorch } from "../../lib/io/torch_writer.ts";
import { mergeUpdates } from "../../lib/nn/linear.ts";
import { injectLora } from "../../lib/peft/lora/inject.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { disposeParams, withTensors } from "../../lib/tensor/params.ts";
import { gaussian, mulberry32 } from "../../lib/tensor/random.ts";
import type { Tensor } from "../../lib/tensor/types.ts";
import { noLeak } from "../close.ts";
import { hasPython, runPython, skipName } from "../io/_python.ts";
import { caseOf, layoutFiles } from "../clip/layout_cases.ts";

await selectBackend({ backend: "cpu" });

const RANK = 2;
/** LoRA on q, k, v and o of every layer. */
const CONFIG = {
  ...ACE_LORA_CONFIG,
  ...{ rank: RANK, alpha: 3, targets: ["q", "k", "v", "o"] as const, topK: null, hidden: null },
};

function filesOf(folder: string): { weights: string; config: string } {
  const { weights, config } = layoutFiles(caseOf(folder));
  return { weights, config: config! };
}

const adapterConfig = (): AdapterFile["config"] => ({ ...CONFIG, targets: [...CONFIG.targets] });

/** Random updates of every projection of both towers. */
function adapterFor(config: ClipConfig): AdapterFile {
  const rng = mulberry32(4);
  const random = (shape: number[]): TensorData =>
    float32Tensor(shape, Float32Array.from({ length: shape[0]! * shape[1]! }, () => 0.3 * gaussian(rng)));
  const lora = ([["image", config.vision as VitConfig], ["text", config.text]] as const).flatMap((
    [encoder, { depth, width }],
  ) =>
    Array.from(
      { length: depth },
      (_, layer) =>
        CONFIG.targets.map((target) => ({
          encoder,
          layer,
          target,
          a: random([RANK, width]),
          b: random([width, RANK]),
        })),
    )
      .flat()
  );
  return { lora, hgnn: {}, logitScale: 20, config: adapterConfig() };
}

async function withCheckpoint<T>(path: string, body: (checkpoint: Checkpoint) => Promise<T>): Promise<T> {
  const checkpoint = await openCheckpoint(path);
  try {
    return await body(checkpoint);
  } finally {
    checkpoint.file.close();
  }
}

async function configOf({ weights, config }: { weights: string; config: string }): Promise<ClipConfig> {
  const text = await Deno.readTextFile(config);
  return await withCheckpoint(
    weights,
    ({ sizes }) => Promise.resolve(parseClipConfig(text, { config, weights, sizes })),
  );
}

/** Features of a fixture's inputs with the adapter's updates beside the weights, not merged. */
async function adaptedFeatures(
  files: { weights: string; config: string },
  config: ClipConfig,
  adapter: AdapterFile,
): Promise<{ image: Float32Array; text: Float32Array }> {
  const base = await withCheckpoint(files.weights, (checkpoint) => loadCheckpoint(checkpoint, config));
  const { rank, alpha, rankStabilised, targets } = CONFIG;
  const update = { rank, alpha, rankStabilised, targets, dropout: 0 };
  const fresh = injectLora(base, { ...update, positions: "all", encoders: ["image", "text"] });
  const layers = { q: "query", k: "key", v: "value", o: "output" };
  const tensors = new Map<string, Tensor>(adapter.lora.flatMap(({ encoder, layer, target, a, b }) => {
    const name = `${encoder === "image" ? "vision.trunk.blocks" : "text.trunk.layers"}.${layer}.attention.${
      layers[target]
    }.lora`;
    return ([["loraA", a], ["loraB", b]] as const).map(([key, data]) =>
      [`${name}.${key}`, tf.tensor(toFloat32(data), data.shape)] as const
    );
  }));
  const params = withTensors(fresh, tensors);
  const { image, text } = await featuresOf(params, config, files.weights);
  // What is merged is what was added: the tree's own merging says the same.
  const merged = mergeUpdates(params);
  const again = await featuresOf(merged, config, files.weights);
  for (const key of ["image", "text"] as const) {
    const [x, y] = [key === "image" ? image : text, again[key]];
    assert(x.every((value, i) => Math.abs(value - y[i]!) < 1e-5), `${key}: merged differs`);
  }
  disposeParams(merged, params);
  disposeParams(params, base);
  disposeParams(fresh, base);
  disposeParams(base);
  return { image, text };
}

async function featuresOf(
  params: Parameters<typeof encodeText>[0] & Parameters<typeof encodeImage>[0],
  config: ClipConfig,
  weights: string,
): Promise<{ image: Float32Array; text: Float32Array }> {
  const { tensors } = await readSafetensors(join(dirname(weights), "expected.safetensors"));
  const [pixels, ids] = ["pixels", "ids"].map((key) => tensors.get(key)!) as [TensorData, TensorData];
  const [image, text] = tf.tidy(() => [
    encodeImage(params, tf.tensor4d(toFloat32(pixels), pixels.shape as [number, number, number, number]), config, {
      clsOnly: true,
    }).tokens,
    encodeText(
      params,
      tf.tensor2d(Int32Array.from(toFloat32(ids)), ids.shape as [number, number], "int32"),
      config,
      { clsOnly: true },
    ).tokens,
  ]);
  const out = { image: await image!.data() as Float32Array, text: await text!.data() as Float32Array };
  tf.dispose([image!, text!]);
  return out;
}

function largest(actual: Float32Array, expected: Float32Array): number {
  assertEquals(actual.length, expected.length);
  return actual.reduce((max, value, i) => Math.max(max, Math.abs(value - expected[i]!)), 0);
}

const LIBRARIES = [
  ["open_clip_quick", "open_clip", "bin"],
  ["biomed_clip_old", "timm and open_clip", "bin"],
  ["lightning", "timm and open_clip", "safetensors"],
  ["hf_clip", "transformers", "safetensors"],
  ["hf_shards", "transformers", "safetensors"],
] as const;
const hasLibraries = await hasPython("torch", "open_clip", "timm", "transformers", "safetensors");

for (const [folder] of LIBRARIES) {
  Deno.test(`mergeIntoCheckpoint() of ${folder} keeps names and shapes, and the features with the update beside them`, async () => {
    await inFolder(async (out) => {
      await noLeak(async () => {
        const files = filesOf(folder);
        const config = await configOf(files);
        const adapter = adapterFor(config);
        const tensors = await withCheckpoint(files.weights, async (checkpoint) => {
          const merged = await mergeIntoCheckpoint(checkpoint, adapter);
          assertEquals(
            new Map([...merged].map(([name, { shape }]) => [name, [...shape]])),
            new Map([...checkpoint.shapes].map(([name, shape]) => [name, [...shape]])),
          );
          return merged;
        });
        const path = join(out, "merged.safetensors");
        await writeSafetensors(path, tensors);
        const params = await withCheckpoint(path, (checkpoint) => loadCheckpoint(checkpoint, config));
        const [actual, expected] = [
          await featuresOf(params, config, files.weights),
          await adaptedFeatures(files, config, adapter),
        ];
        assert(Math.abs((await params.logitScale.data())[0]! - Math.log(20)) < 1e-6);
        disposeParams(params);
        for (const key of ["image", "text"] as const) {
          const difference = largest(actual[key], expected[key]);
          assert(difference < 1e-5, `${key}: ${difference}`);
        }
      });
    });
  });
}

Deno.test({
  name: skipName(
    "open_clip, timm and transformers read merged weights and give the same features",
    hasLibraries,
    "them",
  ),
  ignore: !hasLibraries,
  fn: async () => {
    await inFolder(async (out) => {
      const args: string[] = [];
      for (const [folder, , ending] of LIBRARIES) {
        const files = filesOf(folder);
        const adapter = adapterFor(await configOf(files));
        const tensors = await withCheckpoint(files.weights, (checkpoint) => mergeIntoCheckpoint(checkpoint, adapter));
        const path = join(out, `${folder}.${ending}`);
        if (ending === "bin") await writeTorch(path, tensors);
        else await writeSafetensors(path, tensors, { format: "pt" });
        args.push(dirname(files.weights), path);
      }
      const script = fromFileUrl(new URL("../clip/library_features.py", import.meta.url));
      const run =
        "import runpy, sys; sys.path.insert(0, sys.argv[1]); sys.argv = sys.argv[2:]; runpy.run_path(sys.argv[0])";
      await runPython(run, [dirname(script), script, ...args]);
      for (const [folder, library, ending] of LIBRARIES) {
        const files = filesOf(folder);
        const config = await configOf(files);
        const { tensors } = await readSafetensors(join(out, `${folder}.${ending}.features`));
        const expected = await adaptedFeatures(files, config, adapterFor(config));
        for (const key of ["image", "text"] as const) {
          const difference = largest(toFloat32(tensors.get(key)!), expected[key]);
          assert(difference < 1e-5, `${library}, ${folder}, ${key}: ${difference}`);
        }
        assert(Math.abs(toFloat32(tensors.get("logit_scale")!)[0]! - Math.log(20)) < 1e-6);
      }
    });
  },
});

Deno.test({
  name: skipName(
    "convert --layout --merge writes folders that the other library reads, and its features are the adapted model's",
    hasLibraries,
    "them",
  ),
  ignore: !hasLibraries,
  fn: () =>
    inFolder(async (out) => {
      const pairs = [["open_clip_quick", "hf"], ["hf_clip", "open_clip"]] as const;
      for (const [fixture, family] of pairs) {
        const files = filesOf(fixture);
        const [model, path] = [join(out, `${fixture}_model`), join(out, `${fixture}.safetensors`)];
        await Deno.mkdir(model);
        for (const file of [files.weights, files.config]) await Deno.copyFile(file, join(model, basename(file)));
        await writeAdapter(path, adapterFor(await configOf(files)), { format: "ace" });
        const args = ["convert", model, "--layout", family, "--merge", path, "--out", join(out, fixture)];
        await succeed(args, { read: [out], write: [out], env: [] });
      }
      const script = fromFileUrl(new URL("../clip/family_features.py", import.meta.url));
      await runPython(
        "import runpy, sys; sys.path.insert(0, sys.argv[1]); sys.argv = sys.argv[2:]; runpy.run_path(sys.argv[0])",
        [
          dirname(script),
          script,
          ...pairs.flatMap(([fixture]) => [dirname(filesOf(fixture).weights), join(out, fixture)]),
        ],
      );
      for (const [fixture, family] of pairs) {
        const config = await configOf(filesOf(fixture));
        const { tensors } = await readSafetensors(join(out, fixture, "features.safetensors"));
        const expected = await adaptedFeatures(filesOf(fixture), config, adapterFor(config));
        for (const key of ["image", "text"] as const) {
          const difference = largest(toFloat32(tensors.get(key)!), expected[key]);
          assert(difference < 1e-5, `${fixture} as ${family}, ${key}: ${difference}`);
        }
        assertAlmostEquals(toFloat32(tensors.get("logit_scale")!)[0]!, Math.log(20), 1e-6);
      }
    }),
});

Deno.test("readAdapter() reads what peft saved for transformers' CLIP: merged, it gives peft's features", async () => {
  const files = filesOf("hf_clip");
  const config = await configOf(files);
  const folder = join(dirname(dirname(files.weights)), "hf_clip_peft");
  const adapter = await readAdapter(folder);
  assertEquals([adapter.lora.length, adapter.config.rank], [8, 2]); // q and v of two layers of two towers
  await inFolder(async (out) => {
    const path = join(out, "merged.safetensors");
    await writeSafetensors(
      path,
      await withCheckpoint(files.weights, (checkpoint) => mergeIntoCheckpoint(checkpoint, adapter)),
    );
    const params = await withCheckpoint(path, (checkpoint) => loadCheckpoint(checkpoint, config));
    const actual = await featuresOf(params, config, join(folder, "adapter_model.safetensors"));
    disposeParams(params);
    const { tensors } = await readSafetensors(join(folder, "expected.safetensors"));
    for (const key of ["image", "text"] as const) {
      const difference = largest(actual[key], toFloat32(tensors.get(key)!));
      assert(difference < 1e-5, `${key}: ${difference}`);
    }
  });
});

for (const fixture of ["hf_clip", "biomed_clip_old"]) {
  Deno.test(`mergeIntoCheckpoint() gives PEFT's own merge of rank_pattern and alpha_pattern in both encoders: ${fixture}`, async () => {
    const { weights } = filesOf(fixture);
    const folder = fromFileUrl(new URL(`peft_fixtures/${fixture}`, import.meta.url)); // made by make_peft_fixtures.py
    const adapter = await readAdapter(folder);
    assertEquals(new Set(adapter.lora.map(({ encoder }) => encoder)), new Set(["image", "text"]));
    const { tensors: expected } = await readSafetensors(join(folder, "merged.safetensors"));
    await withCheckpoint(weights, async (checkpoint) => {
      const merged = await mergeIntoCheckpoint(checkpoint, adapter);
      for (const [name, tensor] of merged) {
        const stored = await readFinite(checkpoint.file, checkpoint.wrapper + name);
        const own = expected.get(name);
        assertEquals(tensor.shape, stored.shape, name);
        const difference = largest(toFloat32(tensor), toFloat32(own ?? stored));
        assert(difference <= (own ? 1e-6 : 0), `${name}: ${difference}`);
        if (own) assert(largest(toFloat32(own), toFloat32(stored)) > 0.1, `${name} was adapted`);
      }
      assertEquals(expected.keys().toArray().filter((name) => !merged.has(name)), []);
    });
  });
}

Deno.test("mergeIntoCheckpoint() refuses ACE-HGNN unless it is left out, and an adapter of another size", async () => {
  const files = filesOf("open_clip_quick");
  const adapter = adapterFor(await configOf(files));
  const linear = { weight: float32Tensor([1, 1], [0]), bias: float32Tensor([1], [0]) };
  const module: HypergraphTensors = { edge: { down: linear, up: linear }, node: { down: linear, up: linear } };
  await withCheckpoint(files.weights, async (checkpoint) => {
    const withModule = { ...adapter, hgnn: { image: module } };
    const error = await assertRejects(
      () => mergeIntoCheckpoint(checkpoint, withModule, { name: "a.safetensors" }),
      HypergraphMergeError,
    );
    assert(error.message.includes("a.safetensors") && error.message.includes("in the image encoder"), error.message);
    const dropped = await mergeIntoCheckpoint(checkpoint, withModule, { dropHgnn: true });
    assertEquals(dropped, await mergeIntoCheckpoint(checkpoint, adapter));
    const [first] = adapter.lora;
    const refused = (entry: Partial<typeof first>, reason: string): Promise<Error> =>
      assertRejects(
        () => mergeIntoCheckpoint(checkpoint, { ...adapter, lora: [{ ...first!, ...entry }] }),
        AdapterSizeError,
        reason,
      );
    await refused({ layer: 7 }, '"visual.transformer.resblocks.7.attn.in_proj_weight" must be [48,16]: it is missing');
    await refused({ a: float32Tensor([2, 4], new Float32Array(8)) }, "must be [48,4]: current shape is [48,16]");
  });
});
