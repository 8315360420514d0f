/**
 * The README's reproduced tables equal the committed records. After a reproduction:
 * `deno task report --keep data/reproduction.json`, then `deno run --allow-read --allow-write tests/reproduction/readme_test.ts`.
 */
import { assert, assertEquals } from "@std/assert";
import { parseRecords } from "../../lib/reproduction/record.ts";
import { readmeTables } from "../../lib/reproduction/report.ts";
import { sampleRecord } from "./sample.ts";

const ROOT = new URL("../../", import.meta.url);
const README = new URL("README.md", ROOT);
const KEPT = new URL("data/reproduction.json", ROOT);
const PART = /(<!-- reproduce: [^>]*-->\n)[\s\S]*?(<!-- \/reproduce -->)/;

/** The text with its part of reproduced tables made from the records. */
function withTables(text: string, kept: string): string {
  const body = readmeTables(parseRecords(kept, KEPT.pathname));
  return text.replace(PART, (_, open: string, close: string) => `${open}\n${body}\n\n${close}`);
}

/** White space apart: deno fmt pads the cells of a table and wraps captions. */
function isStale(text: string, kept: string): boolean {
  const squeeze = (s: string): string => s.replaceAll(/-{3,}/g, "---").replaceAll(/\s+/g, " ");
  return squeeze(withTables(text, kept)) !== squeeze(text);
}

async function readIfThere(url: URL): Promise<string | null> {
  try {
    return await Deno.readTextFile(url);
  } catch {
    return null;
  }
}

const [readme, kept] = [await readIfThere(README) ?? "", await readIfThere(KEPT)];
const reason = kept === null ? " [skipped: no data/reproduction.json]" : "";

if (import.meta.main) {
  if (kept === null || !PART.test(readme)) {
    throw new Error("Cannot write: data/reproduction.json or the README's part is missing");
  }
  await Deno.writeTextFile(README, withTables(readme, kept));
} else {
  Deno.test({
    name: `the README's reproduced tables are those of data/reproduction.json${reason}`,
    ignore: kept === null,
    fn: () => {
      assert(PART.test(readme), "the README has a part <!-- reproduce: ... --> ... <!-- /reproduce -->");
      assert(!isStale(readme, kept!), "stale: run this file with --allow-read --allow-write");
    },
  });

  Deno.test("a part of reproduced tables is stale as soon as a figure of the records changes", () => {
    const records = [sampleRecord()];
    const empty = "# Title\n\n<!-- reproduce: generated -->\n<!-- /reproduce -->\n";
    const filled = withTables(empty, JSON.stringify(records));
    assertEquals([isStale(empty, JSON.stringify(records)), isStale(filled, JSON.stringify(records))], [true, false]);
    assert(filled.includes("**Synthetic data.**") && filled.includes("0.750") && filled.includes("not published here"));
    const [set] = Object.values(records[0]!.sets);
    set!.auroc = 0.751;
    assert(isStale(filled, JSON.stringify(records)));
  });
}
