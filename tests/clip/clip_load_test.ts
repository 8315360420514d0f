import * as tf from "@tensorflow/tfjs";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { encodeImage } from "../../lib/clip/towers/image.ts";
import { encodeText } from "../../lib/clip/towers/text.ts";
import { BIOMED_CLIP_LAYOUT } from "../../lib/clip/checkpoint/layout.ts";
import { type CheckpointTensor, toClipTensors } from "../../lib/clip/checkpoint/tensors.ts";
import { CLIP_VIT_B_32 } from "../../lib/clip/architectures.ts";
import type { BertConfig, ClipConfig, VitConfig } from "../../lib/clip/config.ts";
import { initClip } from "../../lib/clip/params.ts";
import { promptTexts } from "../../lib/clip/zero_shot/prompts.ts";
import { classifyZeroShot, type ImageSource } from "../../lib/clip/zero_shot/scores.ts";
import { writeSafetensors } from "../../lib/io/safetensors.ts";
import { float32Tensor } from "../../lib/io/tensors.ts";
import { ACE_LORA_LORA } from "../../lib/peft/lora/config.ts";
import { injectLora } from "../../lib/peft/lora/inject.ts";
import { aceLoraModel } from "../../lib/ace_lora.ts";
import { loadClip } from "../../lib/clip/load.ts";
import { tokenise } from "../../lib/clip/tokenise.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { l2Normalise } from "../../lib/tensor/kernels/l2_normalise/api.ts";
import { countParams, disposeParams, mapTensors, namedTensors } from "../../lib/tensor/params.ts";
import { gaussian, mulberry32 } from "../../lib/tensor/random.ts";
import type { Tensor2D } from "../../lib/tensor/types.ts";
import { valueAndGradients } from "../../lib/tensor/gradients.ts";
import { testOnBackends } from "../backends.ts";
import { assertClose, noLeak } from "../close.ts";
import { SMALL, smallIds, smallPixels } from "../small_model.ts";
import { fixtureFiles, openFixture, smallClip } from "./clip_fixture.ts";
import { inFolder } from "../folder.ts";

await selectBackend({ backend: "cpu" });
const BPE = fromFileUrl(new URL("../text/byte_bpe_fixtures/", import.meta.url));
const NATIVE = { vision: "open_clip", visionPrefix: "visual.", text: "open_clip", textPrefix: "" } as const;

/** CLIP's own architecture with the fixture's vocabulary, 1,214 tokens. */
function withWords(): ClipConfig {
  const small = smallClip();
  if (small.text.kind !== "clip") throw new TypeError("not CLIP's own text tower");
  return { ...small, text: { ...small.text, vocabularySize: 1214 } };
}

/** The open_clip configuration of {@linkcode withWords}. */
const OPEN_CLIP = {
  embed_dim: 6,
  quick_gelu: true,
  vision_cfg: { image_size: 16, layers: 2, width: 12, patch_size: 8, head_width: 6, mlp_ratio: 1.7 },
  text_cfg: { context_length: 10, vocab_size: 1214, width: 8, heads: 2, layers: 2, mlp_ratio: 2 },
};

function save(path: string, tensors: ReadonlyMap<string, CheckpointTensor>): Promise<void> {
  return writeSafetensors(
    path,
    new Map([...tensors].map(([name, { shape, values }]) => [name, float32Tensor(shape, values)])),
  );
}

async function writeClip(folder: string): Promise<{ config: string; weights: string; tokenizer: string }> {
  const params = initClip(withWords(), 5);
  const files = {
    config: join(folder, "open_clip_config.json"),
    weights: join(folder, "open_clip_model.safetensors"),
    tokenizer: join(BPE, "tokenizer.json"),
  };
  await save(files.weights, await toClipTensors(params, NATIVE));
  await Deno.writeTextFile(files.config, JSON.stringify({ model_cfg: OPEN_CLIP }));
  disposeParams(params);
  return files;
}

