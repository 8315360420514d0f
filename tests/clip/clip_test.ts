import * as tf from "@tensorflow/tfjs";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { encodeImage } from "../../lib/clip/towers/image.ts";
import { encodeText, endOfText } from "../../lib/clip/towers/text.ts";
import { expectedClip, loadClipTensors, toClipTensors } from "../../lib/clip/checkpoint/tensors.ts";
import type { ClipLayout } from "../../lib/clip/checkpoint/layout.ts";
import { findLayout } from "../../lib/clip/checkpoint/find_layout.ts";
import type { EncoderResult } from "../../lib/clip/towers/encoder.ts";
import { CLIP_VIT_B_16, CLIP_VIT_B_32 } from "../../lib/clip/architectures.ts";
import type { ClipConfig, VitConfig } from "../../lib/clip/config.ts";
import { clipSizes } from "../../lib/clip/config_file/sizes.ts";
import { countClip, initClip } from "../../lib/clip/params.ts";
import { quickGelu } from "../../lib/nn/mlp.ts";
import { openTensorFile } from "../../lib/io/open.ts";
import { l2Normalise } from "../../lib/tensor/kernels/l2_normalise/api.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { disposeParams, namedTensors } from "../../lib/tensor/params.ts";
import type { Tensor2D, Tensor4D } from "../../lib/tensor/types.ts";
import { testOnBackends } from "../backends.ts";
import { assertClose, noLeak } from "../close.ts";
import { CLIP_FIXTURES, configOf, openFixture, smallClip } from "./clip_fixture.ts";

await selectBackend({ backend: "cpu" });

/** The row that is read, `[B, E]`. */
const readOf = ({ tokens }: EncoderResult): Tensor2D => tf.squeeze(tokens, [1]);

for (const name of CLIP_FIXTURES) {
  testOnBackends(`encodeImage() and encodeText() give the reference's features in ${name}`, async () => {
    const { params, config, expected } = await openFixture(name);
    const of = (key: string): tf.Tensor => expected.get(key)!;
    const image = readOf(encodeImage(params, of("pixels") as Tensor4D, config, { clsOnly: true }));
    const text = readOf(encodeText(params, of("ids") as Tensor2D, config, { clsOnly: true }));
    await assertClose(image, of("image"), 1e-4, `${name} image`);
    await assertClose(text, of("text"), 1e-4, `${name} text`);
    const unit = tf.matMul(l2Normalise(image), l2Normalise(text), false, true);
    await assertClose(tf.mul(unit, tf.exp(params.logitScale)), of("logits"), 2e-4, `${name} logits`); // up to 20
  });
}

testOnBackends("encodeText() does not see what follows the end of text, in CLIP's own tower", async () => {
  const config = smallClip();
  const params = initClip(config, 1);
  const rows = [[62, 5, 6, 63, 0, 0], [62, 5, 6, 63, 63, 63], [62, 5, 6, 63, 9, 8], [62, 5, 7, 63, 0, 0]];
  const ids = tf.tensor2d(rows, [4, 6], "int32") as Tensor2D;
  const text = readOf(encodeText(params, ids, config, { clsOnly: true }));
  const row = (i: number): tf.Tensor => tf.slice(text, [i, 0], [1, config.embedding]);
  await assertClose(row(0), row(1), 1e-6, "padded with the end of text");
  await assertClose(row(0), row(2), 1e-6, "other words after it");
  const values = await tf.sum(tf.abs(tf.sub(row(0), row(3)))).data();
  assert(values[0]! > 1e-3, "another word before it changes nothing");
});

testOnBackends("endOfText() marks the first place of the largest id, or of the id that is asked for", async () => {
  const ids = tf.tensor2d([[9, 3, 63, 63], [5, 2, 1, 0], [1, 2, 3, 4], [7, 9, 7, 9]], [4, 4], "int32") as Tensor2D;
  assertEquals([...await endOfText(ids).data()], [0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0]);
  // An id no text has: the first token, as argmax over no hit.
  assertEquals([...await endOfText(ids, 7).data()], [1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]);
  assertEquals([...await endOfText(ids, 3).data()].slice(0, 12), [0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0]);
});

