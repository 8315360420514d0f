/** Adapters whose layers, ranks or origin are not the paper's: applied as they are, or refused by name. */
import * as tf from "@tensorflow/tfjs";
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { readAdapter, writeAdapter } from "../../lib/adapters/files.ts";
import { loadAdapter, saveAdapter } from "../../lib/adapters/model.ts";
import { AdapterSizeError } from "../../lib/adapters/size_error.ts";
import type { AdapterTarget } from "../../lib/adapters/config.ts";
import type { AdapterEncoder, AdapterFile, LoraEntry } from "../../lib/adapters/record.ts";
import { imageFeatures } from "../../lib/ace_lora.ts";
import { type ClipParams, initClip } from "../../lib/clip/params.ts";
import { loadClip } from "../../lib/clip/load.ts";
import { FeatureError } from "../../lib/clip/zero_shot/scores.ts";
import { classifyImages, imagesAt } from "../../lib/eval/classify.ts";
import { readSafetensors, writeSafetensors } from "../../lib/io/safetensors.ts";
import { float32Tensor, type TensorData, toFloat32 } from "../../lib/io/tensors.ts";
import { mergeUpdates } from "../../lib/nn/linear.ts";
import { towerBlocks } from "../../lib/nn/towers.ts";
import { ACE_LORA_LORA, type LoraConfig } from "../../lib/peft/lora/config.ts";
import { initLora, injectInto, TARGET_LAYERS } from "../../lib/peft/lora/inject.ts";
import { loraUpdate } from "../../lib/peft/lora/layer.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { disposeParams, namedTensors } from "../../lib/tensor/params.ts";
import { mulberry32 } from "../../lib/tensor/random.ts";
import { testOnBackends } from "../backends.ts";
import { CASES, needsCase } from "../cases.ts";
import { assertClose, largestDifference } from "../close.ts";
import { SMALL, smallPixels } from "../small_model.ts";
import { inFolder } from "../folder.ts";

const WIDTH = SMALL.vision.width;
const DEEP = { ...SMALL, vision: { ...SMALL.vision, depth: 4 }, text: { ...SMALL.text, depth: 4 } };
const next = mulberry32(11);
const random = (...shape: number[]): TensorData =>
  float32Tensor(shape, Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => next() - 0.5));

interface Place {
  encoder: AdapterEncoder;
  layer: number;
  target: AdapterTarget;
  rank?: number;
}

const MODULES = { image: { q: "attn.q", k: "attn.k", v: "attn.v", o: "attn.proj" } } as const;

/** A PEFT folder as PEFT itself writes one: sorted keys, no file beside. */
async function writePeft(
  folder: string,
  places: readonly Place[],
  change: Record<string, unknown> = {},
): Promise<void> {
  const tensors = new Map<string, TensorData>();
  for (const { layer, target, rank = 2 } of places) {
    const module = `base_model.model.visual.trunk.blocks.${layer}.${MODULES.image[target]}`;
    tensors.set(`${module}.lora_A.weight`, random(rank, WIDTH));
    tensors.set(`${module}.lora_B.weight`, random(WIDTH, rank));
  }
  await Deno.mkdir(folder, { recursive: true });
  await writeSafetensors(join(folder, "adapter_model.safetensors"), tensors, { format: "pt" });
  const config = {
    bias: "none",
    init_lora_weights: true,
    lora_alpha: 4,
    lora_dropout: 0,
    peft_type: "LORA",
    r: 2,
    ...change,
  };
  await Deno.writeTextFile(join(folder, "adapter_config.json"), JSON.stringify(config));
}

/** `W + factor · B A` of one entry as plain numbers. */
function product({ a, b }: Pick<LoraEntry, "a" | "b">, factor: number): number[] {
  const [rank, inSize] = a.shape as [number, number];
  const [x, y] = [toFloat32(a), toFloat32(b)];
  return Array.from({ length: b.shape[0]! * inSize }, (_, at) => {
    const [row, column] = [Math.floor(at / inSize), at % inSize];
    let sum = 0;
    for (let r = 0; r < rank; r++) sum += y[row * rank + r]! * x[r * inSize + column]!;
    return factor * sum;
  });
}

const image = (layers: number[], target: AdapterTarget = "o"): Place[] =>
  layers.map((layer) => ({ encoder: "image", layer, target }));

