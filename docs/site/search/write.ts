/** Writes the search's two files: the index, and the script of the field. @module */
import { fromFileUrl, join } from "@std/path";
import { runDeno } from "../deno.ts";
import type { SearchEntry } from "./index.ts";

/** Writes `search_index.js` and `search.js`: classic scripts, as a page opened from a folder may load no other. */
export async function writeSearch(entries: readonly SearchEntry[], out: string, deno?: string): Promise<void> {
  await Deno.writeTextFile(join(out, "search_index.js"), `const SEARCH_INDEX = ${JSON.stringify(entries)};\n`);
  const script = join(out, "search.js");
  const how = ["--quiet", "--platform", "browser", "--format", "iife", "--minify"];
  await runDeno(["bundle", ...how, "-o", script, "field.ts"], fromFileUrl(new URL(".", import.meta.url)), deno);
}