Deno.test("loadClip() gives a model that classifies images by prompts, as its features say", async () => {
  await inFolder(async (folder) => {
    await noLeak(async () => {
      const { params, config, tokenizer } = await loadClip(await writeClip(folder));
      const model = aceLoraModel({ encoders: config, learnScale: false });
      assertEquals(config, withWords());
      assertEquals([config.mean, config.std], [CLIP_VIT_B_32.mean, CLIP_VIT_B_32.std]);
      const texts = promptTexts(["edema", "pneumonia", "effusion"]);
      const rows = tokenise(tokenizer, texts, config);
      assertEquals([rows.contextLength, rows.ids.length, rows.ids[0]], [10, 60, 1212]);
      const pixels = smallPixels(4);
      const numbers = await pixels.data() as Float32Array;
      const images: ImageSource = {
        size: 4,
        imageSize: config.vision.imageSize,
        pixels: (at) =>
          Promise.resolve(Float32Array.from(at.flatMap((i) => [...numbers.slice(i * 768, i * 768 + 768)]))),
      };
      const scores = await classifyZeroShot(model, params, images, { ...rows, prompts: 2 });
      assertEquals(scores.length, 12);
      const expected = tf.tidy(() => {
        const ids = tf.tensor2d(rows.ids, [6, 10], "int32") as Tensor2D;
        const classes = l2Normalise(tf.mean(tf.reshape(model.textFeatures(params, ids), [3, 2, 6]), 1));
        const logits = tf.matMul(model.imageFeatures(params, pixels), classes as Tensor2D, false, true);
        return tf.softmax(tf.mul(logits, model.scale(params)));
      });
      const got = tf.tensor2d(scores, [4, 3]);
      await assertClose(got, expected, 1e-5, "scores");
      tf.dispose([pixels, expected, got]);
      disposeParams(params);
    });
  });
});

Deno.test("loadClip() of weights without a configuration says what it took them for, and reads the preprocessor beside them", async () => {
  await inFolder(async (folder) => {
    const { config: path, weights, tokenizer } = await writeClip(folder);
    await Deno.remove(path);
    const image_mean = [0.39799, 0.39799, 0.39799], image_std = [0.32721, 0.32721, 0.32721];
    await Deno.writeTextFile(join(folder, "preprocessor_config.json"), JSON.stringify({ image_mean, image_std }));
    await noLeak(async () => {
      const notes: string[] = [];
      const { params, config } = await loadClip({ weights, tokenizer }, { note: (text) => notes.push(text) });
      assertEquals([config.mean, config.std], [image_mean, image_std]);
      const vit = config.vision as VitConfig;
      assertEquals([vit.activation, vit.heads, config.text.heads], ["quick-gelu", 1, 1]);
      assert(notes[0]?.includes("taken for OpenAI's CLIP"), notes[0]);
      disposeParams(params);
    });
  });
});

Deno.test("loadClip() reads pairs of ViT and BERT, and the preprocessor beside them", async () => {
  await inFolder(async (folder) => {
    const { config: path, weights } = fixtureFiles("pair_vit_bert");
    const tokenizer = join(folder, "vocab.txt");
    const words = Array.from({ length: 59 }, (_, i) => `w${i}`);
    await Deno.writeTextFile(tokenizer, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...words].join("\n"));
    const config = join(folder, "config.json");
    const json = JSON.parse(await Deno.readTextFile(path));
    Object.assign(json.text_config, { hidden_dropout_prob: 0.3, attention_probs_dropout_prob: 0.2 });
    await Deno.writeTextFile(config, JSON.stringify(json));
    await Deno.writeTextFile(
      join(folder, "preprocessor_config.json"),
      JSON.stringify({ image_mean: [0.1, 0.2, 0.3], image_std: [1, 1, 1] }),
    );
    await noLeak(async () => {
      const loaded = await loadClip({ config, weights, tokenizer });
      assertEquals([...tokenise(loaded.tokenizer, ["w1 w2"], loaded.config).ids], [2, 6, 7, 3, 0, 0, 0, 0, 0, 0]);
      const { mean, std, resizeMode, interpolation } = loaded.config;
      assertEquals([mean, std, resizeMode, interpolation], [[0.1, 0.2, 0.3], [1, 1, 1], "squash", "bilinear"]);
      const { dropout, attentionDropout } = loaded.config.text as BertConfig;
      assertEquals([dropout, attentionDropout], [0.3, 0.2]);
      disposeParams(loaded.params);
    });
  });
});

