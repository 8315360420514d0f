/** Weights taken from open_clip to transformers and back, as folders that both libraries read. */
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { dirname, fromFileUrl, join } from "@std/path";
import { inFolder } from "../folder.ts";
import { NoCounterpartError } from "../../lib/clip/checkpoint/family.ts";
import { openCheckpoint } from "../../lib/clip/checkpoint/checkpoint.ts";
import { type ClipFamily, writeClipFolder } from "../../lib/clip/write_folder.ts";
import { clipConfigOf } from "../../lib/clip/load.ts";
import { syntheticChest } from "../../lib/data/synthetic/chest.ts";
import { encodePng } from "../../lib/image/png.ts";
import { toPixels } from "../../lib/image/preprocess.ts";
import { readImage } from "../../lib/image/read.ts";
import { readSafetensors } from "../../lib/io/safetensors.ts";
import { readAllTensors } from "../../lib/io/tensor_file.ts";
import { type TensorData, toFloat32 } from "../../lib/io/tensors.ts";
import { fail, succeed } from "../cli/run.ts";
import { hasPython, runPython, skipName } from "../io/_python.ts";
import { caseOf, layoutFiles } from "./layout_cases.ts";

const ready = await hasPython("torch", "open_clip", "timm", "transformers", "safetensors");
const filesOf = (folder: string) => layoutFiles(caseOf(folder));
/** Fixtures of CLIP's own towers, and the library they are taken to. */
const PAIRS: readonly (readonly [string, ClipFamily])[] = [
  ["open_clip_quick", "hf"],
  ["open_clip_gelu", "hf"],
  ["openai_state", "hf"],
  ["hf_clip", "open_clip"],
  ["hf_clip_old_eos", "open_clip"],
  ["hf_shards", "open_clip"],
  ["hf_clip", "hf"],
];

async function convert(from: { weights: string; config?: string }, folder: string, family: ClipFamily): Promise<void> {
  const checkpoint = await openCheckpoint(from.weights);
  try {
    const all = await readAllTensors(checkpoint.file);
    const tensors = new Map<string, TensorData>();
    for (const name of checkpoint.shapes.keys()) tensors.set(name, all.get(checkpoint.wrapper + name)!);
    await writeClipFolder(folder, { checkpoint, files: from, tensors, family });
  } finally {
    checkpoint.file.close();
  }
}

async function configIn(files: { weights: string; config?: string }) {
  const checkpoint = await openCheckpoint(files.weights);
  try {
    return await clipConfigOf(checkpoint, files);
  } finally {
    checkpoint.file.close();
  }
}

Deno.test({
  name: skipName(
    "open_clip and transformers read the folders of the other's weights: the same features",
    ready,
    "them",
  ),
  ignore: !ready,
  fn: async () => {
    await inFolder(async (out) => {
      const args: string[] = [];
      for (const [fixture, family] of PAIRS) {
        const folder = join(out, `${fixture}_${family}`);
        await convert(filesOf(fixture), folder, family);
        args.push(dirname(filesOf(fixture).weights), folder);
      }
      const script = fromFileUrl(new URL("family_features.py", import.meta.url));
      await runPython(
        "import runpy, sys; sys.path.insert(0, sys.argv[1]); sys.argv = sys.argv[2:]; runpy.run_path(sys.argv[0])",
        [dirname(script), script, ...args],
      );
      for (const [fixture, family] of PAIRS) {
        const { tensors: actual } = await readSafetensors(join(out, `${fixture}_${family}`, "features.safetensors"));
        const { tensors: expected } = await readSafetensors(
          join(dirname(filesOf(fixture).weights), "expected.safetensors"),
        );
        for (const key of ["image", "text"]) {
          const [a, b] = [toFloat32(actual.get(key)!), toFloat32(expected.get(key)!)];
          assertEquals(a.length, b.length);
          for (const [i, value] of a.entries()) assertAlmostEquals(value, b[i]!, 1e-5, `${fixture} ${family} ${key}`);
        }
      }
    });
  },
});

Deno.test({
  name: skipName(
    "transformers prepares images by the preprocessor_config.json that is written as this library does",
    ready,
    "transformers",
  ),
  ignore: !ready,
  fn: () =>
    inFolder(async (out) => {
      const image = join(out, "film.png");
      await Deno.writeFile(image, encodePng(syntheticChest(1).image));
      const { weights, config: plain } = filesOf("open_clip_quick");
      const json = JSON.parse(await Deno.readTextFile(plain!));
      const folders: string[] = [];
      for (const resize_mode of ["shortest", "squash"]) {
        for (const interpolation of ["bicubic", "bilinear"]) {
          const [folder, config] = [join(out, `${resize_mode}_${interpolation}`), join(out, "open_clip_config.json")];
          const preprocess_cfg = { ...json.preprocess_cfg, resize_mode, interpolation };
          await Deno.writeTextFile(config, JSON.stringify({ ...json, preprocess_cfg }));
          await convert({ weights, config }, folder, "hf");
          folders.push(folder);
        }
      }
      const script = fromFileUrl(new URL("processor_pixels.py", import.meta.url));
      await runPython("import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0])", [
        script,
        image,
        ...folders,
      ]);
      const raster = await readImage(image);
      for (const folder of folders) {
        const { vision, mean, std, resizeMode, interpolation } = await configIn({
          weights: join(folder, "model.safetensors"),
          config: join(folder, "config.json"),
        });
        const options = { size: vision.imageSize, mean, std, resizeMode, interpolation, rgbFirst: true };
        const own = toPixels(raster, options); // [size, size, 3]
        const { tensors } = await readSafetensors(join(folder, "pixels.safetensors"));
        const { shape, ...planes } = tensors.get("pixels")!;
        assertEquals([...shape], [3, vision.imageSize, vision.imageSize]);
        const theirs = toFloat32({ shape, ...planes });
        for (const [i, value] of theirs.entries()) {
          const [channel, pixel] = [Math.floor(i / vision.imageSize ** 2), i % vision.imageSize ** 2];
          assertAlmostEquals(own[3 * pixel + channel]!, value, 1e-6, `${folder} ${i}`);
        }
      }
    }),
});

