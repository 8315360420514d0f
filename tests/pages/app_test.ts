/** The page in Chromium: films, adaptation, evaluation, without a network after the first load. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { aceLoraModel } from "../../lib/ace_lora.ts";
import { loadClip } from "../../lib/clip/load.ts";
import { loadFolder } from "../../lib/data/folder.ts";
import { rsnaLike } from "../../lib/data/synthetic/sets.ts";
import { encodePng } from "../../lib/image/png.ts";
import { scoreDataset } from "../../lib/eval/assess.ts";
import { classifyImages, imagesAt } from "../../lib/eval/classify.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { disposeParams } from "../../lib/tensor/params.ts";
import { writeHubFolder } from "../clip/hub_folder.ts";
import { adapterOfDeno, HELD_RUN, holdRun, startRun, STEPS_KEPT } from "./adapting.ts";
import { appTest, requestsOf, site, withApp } from "./driver.ts";

const FIXTURES = fromFileUrl(new URL("../image/", import.meta.url));
const FILMS = ["fixtures/jpeg_420.jpg", "fixtures/interlaced_rgb.png", "dicom_fixtures/j2k_16.dcm"];
const RUN = { count: 320, batch: 8, epochs: 1, seed: 1, rate: 0.003 };
const STEPS = 40;
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

appTest(
  "the page adapts for 40 steps, stopped, gone on without a network, its tab closed in the middle of an epoch, to the bytes of Deno's adapter",
  async () => {
    await withApp(async (first) => {
      await holdRun(first, 8);
      await startRun(first, RUN);
      await first.until(`document.querySelector("#curve path, #curve polyline") !== null`);
      await first.press("run-stop");
      await first.untilText("run-status", "Stopped after");
      const stopped = await first.page.evaluate(STEPS_KEPT);
      await first.page.evaluate("navigator.serviceWorker.ready.then(() => {})");
      await first.goOffline();
      await first.reopen();
      await first.untilText("run-stored", "not at its end");
      await holdRun(first, 8);
      await first.press("run-resume");
      // Its one epoch is not over, so what is kept now is kept by the clock.
      await first.until(`${STEPS_KEPT}.then((steps) => steps > ${stopped})`);
      const app = await first.inNewTab();
      const kept = await app.page.evaluate(STEPS_KEPT);
      assert(kept > stopped && kept < STEPS, `${kept} steps kept`);
      await app.untilText("run-stored", "not at its end");
      await app.press("run-resume");
      await app.untilText("run-status", `Done after ${STEPS} steps`);
      const bytes = await app.download('[data-format="ace"]');
      assertEquals(bytes, await adapterOfDeno(join(app.folder, "adapter.safetensors"), RUN));
      const zip = await app.download('[data-format="peft"]');
      assertStringIncludes(new TextDecoder("latin1").decode(zip), "adapter_peft/adapter_config.json");
      assertStringIncludes(new TextDecoder("latin1").decode(await app.download('[data-format="authors"]')), "data.pkl");
      await app.reopen();
      await app.press("run-resume");
      await app.untilText("model-line", "with the adapter trained here");
      assertEquals(await app.download('[data-format="ace"]'), bytes);
    }, { inWorkers: HELD_RUN });
  },
);

/** Six drawn films in a folder for each class, and a table of them with texts. */
async function writeCohort(folder: string): Promise<void> {
  const { cases, classes } = rsnaLike(6, 3);
  const rows = await Promise.all(cases.map(async ({ image, target }, i) => {
    const name = classes[target!]!;
    await Deno.mkdir(join(folder, name), { recursive: true });
    await Deno.writeFile(join(folder, name, `${i}.png`), encodePng(await image()));
    return `${name}/${i}.png,Findings suggesting ${name} in film ${i}.`;
  }));
  await Deno.writeTextFile(join(folder, "pairs.csv"), ["path,text", ...rows, ""].join("\n"));
}

