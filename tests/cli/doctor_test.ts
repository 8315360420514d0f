/** `deno task doctor`: what it says of a folder, and what it finds when the features change. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { BIOMED_CLIP, CLIP_VIT_B_16 } from "../../lib/clip/architectures.ts";
import { describeClip } from "../../lib/clip/describe.ts";
import { describeImageTower } from "../../lib/clip/towers/image.ts";
import { readSafetensors, writeSafetensors } from "../../lib/io/safetensors.ts";
import { toFloat32 } from "../../lib/io/tensors.ts";
import { HUB_JSON, writeHubFolder } from "../clip/hub_folder.ts";
import { inFolder } from "../folder.ts";
import { writeRadiographs } from "./fixtures.ts";
import { MINI_FILES, run, succeed } from "./run.ts";

/** The fixture's configuration with what transformers would otherwise take from its defaults. */
const JSON_WHOLE = {
  ...HUB_JSON,
  vision_config: { ...HUB_JSON.vision_config, num_hidden_layers: 2, intermediate_size: 20 },
  text_config: { ...HUB_JSON.text_config, num_hidden_layers: 2, intermediate_size: 16, vocab_size: 1214 },
};

const NAME = "reference_features.safetensors";

/** A folder of the hub's, and the doctor's answer about it. */
async function withModel(
  body: (folder: string, doctor: (...args: string[]) => ReturnType<typeof run>) => Promise<void>,
): Promise<void> {
  await inFolder(async (root) => {
    const folder = join(root, "MedSigLIP-like");
    await Deno.mkdir(folder);
    await writeHubFolder(folder, { json: JSON_WHOLE });
    await body(
      folder,
      (...args) => run(["doctor", "--model", folder, ...args], { read: [root, ...MINI_FILES], write: [root] }),
    );
  });
}