testOnBackends("quickGelu() is x · sigmoid(1.702 x), with its gradient", async () => {
  const xs = [-50, -1, 0, 0.5, 3, 50];
  const sigmoid = (x: number): number => 1 / (1 + Math.exp(-1.702 * x));
  await assertClose(quickGelu(tf.tensor1d(xs)), tf.tensor1d(xs.map((x) => x * sigmoid(x))), 1e-5, "value");
  const slope = xs.map((x) => sigmoid(x) * (1 + 1.702 * x * (1 - sigmoid(x))));
  const gradient = tf.grad((x) => tf.sum(quickGelu(x)))(tf.tensor1d(xs));
  await assertClose(gradient, tf.tensor1d(slope), 1e-5, "gradient");
});

Deno.test("CLIP ViT-B/16 has 149,620,737 numbers and ViT-B/32 151,277,313", () => {
  assertEquals(countClip(CLIP_VIT_B_16), 149_620_737);
  assertEquals(countClip(CLIP_VIT_B_32), 151_277_313);
  // Radford et al.'s image towers with their projection: 86.2 and 87.8 million.
  assertEquals(countClip(CLIP_VIT_B_16, (name) => name.startsWith("vision.")), 86_192_640);
  assertEquals(countClip(CLIP_VIT_B_32, (name) => name.startsWith("vision.")), 87_849_216);
});

const VISION_PREFIXES = {
  open_clip: "visual.",
  timm: "visual.trunk.",
  hf_clip: "vision_model.",
  hf_vit: "vision_model.",
  hf_vit_5: "vision_model.",
};
const TEXT_PREFIXES = {
  open_clip: "",
  hf_clip: "text_model.",
  open_clip_bert: "text.transformer.",
  hf_bert: "text_model.",
};
const layout = (vision: keyof typeof VISION_PREFIXES, text: keyof typeof TEXT_PREFIXES): ClipLayout => ({
  vision,
  visionPrefix: VISION_PREFIXES[vision],
  text,
  textPrefix: TEXT_PREFIXES[text],
});
const bert: ClipConfig["text"] = {
  kind: "bert",
  vocabularySize: 20,
  contextLength: 6,
  positions: 8,
  width: 8,
  depth: 2,
  heads: 2,
  mlpWidth: 12,
  epsilon: 1e-12,
  dropout: 0,
  tokenTypes: 2,
  pool: "pooler",
  head: "linear",
  headWidth: 0,
};
type OwnConfig = ClipConfig & { vision: VitConfig };
const pairConfig = (kind: "clip" | "vit", pool: "cls" | "pooler", text: ClipConfig["text"]): OwnConfig => ({
  ...smallClip(),
  vision: { ...smallClip().vision, kind, pool },
  text,
});
const LAYOUTS: [string, ClipLayout, OwnConfig][] = [
  ["open_clip", layout("open_clip", "open_clip"), smallClip()],
  ["open_clip below text.", { ...layout("open_clip", "open_clip"), textPrefix: "text." }, smallClip()],
  ["transformers", layout("hf_clip", "hf_clip"), smallClip()],
  [
    "timm with BERT",
    layout("timm", "open_clip_bert"),
    pairConfig("vit", "cls", { ...bert, pool: "cls", head: "mlp", headWidth: 10 }),
  ],
  ["ViT with BERT", layout("hf_vit", "hf_bert"), pairConfig("vit", "pooler", bert)],
  ["transformers 5's ViT with BERT", layout("hf_vit_5", "hf_bert"), pairConfig("vit", "pooler", bert)],
  [
    "CLIP with BERT",
    { ...layout("hf_clip", "hf_bert"), visionPrefix: "vision_model.vision_model." },
    pairConfig("clip", "cls", bert),
  ],
];

