/** The browser page in a fresh Chromium, once: `deno run -A bench/page_load.ts` prints its figures as JSON. @module */
import { join } from "@std/path";
import { buildPage } from "../pages/app/build.ts";
import { findChromium, withPage } from "../tests/browser/chromium.ts";
import { startServer } from "../tests/platform/runtimes.ts";

/** What a visit took. */
export interface PageLoad {
  /** Bytes gzipped, without the shipped weights. */
  bytes: number;
  /** Milliseconds from the navigation to the first film's scores, cold. */
  firstScore: number;
  /** Milliseconds an image after that, explanation included. */
  each: number;
  /** Longest task of the page's own thread while 20 steps train, milliseconds. */
  longestTask: number;
}

async function gzippedSize(folder: string): Promise<number> {
  let sum = 0;
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) sum += await gzippedSize(join(folder, name));
    else if (!name.endsWith(".safetensors")) {
      const packed = new Blob([await Deno.readFile(join(folder, name))]).stream().pipeThrough(
        new CompressionStream("gzip"),
      );
      sum += (await new Response(packed).arrayBuffer()).byteLength;
    }
  }
  return sum;
}

/** In the page: presses, waits by frames, and the longest tasks. */
const VISIT = `(async () => {
  const element = (id) => document.getElementById(id);
  const until = async (isDone) => { while (!isDone()) await new Promise((resolve) => setTimeout(resolve, 2)); };
  const ask = async () => {
    await until(() => !element("ask-now").disabled);
    element("ask-now").click();
    await until(() => element("films-status").textContent.includes("answered, "));
  };
  await until(() => element("templates")?.value);
  element("film-drawn").click();
  await until(() => document.querySelector("#answers tbody tr"));
  await ask();
  const firstScore = performance.now();
  for (let i = 0; i < 4; i++) {
    const rows = document.querySelectorAll("#answers tbody tr").length;
    element("film-drawn").click();
    await until(() => document.querySelectorAll("#answers tbody tr").length > rows);
  }
  await ask();
  await ask();
  const each = Number(/(\\d+) ms each/.exec(element("films-status").textContent)[1]);
  let longestTask = 0;
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longestTask = Math.max(longestTask, duration);
  }).observe({ type: "longtask" });
  element("count").value = "160";
  element("batch").value = "8";
  element("run-start").click();
  await until(() => element("run-status").textContent.startsWith("Done"));
  return { firstScore, each, longestTask };
})()`;

if (import.meta.main) {
  const site = await Deno.makeTempDir({ prefix: "ace-page-bench-" });
  await buildPage(site);
  const server = await startServer(site);
  try {
    await withPage((await findChromium())!, async (page) => {
      await page.open(`${server.address}?backend=wasm`);
      const load: PageLoad = { bytes: await gzippedSize(site), ...await page.evaluate(VISIT) };
      console.log(JSON.stringify(load));
    });
  } finally {
    await server.close();
    await Deno.remove(site, { recursive: true });
  }
}
