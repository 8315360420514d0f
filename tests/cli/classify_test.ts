/** classify, end to end. */
import * as tf from "@tensorflow/tfjs";
import { assert, assertAlmostEquals, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { aceLoraModel } from "../../lib/ace_lora.ts";
import { loadAdapter } from "../../lib/adapters/model.ts";
import { classifyImages, imagesAt } from "../../lib/eval/classify.ts";
import { explainImages, explanationOverlay } from "../../lib/eval/explain.ts";
import { rsnaLike } from "../../lib/data/synthetic/sets.ts";
import { noLeak } from "../close.ts";
import { toClipTensors } from "../../lib/clip/checkpoint/tensors.ts";
import { CLIP_VIT_B_16 } from "../../lib/clip/architectures.ts";
import type { CausalTextConfig, ClipConfig } from "../../lib/clip/config.ts";
import { loadClip } from "../../lib/clip/load.ts";
import { initClip } from "../../lib/clip/params.ts";
import { readImage } from "../../lib/image/read.ts";
import { float32Tensor } from "../../lib/io/tensors.ts";
import { writeTorch } from "../../lib/io/torch_writer.ts";
import { disposeParams } from "../../lib/tensor/params.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { writeAdapter } from "../../lib/adapters/files.ts";
import { inFolder } from "../folder.ts";
import { DICOM, JPEG, miniAdapter, writeDamagedWeights, writeMiniAdapter, writeRadiographs } from "./fixtures.ts";
import { fail, MINI_FILES, snapshot, succeed } from "./run.ts";

const LABELS = ["pneumonia", "no finding"];
const ASK = ["--labels", LABELS.join(",")];
const BPE = fromFileUrl(new URL("../text/byte_bpe_fixtures/", import.meta.url));
/** A causal text tower with the words of {@linkcode BPE}. */
const OPEN_AI_TEXT = {
  ...{ vocabularySize: 1214, contextLength: 20, positions: 20, width: 64, depth: 2, heads: 1, mlpWidth: 256 },
  eotId: 1213,
};

Deno.test("classify scores PNG, JPEG and DICOM as the library does, reading the named files only", async () => {
  await inFolder(async (folder) => {
    const [first, second] = await writeRadiographs(folder, 2);
    const paths = [first!, second!, JPEG, DICOM];
    const stdout = await succeed(["classify", ...paths, ...ASK, "--json"], { read: [...MINI_FILES, ...paths] });
    const actual = JSON.parse(stdout);
    assertEquals(actual.labels, LABELS);
    assertEquals(actual.images.map((one: { image: string }) => one.image), paths);
    await selectBackend({ backend: "wasm" });
    const { params, config, tokenizer } = await loadClip();
    const expected = await classifyImages(
      { params, config: { encoders: config, learnScale: false }, tokenizer },
      imagesAt(paths),
      LABELS,
    );
    for (const [i, { label, scores }] of expected.entries()) {
      assertEquals(actual.images[i].label, label);
      for (const name of LABELS) assertAlmostEquals(actual.images[i].scores[name], scores[name]!, 1e-5);
      assertAlmostEquals(Object.values(scores).reduce((a, b) => a + b, 0), 1, 1e-6);
    }
  });
});

Deno.test("classify gives a table with one row an image, also for a folder", async () => {
  await inFolder(async (folder) => {
    await writeRadiographs(join(folder, "deep/er"), 3);
    const lines = (await succeed(["classify", folder, ...ASK], { read: [...MINI_FILES, folder] })).trimEnd().split(
      "\n",
    );
    assertMatch(lines[0]!, /^image\s+pneumonia\s+no finding\s+answer$/);
    assertEquals(
      lines.slice(2).map((line) => line.split(/\s+/)[0]),
      [0, 1, 2].map((i) => join(folder, `deep/er/${i}.png`)),
    );
    for (const line of lines.slice(2)) assertMatch(line, /0\.\d{4}\s+0\.\d{4}\s+(pneumonia|no finding)$/);
  });
});

Deno.test("classify gives the same with an adapter in each of the three layouts, and other scores than without", async () => {
  await inFolder(async (folder) => {
    const [image] = await writeRadiographs(folder, 1);
    const ace = await writeMiniAdapter(join(folder, "a.safetensors"));
    const peft = join(folder, "peft"), authors = join(folder, "a.pt");
    await writeAdapter(peft, miniAdapter(), { format: "peft" });
    await writeAdapter(authors, miniAdapter(), { format: "authors" });
    const scores: number[] = [];
    for (const adapter of [ace, peft, authors]) {
      const args = ["classify", image!, ...ASK, "--json", "--adapter", adapter];
      scores.push(JSON.parse(await succeed(args, { read: [...MINI_FILES, folder] })).images[0].scores.pneumonia);
    }
    assertEquals(new Set(scores).size, 1);
    const plain = JSON.parse(await succeed(["classify", image!, ...ASK, "--json"], { read: [...MINI_FILES, folder] }));
    assert(Math.abs(plain.images[0].scores.pneumonia - scores[0]!) > 1e-4);
    await selectBackend({ backend: "wasm" });
    const mini = await loadClip();
    const adapted = await loadAdapter(ace, mini.params, mini.config);
    assertEquals(aceLoraModel(adapted.config).name, "ACE-LoRA");
    const [answer] = await classifyImages({ ...adapted, tokenizer: mini.tokenizer }, imagesAt([image!]), LABELS);
    assertAlmostEquals(answer!.scores["pneumonia"]!, scores[0]!, 1e-5);
  });
});

Deno.test("classifyImages() with explain reads and encodes each image once, and gives the scores and attention it gives without", async () => {
  await selectBackend({ backend: "wasm" });
  const { params: base, config: encoders, tokenizer } = await loadClip();
  const folder = await Deno.makeTempDir();
  const { params, config } = await loadAdapter(await writeMiniAdapter(join(folder, "a.safetensors")), base, encoders);
  await Deno.remove(folder, { recursive: true });
  for (const classifier of [{ params: base, config: { encoders, learnScale: false } }, { params, config }]) {
    let reads = 0;
    const rasters = rsnaLike(5, 1).cases;
    const images = rasters.map(({ id, image }) => ({ name: id, image: () => (reads++, image()) }));
    const asked = { ...classifier, tokenizer };
    const plain = await classifyImages(asked, images, LABELS, { batchSize: 2 });
    reads = 0;
    await noLeak(async () => {
      const explained = await classifyImages(asked, images, LABELS, { batchSize: 2, explain: true });
      assertEquals(reads, images.length);
      const alone = await explainImages(classifier.params, [await rasters[3]!.image()], classifier.config);
      const overlay = explanationOverlay(await rasters[3]!.image(), alone[0]!, explained[3]!.overlay!.caption!);
      assertEquals(explained[3]!.overlay!.image, overlay.image);
      assertEquals(explained[3]!.overlay!.hyperedges![0]!.members, overlay.hyperedges![0]!.members);
      Array.from(explained[3]!.overlay!.attention!).forEach((value, i) =>
        assertAlmostEquals(value, overlay.attention![i]!, 1e-4)
      );
      for (const [i, { label, scores }] of explained.entries()) {
        assertEquals(label, plain[i]!.label);
        for (const name of LABELS) assertAlmostEquals(scores[name]!, plain[i]!.scores[name]!, 1e-6);
      }
    });
  }
});

Deno.test("classifyImages() decodes each image and merges each update once, and what explains the answer encodes nothing again", async () => {
  await selectBackend({ backend: "wasm" });
  const { params: base, config: encoders, tokenizer } = await loadClip();
  const folder = await Deno.makeTempDir();
  const { params, config } = await loadAdapter(await writeMiniAdapter(join(folder, "a.safetensors")), base, encoders);
  await Deno.remove(folder, { recursive: true });
  const updates = 24; // q, k and v of four layers in both towers
  const asked = { params, config, tokenizer };
  const counts: { decoded: number; merged: number; attended: number }[] = [];
  const kinds = { maps: ["similarity"] as const };
  for (const options of [{}, { explain: true }, { explain: true, ...kinds }, kinds]) {
    let decoded = 0;
    const images = rsnaLike(3, 1).cases.map(({ id, image }) => ({ name: id, image: () => (decoded++, image()) }));
    const { kernels } = await tf.profile(async () => {
      const answers = await classifyImages(asked, images, LABELS, { batchSize: 2, ...options });
      for (const { overlay, maps } of answers) {
        assertEquals([overlay !== undefined, maps?.similarity?.overlays.length], [
          "explain" in options,
          "maps" in options ? LABELS.length : undefined,
        ]);
      }
      return tf.scalar(0);
    });
    // B A of a rank of 4 is the one product whose inner size is 4.
    const isMerge = ({ name, inputShapes: [b, a] }: typeof kernels[number]): boolean =>
      name === "BatchMatMul" && b?.length === 2 && b[1] === 4 && a?.[0] === 4;
    const merged = kernels.filter(isMerge).length;
    counts.push({ decoded, merged, attended: kernels.filter(({ name }) => name === "AceAttention").length });
  }
  const [plain, explained, mapped, ofMaps] = counts;
  assertEquals(plain, { decoded: 3, merged: updates, attended: 4 * (2 + LABELS.length) }); // two batches, two classes
  assertEquals(explained, plain);
  assertEquals([mapped!.decoded, mapped!.merged], [3, updates]);
  assertEquals(ofMaps, mapped);
  disposeParams(params);
});

Deno.test("classify --explain serves a causal CLIP in OpenAI's layout, a state dict without configuration", async () => {
  await inFolder(async (folder) => {
    const [image] = await writeRadiographs(folder, 1);
    const { vision, text } = CLIP_VIT_B_16;
    const clip: ClipConfig = {
      ...CLIP_VIT_B_16, // one head of 64, as nothing tells their number in OpenAI's files
      vision: { ...vision, imageSize: 32, patchSize: 8, width: 64, depth: 2, heads: 1, mlpWidth: 256 },
      text: { ...text as CausalTextConfig, ...OPEN_AI_TEXT },
      embedding: 16,
    };
    await selectBackend({ backend: "wasm" });
    const params = initClip(clip, 3);
    const names = { vision: "open_clip", visionPrefix: "visual.", text: "open_clip", textPrefix: "" } as const;
    const tensors = [...await toClipTensors(params, names)].map(([name, { shape, values }]) =>
      [name, float32Tensor(shape, values)] as const
    );
    const weights = join(folder, "model.pt"), tokenizer = join(BPE, "tokenizer.json");
    await writeTorch(weights, new Map(tensors));
    const [alone] = await explainImages(params, [await readImage(image!)], { encoders: clip, learnScale: false });
    disposeParams(params);
    const loaded = await loadClip({ weights, tokenizer });
    const asked = { ...loaded, config: { encoders: loaded.config, learnScale: false } };
    const [answer] = await classifyImages(asked, imagesAt([image!]), LABELS, { explain: true });
    disposeParams(loaded.params);
    Array.from(answer!.overlay!.attention!).forEach((value, i) =>
      assertAlmostEquals(value, alone!.attention[i]!, 1e-5)
    );
    const page = join(folder, "page.html");
    const options = { read: [...MINI_FILES, folder, BPE], write: [folder] };
    const model = ["--weights", weights, "--tokenizer", tokenizer];
    const plain = await succeed(["classify", image!, ...ASK, ...model], options);
    assertEquals(await succeed(["classify", image!, ...ASK, ...model, "--explain", page], options), plain);
    const html = await Deno.readTextFile(page);
    for (const group of ["attention", "hyperedges"]) assert(html.includes(`<g class="${group}"`), group);
    for (const words of ["Similarity of each part", "weighted by its gradient", "Do the strong parts count?"]) {
      assert(html.includes(words), words);
    }
  });
});

Deno.test("classify --explain draws attention and hyperedges, with the images' names escaped, and leaves no other file", async () => {
  await inFolder(async (folder) => {
    const input = join(folder, "in"), output = join(folder, "out");
    const [path] = await writeRadiographs(input, 1);
    await Deno.mkdir(output);
    const evil = join(input, 'Doe "J" <img src=x onerror=alert(1)>&.png');
    await Deno.rename(path!, evil);
    await succeed(["classify", evil, ...ASK, "--explain", join(output, "e.html")], {
      read: [...MINI_FILES, folder],
      write: [output],
    });
    assertEquals(Object.keys(await snapshot(output)), ["e.html"]);
    const html = await Deno.readTextFile(join(output, "e.html"));
    assertEquals(html.includes("<img src=x"), false);
    assert(html.includes("&lt;img src=x onerror=alert(1)&gt;&amp;.png"));
    assertMatch(html, /<g class="attention"/);
    assertMatch(html, /<g class="hyperedges"/);
    assertMatch(html, /default-src 'none'/);
  });
});

Deno.test("classify takes prompts of the user's own", async () => {
  await inFolder(async (folder) => {
    const [path] = await writeRadiographs(folder, 1);
    const args = ["classify", path!, ...ASK, "--json"];
    const ask = async (...more: string[]) =>
      JSON.parse(await succeed([...args, ...more], { read: [...MINI_FILES, path!] })).images[0].scores.pneumonia;
    const paper = await ask();
    assertEquals(await ask("--prompts", "a chest X-ray image of {c}.", "--prompts", "Findings suggesting {c}."), paper);
    assert(await ask("--prompts", "{c}") !== paper);
  });
});

Deno.test("classify refuses bad input in one line that names it, and writes nothing", async () => {
  await inFolder(async (folder) => {
    const [image] = await writeRadiographs(folder, 1);
    const file = async (name: string, content: string | Uint8Array): Promise<string> => {
      const path = join(folder, name);
      await Deno.writeFile(path, typeof content === "string" ? new TextEncoder().encode(content) : content);
      return path;
    };
    const cut = await file("cut.png", (await Deno.readFile(image!)).subarray(0, 300));
    const text = await file("text.png", "no image at all");
    const empty = join(folder, "empty");
    await Deno.mkdir(empty);
    const infinite = await writeDamagedWeights(join(folder, "inf.safetensors"), Infinity);
    const adapter = await writeMiniAdapter(join(folder, "a.safetensors"));
    const foreign = await file("vocab.txt", ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ..."abcdefgh"].join("\n"));
    const before = await snapshot(folder);
    const html = join(folder, "e.html");
    const options = { read: [...MINI_FILES, folder], write: [folder] };
    const refuse = (args: string[], ...patterns: (string | RegExp)[]) =>
      fail(["classify", ...args, "--explain", html], patterns, options);
    await refuse([join(folder, "absent.png"), ...ASK], "absent.png", "there is none");
    await refuse([image!, cut, ...ASK], cut, /Cannot (read|decode)/);
    await refuse([image!, text, ...ASK], text, "it must be a JPEG, PNG, TIFF, WebP or DICOM");
    await refuse([empty, ...ASK], empty, "it must hold one: it holds none");
    await refuse([image!, ...ASK, "--weights", infinite], infinite, "visual.head.proj.weight", "element 7 is Infinity");
    await refuse([image!, ...ASK, "--weights", adapter], adapter, "is an adapter, not a model", "--adapter");
    await refuse([image!, ...ASK, "--adapter", MINI_FILES[0]!], MINI_FILES[0]!, "as an adapter");
    await refuse(
      [image!, ...ASK, "--tokenizer", foreign],
      foreign,
      "nearly as many entries as the word table's 512 rows: found 13",
    );
    await refuse([image!], "--labels LIST is required");
    await refuse([image!, "--labels", "a"], "at least two labels");
    await refuse([image!, "--labels", "a,b,a"], "all different");
    await refuse([image!, ...ASK, "--prompts", "a chest X-ray"], "must contain {c}");
    await refuse(ASK, "name at least one image");
    await refuse([image!, ...ASK, "--backend", "cuda"], "--backend must be one of webgpu, wasm, cpu");
    assertEquals(await snapshot(folder), before);
  });
});