Deno.test("doctor says what a folder is, how it is read and what commands will do with it", async () => {
  await withModel(async (folder, doctor) => {
    const { code, stdout, stderr } = await doctor("--json");
    assertEquals(code, 0, stderr);
    const { files, layout, model, commands, check } = JSON.parse(stdout);
    assertEquals(files.config, join(folder, "config.json"));
    assert(files.weights.startsWith(join(folder, "model.safetensors")), files.weights);
    assertEquals(layout, "transformers' CLIP with transformers' CLIP text transformer");
    assertMatch(model.images, /16 x 16 pixels; CLIP's ViT, patches of 8, 2 layers of 12.*read at the CLS token/);
    assertMatch(model.preparation, /both sides to 16 pixels.*bilinear; mean 0\.5000/);
    assertMatch(model.texts, /causal transformer, 10 tokens of 1214.*end-of-text/);
    assertMatch(commands["classify, evaluate"], /--protocol medsiglip asks as/);
    assertMatch(commands.train, /label-guided InfoNCE; micro-batches of up to \d+ fit/);
    assertEquals(check.agrees, null);
    assertMatch((await doctor()).stdout, /no reference features beside it/);
  });
});

Deno.test("doctor --record keeps features that the same weights agree with, and others do not", async () => {
  await withModel(async (folder, doctor) => {
    assertEquals((await doctor("--record")).code, 0);
    const again = await doctor();
    assertEquals(again.code, 0, again.stderr);
    assertMatch(again.stdout, /features agree with those of @ace-lora\/ace-lora/);
    const refused = await doctor("--record");
    assertMatch(refused.stderr, /there already.*--overwrite writes over it/);

    // A projection turned around: everything loads, and every feature is another.
    const path = join(folder, "model.safetensors");
    const { tensors, metadata } = await readSafetensors(path);
    const projection = tensors.get("visual_projection.weight")!;
    const values = toFloat32(projection).map((value) => -value);
    tensors.set("visual_projection.weight", { ...projection, data: new Uint8Array(values.buffer) });
    await writeSafetensors(path, tensors, metadata);
    const { code, stdout } = await doctor("--json");
    assertEquals(code, 1);
    const { check } = JSON.parse(stdout);
    assertEquals(check.agrees, false);
    assert(check.image_difference > 0.1 && check.text_difference < 1e-6, stdout);
  });
});

Deno.test("doctor records a user's own image and text, for its owner's eyes", async () => {
  await withModel(async (folder, doctor) => {
    const [image] = await writeRadiographs(join(folder, ".."), 1);
    const { code, stderr } = await doctor("--record", "--image", image!, "--text", "a mass");
    assertEquals(code, 0, stderr);
    if (Deno.build.os !== "windows") assertEquals((await Deno.stat(join(folder, NAME))).mode! & 0o777, 0o600);
    const { tensors, metadata } = await readSafetensors(join(folder, NAME));
    assertEquals(metadata["text"], "a mass");
    assertEquals(tensors.get("image")!.shape.length, 3);
    assertMatch((await doctor()).stdout, /features agree/);
  });
});

Deno.test("doctor refuses a wrong file, a missing one and options that do nothing in one line", async () => {
  await withModel(async (folder, doctor) => {
    const refused = async (pattern: RegExp, ...args: string[]): Promise<void> => {
      const { code, stderr } = await doctor(...args);
      assertEquals(code, 1);
      assertMatch(stderr.split("\n").find((line) => line.startsWith("error: ")) ?? "", pattern);
    };
    await refused(/--record is missing/, "--text", "a mass");
    await refused(/none\.safetensors/, "--reference", join(folder, "none.safetensors"));
    await writeSafetensors(join(folder, NAME), new Map(), {});
    await refused(/format must be "ace-lora-reference\/1"/);
    const row = { dtype: "F32" as const, shape: [1, 2], data: new Uint8Array(8) };
    const image = { dtype: "U8" as const, shape: [1, 1, 1], data: new Uint8Array(1) };
    const tensors = { image, image_features: row, text_features: row };
    await writeSafetensors(join(folder, NAME), tensors, { format: "ace-lora-reference/1", text: "a", source: "b" });
    await refused(/"image_features" must be F32 of shape \[1,6\].*\[1,2\]/);
  });
});

const PYTHON = Deno.env.get("ACE_PYTHON");
const PROGRAM = `
import json, pathlib, sys
import numpy, torch
from PIL import Image
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer
from transformers import CLIPModel

folder = pathlib.Path(sys.argv[1])
model = CLIPModel.from_pretrained(folder).eval()
image = load_file(folder / "${NAME}")["image"]
small = Image.fromarray(image[:, :, 0]).resize((16, 16), Image.BILINEAR).convert("RGB")
pixels = torch.tensor(numpy.asarray(small, dtype=numpy.float32) / 255 - 0.5).permute(2, 0, 1)[None]
text = "a mass"
ids = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text).ids[:10]
with torch.no_grad():
    seen = model.visual_projection(model.vision_model(pixels).pooler_output)
    said = model.text_projection(model.text_model(torch.tensor([ids])).pooler_output)
unit = lambda x: torch.nn.functional.normalize(x).numpy()
save_file({"image": image, "image_features": unit(seen), "text_features": unit(said)}, folder / "${NAME}",
          {"format": "ace-lora-reference/1", "text": text, "source": "transformers"})
`;
const modules = ["transformers", "PIL", "safetensors"];
const isReady = PYTHON !== undefined &&
  (await new Deno.Command(PYTHON, {
    args: ["-c", modules.map((name) => `import ${name}`).join("\n")],
    stdout: "null",
    stderr: "null",
  })
    .output().catch(() => ({ success: false }))).success;

Deno.test({
  name: `doctor agrees with features that transformers computed${
    isReady ? "" : ` (skipped: ACE_PYTHON lacks ${modules.join(", ")})`
  }`,
  ignore: !isReady,
  fn: async () => {
    await withModel(async (folder, doctor) => {
      await doctor("--record"); // the image
      const { success, stderr } = await new Deno.Command(PYTHON!, { args: ["-c", PROGRAM, folder] }).output();
      assert(success, new TextDecoder().decode(stderr));
      const { stdout } = await doctor("--json");
      const { check } = JSON.parse(stdout);
      assertEquals(check.source, "transformers");
      assert(check.image_difference < 1e-5 && check.text_difference < 1e-5, stdout);
    });
  },
});

Deno.test("describeClip() has words for every kind of tower and text", () => {
  const kinds = [
    { ...CLIP_VIT_B_16.vision, kind: "dinov2" as const },
    { kind: "resnet" as const, imageSize: 224, width: 2048, stemWidth: 64, stages: [3, 4, 6, 3], heads: 0 },
    {
      ...{ kind: "swin" as const, imageSize: 224, width: 768, patchSize: 4, window: 7, mlpRatio: 4, epsilon: 1e-5 },
      ...{
        stages: [{ depth: 2, heads: 3 }, { depth: 2, heads: 6 }],
        activation: "gelu" as const,
        pool: "mean" as const,
      },
    },
  ];
  const words = kinds.map((vision) => describeImageTower(vision));
  assertMatch(words[0]!, /^DINOv2's ViT, patches of 16, 12 layers of 768, 12 heads; read at the CLS token$/);
  assertMatch(words[1]!, /^ResNet of 3-4-6-3 blocks, stem of 64; read at the mean of its places$/);
  assertMatch(
    words[2]!,
    /^Swin Transformer of 2-2 blocks to a width of 768, patches of 4, windows of 7; read at the mean/,
  );
  const { text } = CLIP_VIT_B_16;
  assertMatch(describeClip({ ...CLIP_VIT_B_16, text: { ...text, kind: "none" } }).texts, /^none: an image tower alone/);
  assertMatch(describeClip({ ...BIOMED_CLIP, resizeMode: "padded" }).preparation, /^black around to a square/);
});

Deno.test("doctor of the shipped model needs no folder, and has nowhere to record unless told", async () => {
  const read = MINI_FILES;
  assertMatch(await succeed(["doctor"], { read }), /the shipped mini model/);
  const { code, stderr } = await run(["doctor", "--record"], { read });
  assertEquals(code, 1);
  assertMatch(stderr, /--reference names the file/);
});

Deno.test("the docs' Python for reference features names the tensors and fields that doctor reads", async () => {
  const page = await Deno.readTextFile(fromFileUrl(new URL("../../docs/models.md", import.meta.url)));
  for (const word of ["image_features", "text_features", "ace-lora-reference/1", NAME]) {
    assert(page.includes(word), word);
  }
});
