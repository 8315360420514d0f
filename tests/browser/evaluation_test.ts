/** The page of an evaluation in a real browser. Screenshots are kept in the folder that ACE_SCREENSHOTS names. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { evaluatePredictions } from "../../lib/eval/evaluation/evaluate.ts";
import { evaluationPage } from "../../lib/eval/evaluation/page.ts";
import { predictionParts, type Predictions, withTuningPart } from "../../lib/eval/evaluation/predictions.ts";
import { gaussian, mulberry32 } from "../../lib/tensor/random.ts";
import { checkReport } from "./check_report.ts";
import { findChromium } from "./chromium.ts";
import { inFolder } from "../folder.ts";

const chromium = await findChromium();
const reason = chromium === null ? " [skipped: no chromium on PATH, set ACE_CHROMIUM]" : "";
const CLASSES = ["Atelectasis", "Pleural Effusion", "No Finding"];

function sample(): Predictions {
  const rng = mulberry32(8), n = 90;
  const targets = Array.from({ length: n }, (_, i) => i % CLASSES.length);
  const scores = targets.flatMap((target) => {
    const powers = CLASSES.map((_, c) => Math.exp(gaussian(rng) + (c === target ? 1 : 0)));
    return powers.map((power) => power / powers.reduce((a, b) => a + b, 0));
  });
  return withTuningPart(
    {
      classes: CLASSES,
      task: "multiclass",
      ids: targets.map((_, i) => i === 3 ? "<img src=x>" : `case ${i}`),
      scores,
      targets,
      patients: targets.map((_, i) => `p${i >> 1}`),
      parts: targets.map(() => "test"),
      attributes: {
        sex: targets.map((_, i) => i % 4 < 2 ? "F" : "M"),
        age: targets.map((_, i) => String(20 + i % 60)),
      },
    },
    0.3,
    2,
  );
}

Deno.test({
  name:
    `evaluationPage() draws every plot, orders its table and pictures and enlarges one, at 1280 and 390 px${reason}`,
  ignore: chromium === null,
  fn: async () => {
    const predictions = sample();
    const record = evaluatePredictions(predictions, {
      resamples: 50,
      by: [{ column: "sex" }, { column: "age", band: 20 }],
    });
    const { judged } = predictionParts(predictions);
    const html = await evaluationPage({
      title: "Drawings",
      judged,
      record,
      warnings: ["The images are generated drawings."],
      facts: { method: "zero-shot" },
      synthetic: true,
      pictures: 6,
      imageOf: (id) =>
        Promise.resolve({
          width: 40,
          height: 30,
          channels: 1,
          bitDepth: 8,
          data: new Uint8Array(1200).fill(id.length * 9),
        }),
    });
    await inFolder(async (folder) => {
      const file = join(folder, "evaluation.html");
      await Deno.writeTextFile(file, html);
      const screenshots = Deno.env.get("ACE_SCREENSHOTS");
      await checkReport(chromium!, file, {
        ...(screenshots === undefined ? {} : { screenshots }),
        also: async (page) => {
          const count = (what: string): Promise<unknown> =>
            page.evaluate(`document.querySelectorAll(${JSON.stringify(what)}).length`);
          // ROC, precision and recall, reliability, confusion, a histogram a class, the forest.
          assertEquals(await count(".plot"), 8);
          assertEquals(await count(".gallery figure"), 6);
          assertEquals(await count(".gallery img[src='x']"), 0);
          assertEquals(
            await page.evaluate("document.querySelector('.warning').textContent"),
            "The images are generated drawings.",
          );
          const first = "document.querySelector('table.sortable tbody th').textContent";
          const click = (column: number) =>
            `document.querySelectorAll('table.sortable thead button')[${column}].click()`;
          const areas = CLASSES.toSorted((a, b) => record.classes[b]!.auroc.value! - record.classes[a]!.auroc.value!);
          await page.evaluate(click(2));
          assertEquals(await page.evaluate(first), areas[0]);
          await page.evaluate(click(2));
          assertEquals(await page.evaluate(first), areas.at(-1));
          const captions =
            "[...document.querySelectorAll('.gallery figcaption')].map((c) => c.textContent.split(':')[0])";
          const hardest = await page.evaluate(captions) as string[];
          await page.evaluate(`(() => {
            const select = document.querySelector(".gallery-section select");
            select.value = "case";
            select.dispatchEvent(new Event("change"));
          })()`);
          assertEquals((await page.evaluate(captions) as string[]).toSorted(), hardest.toSorted());
          await page.evaluate("document.querySelector('button.zoom').click()");
          assertEquals(await page.evaluate("document.querySelector('dialog').open"), true);
          assert(await page.evaluate("document.querySelector('dialog img').clientWidth > 400"));
          await page.evaluate("document.querySelector('dialog button').click()");
          assertEquals(await page.evaluate("document.querySelector('dialog').open"), false);
        },
      });
    });
  },
});