Deno.test("classify --explain draws a map of each label with a sentence, and how faithful they are; --maps chooses", async () => {
  await inFolder(async (folder) => {
    const [image] = await writeRadiographs(folder, 1);
    const adapter = await writeMiniAdapter(join(folder, "a.safetensors"));
    const page = join(folder, "page.html");
    const options = { read: [...MINI_FILES, folder], write: [folder] };
    const args = ["classify", image!, ...ASK, "--adapter", adapter, "--explain", page];
    const plain = await succeed(["classify", image!, ...ASK, "--adapter", adapter], options);
    assertEquals(await succeed([...args, "--maps", "occlusion,similarity"], options), plain);
    const html = await Deno.readTextFile(page);
    for (const words of ["Occlusion", "Similarity of each part", "Do the strong parts count?", "random order"]) {
      assert(html.includes(words), words);
    }
    assert(!html.includes("weighted by its gradient"));
    assertEquals([...html.matchAll(/class="bar"/g)].length, 4);
    await fail([...args, "--maps", "none"], [`"${page}" is there already`, "--explain", "--overwrite"], options);
    await succeed([...args, "--maps", "none", "--overwrite"], options);
    assert(!(await Deno.readTextFile(page)).includes("Do the strong parts count?"));
    await fail([...args, "--maps", "saliency", "--overwrite"], ["--maps must be among", '"saliency"'], options);
    await fail(["classify", image!, ...ASK, "--maps", "gradient"], ["--maps needs --explain"], options);
  });
});

Deno.test("classify --protocol gives the probability of each label on its own, averaged over checkpoints", async () => {
  await inFolder(async (folder) => {
    const [image] = await writeRadiographs(folder, 1);
    const ask = async (...more: string[]): Promise<Record<string, unknown>> =>
      JSON.parse(await succeed(["classify", image!, ...ASK, "--json", ...more], { read: [...MINI_FILES, image!] }));
    const pairs = await ask("--protocol", "chexzero") as { protocol: string; images: { scores: object }[] };
    const total = Object.values(pairs.images[0]!.scores).reduce((a: number, b: number) => a + b, 0);
    assert(pairs.protocol === "chexzero" && Math.abs(total - 1) > 1e-4, `${total}`);
    const twice = await ask("--protocol", "chexzero", "--ensemble", MINI_FILES[0]!);
    assertEquals(twice["images"], pairs.images);
  });
});
