/** `deno task site`: docs/, the notebooks and the API as a static site in `results/site`. @module */
import { fromFileUrl, join } from "@std/path";
import { writeApi } from "./api.ts";
import { writePages } from "./pages.ts";
import { writeSearch } from "./search/write.ts";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));
const OUT = join(ROOT, "results/site");

if (import.meta.main) {
  if (Deno.args.length > 0) {
    console.error("Usage: deno task site: writes docs/, the notebooks and the API as pages to results/site");
    Deno.exit(2);
  }
  const { pages, entries } = await writePages(ROOT, OUT);
  const api = await writeApi(ROOT, join(OUT, "api"));
  await writeSearch([...entries, ...api.entries], OUT);
  console.log(`${pages.length} pages, ${api.entryPoints} entry points of the API in ${OUT}`);
}