appTest("the page judges a labelled folder as Deno does, and adapts to a table and its images", async () => {
  await withApp(async (app) => {
    const cohort = join(app.folder, "cohort");
    await writeCohort(cohort);
    await app.choose("eval-folder", [cohort]);
    await app.untilText("eval-status", "6 images judged");
    const titles = await app.page.evaluate(
      `[...document.querySelectorAll("#eval-figures h3")].map((h) => h.textContent)`,
    );
    assert(["ROC", "Confusion"].every((title) => titles.includes(title)), titles.join());
    await selectBackend({ backend: "wasm" });
    const { params, config, tokenizer } = await loadClip();
    const model = aceLoraModel({ encoders: config, learnScale: false });
    const { scores } = await scoreDataset(model, params, await loadFolder(cohort), { config, tokenizer, batchSize: 8 });
    disposeParams(params);
    const csv = new TextDecoder().decode(await app.download("#eval-csv"));
    for (const score of scores) assertStringIncludes(csv, String(score));

    await app.page.evaluate(`document.querySelector('[value="table"]').click()`);
    await app.choose("pairs-folder", [cohort]);
    await app.untilText("pairs-status", "7 files");
    await app.until(`document.getElementById("pairs-text").value === "text"`);
    await app.fill("batch", 3);
    await app.press("run-start");
    await app.untilText("run-status", "Done after 2 steps");
    // It has seen these films, so it is not judged on them.
    await app.choose("eval-folder", [cohort]);
    await app.until(`/seen the test cases/.test(document.getElementById("problem").textContent)`);
  });
});

appTest(
  "the page loads a folder as the hub gives it, keeps it on request, and says when the storage is full",
  async () => {
    await withApp(async (app) => {
      const folder = join(app.folder, "hub_clip");
      await Deno.mkdir(folder);
      await selectBackend({ backend: "wasm" });
      await writeHubFolder(folder);
      await app.choose("model-folder", [folder]);
      await app.untilText("model-line", "hub_clip, on wasm");
      await app.press("film-drawn");
      await app.press("ask-now");
      await app.untilText("films-status", "4 films answered");
      await app.press("keep");
      await app.untilText("kept", "hub_clip");
      await app.reopen();
      assertStringIncludes(await app.text("model-line"), "The shipped model");
      await app.untilText("kept", "hub_clip");
      await app.page.evaluate(`document.querySelector("#kept button").click()`);
      await app.untilText("model-line", "hub_clip, on wasm");
      await app.page.evaluate(`document.querySelectorAll("#kept button")[1].click()`);
      await app.until(`document.getElementById("kept").children.length === 0`);
      await app.page.send("Storage.overrideQuotaForOrigin", { origin: new URL(app.address).origin, quotaSize: 1 });
      await app.choose("model-folder", [folder]);
      await app.untilText("model-line", "hub_clip, on wasm");
      await app.press("keep");
      await app.until(`/full/.test(document.getElementById("problem").textContent)`);
      assertEquals(await app.page.evaluate(`document.getElementById("kept").children.length`), 0);
    });
  },
);

appTest("the page isolates itself on a host that sends no headers, and has no fault that axe-core finds", async () => {
  await withApp(async (app) => {
    await app.until("crossOriginIsolated");
    await app.press("film-drawn");
    await app.press("ask-now");
    await app.untilText("films-status", "4 films answered");
    await app.press("eval-drawn");
    await app.untilText("eval-status", "60 drawn films judged");
    const { default: axe } = await import("axe-core/axe.min.js", { with: { type: "text" } });
    await app.page.evaluate(axe as unknown as string);
    for (const scheme of ["light", "dark"]) {
      await app.page.send("Emulation.setEmulatedMedia", {
        features: [{ name: "prefers-color-scheme", value: scheme }],
      });
      for (const tab of ["films", "adapt", "evaluate", "model"]) {
        await app.press(`tab-${tab}`);
        const violations = await app.page.evaluate(
          "axe.run().then(({ violations }) => violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`))",
        );
        assertEquals(violations, [], `${tab}, ${scheme}`);
      }
    }
  }, { plain: true });
});
