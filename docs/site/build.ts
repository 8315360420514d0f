/** `deno task site`: docs/, the notebooks and the API as a static site in `results/site`. @module */
import { fromFileUrl, join } from "@std/path";
import { writePages } from "./pages.ts";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));
const OUT = join(ROOT, "results/site");
const ENTRIES = ["mod.ts", "lib/ace_lora.ts"];

async function writeApi(): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(join(ROOT, "lib"))) {
    const file = `lib/${name}/mod.ts`;
    if (isDirectory && await Deno.stat(join(ROOT, file)).then(() => true, () => false)) ENTRIES.push(file);
  }
  const { code, stderr } = await new Deno.Command("deno", {
    args: ["doc", "--quiet", "--html", "--name=@ace-lora/ace-lora", `--output=${join(OUT, "api")}`, ...ENTRIES.sort()],
    cwd: ROOT,
    stdout: "null",
  }).output();
  if (code !== 0) throw new Error(`Cannot write the API as deno doc must succeed: ${new TextDecoder().decode(stderr)}`);
}

if (import.meta.main) {
  if (Deno.args.length > 0) {
    console.error("Usage: deno task site: writes docs/, the notebooks and the API as pages to results/site");
    Deno.exit(2);
  }
  const pages = await writePages(ROOT, OUT);
  await writeApi();
  console.log(`${pages.length} pages, ${ENTRIES.length} entries of the API in ${OUT}`);
}
