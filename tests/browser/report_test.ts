/** A report in a real browser: every plot drawn, nothing logged, nothing wider than the screen. Screenshots: ACE_SCREENSHOTS. */
import { assert, assertEquals } from "@std/assert";
import { join, toFileUrl } from "@std/path";
import { buildReport } from "../../lib/display/report.ts";
import { findChromium, type Page, withPage } from "./chromium.ts";
import { sampleReport } from "./sample_report.ts";

const chromium = await findChromium();
const reason = chromium === null ? " [skipped: no chromium on PATH, set ACE_CHROMIUM]" : "";

async function readsWell(page: Page, width: number): Promise<void> {
  await page.send("Emulation.setDeviceMetricsOverride", {
    width,
    height: 900,
    deviceScaleFactor: 1,
    mobile: width < 600,
  });
  await page.evaluate("new Promise((done) => setTimeout(done, 400))");
  assertEquals(await page.evaluate("innerWidth"), width);
  const wide = await page.evaluate("document.documentElement.scrollWidth");
  assert(wide <= width, `the page is ${wide} px wide in a window of ${width} px`);
  // Text that a plot draws outside its own box would be cut off.
  const cut = await page.evaluate(`[...document.querySelectorAll(".plot")].flatMap((box) => {
    const b = box.getBoundingClientRect();
    return [...box.querySelectorAll(".main-svg text")].filter((t) => {
      const r = t.getBoundingClientRect();
      return r.width > 0 && (r.left < b.left - 1 || r.right > b.right + 1 || r.top < b.top - 1 || r.bottom > b.bottom + 1);
    }).map((t) => t.textContent);
  })`);
  assertEquals(cut, [], `text outside its plot at ${width} px`);
  const narrow = await page.evaluate(
    `[...document.querySelectorAll(".plot .main-svg")].filter((s) => s.getBoundingClientRect().width > ${width}).length`,
  );
  assertEquals(narrow, 0, "plots follow the width of the window");
}

async function keepScreenshot(page: Page, name: string): Promise<void> {
  const folder = Deno.env.get("ACE_SCREENSHOTS");
  if (folder !== undefined) await Deno.writeFile(join(folder, name), await page.screenshot());
}

Deno.test({
  name: `buildReport() draws every plot, logs nothing and fits 1280 and 390 px in Chromium${reason}`,
  ignore: chromium === null,
  fn: async () => {
    const report = sampleReport();
    const folder = await Deno.makeTempDir();
    try {
      const file = join(folder, "report.html");
      await Deno.writeTextFile(file, await buildReport(report));
      await withPage(chromium!, async (page) => {
        await page.send("Emulation.setDeviceMetricsOverride", {
          width: 1280,
          height: 900,
          deviceScaleFactor: 1,
          mobile: false,
        });
        await page.open(toFileUrl(file).href);
        await page.evaluate(`new Promise((done) => {
          const look = () => document.documentElement.dataset.plots ? done() : setTimeout(look, 50);
          look();
        })`);
        const figures = report.sections.filter((s) => s.kind === "figure");
        const drawn = await page.evaluate(`[...document.querySelectorAll(".plot")].map((box) => ({
          svg: box.querySelectorAll("svg.main-svg").length,
          marks: box.querySelectorAll(".scatterlayer .trace, .barlayer .trace, .heatmaplayer .hm").length,
        }))`) as { svg: number; marks: number }[];
        assertEquals(drawn.length, figures.length);
        for (const [i, { svg, marks }] of drawn.entries()) {
          assert(svg >= 1, `plot ${i} has no svg`);
          assertEquals(marks, figures[i]!.figure.data.length, `plot ${i} lacks traces`);
        }
        assertEquals(await page.evaluate("document.documentElement.dataset.plots"), String(figures.length));
        assertEquals(await page.evaluate("document.querySelectorAll('svg.overlay image').length"), 4);
        assertEquals(await page.evaluate("document.querySelectorAll('header script').length"), 0);
        for (const width of [1280, 390]) {
          await readsWell(page, width);
          await keepScreenshot(page, `report-${width}.png`);
        }
        await page.send("Emulation.setEmulatedMedia", {
          features: [{ name: "prefers-color-scheme", value: "dark" }],
        });
        await readsWell(page, 1280);
        await keepScreenshot(page, "report-1280-dark.png");
        assertEquals(page.errors, []);
      });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: `buildReport() refuses scripts and requests that are not its own, in Chromium${reason}`,
  ignore: chromium === null,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      const file = join(folder, "report.html");
      const html = await buildReport({ title: "policy", sections: [] });
      const intruder = '<script>window.intruded = 1</script><img src="http://127.0.0.1:8999/x.png">';
      await Deno.writeTextFile(file, html.replace("</body>", `${intruder}</body>`));
      await withPage(chromium!, async (page) => {
        await page.open(toFileUrl(file).href);
        assertEquals(await page.evaluate("typeof window.intruded"), "undefined");
        const refused = page.errors.filter((e) => e.includes("Content Security Policy"));
        assert(
          refused.some((e) => e.includes("script")) && refused.some((e) => e.includes("x.png")),
          page.errors.join(),
        );
      });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
