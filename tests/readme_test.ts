/** The README's generated parts equal what they are generated from: the tasks of deno.json and the committed demo record. */
import { assertEquals } from "@std/assert";
import { markdownTable } from "../lib/display/table.ts";
import { parseRunRecord } from "../lib/display/records.ts";
import { resultsTable } from "../lib/display/results.ts";

const ROOT = new URL("../", import.meta.url);
const README = new URL("README.md", ROOT);

/** Parts by name; run this file with `deno run --allow-read --allow-write tests/readme_test.ts` to write them. */
async function parts(): Promise<Record<string, string>> {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const rows = Object.entries(tasks as Record<string, { description: string }>);
  const record = parseRunRecord(
    await Deno.readTextFile(new URL("data/demo_metrics.json", ROOT)),
    "data/demo_metrics.json",
  );
  return {
    // Not markdownTable(): it escapes what would be read as code.
    tasks: [
      "| task | what it does |",
      "| --- | --- |",
      ...rows.map(([name, { description }]) => `| \`deno task ${name}\` | ${description} |`),
    ].join("\n"),
    demo: markdownTable(resultsTable(record)),
  };
}

function replaced(text: string, name: string, body: string): string {
  const pattern = new RegExp(`(<!-- ${name}: [^>]*-->\\n)[\\s\\S]*?(<!-- /${name} -->)`);
  return text.replace(pattern, (_, open: string, close: string) => `${open}\n${body.trim()}\n\n${close}`);
}

if (import.meta.main) {
  let text = await Deno.readTextFile(README);
  for (const [name, body] of Object.entries(await parts())) text = replaced(text, name, body);
  await Deno.writeTextFile(README, text);
} else {
  Deno.test("the README's tables are those of deno.json and of the committed demo record", async () => {
    const text = await Deno.readTextFile(README);
    // deno fmt pads the cells of a table; white space is not compared.
    const squeeze = (s: string): string => s.replaceAll(/[ ]+/g, " ").replaceAll(/-{3,}/g, "---");
    for (const [name, body] of Object.entries(await parts())) {
      assertEquals(squeeze(replaced(text, name, body)), squeeze(text), `part "${name}" is stale`);
    }
  });
}
