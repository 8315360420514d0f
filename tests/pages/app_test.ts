/** The page in Chromium: films, adaptation, evaluation, without a network after the first load. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { ACE_LORA_HGNN } from "../../lib/hypergraph/ace_hgnn.ts";
import { aceLoraModel, initAceLora } from "../../lib/ace_lora.ts";
import { saveAdapter } from "../../lib/adapters/model.ts";
import { loadClip } from "../../lib/clip/load.ts";
import { pairSource } from "../../lib/data/sources.ts";
import { trainingSet } from "../../lib/data/synthetic/sets.ts";
import { classifyImages, imagesAt } from "../../lib/eval/classify.ts";
import { ACE_LORA_LORA } from "../../lib/peft/lora/config.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { disposeParams } from "../../lib/tensor/params.ts";
import { deriveSeed } from "../../lib/tensor/random.ts";
import { fit } from "../../lib/train/fit.ts";
import { appTest, requestsOf, site, withApp } from "./driver.ts";

const FIXTURES = fromFileUrl(new URL("../image/", import.meta.url));
const FILMS = ["fixtures/jpeg_420.jpg", "fixtures/interlaced_rgb.png", "dicom_fixtures/j2k_16.dcm"];
const RUN = { count: 160, batch: 8, epochs: 1, seed: 1, rate: 0.003 };
const STEPS = 20;

appTest(
  "the page answers about films as Deno does, refuses what is none, and asks for its own files alone",
  async () => {
    const netLog = await Deno.makeTempFile({ prefix: "ace-netlog-" });
    let address = "";
    await withApp(async (app) => {
      address = app.address;
      const broken = join(app.folder, "notes.txt");
      await Deno.writeTextFile(broken, "these are notes and no film");
      await app.choose("film-files", [...FILMS.map((path) => join(FIXTURES, path)), broken]);
      await app.press("ask-now");
      await app.untilText("films-status", "1 film not read");
      assertStringIncludes(await app.text("answers"), '"notes.txt" as an image');
      const shown = await app.page.evaluate(
        `[...document.querySelectorAll("#answers meter")].map((meter) => Number(meter.getAttribute("value")))`,
      );
      await selectBackend({ backend: "wasm" });
      const { params, config: encoders, tokenizer } = await loadClip();
      const answers = await classifyImages(
        { params, config: { encoders, learnScale: false }, tokenizer },
        imagesAt(FILMS.map((path) => join(FIXTURES, path))),
        ["pneumonia", "no finding"],
        { explain: true, batchSize: 1 }, // as beside one that is refused
      );
      disposeParams(params);
      assertEquals(shown, answers.flatMap(({ scores }) => Object.values(scores)));
      for (const elsewhere of [`${app.address}other.txt`, "http://192.0.2.1/"]) {
        const outcome = app.page.evaluate(`fetch("${elsewhere}").then(() => "fetched", ({ name }) => name)`);
        assertEquals(await outcome, "TypeError", "the page's policy must refuse it");
      }
      await app.until(
        `document.querySelector("#overlay .attention") && document.querySelector("#overlay .hyperedges")`,
      );
      await app.press("more-maps");
      await app.until(`document.querySelectorAll("#maps svg").length === 6`);
    }, { netLog });
    const own =
      JSON.parse((await Deno.readTextFile(join(site, "service_worker.js"))).split("\n")[0]!.slice(13, -1)).files;
    const allowed = new Set(["?backend=wasm", "", "service_worker.js", ...own].map((file) => address + file));
    const asked = await requestsOf(netLog, new URL(address).origin);
    await Deno.remove(netLog);
    assert(asked.has(`${address}assets/mini_generalist.safetensors`), "the log must hold the page's requests");
    assertEquals([...asked].filter((one) => !allowed.has(one)), []);
  },
);

appTest("the page shows a film under another window, zooms and moves", async () => {
  await withApp(async (app) => {
    const picture = (): Promise<string> => app.page.evaluate(`document.getElementById("film").toDataURL()`);
    await app.choose("film-files", [join(FIXTURES, "dicom_fixtures/j2k_16.dcm")]);
    // Shown once it is not all black.
    await app.until(`(() => {
      const film = document.getElementById("film");
      return film.clientWidth > 0 && film.getContext("2d").getImageData(0, 0, film.width, film.height).data.some(
        (value, i) => i % 4 < 3 && value > 0,
      );
    })()`);
    const first = await picture();
    const slide = (value: string): Promise<void> =>
      app.page.evaluate(`{ const width = document.getElementById("width");
        width.value = ${value}; width.dispatchEvent(new Event("input")); }`);
    await slide("Number(width.value) / 8");
    await app.until(`document.getElementById("film").toDataURL() !== ${JSON.stringify(first)}`);
    await app.press("window-reset");
    await app.until(`document.getElementById("film").toDataURL() === ${JSON.stringify(first)}`);
    const key = (key: string): Promise<void> =>
      app.page.evaluate(
        `void document.getElementById("film").dispatchEvent(new KeyboardEvent("keydown", { key: "${key}" }))`,
      );
    await key("+");
    const near = await picture();
    await key("ArrowLeft");
    assert(near !== first && near !== await picture());
    await key("0");
    assertEquals(await picture(), first);
  });
});

/** The adapter that Deno trains from the same settings. */
async function adapterOfDeno(path: string): Promise<Uint8Array> {
  await selectBackend({ backend: "wasm" });
  const { params, config: encoders, tokenizer } = await loadClip();
  const config = { encoders, lora: ACE_LORA_LORA, hgnn: { ...ACE_LORA_HGNN, hidden: encoders.embedding / 4 } };
  const { seed, count, epochs, batch: batchSize, rate: learningRate } = RUN;
  const start = await initAceLora(params, config, { seed });
  const source = pairSource(trainingSet(count, deriveSeed(seed, "training")), encoders, tokenizer);
  const settings = { epochs, batchSize, learningRate, warmupEpochs: 0.5, seed };
  const result = await fit(aceLoraModel(config, "ACE-LoRA"), start, source, settings);
  assertEquals(result.history.length, STEPS);
  await saveAdapter(path, result.params, config);
  disposeParams(result.params, params);
  disposeParams(start);
  return await Deno.readFile(path);
}

appTest(
  "the page adapts for 20 steps, stopped, left and opened again without a network, to the bytes of Deno's adapter",
  async () => {
    await withApp(async (app) => {
      for (const [id, value] of Object.entries(RUN)) await app.fill(id, value);
      await app.press("run-start");
      await app.until(`document.querySelector("#curve path, #curve polyline") !== null`);
      await app.press("run-stop");
      await app.untilText("run-status", "Stopped after");
      await app.page.evaluate("navigator.serviceWorker.ready.then(() => {})");
      await app.goOffline();
      await app.reopen();
      assertStringIncludes(await app.text("run-stored"), "not at its end");
      await app.press("run-resume");
      await app.untilText("run-status", `Done after ${STEPS} steps`);
      const bytes = await app.download('[data-format="ace"]');
      assertEquals(bytes, await adapterOfDeno(join(app.folder, "adapter.safetensors")));
      const zip = await app.download('[data-format="peft"]');
      assertStringIncludes(new TextDecoder("latin1").decode(zip), "adapter_peft/adapter_config.json");
      assertStringIncludes(new TextDecoder("latin1").decode(await app.download('[data-format="authors"]')), "data.pkl");
      await app.reopen();
      await app.press("run-resume");
      await app.untilText("model-line", "with the adapter trained here");
      assertEquals(await app.download('[data-format="ace"]'), bytes);
    });
  },
);