Deno.test("loadClip() gives the same features as BiomedCLIP's own loader", async () => {
  await inFolder(async (folder) => {
    await noLeak(async () => {
      const own = initClip(SMALL, 2);
      const files = {
        config: join(folder, "open_clip_config.json"),
        weights: join(folder, "open_clip_model.safetensors"),
        tokenizer: join(folder, "vocab.txt"),
      };
      await save(files.weights, await toClipTensors(own, BIOMED_CLIP_LAYOUT));
      const vision = { timm_model_name: "vit_base_patch16_224", timm_pool: "", timm_proj: "linear", head_width: 8 };
      const text = {
        hf_model_name: "PubMedBERT",
        hf_proj_type: "mlp",
        hf_pooler_type: "cls_last_hidden_state_pooler",
        context_length: 10,
        heads: 2,
      };
      await Deno.writeTextFile(files.config, JSON.stringify({ embed_dim: 8, vision_cfg: vision, text_cfg: text }));
      const words = Array.from({ length: 35 }, (_, i) => `w${i}`);
      await Deno.writeTextFile(files.tokenizer, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...words].join("\n"));
      const { params, config } = await loadClip(files);
      const model = aceLoraModel({ encoders: config, learnScale: false });
      assertEquals(countParams(params), countParams(own));
      const [pixels, ids] = [smallPixels(2), smallIds(3)];
      const first = (tokens: tf.Tensor): Tensor2D => l2Normalise(tf.squeeze(tokens, [1])) as Tensor2D;
      const [image, text2, imageWant, textWant] = tf.tidy(() => [
        model.imageFeatures(params, pixels),
        model.textFeatures(params, ids),
        first(encodeImage(own, pixels, SMALL, { clsOnly: true }).tokens),
        first(encodeText(own, ids, SMALL, { clsOnly: true }).tokens),
      ]) as [Tensor2D, Tensor2D, Tensor2D, Tensor2D];
      await assertClose(image, imageWant, 1e-6, "image");
      await assertClose(text2, textWant, 1e-6, "text");
      tf.dispose([pixels, ids, image, text2, imageWant, textWant]);
      disposeParams(params);
      disposeParams(own);
    });
  });
});

Deno.test("loadClip() refuses files that do not fit in one line that names file and field", async () => {
  await inFolder(async (folder) => {
    const files = await writeClip(folder);
    const changed = async (change: (json: typeof OPEN_CLIP & Record<string, unknown>) => void): Promise<string> => {
      const json = structuredClone(OPEN_CLIP) as typeof OPEN_CLIP & Record<string, unknown>;
      change(json);
      const path = join(folder, "changed.json");
      await Deno.writeTextFile(path, JSON.stringify(json));
      return path;
    };
    const refused = async (other: Partial<typeof files>, ...parts: string[]): Promise<void> => {
      await noLeak(async () => {
        const error = await assertRejects(() => loadClip({ ...files, ...other }), Error);
        for (const part of parts) assert(error.message.includes(part), `${error.message}\nlacks ${part}`);
        assert(!error.message.includes("\n"), error.message);
      });
    };
    const both = ["changed.json", "open_clip_model.safetensors"];
    await refused(
      { config: await changed((j) => j.vision_cfg.width = 24) },
      ...both,
      "vision_cfg.width must be 12",
      "24",
    );
    await refused({ config: await changed((j) => j.vision_cfg.layers = 3) }, ...both, "vision_cfg.layers must be 2");
    await refused({ config: await changed((j) => j.text_cfg.context_length = 77) }, ...both, "text_cfg.context_length");
    await refused({ config: await changed((j) => j.text_cfg.heads = 3) }, "changed.json", "text_cfg.heads", "divisor");
    await refused({ config: await changed((j) => j.embed_dim = 512) }, ...both, "embed_dim must be 6");
    await refused({ config: await changed((j) => j.text_cfg.mlp_ratio = 4) }, ...both, "mlp_ratio must be 16", "32");
    await refused(
      { config: await changed((j) => Object.assign(j.text_cfg, { no_causal_mask: true })) },
      "no_causal_mask",
    );
    await refused({ config: await changed((j) => Object.assign(j.vision_cfg, { layers: [3, 4, 6, 3] })) }, "layers");
    await refused(
      { config: await changed((j) => Object.assign(j.text_cfg, { width: "wide" })) },
      "text_cfg.width",
      "wide",
    );
    await refused(
      { config: await changed((j) => j.text_cfg = null as never) },
      "text_cfg must be a record: found null",
    );
    await refused(
      { config: await changed((j) => Object.assign(j, { vision_cfg: 1, model_type: "siglip2" })) },
      "siglip2",
    );
    await refused({ config: fixtureFiles("pair_clip_bert").config }, "config.json", "open_clip_model.safetensors");
    await Deno.writeTextFile(join(folder, "broken.json"), "{");
    await refused({ config: join(folder, "broken.json") }, "broken.json", "as JSON");
    await refused({ config: join(folder, "none.json") }, "none.json");
    await refused({ weights: fixtureFiles("open_clip_quick").weights }, "open_clip_pytorch_model.bin", "must be");
    await refused({ tokenizer: files.config }, "open_clip_config.json", "CLIP tokenizer");
    const bytes = await Deno.readFile(files.weights);
    await Deno.writeFile(join(folder, "cut.safetensors"), bytes.subarray(0, bytes.length - 100));
    await refused({ weights: join(folder, "cut.safetensors") }, "cut.safetensors");
    const params = initClip(withWords(), 5);
    const tensors = await toClipTensors(params, NATIVE);
    disposeParams(params);
    await save(join(folder, "less.safetensors"), new Map([...tensors].filter(([name]) => name !== "ln_final.bias")));
    await refused({ weights: join(folder, "less.safetensors") }, "less.safetensors", "ln_final.bias", "missing");
    tensors.get("visual.proj")!.values[3] = NaN;
    await save(join(folder, "nan.safetensors"), tensors);
    await refused({ weights: join(folder, "nan.safetensors") }, "nan.safetensors", "visual.proj");
  });
});