for (
  const [what, places, positions] of [
    ["the last two of four layers", image([2, 3]), "half-up"],
    ["the inner layers", image([1, 2]), "mid"],
    ["all four layers", image([0, 1, 2, 3]), "all"],
    ["layers with gaps", image([0, 2]), { image: [0, 2] }],
    ["other projections in each layer", [...image([1], "q"), ...image([3], "v")], { image: [1, 3] }],
  ] as [string, Place[], unknown][]
) {
  testOnBackends(`loadAdapter() applies PEFT's ${what}, and nothing else`, () =>
    inFolder(async (folder) => {
      await writePeft(folder, places);
      const base = initClip(DEEP, 3);
      const { params, config } = await loadAdapter(folder, base, DEEP);
      assertEquals(config.lora?.positions, positions as never);
      const merged = mergeUpdates(params);
      const own = namedTensors(base);
      const changed = [...namedTensors(merged)].filter(([name, x]) => own.get(name) !== x).map(([name]) => name);
      const expected = places.map(({ layer, target }) =>
        `vision.trunk.blocks.${layer}.attention.${TARGET_LAYERS[target]}.weight`
      );
      assertEquals(changed.sort(), expected.sort());
      const { tensors } = await readSafetensors(join(folder, "adapter_model.safetensors"));
      for (const { layer, target } of places) {
        const module = `base_model.model.visual.trunk.blocks.${layer}.${MODULES.image[target]}`;
        const update = product({
          a: tensors.get(`${module}.lora_A.weight`)!,
          b: tensors.get(`${module}.lora_B.weight`)!,
        }, 2);
        const key = TARGET_LAYERS[target];
        const before = await towerBlocks(base).image[layer]!.attention[key].weight.data();
        const after = towerBlocks(merged).image[layer]!.attention[key].weight;
        await assertClose(
          after,
          tf.tensor([...before].map((x, i) => x + update[i]!), after.shape),
          1e-6,
          module,
        );
      }
      disposeParams(merged, params);
      // Saved again in each of our layouts, it comes back the same.
      const features = imageFeatures(params, smallPixels(2), config);
      for (const format of ["ace", "peft", "authors"] as const) {
        const path = join(folder, { ace: "own.safetensors", peft: "peft", authors: "authors.pt" }[format]);
        await saveAdapter(path, params, config, { format });
        const again = await loadAdapter(path, base, DEEP);
        await assertClose(imageFeatures(again.params, smallPixels(2), again.config), features, 1e-6, format);
      }
    }));
}

testOnBackends(
  "saveAdapter() keeps updates of other ranks and scalings than the configuration's: the features are the same",
  () =>
    inFolder(async (folder) => {
      const base = initClip(DEEP, 3);
      const lower = { ...ACE_LORA_LORA, rank: 2, positions: "half-bottom" as const, rankStabilised: false };
      const upper = { ...ACE_LORA_LORA, rank: 3, positions: "half-up" as const };
      const inject = (params: ClipParams, config: LoraConfig): ClipParams =>
        injectInto(params, config, (layer, name) => {
          const { loraB, ...update } = initLora(layer, config, 1, name);
          return loraUpdate({ ...update, loraB: tf.randomUniform(loraB.shape, -1, 1, "float32", 5) });
        });
      const params = inject(inject(base, lower), upper);
      const config = { encoders: DEEP, lora: upper };
      const features = imageFeatures(params, smallPixels(2), config);
      assert(await largestDifference(features, imageFeatures(base, smallPixels(2), config)) > 1e-3);
      for (const format of ["ace", "peft", "authors"] as const) {
        const path = join(folder, { ace: "own.safetensors", peft: "peft", authors: "authors.pt" }[format]);
        await saveAdapter(path, params, config, { format });
        const again = await loadAdapter(path, base, DEEP);
        assertEquals(again.config.lora?.rank, 3);
        await assertClose(imageFeatures(again.params, smallPixels(2), again.config), features, 1e-5, format);
      }
      const told = { ...upper, rank: 4 * upper.rank, alpha: 2 * upper.alpha }; // another rank of the same scaling
      const path = join(folder, "told.safetensors");
      await saveAdapter(path, inject(base, upper), { ...config, lora: told });
      const { lora } = (await loadAdapter(path, base, DEEP)).config;
      assertEquals([lora?.rank, lora?.alpha], [upper.rank, upper.alpha]);
    }),
);

