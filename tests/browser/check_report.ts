/** What every report must do in a real browser; used on the sample and fit for any report file. */
import { assert, assertEquals } from "@std/assert";
import { join, resolve, toFileUrl } from "@std/path";
import { type Page, withPage } from "./chromium.ts";

/** Expression: texts that a plot draws outside its own box, where they are not seen. */
const CUT_OFF = `[...document.querySelectorAll(".plot")].flatMap((box) => {
    const b = box.getBoundingClientRect();
    return [...box.querySelectorAll(".main-svg, .main-svg text")].filter((t) => {
      const r = t.getBoundingClientRect();
      return r.width > 0 && (r.left < b.left - 1 || r.right > b.right + 1 || r.top < b.top - 1 || r.bottom > b.bottom + 1);
    }).map((t) => t.textContent.slice(0, 40));
  })`;

/** Options of {@linkcode checkReport}. */
export interface CheckReportOptions {
  /** Folder that gets report-1280.png, report-390.png and report-1280-dark.png. */
  screenshots?: string;
  /** More to check on the open page, at 1280 px. */
  also?: (page: Page) => Promise<void>;
}

/**
 * Opens the report at `file`: every plot drawn with every trace, nothing logged or requested, no button that leads out of the
 * machine, no fault that axe-core finds, 1280 and 390 px wide.
 */
export async function checkReport(chromium: string, file: string, options: CheckReportOptions = {}): Promise<void> {
  await withPage(chromium, async (page) => {
    await resize(page, 1280);
    // A headless browser may have no mouse, and a report draws no bar over its plots then.
    await page.send("Page.addScriptToEvaluateOnNewDocument", {
      source: `{
        const asked = matchMedia.bind(window);
        window.matchMedia = (query) => asked(query === "(hover: hover)" ? "all" : query);
      }`,
    });
    await page.open(toFileUrl(resolve(file)).href);
    await untilDrawn(page);
    await everyPlotDrawn(page);
    await nothingLeadsOut(page);
    await dashedLinesStandFree(page);
    await options.also?.(page);
    for (const [width, scheme] of [[1280, "light"], [390, "light"], [1280, "dark"]] as const) {
      await page.send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
      await readsWell(page, width);
      await everyPlotDrawn(page);
      if (options.screenshots !== undefined) {
        const name = `report-${width}${scheme === "dark" ? "-dark" : ""}.png`;
        await Deno.writeFile(join(options.screenshots, name), await page.screenshot());
      }
    }
    await printsWhole(page);
    await noFaultForAxe(page);
    assertEquals(page.errors, []);
  });
}

/** Gives the window a width. */
export async function resize(page: Page, width: number): Promise<void> {
  const mobile = width < 600;
  await page.send("Emulation.setDeviceMetricsOverride", { width, height: 900, deviceScaleFactor: 1, mobile });
  // The page hears of its width before a frame, however late that is, and draws its plots anew by a timer of its own.
  await page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 400)))");
}

/** Waits until the page has drawn what it means to draw. */
export async function untilDrawn(page: Page): Promise<void> {
  await page.evaluate(`new Promise((done) => {
    const look = () => document.documentElement.dataset.plots || !document.querySelector(".plot") ? done() : setTimeout(look, 50);
    look();
  })`);
}

async function everyPlotDrawn(page: Page): Promise<void> {
  const drawn = await page.evaluate(`[...document.querySelectorAll(".plot")].map((box) => ({
    name: box.getAttribute("aria-label"),
    surfaces: box.querySelectorAll("svg.main-svg").length,
    marks: box.querySelectorAll(".scatterlayer .trace, .barlayer .trace, .heatmaplayer .hm").length,
    traces: JSON.parse(document.getElementById("figures").textContent)[Number(box.dataset.figure)].data.length,
  }))`) as { name: string; surfaces: number; marks: number; traces: number }[];
  for (const { name, surfaces, marks, traces } of drawn) {
    assert(surfaces >= 1, `"${name}" has no svg`);
    assertEquals(marks, traces, `traces drawn of "${name}"`);
  }
  if (drawn.length > 0) {
    assertEquals(await page.evaluate("document.documentElement.dataset.plots"), String(drawn.length));
  }
}

/** A dashed line on an axis is not seen. */
async function dashedLinesStandFree(page: Page): Promise<void> {
  const hidden = await page.evaluate(`[...document.querySelectorAll(".plot")].flatMap((box) => {
    const ground = box.querySelector(".bglayer .bg, .plotbg, .nsewdrag")?.getBoundingClientRect();
    return [...box.querySelectorAll(".shapelayer path")].filter((path) => {
      const line = path.getBoundingClientRect();
      return line.height < line.width
        ? line.top < ground.top + 2 || line.bottom > ground.bottom - 2
        : line.left < ground.left + 2 || line.right > ground.right - 2;
    }).map(() => box.getAttribute("aria-label"));
  })`);
  assertEquals(hidden, [], "a dashed line lies on an axis");
}

/** Paper is narrower than the window, and no script draws a plot anew for it: one turn changes the width and looks. */
async function printsWhole(page: Page): Promise<void> {
  await resize(page, 1280);
  await page.send("Emulation.setEmulatedMedia", { media: "print" });
  const { cut, blank } = await page.evaluate(`(() => {
    document.body.style.width = "700px";
    const cut = ${CUT_OFF};
    const blank = [...document.querySelectorAll(".plot")].flatMap((box) => {
      const { width, height } = box.querySelector(".main-svg").viewBox.baseVal;
      const left = box.clientHeight - box.clientWidth * height / width;
      return Math.abs(left) > 2 ? [box.getAttribute("aria-label") + ": " + left + " px"] : [];
    });
    document.body.style.width = "";
    return { cut, blank };
  })()`);
  assertEquals(cut, [], "outside its plot on paper");
  assertEquals(blank, [], "blank above and below a plot on paper");
  await page.send("Emulation.setEmulatedMedia", { media: "" });
}

async function noFaultForAxe(page: Page): Promise<void> {
  const { default: axe } = await import("axe-core/axe.min.js", { with: { type: "text" } });
  await page.evaluate(axe as unknown as string);
  for (const scheme of ["light", "dark"]) {
    await page.send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
    const faults = "axe.run().then(({ violations }) => violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`))";
    assertEquals(await page.evaluate(faults), [], scheme);
  }
}

/** A chart may show patients: the bar over it has no button that would send it anywhere. */
async function nothingLeadsOut(page: Page): Promise<void> {
  const buttons = await page.evaluate(
    "[...document.querySelectorAll('.modebar-btn')].map((button) => button.dataset.title ?? button.ariaLabel)",
  ) as (string | null)[];
  if (await page.evaluate("document.querySelector('.plot') !== null")) {
    assert(buttons.length > 0, "the plots have no bar");
  }
  assertEquals(buttons.filter((title) => /share|cloud|studio|send/i.test(title ?? "share")), []);
}

async function readsWell(page: Page, width: number): Promise<void> {
  await resize(page, width);
  // A phone zooms out to show a page that is too wide: its window then grows with the page.
  const wide = await page.evaluate("Math.max(innerWidth, document.documentElement.scrollWidth)");
  assert(wide <= width, `the page is ${wide} px wide in a window of ${width} px`);
  assertEquals(await page.evaluate(CUT_OFF), [], `outside its plot at ${width} px`);
}
