/** The table of docs/models.md equals what the fixtures give. */
import { assertEquals } from "@std/assert";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { LAYOUT_CASES, layoutDifference } from "./layout_cases.ts";

const DOC = new URL("../../docs/models.md", import.meta.url);

/** The table; run this file with `deno run --allow-read --allow-write --allow-env tests/clip/models_doc_test.ts` to write it. */
async function table(): Promise<string> {
  await selectBackend({ backend: "wasm" });
  const rows: string[] = [];
  for (const layout of LAYOUT_CASES) {
    const difference = await layoutDifference(layout);
    // To the next power of ten, 1e-6 at least: what rounding leaves differs with every kernel and from machine to machine.
    rows.push(
      `| ${layout.layout} | ${layout.tried} | below 1e${Math.max(-6, Math.floor(Math.log10(difference)) + 1)} |`,
    );
  }
  return [
    "| layout | what was tried | largest difference of a probability or unit feature |",
    "| --- | --- | --- |",
    ...rows,
  ].join(
    "\n",
  );
}

function replaced(text: string, body: string): string {
  return text.replace(
    /(<!-- layouts: [^>]*-->\n)[\s\S]*?(<!-- \/layouts -->)/,
    (_, open: string, close: string) => `${open}\n${body}\n\n${close}`,
  );
}

if (import.meta.main) {
  await Deno.writeTextFile(DOC, replaced(await Deno.readTextFile(DOC), await table()));
} else {
  Deno.test("docs/models.md's table is what the fixtures give", async () => {
    const text = await Deno.readTextFile(DOC);
    // deno fmt pads the cells of a table; white space is not compared.
    const squeeze = (s: string): string => s.replaceAll(/ +/g, " ").replaceAll(/-{3,}/g, "---");
    assertEquals(squeeze(replaced(text, await table())), squeeze(text), "the table is stale");
  });
}