Deno.test("loadAdapter() refuses layers and sizes that the model does not have, each by name", () =>
  inFolder(async (folder) => {
    await selectBackend({ backend: "cpu" });
    const base = initClip(SMALL, 3);
    await writePeft(folder, image([0, 5]));
    await assertRejects(() => loadAdapter(folder, base, SMALL), AdapterSizeError, "image layer 5, the model has 2");
    const wide = { ...SMALL, vision: { ...SMALL.vision, width: 24, heads: 2 } };
    await writePeft(folder, image([0]));
    await assertRejects(
      () => loadAdapter(folder, initClip(wide, 3), wide),
      AdapterSizeError,
      "image layer 0 o must be [R, 24]",
    );
  }));

Deno.test("readAdapter() reads rank_pattern and alpha_pattern: each update keeps its own product", () =>
  inFolder(async (folder) => {
    const places = [...image([0, 1]), { encoder: "image", layer: 2, target: "o", rank: 5 } as const];
    const key = "^visual\\.trunk\\.blocks\\.(2|3)\\.attn\\.proj";
    for (const alpha of [10, 7]) { // the scaling of the others, 2, and another
      await writePeft(folder, places, { rank_pattern: { [key]: 5 }, alpha_pattern: { [key]: alpha } });
      const { lora, config } = await readAdapter(folder);
      const { tensors } = await readSafetensors(join(folder, "adapter_model.safetensors"));
      assertEquals(config.rank, 5);
      for (const entry of lora) {
        const module = `base_model.model.visual.trunk.blocks.${entry.layer}.attn.proj`;
        const raw = { a: tensors.get(`${module}.lora_A.weight`)!, b: tensors.get(`${module}.lora_B.weight`)! };
        const expected = product(raw, entry.layer === 2 ? alpha / 5 : 2);
        const read = product(entry, config.alpha / Math.sqrt(config.rank));
        read.forEach((x, i) => assert(Math.abs(x - expected[i]!) < 1e-6, `${alpha} ${entry.layer} ${i}`));
      }
    }
    for (const pattern of ["(a|b)+", "(a+)+$", "a+b+c+"]) {
      await writePeft(folder, places, { rank_pattern: { [pattern]: 5 } });
      await assertRejects(() => readAdapter(folder), SyntaxError, "pattern");
    }
    await writePeft(folder, places, { rank_pattern: { "blocks.2.attn.proj": 6 } });
    await assertRejects(() => readAdapter(folder), SyntaxError, "must have rank 6: found 5");
  }));

Deno.test("readAdapter() refuses adapters whose base PEFT changes, naming init_lora_weights", () =>
  inFolder(async (folder) => {
    for (const kind of ["pissa", "pissa_niter_16", "olora", "corda", "eva", "loftq"]) {
      await writePeft(folder, image([0]), { init_lora_weights: kind });
      const error = await assertRejects(() => readAdapter(folder), SyntaxError, "init_lora_weights");
      assert(error.message.includes(folder) && error.message.includes(kind), error.message);
    }
    for (const kind of [true, false, "gaussian", "orthogonal"]) {
      await writePeft(folder, image([0]), { init_lora_weights: kind });
      assertEquals((await readAdapter(folder)).lora.length, 1);
    }
  }));

const ADAPTER = (): AdapterFile => ({
  lora: image([0, 1], "q").map((place) => ({ ...place, a: random(2, WIDTH), b: random(WIDTH, 2) })),
  hgnn: {},
  logitScale: 20,
  config: {
    rank: 2,
    alpha: 3,
    rankStabilised: true,
    dropout: 0,
    targets: ["q"],
    positions: "all",
    topK: null,
    hidden: null,
  },
});