Deno.test("writeClipFolder() there and back gives the same numbers and the same configuration", async () => {
  for (const [fixture, family] of PAIRS.filter(([name]) => name !== "openai_state")) {
    await inFolder(async (out) => {
      const files = filesOf(fixture) as { weights: string; config: string };
      const [there, back] = [join(out, "there"), join(out, "back")];
      await convert(files, there, family);
      const config = family === "hf"
        ? { weights: join(there, "model.safetensors"), config: join(there, "config.json") }
        : { weights: join(there, "open_clip_model.safetensors"), config: join(there, "open_clip_config.json") };
      assertEquals(await configIn(config), await configIn(files));
      const home: ClipFamily = fixture.startsWith("hf") ? "hf" : "open_clip";
      await convert(config, back, home);
      const { tensors } = await readSafetensors(
        join(back, home === "hf" ? "model.safetensors" : "open_clip_model.safetensors"),
      );
      const checkpoint = await openCheckpoint(files.weights);
      const all = await readAllTensors(checkpoint.file);
      for (const [name, tensor] of tensors) {
        assertEquals(toFloat32(tensor), toFloat32(all.get(checkpoint.wrapper + name)!), name);
      }
      checkpoint.file.close();
      assert(tensors.size > 20);
    });
  }
});

Deno.test("writeClipFolder() keeps padding for open_clip, and refuses it for transformers, which has none", async () => {
  await inFolder(async (out) => {
    const config = join(out, "open_clip_config.json");
    const { weights, config: plain } = filesOf("open_clip_quick");
    const json = JSON.parse(await Deno.readTextFile(plain!));
    await Deno.writeTextFile(config, JSON.stringify({ ...json, preprocess_cfg: { resize_mode: "longest" } }));
    const [there, hf] = [join(out, "there"), join(out, "hf")];
    await convert({ weights: weights!, config }, there, "open_clip");
    const written = {
      weights: join(there, "open_clip_model.safetensors"),
      config: join(there, "open_clip_config.json"),
    };
    assertEquals((await configIn(written)).resizeMode, "longest");
    await assertRejects(() => convert({ weights: weights!, config }, hf, "hf"), NoCounterpartError, "they are padded");
    await assertRejects(() => Deno.stat(hf), Deno.errors.NotFound);
  });
});

Deno.test("writeClipFolder() names what the other library has no towers for, and writes nothing", async () => {
  await inFolder(async (out) => {
    const folder = join(out, "folder");
    const cases: [string, ClipFamily, string][] = [
      ["biomed_clip_old", "hf", "its image tower must be CLIP's own ViT"],
      ["open_clip_bert_cls", "hf", "its text tower must be CLIP's own: it is a BERT"],
      ["pair_vit_bert", "open_clip", "its image tower must be CLIP's own ViT"],
      ["unimed_clip", "open_clip", "open_clip_config.json must be beside it"],
    ];
    for (const [fixture, family, reason] of cases) {
      const error = await assertRejects(() => convert(filesOf(fixture), folder, family), NoCounterpartError, reason);
      assertEquals(error.message.split("\n").length, 1);
      await assertRejects(() => Deno.stat(folder), Deno.errors.NotFound);
    }
  });
});

Deno.test("convert --layout writes a folder; BiomedCLIP stays open_clip's; options that do not fit are refused", async () => {
  await inFolder(async (out) => {
    const { weights } = filesOf("open_clip_quick");
    const source = join(out, "source");
    await Deno.mkdir(source);
    for (const name of ["open_clip_pytorch_model.bin", "open_clip_config.json"]) {
      await Deno.copyFile(join(dirname(weights), name), join(source, name));
    }
    const permissions = { read: [out], write: [out], env: [] };
    const to = ["--out", join(out, "hf")];
    const told = await succeed(["convert", source, "--layout", "hf", ...to], permissions);
    const names = ["model.safetensors", "config.json", "preprocessor_config.json"].map((name) => join(out, "hf", name));
    assertEquals(told.trim().split("\n"), names);
    const processor = JSON.parse(await Deno.readTextFile(names[2]!));
    assertEquals([processor.image_mean, processor.size], [[0.4, 0.5, 0.6], { shortest_edge: 16 }]);
    const odd: [string[], string][] = [
      [["--layout", "hf", "--to", "bin", ...to], "--layout takes neither --to nor --combine"],
      [["--layout", "openclip", ...to], 'did you mean "open_clip"'],
      [["--layout", "hf", "--out", names[0]!], "must be a folder"],
    ];
    for (const [args, reason] of odd) await fail(["convert", source, ...args], [reason], permissions);
    const biomed = join(out, "biomed");
    await Deno.mkdir(biomed);
    const from = filesOf("biomed_clip_old");
    for (const path of [from.weights, from.config!]) {
      await Deno.copyFile(path, join(biomed, path.split("/").at(-1)!));
    }
    await succeed(["convert", biomed, "--layout", "open_clip", "--out", join(out, "same")], permissions);
    assertEquals(
      await Deno.readTextFile(join(out, "same", "open_clip_config.json")),
      await Deno.readTextFile(from.config!),
    );
    await fail(
      ["convert", biomed, "--layout", "hf", "--out", join(out, "biomed-hf")],
      ["transformers' CLIPModel", "CLIP's own ViT"],
      permissions,
    );
  });
});
