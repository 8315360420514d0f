/** One's own model and adapter in the page: folders of every kind, read by slices, answering as in Deno. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { type AceLoraConfig, type AceLoraParams, initAceLora } from "../../lib/ace_lora.ts";
import { writeAdapter } from "../../lib/adapters/files.ts";
import { adapterOf, loadAdapter, saveAdapter } from "../../lib/adapters/model.ts";
import { loadClip } from "../../lib/clip/load.ts";
import { type Classifier, classifyImages, imagesAt } from "../../lib/eval/classify.ts";
import { ACE_LORA_HGNN } from "../../lib/hypergraph/ace_hgnn.ts";
import { readSafetensors } from "../../lib/io/safetensors.ts";
import { writeTorch } from "../../lib/io/torch_writer.ts";
import { ACE_LORA_LORA } from "../../lib/peft/lora/config.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { normal } from "../../lib/tensor/init.ts";
import { disposeParams, namedTensors, withTensors } from "../../lib/tensor/params.ts";
import { HUB_CONFIG, HUB_JSON, writeHubFolder } from "../clip/hub_folder.ts";
import { type App, appTest, COUNT_READS, withApp } from "./driver.ts";

const here = (path: string): string => fromFileUrl(new URL(path, import.meta.url));
const FILM = here("../image/fixtures/jpeg_420.jpg");
/** Words of the fixtures' vocabulary. */
const LABELS = ["w1 w2", "w3"];
/** The layouts with a BERT: for its 64 words there can be a vocabulary. */
const WITH_BERT = [
  ...["biomed_clip_old", "lightning", "lightning_parallel", "open_clip_bert_cls", "open_clip_bert_mean"],
  ...["pair_clip_bert", "pair_shards", "pair_vit_bert", "unimed_clip"],
];

/** A folder as its reader would choose it: a fixture's files without its answers, and a vocabulary. */
async function writeOwnFolder(into: string, name: string): Promise<string> {
  const folder = join(into, name), from = here(`../clip/clip_fixtures/${name}`);
  await Deno.mkdir(folder);
  for await (const file of Deno.readDir(from)) {
    if (file.name !== "expected.safetensors") await Deno.copyFile(join(from, file.name), join(folder, file.name));
  }
  const words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...Array.from({ length: 59 }, (_, i) => `w${i}`)];
  await Deno.writeTextFile(join(folder, "vocab.txt"), words.join("\n"));
  return folder;
}

/** What the page answers about the film. */
async function scoresOf(app: App): Promise<number[]> {
  await app.press("ask-now");
  await app.untilText("films-status", "1 film answered");
  return await app.page.evaluate(
    `[...document.querySelectorAll("#answers meter")].map((meter) => Number(meter.getAttribute("value")))`,
  );
}

/** What Deno answers about it. */
async function expectedOf(classifier: Classifier): Promise<number[]> {
  const options = { explain: true, batchSize: 1, templates: ["{c}"] };
  const [answer] = await classifyImages(classifier, imagesAt([FILM]), LABELS, options);
  return Object.values(answer!.scores);
}

async function askInPlainWords(app: App): Promise<void> {
  await selectBackend({ backend: "wasm" });
  await app.fill("labels", LABELS.join("\n"));
  await app.fill("templates", "{c}");
  await app.choose("film-files", [FILM]);
}

appTest(
  "the page reads one's own folder in every layout, answers as Deno does, and says what it cannot use",
  async () => {
    await withApp(async (app) => {
      await askInPlainWords(app);
      const hub = join(app.folder, "hub_clip");
      await Deno.mkdir(hub);
      await writeHubFolder(hub);
      const folders = [hub, ...await Promise.all(WITH_BERT.map((name) => writeOwnFolder(app.folder, name)))];
      for (const folder of folders) {
        const name = folder.split("/").at(-1)!;
        await app.choose("model-folder", [folder]);
        await app.untilText("model-line", `${name}, on wasm`);
        const { params, config, tokenizer } = await loadClip(folder);
        const scores = await scoresOf(app);
        assertEquals(
          scores,
          await expectedOf({ params, config: { encoders: config, learnScale: false }, tokenizer }),
          name,
        );
        assert(scores[0] !== scores[1], `${name}: ${scores}`);
        disposeParams(params);
      }
      for (
        const [name, reason] of [
          ["openai_script", "as a CLIP tokenizer"],
          ["nothing", "none among 1 files"],
        ] as const
      ) {
        const folder = name === "nothing" ? join(app.folder, name) : await writeOwnFolder(app.folder, name);
        if (name === "nothing") {
          await Deno.mkdir(folder);
          await Deno.writeTextFile(join(folder, "notes.txt"), "no weights");
        }
        await app.choose("model-folder", [folder]);
        await app.until(`document.getElementById("problem").textContent.includes(${JSON.stringify(reason)})`);
        assertStringIncludes(await app.text("model-line"), `${WITH_BERT.at(-1)}, on wasm`);
      }
    });
  },
);

/** Adapters of a model with random weights in place of the start's zeros. */
async function randomAdapter(base: AceLoraParams, config: AceLoraConfig): Promise<AceLoraParams> {
  const fresh = await initAceLora(base, config, { seed: 1 });
  const drawn = [...namedTensors(fresh)].filter(([name]) => /lora|hgnn/i.test(name)).map(([name, { shape }]) =>
    [name, normal(shape, 0.2, 1, name)] as const
  );
  const adapted = withTensors(fresh, new Map(drawn));
  disposeParams(fresh, adapted);
  return adapted;
}

