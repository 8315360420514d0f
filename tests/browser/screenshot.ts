/**
 * Takes a picture of a report, for the README:
 * `deno run --allow-read --allow-write --allow-env --allow-run tests/browser/screenshot.ts report.html out.png [width] [height]`
 */
import { resolve, toFileUrl } from "@std/path";
import { findChromium, withPage } from "./chromium.ts";

const [file, out, width = "1280", height] = Deno.args;
const chromium = await findChromium();
if (file === undefined || out === undefined || chromium === null) {
  console.error(
    chromium === null ? "Cannot find a Chromium: set ACE_CHROMIUM" : "Give a report and a PNG file to write",
  );
  Deno.exit(1);
}
await withPage(chromium, async (page) => {
  const size = {
    width: Number(width),
    height: Number(height ?? 900),
    deviceScaleFactor: 1,
    mobile: Number(width) < 600,
  };
  await page.send("Emulation.setDeviceMetricsOverride", size);
  await page.open(toFileUrl(resolve(file)).href);
  await page.evaluate("new Promise((done) => setTimeout(done, 2500))");
  const { data } = await page.send("Page.captureScreenshot", {
    format: "png",
    captureBeyondViewport: height === undefined,
  });
  await Deno.writeFile(out, Uint8Array.from(atob(data), (c) => c.charCodeAt(0)));
});