for (const [name, names, config] of LAYOUTS) {
  Deno.test(`toClipTensors() and loadClipTensors() are inverse under the names of ${name}`, async () => {
    await noLeak(async () => {
      const params = initClip(config, 3);
      const tensors = await toClipTensors(params, names);
      assertEquals(new Map([...tensors].map(([key, { shape }]) => [key, shape])), expectedClip(config, names));
      const again = await loadClipTensors(config, names, (key) => Promise.resolve(tensors.get(key)!));
      const [before, after] = [namedTensors(params), namedTensors(again)];
      assertEquals([...after.keys()], [...before.keys()]);
      for (const [leaf, tensor] of before) assertEquals(await after.get(leaf)!.data(), await tensor.data(), leaf);
      disposeParams(params);
      disposeParams(again);
    });
  });

  Deno.test(`findLayout() and clipSizes() recognise the names of ${name}`, () => {
    const shapes = expectedClip(config, names);
    assertEquals(findLayout(new Set(shapes.keys()), "x").layout, names);
    const { vision, text, embedding } = clipSizes(shapes, names);
    assertEquals(embedding, config.embedding);
    assertEquals([vision.width, vision.patchSize, vision.imageSize, vision.depth, vision.mlpWidth, vision.pooler], [
      config.vision.width,
      config.vision.patchSize,
      config.vision.imageSize,
      config.vision.depth,
      config.vision.mlpWidth,
      config.vision.pool === "pooler",
    ]);
    assertEquals([text.vocabularySize, text.positions, text.width, text.depth, text.mlpWidth], [
      config.text.vocabularySize,
      config.text.positions,
      config.text.width,
      config.text.depth,
      config.text.mlpWidth,
    ]);
  });
}

Deno.test("toClipTensors() writes the very names and numbers the libraries saved", async () => {
  for (const name of CLIP_FIXTURES) {
    await noLeak(async () => {
      const { params, expected, path } = await openFixture(name);
      const file = await openTensorFile(path);
      const shapes = new Map([...file.entries].map(([key, { shape }]) => [key, shape]));
      const tensors = await toClipTensors(params, findLayout(new Set(shapes.keys()), path).layout);
      const unused = [...shapes.keys()].filter((key) => !tensors.has(key));
      assertEquals(unused, [], name);
      for (const [key, { shape, values }] of tensors) {
        const { shape: actual, data } = await file.read(key);
        assertEquals([...shape], actual, key);
        assertEquals(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), data.slice(), key);
      }
      file.close();
      disposeParams(params);
      for (const tensor of expected.values()) tensor.dispose();
    });
  }
});

Deno.test("the towers refuse images and texts of another size", async () => {
  const config = smallClip();
  await noLeak(async () => {
    const params = initClip(config, 1);
    const [pixels, ids] = [tf.zeros([1, 8, 8, 3]) as Tensor4D, tf.zeros([1, 11], "int32") as Tensor2D];
    assertThrows(() => encodeImage(params, pixels, config), TypeError, "[*, 16, 16, 3]");
    assertThrows(() => encodeText(params, ids, config), TypeError, "at most 10 tokens: current value is 11");
    tf.dispose([pixels, ids]);
    await Promise.resolve(disposeParams(params));
  });
});

Deno.test("findLayout() names the file and what a tower is known by", () => {
  const error = assertThrows(() => findLayout(new Set(["conv1.weight"]), "resnet.pt"), SyntaxError);
  assert(
    error.message.includes('"resnet.pt"') && error.message.includes("image tower") && !error.message.includes("\n"),
  );
});

Deno.test("the fixtures' configurations have the sizes they were made with", async () => {
  const quick = await configOf("open_clip_quick");
  const { activation, heads, mlpWidth, epsilon } = quick.vision as VitConfig;
  assertEquals([activation, heads, mlpWidth, epsilon], [
    "quick-gelu",
    2,
    32,
    1e-5,
  ]);
  assertEquals(quick.text, {
    ...CLIP_VIT_B_16.text,
    vocabularySize: 64,
    contextLength: 10,
    positions: 10,
    width: 24,
    depth: 2,
    heads: 3,
    mlpWidth: 48,
  });
  assertEquals([quick.mean, quick.std, quick.embedding], [[0.4, 0.5, 0.6], [0.2, 0.25, 0.3], 8]);
  const old = await configOf("hf_clip_old_eos");
  assert(old.text.kind === "clip" && old.text.eotId === undefined);
  const fresh = await configOf("hf_clip");
  assert(fresh.text.kind === "clip" && fresh.text.eotId === 63);
  const pair = await configOf("pair_vit_bert");
  const vit = pair.vision as VitConfig;
  assertEquals([vit.kind, vit.pool, vit.epsilon, pair.mean], ["vit", "pooler", 1e-12, [
    0.5,
    0.5,
    0.5,
  ]]);
  const mean = await configOf("open_clip_bert_mean");
  assert(mean.text.kind === "bert" && mean.text.pool === "mean" && mean.text.head === "linear");
});
