/** The page where the browser's storage is full, and where there is none. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type App, appTest, withApp } from "./driver.ts";

/** As a private window of a browser that keeps nothing there. */
const NO_STORAGE = `Object.defineProperty(navigator, "storage", {
  value: { getDirectory: () => Promise.reject(new DOMException("Security error when calling GetDirectory", "SecurityError")) },
});`;

async function trainTwoSteps(app: App): Promise<void> {
  await app.fill("count", 16);
  await app.fill("batch", 8);
  await app.press("run-start");
  await app.untilText("run-status", "Done after 2 steps");
}

/** Downloads the adapter in every layout; the first one's bytes. */
async function downloadAll(app: App): Promise<Uint8Array> {
  const bytes = await app.download('[data-format="ace"]');
  for (const format of ["peft", "authors"]) assert((await app.download(`[data-format="${format}"]`)).length > 1000);
  return bytes;
}

appTest("the page trains to the end where the storage is full, says so, and gives the adapter", async () => {
  await withApp(async (app) => {
    await trainTwoSteps(app);
    const bytes = await downloadAll(app);
    await app.page.send("Storage.overrideQuotaForOrigin", { origin: new URL(app.address).origin, quotaSize: 1 });
    await app.reopen();
    await trainTwoSteps(app);
    assertStringIncludes(await app.text("run-warnings"), "storage is full: the run goes on without being kept");
    assertEquals(await downloadAll(app), bytes);
  });
});

appTest(
  "the page works where the browser gives no storage, says that it keeps nothing, and keeps nothing",
  async () => {
    await withApp(async (app) => {
      await app.press("tab-model");
      assertStringIncludes(await app.text("facts"), "nothing: this window gives the page no storage");
      await app.press("tab-adapt");
      await trainTwoSteps(app);
      assertStringIncludes(await app.text("run-warnings"), "This window keeps nothing");
      await downloadAll(app);
      assertStringIncludes(await app.text("model-line"), "with the adapter trained here");
      await app.reopen();
      assertEquals(await app.page.evaluate(`document.getElementById("run-stored").hidden`), true);
    }, { inWorkers: NO_STORAGE });
  },
);