Deno.test("readAdapter() refuses a PEFT folder of ours whose second file is gone or belongs to another", () =>
  inFolder(async (folder) => {
    await writeAdapter(folder, ADAPTER(), { format: "peft" });
    await readAdapter(folder);
    const side = join(folder, "ace_hgnn.safetensors");
    const { tensors, metadata } = await readSafetensors(side);
    const config = JSON.parse(metadata["config"]!);
    for (
      const [change, reason] of [[{ rank: 8 }, "rank is 2 here and 8"], [{ alpha: 1 }, "alpha is 3 here and 1"], [{
        hidden: 4,
      }, "hidden is null here and 4"]] as const
    ) {
      await writeSafetensors(side, tensors, { ...metadata, config: JSON.stringify({ ...config, ...change }) });
      await assertRejects(() => readAdapter(folder), SyntaxError, reason);
    }
    await Deno.remove(side);
    const error = await assertRejects(() => readAdapter(folder), SyntaxError, "ace_hgnn.safetensors");
    assert(error.message.includes(folder) && !error.message.includes("\n"), error.message);
  }));

Deno.test("readAdapter() reads a folder or any of its files, and refuses a folder of two adapters", () =>
  inFolder(async (folder) => {
    const adapter = ADAPTER();
    await writeAdapter(folder, adapter, { format: "peft" });
    for (const name of ["", "adapter_model.safetensors", "adapter_config.json"]) {
      assertEquals((await readAdapter(join(folder, name))).lora.length, 2, name);
    }
    await writeAdapter(join(folder, "adapter.safetensors"), adapter, { format: "ace" });
    await assertRejects(() => readAdapter(folder), SyntaxError, "must hold one");
    const own = join(folder, "own");
    await writeAdapter(join(own, "adapter.safetensors"), adapter, { format: "ace" });
    assertEquals((await readAdapter(own)).lora.length, 2);
  }));

Deno.test("fused PEFT patterns match under PEFT's rule of today and that before 0.15", () =>
  inFolder(async (folder) => {
    await writeAdapter(folder, ADAPTER(), { format: "peft", fusedQkv: true });
    const { rank_pattern } = JSON.parse(await Deno.readTextFile(join(folder, "adapter_config.json")));
    const [pattern] = Object.keys(rank_pattern) as [string];
    const module = "visual.trunk.blocks.11.attn.qkv";
    assert(new RegExp(`^(.*\\.)?(${pattern})$`).test(module), "today");
    assert(new RegExp(`^.*\\.${pattern}$`).test(module), "before 0.15");
  }));

Deno.test("adapters keep the fingerprints of the cases that trained and chose them in every layout; damaged ones are refused", () =>
  inFolder(async (folder) => {
    const seen = ["0123456789ab", "ba9876543210"];
    const lists = { seen, chose: ["00000000000f"] };
    for (const [format, name] of [["ace", "a.safetensors"], ["peft", "peft"], ["authors", "a.pt"]] as const) {
      const path = join(folder, name);
      await writeAdapter(path, { ...ADAPTER(), ...lists }, { format });
      const read = await readAdapter(path);
      assertEquals({ seen: read.seen, chose: read.chose }, lists, format);
      await writeAdapter(path, { ...ADAPTER(), chose: [] }, { format });
      const { seen: untold, chose } = await readAdapter(path);
      assertEquals([untold, chose], [undefined, []], format); // none is another than not told
    }
    const path = join(folder, "a.safetensors");
    const { tensors, metadata } = await readSafetensors(path);
    await writeSafetensors(path, tensors, { ...metadata, seen: "0123456789ab patient" });
    await assertRejects(() => readAdapter(path), SyntaxError, '"patient"');
    await writeSafetensors(path, tensors, { ...metadata, chose: "patient" });
    await assertRejects(
      () => readAdapter(path),
      SyntaxError,
      'its chose must be fingerprints in hex digits: found "patient"',
    );
  }));

const VOCABULARY = fromFileUrl(new URL("../../data/mini_vocab.txt", import.meta.url));

/** The probability of pneumonia for the case's image, under an adapter. */
async function answer(weights: string | undefined, adapter: string | undefined): Promise<number> {
  await selectBackend({ backend: "wasm" });
  const model = await loadClip(weights === undefined ? {} : { weights, tokenizer: VOCABULARY });
  const adapted = adapter === undefined
    ? { params: model.params, config: { encoders: model.config, learnScale: false } }
    : await loadAdapter(adapter, model.params, model.config);
  const classifier = { ...adapted, tokenizer: model.tokenizer };
  const images = imagesAt([join(CASES, "pissa", "one.jpg")]);
  const [only] = await classifyImages(classifier, images, ["pneumonia", "no finding"]);
  disposeParams(adapted.params, model.params);
  disposeParams(model.params);
  return only!.scores["pneumonia"]!;
}

