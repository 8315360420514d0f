/** The generated parts of docs/ equal what they are generated from. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { resultsMarkdown } from "../../lib/reproduction/report.ts";
import { sampleRecord } from "../reproduction/sample.ts";
import { generatedParts, textOf, withPart } from "./generated.ts";

/** White space apart: deno fmt pads the cells of a table and wraps captions. */
function squeezed(text: string): string {
  return text.replaceAll(/-{3,}/g, "---").replaceAll(/\s+/g, " ");
}

Deno.test("the generated parts of docs/ are those of the commands, the data sets and the committed records", async () => {
  for (const [page, parts] of Object.entries(await generatedParts())) {
    const text = await textOf(page);
    for (const [name, body] of Object.entries(parts)) {
      assertEquals(squeezed(withPart(text, name, body)), squeezed(text), `"${name}" of ${page}: run deno task names`);
    }
  }
});

Deno.test("resultsMarkdown() has the figures of the records, and says once what is not published", () => {
  const record = sampleRecord();
  const text = resultsMarkdown({ records: [record], dense: [] });
  assert(text.includes("**Synthetic data.**") && text.includes("0.750"), text);
  assertEquals(text.match(/not published here|paper's AUROC/), null);
  Object.values(record.sets)[0]!.auroc = 0.751;
  assertNotEquals(resultsMarkdown({ records: [record], dense: [] }), text);
});

Deno.test("the README has at most 8 KB and names the two commands that CI runs", async () => {
  const readme = await textOf("README.md");
  assert(new TextEncoder().encode(readme).length <= 8192);
  for (const task of ["demo", "test"]) assert(readme.includes(`npx --yes deno@2.9.6 task ${task}\n`), task);
  const ci = await textOf(".ci/run");
  assert(ci.includes('DENO="npx --yes deno@2.9.6"') && ci.includes("$DENO task test"));
});
