/** The API as `deno doc` writes it, with a list of the sub-paths at its home and a way back to the site. @module */
import { dirname, join, relative } from "@std/path";
import { escapeHtml } from "../../lib/display/_escape.ts";
import { runDeno } from "./deno.ts";
import type { SearchEntry } from "./search/index.ts";

/** An entry point of the package. */
interface EntryPoint {
  /** How it is imported: `@ace-lora/ace-lora/tensor`. */
  specifier: string;
  /** Its folder in the API: `tensor`, `.` for the package itself. */
  folder: string;
  /** What it holds, the first paragraph of its module's docstring. */
  summary: string;
}

/** What was written of the API. */
export interface WrittenApi {
  /** Entry points. */
  entryPoints: number;
  /** Its names, to be found. */
  entries: SearchEntry[];
}

/** What deno.json says of the package. */
interface Package {
  name: string;
  exports: Record<string, string>;
}

async function entryPointOf(
  root: string,
  { name, path, file }: { name: string; path: string; file: string },
): Promise<EntryPoint> {
  const doc = /\/\*\*([\s\S]*?)@module/.exec(await Deno.readTextFile(join(root, file)))?.[1] ?? "";
  const lines = doc.split("\n").map((line) => line.replace(/^\s*\*? ?/, "").trimEnd());
  const [summary = ""] = lines.join("\n").trim().split("\n\n");
  const plain = summary.replaceAll(/\{@linkcode (\w+)\}|`/g, "$1").replaceAll("\n", " ");
  return { specifier: join(name, path), folder: join(path), summary: plain };
}

/** What the pages lack on a telephone, where their head is wider than the window, and on paper. */
const STYLE =
  "<style>#topnav, #topnav > div { height: auto; } #topnav > div, #topnav .breadcrumbs { flex-wrap: wrap; } " +
  "#topnav .breadcrumbs { white-space: normal; } .ddoc > div, #content, #content :is(main, main section, main div, nav) { min-width: 0; max-width: 100%; overflow-wrap: anywhere; } " +
  "#content pre { overflow-x: auto; } " +
  "@media print { .ddoc, .ddoc * { color: #000 !important; background: none !important; } #topnav, .toc, #content > nav { display: none !important; } " +
  "#content { display: block !important; } #content pre, #content code { white-space: pre-wrap !important; overflow-wrap: anywhere; } }</style>";

/**
 * A page of `deno doc` as one of the site: with the site's home before its own, links to folders made ones to their pages, which a
 * folder opened as files would list, no link to where the builder has the sources, and names imported as a reader imports them.
 */
function asSitePage(html: string, toApi: string, specifiers: ReadonlyMap<string, string>): string {
  const step =
    `<li><a href="${toApi}../index.html" class="contextLink">Documentation</a></li><li aria-hidden="true">/</li>`;
  return replaced(replaced(html, "</head>", (end) => STYLE + end), '<ul class="breadcrumbs">', (list) => list + step)
    .replaceAll(/href="((?:\.\.?&#x2F;)+)"/g, 'href="$1index.html"')
    .replaceAll(/<a\s+class="sourceButton"\s+href="file:[^"]*">[\s\S]*?<\/a>/g, "")
    .replaceAll(
      /(?<=import [^;]* from &quot;)[\w.]+(?=&quot;)/g,
      (folder) => specifiers.get(folder) ?? folder,
    );
}

/** The home with the entry points above the package's own text. */
function withEntryPoints(html: string, entryPoints: readonly EntryPoint[]): string {
  const items = entryPoints.map(({ specifier, folder, summary }) =>
    `<li><p><a class="link" href="${folder}/index.html"><code>${escapeHtml(specifier)}</code></a></p><p>${
      escapeHtml(summary)
    }</p></li>`
  );
  const list = `<section id="entry-points" class="markdown"><h2>Entry points</h2><ul>${items.join("")}</ul></section>`;
  return replaced(html, /<main>/, (found) => found + list);
}

/** A text with what is found in it replaced. @throws {Error} If it is not there: another Deno may write other pages. */
function replaced(html: string, what: string | RegExp, by: (found: string) => string): string {
  const next = html.replace(what, by);
  if (next === html) throw new Error(`Cannot change a page of deno doc as it must hold ${what}: it does not`);
  return next;
}

/** What of `deno doc`'s own search index is used. */
interface DocIndex {
  nodes: { name: string; file: string; doc: string; url: string }[];
}

/** The API's names, without those of their properties, which stand in their pages. */
function searchEntriesOf(script: string, specifiers: ReadonlyMap<string, string>): SearchEntry[] {
  const json = /DENO_DOC_SEARCH_INDEX = (\{[\s\S]*\});\s*\}\)\(\)/.exec(script)?.[1];
  if (json === undefined) throw new SyntaxError("Cannot index the API as deno doc must write its index: it does not");
  const { nodes }: DocIndex = JSON.parse(json);
  return nodes.filter(({ name }) => !name.includes(".")).map(({ name, file, doc, url }) => ({
    link: `api/${url.replaceAll(/(^|\/)(\.\/)+/g, "$1")}`,
    page: specifiers.get(file) ?? file,
    heading: name,
    text: doc.replaceAll(/\s+/g, " ").trim(),
  }));
}

/**
 * Writes the API into a folder, in place of what is there.
 *
 * @param root The package, by whose deno.json it is known what can be imported.
 * @param deno The program that documents.
 * @throws {Error} If `deno doc` fails, or writes other pages than it did.
 */
export async function writeApi(root: string, out: string, deno?: string): Promise<WrittenApi> {
  const { name, exports }: Package = JSON.parse(await Deno.readTextFile(join(root, "deno.json")));
  const entryPoints = await Promise.all(
    Object.entries(exports).map(([path, file]) => entryPointOf(root, { name, path, file })),
  );
  const files = Object.values(exports);
  await runDeno(["doc", "--quiet", "--html", `--name=${name}`, `--output=${out}`, ...files], root, deno);
  const specifiers = new Map(entryPoints.map(({ folder, specifier }) => [folder, specifier]));
  for await (const file of pagesUnder(out)) {
    const html = await Deno.readTextFile(file);
    if (html.includes('http-equiv="refresh"')) continue; // it leads to another page
    const toApi = relative(dirname(file), out);
    await Deno.writeTextFile(file, asSitePage(html, toApi === "" ? "" : `${toApi}/`, specifiers));
  }
  const home = join(out, "index.html");
  await Deno.writeTextFile(home, withEntryPoints(await Deno.readTextFile(home), entryPoints));
  const index = await Deno.readTextFile(join(out, "search_index.js"));
  return { entryPoints: entryPoints.length, entries: searchEntriesOf(index, specifiers) };
}

async function* pagesUnder(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isDirectory) yield* pagesUnder(path);
    else if (name.endsWith(".html")) yield path;
  }
}
