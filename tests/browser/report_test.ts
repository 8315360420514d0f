/** A report in a real browser. Screenshots are kept in the folder that ACE_SCREENSHOTS names. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { join, toFileUrl } from "@std/path";
import { lossFigure } from "../../lib/display/curves.ts";
import { buildReport, type Report } from "../../lib/display/report.ts";
import type { GroupSection } from "../../lib/display/sections.ts";
import { checkReport, resize, untilDrawn } from "./check_report.ts";
import { findChromium, withPage } from "./chromium.ts";
import { sampleReport } from "./sample_report.ts";

const chromium = await findChromium();
const reason = chromium === null ? " [skipped: no chromium on PATH, set ACE_CHROMIUM]" : "";

/** Gives `use` a file with the report, its text changed by `edit`. */
async function withReport(
  report: Report,
  use: (file: string) => Promise<void>,
  edit: (html: string) => string = (html) => html,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const file = join(folder, "report.html");
    await Deno.writeTextFile(file, edit(await buildReport(report)));
    await use(file);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test({
  name: `buildReport() draws every plot, logs nothing and fits 1280 and 390 px in Chromium${reason}`,
  ignore: chromium === null,
  fn: async () => {
    const report = sampleReport();
    const screenshots = Deno.env.get("ACE_SCREENSHOTS");
    await withReport(report, (file) =>
      checkReport(chromium!, file, {
        ...(screenshots === undefined ? {} : { screenshots }),
        also: async (page) => {
          const figures = report.sections.filter((section) => section.kind === "figure");
          assertEquals(await page.evaluate("document.querySelectorAll('.plot').length"), figures.length);
          assertEquals(await page.evaluate("document.querySelectorAll('svg.overlay image').length"), 4);
          assertEquals(await page.evaluate("document.querySelectorAll('header script').length"), 0);
          const shown = "getComputedStyle(document.querySelector('.attention')).display";
          const click = "document.querySelector('input[name=attention]').click()";
          assertEquals(
            await page.evaluate(`[${shown}, ${click}, ${shown}, ${click}, ${shown}].join()`),
            "inline,,none,,inline",
          );
        },
      }));
  },
});

Deno.test({
  name: `buildReport() refuses scripts and requests that are not its own, in Chromium${reason}`,
  ignore: chromium === null,
  fn: async () => {
    const intruder = '<script>window.intruded = 1</script><img src="http://127.0.0.1:8999/x.png">';
    await withReport({ title: "policy", sections: [] }, (file) =>
      withPage(chromium!, async (page) => {
        await page.open(toFileUrl(file).href);
        assertEquals(await page.evaluate("typeof window.intruded"), "undefined");
        const refused = page.errors.filter((e) => e.includes("Content Security Policy"));
        assert(
          refused.some((e) => e.includes("script")) && refused.some((e) => e.includes("x.png")),
          page.errors.join(),
        );
      }), (html) => html.replace("</body>", `${intruder}</body>`));
  },
});

Deno.test({
  name:
    `checkReport() fails on a page wider than the screen, a trace that is not drawn and a dashed line on an axis${reason}`,
  ignore: chromium === null,
  fn: async () => {
    const wide = '<div style="width: 700px">wide</div></body>';
    await withReport({ title: "wide", sections: [] }, async (file) => {
      await assertRejects(() => checkReport(chromium!, file), Error, "in a window of 390 px");
    }, (html) => html.replace("</body>", wide));
    const figure = { ...lossFigure([{ name: "a", loss: [2, 1] }]), alt: "hidden" };
    await withReport({ title: "hidden", sections: [{ kind: "figure", figure }] }, async (file) => {
      await assertRejects(() => checkReport(chromium!, file), Error, 'traces drawn of "hidden"');
    }, (html) => html.replace('"mode":"lines"', '"mode":"lines","visible":false'));
    const below = { ...lossFigure([{ name: "a", loss: [2, 1] }], { smooth: 1 }), alt: "dashed", reference: 0.5 };
    const onAxis = { ...below, y: { title: "", range: [0.5, 2] as const } };
    await withReport({ title: "on the axis", sections: [{ kind: "figure", figure: onAxis }] }, async (file) => {
      await assertRejects(() => checkReport(chromium!, file), Error, "a dashed line lies on an axis");
    });
    await withReport(
      { title: "above it", sections: [{ kind: "figure", figure: below }] },
      (file) => checkReport(chromium!, file),
    );
  },
});

Deno.test({
  name: `buildReport() folds groups on a telephone, draws a plot once its group is opened, and prints all${reason}`,
  ignore: chromium === null,
  fn: async () => {
    const group = (title: string): GroupSection => ({
      kind: "group",
      title,
      sections: [
        { kind: "figure", figure: lossFigure([{ name: title, loss: [2, 1] }]) },
        { kind: "table", table: { columns: [{ title: "step" }], rows: [["1"]] } },
      ],
    });
    await withReport({ title: "groups", sections: ["first", "second"].map(group) }, async (file) => {
      await checkReport(chromium!, file);
      await withPage(chromium!, async (page) => {
        const state = async (): Promise<unknown> => ({
          open: await page.evaluate("[...document.querySelectorAll('details')].map(({ open }) => open)"),
          drawn: await page.evaluate(
            "[...document.querySelectorAll('.plot')].map((box) => box.querySelector('.trace') !== null)",
          ),
        });
        await resize(page, 390);
        await page.open(toFileUrl(file).href);
        await untilDrawn(page);
        assertEquals(await state(), { open: [false, false], drawn: [false, false] });
        await page.evaluate("document.querySelectorAll('summary')[1].click()");
        await page.evaluate(`new Promise((done) => {
          const look = () => document.documentElement.dataset.plots === "1" ? done() : setTimeout(look, 50);
          look();
        })`);
        assertEquals(await state(), { open: [false, true], drawn: [false, true] });
        await page.send("Page.printToPDF");
        assertEquals(await state(), { open: [false, true], drawn: [true, true] });
        assertEquals(page.errors, []);
      });
    });
  },
});