Deno.test({
  ...needsCase("pissa", "an untrained PEFT adapter of the cases changes no answer, and one of pissa is refused"),
  async fn() {
    const folder = join(CASES, "pissa");
    const weights = join(folder, "mini12.safetensors");
    const alone = await answer(weights, undefined);
    assertAlmostEquals(await answer(weights, join(folder, "real_True")), alone, 1e-6);
    await assertRejects(() => answer(weights, join(folder, "real_pissa")), SyntaxError, "init_lora_weights");
  },
});

Deno.test({
  ...needsCase("peft_layers", "the cases' layers 4 to 11, all four of MINI and rank_pattern are applied"),
  async fn() {
    const layers = join(CASES, "peft_layers");
    const weights = join(CASES, "pissa", "mini12.safetensors");
    for (
      const [name, model] of [["real_last8", weights], ["both4", undefined], ["real_rankpattern", weights]] as const
    ) {
      const folder = join(layers, name);
      const { tensors } = await readSafetensors(join(folder, "adapter_model.safetensors"));
      const { lora, config } = await readAdapter(folder);
      const config0 = JSON.parse(await Deno.readTextFile(join(folder, "adapter_config.json")));
      assertEquals(lora.length, tensors.size / 2, name);
      for (const entry of lora) {
        const raw = [...tensors].find(([key, { shape }]) =>
          key.includes(`.${entry.layer}.`) && key.includes(entry.encoder === "image" ? "visual" : "text") &&
          key.endsWith("lora_A.weight") && shape[1] === entry.a.shape[1] && isTarget(key, entry.target)
        )![0];
        const pair = { a: tensors.get(raw)!, b: tensors.get(raw.replace("lora_A", "lora_B"))! };
        const expected = product(pair, config0.lora_alpha / config0.r); // 2 under both ranks of the pattern
        product(entry, config.alpha / Math.sqrt(config.rank)).forEach((x, i) =>
          assertAlmostEquals(x, expected[i]!, 1e-6, `${raw} ${i}`)
        );
      }
      assert(Number.isFinite(await answer(model, folder)), name);
    }
  },
});

function isTarget(key: string, target: AdapterTarget): boolean {
  const names = { q: /\.(q|query)\./, k: /\.(k|key)\./, v: /\.(v|value)\./, o: /\.(proj|dense)\./ };
  return names[target].test(key);
}

/** MINI's own adapter with one weight that overflows. */
async function overflowing(path: string): Promise<void> {
  const base = await loadClip();
  const adapter: AdapterFile = {
    ...ADAPTER(),
    lora: [{ encoder: "image", layer: 0, target: "q", a: random(2, 96), b: random(96, 2) }],
  };
  const values = toFloat32(adapter.lora[0]!.b);
  values.fill(1e38);
  await writeAdapter(path, { ...adapter, lora: [{ ...adapter.lora[0]!, b: float32Tensor([96, 2], values) }] }, {
    format: "ace",
  });
  disposeParams(base.params);
}

Deno.test("a feature that is not finite or all 0 is an error that names the image", () =>
  inFolder(async (folder) => {
    const path = join(folder, "a.safetensors");
    await overflowing(path);
    await selectBackend({ backend: "wasm" });
    const { params, config, tokenizer } = await loadClip();
    const adapted = await loadAdapter(path, params, config);
    const picture = { width: 8, height: 8, channels: 1, bitDepth: 8, data: new Uint8Array(64).fill(90) } as const;
    const images = [{ name: "films/one.png", image: () => Promise.resolve(picture) }];
    const error = await assertRejects(
      () => classifyImages({ ...adapted, tokenizer }, images, ["pneumonia", "no finding"]),
      FeatureError,
    );
    assertEquals(error.input, '"films/one.png"');
    disposeParams(adapted.params, params);
    disposeParams(params);
  }));

Deno.test({
  ...needsCase("adapter_overflow", "the cases' adapter with a weight of 1e38 is an error that names the input"),
  async fn() {
    await assertRejects(
      () => answer(undefined, join(CASES, "adapter_overflow", "a_1e38.safetensors")),
      FeatureError,
      "finite and not all 0",
    );
  },
});