appTest(
  "the page puts an adapter of every layout on a model, answers as Deno does, and refuses another model's",
  async () => {
    await withApp(async (app) => {
      await askInPlainWords(app);
      const folder = await writeOwnFolder(app.folder, "pair_vit_bert");
      const { params, config: encoders, tokenizer } = await loadClip(folder);
      await app.choose("model-folder", [folder]);
      await app.untilText("model-line", "pair_vit_bert, on wasm");
      const config: AceLoraConfig = { encoders, lora: ACE_LORA_LORA, hgnn: { ...ACE_LORA_HGNN, hidden: 2 } };
      const adapted = await randomAdapter(params, config);
      const path = (name: string): string => join(app.folder, name);
      await saveAdapter(path("own.safetensors"), adapted, config);
      await saveAdapter(path("authors.pt"), adapted, config, { format: "authors" });
      await saveAdapter(path("peft"), adapted, config, { format: "peft" });
      await writeAdapter(path("fused"), await adapterOf(adapted, config), { format: "peft", fusedQkv: true });
      disposeParams(adapted, params);
      const before = await scoresOf(app);
      const seen = new Set([before.join()]);
      for (
        const [input, name] of [
          ["adapter-file", "own.safetensors"],
          ["adapter-file", "authors.pt"],
          ["adapter-folder", "peft"],
          ["adapter-folder", "fused"],
        ] as const
      ) {
        await app.choose(input, [path(name)]);
        await app.untilText("model-line", `with ${name}`);
        const loaded = await loadAdapter(path(name), params, encoders);
        const scores = await scoresOf(app);
        assertEquals(scores, await expectedOf({ ...loaded, tokenizer }), name);
        disposeParams(loaded.params, params);
        seen.add(scores.join());
      }
      assert(seen.size > 1, "an adapter changes what is answered");
      await app.press("use-base");
      await app.untilText("model-line", "pair_vit_bert, on wasm");
      assertEquals(await scoresOf(app), before);
      disposeParams(params);

      await app.press("use-shipped");
      await app.untilText("model-line", "The shipped model");
      await app.choose("adapter-file", [path("own.safetensors")]);
      await app.until(`/another model/.test(document.getElementById("problem").textContent)`);
      assertStringIncludes(await app.text("model-line"), "The shipped model, on");

      // A path in a message begins as the reader's own does.
      const broken = ["notes.txt", "films/normal/1.png", "films/pneumonia/1.png"];
      for (const name of ["normal", "pneumonia"]) await Deno.mkdir(path(`films/${name}`), { recursive: true });
      for (const name of broken) await Deno.writeTextFile(path(name), "hello");
      await app.choose("adapter-file", [path("notes.txt")]);
      await app.until(`document.getElementById("problem").textContent.includes('"notes.txt"')`);
      await app.choose("eval-folder", [path("films")]);
      // Both are read at once, so either may be told.
      await app.until(`/"films\\/(normal|pneumonia)\\/1[.]png"/.test(document.getElementById("problem").textContent)`);
    });
  },
);

appTest("the page reads weights a tensor at a time, each once, and holds no file whole", async () => {
  await withApp(async (app) => {
    const hub = join(app.folder, "hub_clip");
    await Deno.mkdir(hub);
    await selectBackend({ backend: "wasm" });
    const { vision, text } = HUB_CONFIG;
    const sizes = { width: 96, depth: 6, mlpWidth: 384 };
    const clip = { ...HUB_CONFIG, vision: { ...vision, ...sizes }, text: { ...text, ...sizes } };
    const json = {
      ...HUB_JSON,
      vision_config: { ...HUB_JSON.vision_config, hidden_size: sizes.width },
      text_config: { ...HUB_JSON.text_config, hidden_size: sizes.width },
    };
    await writeHubFolder(hub, { clip, json });
    const torch = join(app.folder, "torch_clip");
    await Deno.mkdir(torch);
    for (const name of ["config.json", "tokenizer.json"]) await Deno.copyFile(join(hub, name), join(torch, name));
    const { tensors } = await readSafetensors(join(hub, "model.safetensors"));
    await writeTorch(join(torch, "pytorch_model.bin"), tensors);
    const largest = Math.max(...[...tensors.values()].map(({ data }) => data.length));
    for (const [folder, file] of [[hub, "model.safetensors"], [torch, "pytorch_model.bin"]] as const) {
      await app.reopen();
      await app.choose("model-folder", [folder]);
      await app.untilText("model-line", `${folder.split("/").at(-1)}, on wasm`);
      const reads: number[] = (await app.page.evaluateInWorkers("globalThis.reads ?? []")).flat();
      const { size: whole } = await Deno.stat(join(folder, file));
      const total = reads.reduce((sum, bytes) => sum + bytes, 0);
      assert(total > whole / 2 && total < 1.2 * whole, `${total} bytes read of ${whole}`);
      assert(Math.max(...reads) <= Math.max(largest, 65_600), `${Math.max(...reads)} bytes at once, of ${largest}`);
    }
  }, { inWorkers: COUNT_READS });
});