Deno.test("loadClip() refuses a tokeniser whose end of text is not the model's", async () => {
  await inFolder(async (folder) => {
    const files = { ...fixtureFiles("hf_clip"), tokenizer: join(BPE, "merges.txt") };
    const error = await assertRejects(
      () => loadClip(files),
      RangeError,
      "nearly as many entries as the word table's 64 rows: found 1214",
    );
    assert(error.message.includes("merges.txt"), folder);
  });
});

testOnBackends(
  "injectLora() into a CLIP changes nothing at first; merged is unmerged; only LoRA is trained",
  async () => {
    for (const name of ["hf_clip", "pair_vit_bert"] as const) {
      const { params, config, expected } = await openFixture(name);
      const model = aceLoraModel({ encoders: config, learnScale: false });
      const [pixels, ids] = [expected.get("pixels")! as tf.Tensor4D, expected.get("ids")! as Tensor2D];
      const injected = injectLora(params, { ...ACE_LORA_LORA, rank: 2, dropout: 0 });
      await assertClose(
        model.imageFeatures(injected, pixels),
        model.imageFeatures(params, pixels),
        1e-6,
        `${name} image`,
      );
      await assertClose(model.textFeatures(injected, ids), model.textFeatures(params, ids), 1e-6, `${name} text`);
      const trainable = [...namedTensors(injected).keys()].filter(model.isTrainable);
      // 2 towers x 2 layers x q, k, v x A and B, of 2 x 16 numbers each.
      assertEquals([trainable.length, countParams(injected, model.isTrainable)], [24, 24 * 32], name);

      const rng = mulberry32(9);
      const moved = mapTensors(
        injected,
        (leaf, at) =>
          at.endsWith("loraB")
            ? tf.tensor(Float32Array.from({ length: leaf.size }, () => 0.2 * gaussian(rng)), leaf.shape)
            : leaf,
      );
      const merged = model.forEvaluation(moved);
      assertEquals([...namedTensors(merged).keys()].filter(model.isTrainable), []);
      for (const how of ["imageFeatures", "textFeatures"] as const) {
        const run = (tree: typeof params): Tensor2D =>
          how === "imageFeatures" ? model.imageFeatures(tree, pixels) : model.textFeatures(tree, ids);
        await assertClose(run(moved), run(merged), 1e-5, `${name} ${how} merged`);
        const change = (await tf.max(tf.abs(tf.sub(run(moved), run(params)))).data())[0]!;
        assert(change > 1e-3, `${name} ${how}: the update changes only ${change}`);
      }
      const { gradients } = valueAndGradients(moved, trainable, () =>
        tf.tidy(() => {
          const product = tf.mul(model.imageFeatures(moved, pixels), model.textFeatures(moved, ids));
          return tf.sum(product) as tf.Scalar;
        }));
      assertEquals(gradients.size, trainable.length);
      for (const [leaf, gradient] of gradients) {
        const size = (await tf.sum(tf.abs(gradient)).data())[0]!;
        assert(Number.isFinite(size) && size > 1e-7, `${name} ${leaf}: gradient ${size}`);
      }
    }
  },
);
