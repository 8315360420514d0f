/** The page on WebGPU, on SwiftShader: answers and adapters near Deno's, and what becomes of it when the device is lost. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { loadClip } from "../../lib/clip/load.ts";
import { classifyImages, imagesAt } from "../../lib/eval/classify.ts";
import { decodeSafetensors } from "../../lib/io/safetensors.ts";
import { toFloat32 } from "../../lib/io/tensors.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { disposeParams } from "../../lib/tensor/params.ts";
import { writeHubFolder } from "../clip/hub_folder.ts";
import { adapterOfDeno, HELD_RUN, holdRun, type PageRun, startRun, STEPS_KEPT } from "./adapting.ts";
import { type App, appTest, withApp } from "./driver.ts";

const FILM = fromFileUrl(new URL("../image/fixtures/jpeg_420.jpg", import.meta.url));
const RUN: PageRun = { count: 40, batch: 2, epochs: 1, seed: 1, rate: 0.003 };
const TOLERANCE = 1e-5;

/** Largest difference, relative to numbers above 1. */
function difference(a: readonly number[], b: readonly number[]): number {
  assertEquals(a.length, b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!) / Math.max(1, Math.abs(b[i]!))), 0);
}

async function numbersOf(bytes: Uint8Array): Promise<number[]> {
  const { tensors } = await decodeSafetensors(bytes);
  return [...tensors.values()].flatMap((tensor) => [...toFloat32(tensor)]);
}

/** What the page says after a loss: in one sentence, with the model as before, on WebAssembly. */
async function untilRecovered(app: App, model: string): Promise<void> {
  await app.until(`/^The graphics device was lost/.test(document.getElementById("problem").textContent) &&
    document.getElementById("model-line").textContent.includes("WebAssembly")`);
  assertStringIncludes(await app.text("model-line"), model);
}

appTest("the page on WebGPU answers and adapts within 1e-5 of Deno, and outlives the loss of its device", async () => {
  await withApp(async (app) => {
    // A model smaller than the shipped one: SwiftShader computes a step of that in seconds.
    const folder = join(app.folder, "hub_clip");
    await Deno.mkdir(folder);
    await selectBackend({ backend: "wasm" });
    await writeHubFolder(folder);
    await app.choose("model-folder", [folder]);
    await app.untilText("model-line", "hub_clip, on webgpu");
    await app.choose("film-files", [FILM]);
    await app.press("ask-now");
    await app.untilText("films-status", "1 film answered");
    const scores: number[] = await app.page.evaluate(
      `[...document.querySelectorAll("#answers meter")].map((meter) => Number(meter.getAttribute("value")))`,
    );
    await app.until(`document.querySelector("#overlay .attention")`);
    const { params, config: encoders, tokenizer } = await loadClip(folder);
    const [answer] = await classifyImages(
      { params, config: { encoders, learnScale: false }, tokenizer },
      imagesAt([FILM]),
      ["pneumonia", "no finding"],
      { explain: true },
    );
    disposeParams(params);
    assert(difference(scores, Object.values(answer!.scores)) < TOLERANCE, `${scores}`);

    await startRun(app, RUN);
    await app.untilText("run-status", "Done after 20 steps");
    const own = await numbersOf(await app.download('[data-format="ace"]'));
    const expected = await numbersOf(await adapterOfDeno(join(app.folder, "adapter.safetensors"), RUN, folder));
    assert(difference(own, expected) < TOLERANCE, `${difference(own, expected)}`);

    // Lost in the middle of training: the run goes on from its state, on the same model.
    await holdRun(app, 8);
    await startRun(app, { ...RUN, count: 200 });
    await app.untilText("run-status", "Step ");
    await app.until(`${STEPS_KEPT}.then((steps) => steps > 0)`);
    await app.page.sendToBrowser("Browser.crashGpuProcess");
    await untilRecovered(app, "hub_clip with the adapter trained here");
    await app.until(
      `/not at its end/.test(document.querySelector("#problem ~ main #run-stored:not([hidden])")?.textContent)`,
    );
    await app.page.evaluate(`document.getElementById("run-resume").click()`);
    await app.untilText("run-status", "Done after 100 steps");
  }, { webgpu: true, inWorkers: HELD_RUN });
});

appTest("the page on WebGPU whose device is lost while it answers says so and answers on WebAssembly", async () => {
  await withApp(async (app) => {
    await app.choose("film-files", [FILM]);
    await app.press("ask-now");
    await app.untilText("films-status", "Asking");
    await app.page.sendToBrowser("Browser.crashGpuProcess");
    await untilRecovered(app, "The shipped model");
    await app.page.evaluate(`document.getElementById("ask-now").click()`);
    await app.untilText("films-status", "1 film answered");
  }, { webgpu: true });
});
