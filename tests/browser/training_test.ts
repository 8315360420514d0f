/** The page of a run under way, kept open in a browser while the run goes on: it takes over what is new and stays where it is. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { join, toFileUrl } from "@std/path";
import { aceLoraModel, initAceLora } from "../../lib/ace_lora.ts";
import { ACE_LORA_LORA } from "../../lib/peft/lora/config.ts";
import { loadClip } from "../../lib/clip/load.ts";
import { pairSource } from "../../lib/data/sources.ts";
import { trainingSet } from "../../lib/data/synthetic/sets.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { disposeParams } from "../../lib/tensor/params.ts";
import { fit } from "../../lib/train/fit.ts";
import { openRunLog } from "../../lib/train/log/run_log.ts";
import { inFolder } from "../folder.ts";
import { findChromium, type Page, withPage } from "./chromium.ts";

const chromium = await findChromium();

/** How far the loss is shown. */
const RANGE = `document.querySelector(".plot").layout.xaxis.range`;
/** Where a reader is who has scrolled and zoomed. */
const PLACE = `[globalThis.isMoved, scrollY, ...${RANGE}]`;

/** Scrolls, and zooms into the middle of the loss, as a reader does. */
async function move(page: Page): Promise<void> {
  await page.evaluate("globalThis.isMoved = true; scrollTo(0, 60);");
  const before = await page.evaluate(RANGE);
  const { x, y, width, height } = await page.evaluate(
    `document.querySelector(".plot .nsewdrag").getBoundingClientRect().toJSON()`,
  );
  for (const [type, share] of [["Pressed", 0.3], ["Moved", 0.5], ["Moved", 0.7], ["Released", 0.7]] as const) {
    const place = { x: x + share * width, y: y + height / 2 };
    await page.send("Input.dispatchMouseEvent", {
      type: `mouse${type}`,
      ...place,
      button: "left",
      buttons: 1,
      clickCount: 1,
    });
  }
  for (let turn = 0; turn < 1200 && String(await page.evaluate(RANGE)) === String(before); turn++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assertNotEquals(await page.evaluate(RANGE), before, "zoomed");
}

Deno.test({
  name: `training.html shows a browser that keeps it open each part of a run as it comes, and keeps place and zoom${
    chromium === null ? " (skipped: no Chromium on PATH)" : ""
  }`,
  ignore: chromium === null,
  fn: async () => {
    await selectBackend({ backend: "wasm" });
    const { params, config, tokenizer } = await loadClip();
    const additions = { encoders: config, lora: ACE_LORA_LORA };
    const start = await initAceLora(params, additions);
    await inFolder(async (folder) => {
      const path = join(folder, "training.html");
      await withPage(chromium!, async (page) => {
        const log = openRunLog(folder, { pageSeconds: 1 });
        const sizes: number[] = [];
        const plots: number[] = [];
        let place: unknown;
        /** Waits until the page says this. */
        const shows = async (text: string): Promise<void> => {
          const script = "document.readyState === 'complete' && document.documentElement.dataset.plots && " +
            "[document.querySelector('.subtitle').textContent, document.querySelectorAll('.plot .main-svg').length]";
          let found: [string, number] | false | undefined;
          for (let turn = 0; turn < 6000; turn++) {
            found = await page.evaluate(script).catch(() => undefined); // it is being loaded
            if (found && found[0].includes(text)) return void plots.push(found[1]);
            await new Promise((resolve) => setTimeout(resolve, 50));
          }
          throw new Error(`waited in vain for "${text}": the page says "${found && found[0]}"`);
        };
        const { onStart, onStep, onValidation, onSave } = log;
        const result = await fit(aceLoraModel(additions), start, pairSource(trainingSet(8, 1), config, tokenizer), {
          ...{ epochs: 3, batchSize: 4, validateEvery: 2, onStart, onStep, onSave },
          async validate() {
            await new Promise((resolve) => setTimeout(resolve, 1100)); // so that the page is due
            return { name: "auroc", value: 0.5 };
          },
          async onValidation(entry) {
            await onValidation(entry);
            sizes.push((await Deno.stat(path)).size);
            if (entry.step === 2) await page.open(toFileUrl(path).href);
            await shows(`Step ${entry.step} of 6, under way`);
            if (entry.step === 2) {
              await move(page);
              place = await page.evaluate(PLACE);
            } else assertEquals(await page.evaluate(PLACE), place);
          },
        });
        await log.close(true);
        await shows("Step 6 of 6, ended");
        assertEquals(await page.evaluate("'isMoved' in globalThis"), false, "the last page is loaded");
        disposeParams(result.params, start);
        // That the file with what is new is gone is how the page learns that the run has ended.
        assertEquals(page.errors.filter((error) => !error.endsWith("net::ERR_FILE_NOT_FOUND")), []);
        assert(plots.length === 4 && plots.every((count) => count > 0), "loss and validation are drawn each time");
        assert(sizes.every((size) => size < 100_000), `a page under way is small: ${sizes} bytes`);
      });
      const names = (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
      assertEquals(names, ["log.jsonl", "tensorboard", "training.html"]);
      assert((await Deno.stat(path)).size > 1e6, "the last page is complete in itself");
    });
    disposeParams(start, params);
    disposeParams(params);
  },
});
