/** docs/browser.md as it is printed: the library from a script tag, and through esbuild and Vite, without plugin or polyfill. */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { loadModel } from "../../lib/model.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { findChromium, type Page, withPage } from "../browser/chromium.ts";
import { startServer } from "../platform/runtimes.ts";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));
const chromium = await findChromium();
/** A folder into which npm installed esbuild, Vite and what deno.json imports. */
const modules = Deno.env.get("ACE_NODE_MODULES");
const FILMS = fromFileUrl(new URL("../image/fixtures/", import.meta.url));

/** The page's code blocks of a language, in order. */
async function blocks(language: string): Promise<string[]> {
  const text = await Deno.readTextFile(join(ROOT, "docs/browser.md"));
  return [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].filter(([, own]) => own === language).map(([, , code]) =>
    code!
  );
}

async function run(command: string, args: string[], cwd: string): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args, cwd }).output();
  assert(success, new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr));
}

/** What the snippets print, as Deno computes it. */
async function expected(): Promise<string> {
  await selectBackend({ backend: "wasm" });
  const model = await loadModel();
  const features = await model.encodeTexts(["pneumonia"]);
  model.dispose();
  return String(features);
}

/** Opens a folder's page and waits for what it writes. */
async function withSite(folder: string, use: (page: Page) => Promise<void>): Promise<void> {
  const server = await startServer(folder);
  try {
    await withPage(chromium!, async (page) => {
      await page.open(server.address);
      await use(page);
      assertEquals(page.errors.filter((error) => !/^request to |No available adapters/.test(error)), []);
    });
  } finally {
    await server.close();
  }
}

/** A page around a body; without an icon a browser asks for one. */
const html = (body: string): string => `<!doctype html><link rel="icon" href="data:,"><body>${body}</body>`;

const written = (page: Page, pattern: string): Promise<string> =>
  page.evaluate(`new Promise((resolve) => {
    const look = () => ${pattern}.test(document.body.innerText) ? resolve(document.body.innerText.trim()) : setTimeout(look, 50);
    look();
  })`);

/** The folder of a site: the document's first two commands, in a copy of where it runs them. */
async function writeSite(): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "ace-bundles-" });
  for (const name of ["deno.json", "deno.lock", "lib", "links", "pages", "data"]) {
    await Deno.symlink(join(ROOT, name), join(folder, name));
  }
  await Deno.mkdir(join(folder, "public"));
  for (const line of (await blocks("sh")).filter((code) => code.includes("public/"))) {
    const [, ...args] = line.trim().split(" ");
    await run(Deno.execPath(), args, folder);
  }
  return folder;
}

const needsBrowser = chromium === null ? " (skipped: no chromium on PATH, set ACE_CHROMIUM)" : "";
const needsModules = modules === undefined ? " (skipped: ACE_NODE_MODULES names no folder with esbuild and vite)" : "";

Deno.test({
  name: `docs/browser.md: three lines in a script tag, and in pages that esbuild and Vite bundle${needsBrowser}`,
  ignore: chromium === null,
  fn: async (t) => {
    const folder = await writeSite();
    const site = join(folder, "public"), answer = await expected();
    try {
      await t.step("from a script tag", async () => {
        await Deno.writeTextFile(join(site, "index.html"), html((await blocks("html"))[0]!));
        await withSite(site, async (page) => assertEquals(await written(page, "/,/"), answer));
      });
      const [snippet, files] = await blocks("ts") as [string, string];
      await Deno.symlink(modules ?? "/nowhere", join(folder, "node_modules"));
      await Deno.writeTextFile(join(folder, "main.ts"), `${snippet}\n${files}`);
      // JSR gives these to npm as packages of its own; here they are this tree's.
      const alias = {
        "@ace-lora/ace-lora/browser": "lib/browser/mod.ts",
        "@std/path": "links/std/path/mod.ts",
        "@std/csv": "links/std/csv/mod.ts",
      };
      const entries = Object.entries(alias).map(([name, path]) => [name, join(folder, path)] as const);
      const check = async (site: string): Promise<void> =>
        await withSite(site, async (page) => {
          assertEquals(await written(page, "/,/"), answer);
          const table = join(folder, "pairs.csv");
          await Deno.writeTextFile(table, "path,text\ninterlaced_rgb.png,no finding\njpeg_420.jpg,a small effusion\n");
          const { result } = await page.send("Runtime.evaluate", { expression: "document.querySelector('input')" });
          const chosen = [table, ...["interlaced_rgb.png", "jpeg_420.jpg"].map((name) => join(FILMS, name))];
          await page.send("DOM.setFileInputFiles", { files: chosen, objectId: result.objectId });
          await written(page, "/2 pairs/");
        });
      await t.step({
        name: `through esbuild${needsModules}`,
        ignore: modules === undefined,
        fn: async () => {
          const aliases = entries.map(([name, path]) => `--alias:${name}=${path}`);
          const args = [
            "main.ts",
            "--bundle",
            "--format=esm",
            "--preserve-symlinks",
            `--outfile=${site}/main.js`,
            ...aliases,
          ];
          await run(join(modules!, ".bin/esbuild"), args, folder);
          await Deno.writeTextFile(
            join(site, "index.html"),
            html('<input type="file" multiple><script type="module" src="main.js"></script>'),
          );
          await check(site);
        },
      });
      await t.step({
        name: `through Vite${needsModules}`,
        ignore: modules === undefined,
        fn: async () => {
          await Deno.writeTextFile(
            join(folder, "index.html"),
            html('<input type="file" multiple><script type="module" src="/main.ts"></script>'),
          );
          const config = { resolve: { alias: Object.fromEntries(entries), preserveSymlinks: true } };
          await Deno.writeTextFile(join(folder, "vite.config.mjs"), `export default ${JSON.stringify(config)};`);
          await run(join(modules!, ".bin/vite"), ["build", "--target", "esnext"], folder);
          await check(join(folder, "dist"));
        },
      });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
