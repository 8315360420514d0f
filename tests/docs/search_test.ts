/** The site's search: what its index holds, what is found in it, and its field in a browser, from a folder. */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, join, toFileUrl } from "@std/path";
import { writePages } from "../../docs/site/pages.ts";
import { excerpt, findEntries, searchEntries, type SearchEntry } from "../../docs/site/search/index.ts";
import { writeSearch } from "../../docs/site/search/write.ts";
import { resize } from "../browser/check_report.ts";
import { findChromium, type Page, withPage } from "../browser/chromium.ts";
import { inFolder } from "../folder.ts";
import { press } from "../pages/input.ts";

const chromium = await findChromium();
const ROOT = fromFileUrl(new URL("../../", import.meta.url));

Deno.test("searchEntries() has an entry for each heading, its text without markup or a formula's source", () => {
  const body = '<h1 id="a">A <em>page</em></h1><p>one &amp; <code>two</code></p>' +
    '<h2 id="b">Below</h2><p>x<math><mi>y</mi><annotation encoding="application/x-tex">\\alpha</annotation></math></p>';
  assertEquals(searchEntries(body, "a.html"), [
    { link: "a.html", page: "A page", heading: "A page", text: "one & two" },
    { link: "a.html#b", page: "A page", heading: "Below", text: "x y" },
  ]);
});

const entry = (heading: string, text: string, page = "Page"): SearchEntry => ({ link: heading, page, heading, text });

Deno.test("findEntries() wants every word, and puts what stands in a heading before what stands in a text", () => {
  const entries = [entry("Text", "the learning rate"), entry("Rate of learning", "words"), entry("Rate", "other")];
  assertEquals(findEntries(entries, " RATE  learn").map(({ heading }) => heading), ["Rate of learning", "Text"]);
  assertEquals(findEntries(entries, "rate").map(({ heading }) => heading), ["Rate", "Rate of learning", "Text"]);
  assertEquals(findEntries(entries, "  "), []);
  assertEquals(findEntries(entries, "rate (").length, 0);
});

Deno.test("excerpt() marks the words where they first stand, whatever characters they hold", () => {
  const text = `${"word ".repeat(40)}ask for (a+b) here ${"and on ".repeat(40)}`;
  const pieces = excerpt(text, "(a+b) HERE");
  assertEquals(pieces.filter(({ isFound }) => isFound).map(({ text }) => text), ["(a+b)", "here"]);
  const shown = pieces.map(({ text }) => text).join("");
  assert(shown.startsWith("… word") && shown.endsWith("on …") && shown.length < 140, shown);
  assertEquals(excerpt("a short text", "page"), [{ text: "a short text", isFound: false }]);
});

async function until(page: Page, expression: string): Promise<void> {
  for (let turn = 0; turn < 1200; turn++) {
    if (await page.evaluate(expression).catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`waited in vain for ${expression}: ${await page.evaluate("document.body.innerText.slice(0, 2000)")}`);
}

Deno.test({
  name: `the site's search works from a folder, by keys alone, at 1280 and 390 px${
    chromium === null ? " (skipped: no Chromium on PATH)" : ""
  }`,
  ignore: chromium === null,
  fn: async () => {
    await inFolder(async (out) => {
      const { entries } = await writePages(ROOT, out);
      await writeSearch(entries, out, Deno.execPath());
      await withPage(chromium!, async (page) => {
        await resize(page, 1280);
        const address = toFileUrl(join(out, "index.html")).href;
        await page.open(address);
        const status = "document.querySelector('.search [role=status]').textContent";
        const focused = "document.activeElement.getAttribute('href')";
        await page.evaluate("document.getElementById('search').focus()");
        await page.send("Input.insertText", { text: "patience" });
        await until(page, `/found/.test(${status})`);
        const first = await page.evaluate("document.querySelector('.search a').getAttribute('href')");
        await press(page, "ArrowDown");
        assertEquals(await page.evaluate(focused), first);
        await press(page, "ArrowUp");
        assertEquals(await page.evaluate("document.activeElement.id"), "search");
        await press(page, "Escape");
        await until(page, `${status} === ''`);
        assertEquals(await page.evaluate("document.querySelectorAll('.search li').length"), 0);
        await page.send("Input.insertText", { text: "xyzzy" });
        await until(page, `/Nothing found/.test(${status})`);
        await press(page, "Escape");
        await page.send("Input.insertText", { text: "patience" });
        await until(page, `/found/.test(${status})`);
        for (const width of [1280, 390]) {
          await resize(page, width);
          const wide = await page.evaluate("Math.max(innerWidth, document.documentElement.scrollWidth)");
          assert(wide <= width, `the page is ${wide} px wide in a window of ${width} px`);
        }
        const { default: axe } = await import("axe-core/axe.min.js", { with: { type: "text" } });
        await page.evaluate(axe as unknown as string);
        for (const scheme of ["light", "dark"]) {
          await page.send("Emulation.setEmulatedMedia", {
            features: [{ name: "prefers-color-scheme", value: scheme }],
          });
          const faults =
            "axe.run().then(({ violations }) => violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`))";
          assertEquals(await page.evaluate(faults), [], scheme);
        }
        await press(page, "Enter");
        await until(page, `location.href.endsWith(${JSON.stringify(first)}) && document.readyState === "complete"`);
        assertEquals(page.errors, []);
      });
    });
  },
});
