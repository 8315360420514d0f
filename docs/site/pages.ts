/** docs/ and the notebooks as HTML: each a page, links between them kept, the sidebar from docs/index.md. @module */
// @ts-types="npm:@types/markdown-it@14.1.2"
import MarkdownIt from "markdown-it";
import { basename, dirname, join, relative } from "@std/path";
import { escapeHtml } from "../../lib/display/_escape.ts";
import { notebookHtml, notebookTitle } from "./notebook.ts";
import { searchEntries, type SearchEntry } from "./search/index.ts";
import { PAGE_STYLE } from "./style.ts";

/** Pages outside docs/ that the site has too. */
const OTHERS = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"];

/** The site's name. */
const NAME = "ACE-LoRA for Deno";

/** A page of the site. */
export interface SitePage {
  /** Its source, from the repository's root: `docs/weights.md`, `notebooks/01_lora.ipynb`. */
  source: string;
  /** Its file in the site: `weights.html`. */
  file: string;
}

/** The pages, docs/index.md first. */
export async function sitePages(root: string): Promise<SitePage[]> {
  const named = async (folder: string, ending: string): Promise<string[]> =>
    (await Array.fromAsync(Deno.readDir(join(root, folder)))).map(({ name }) => `${folder}/${name}`)
      .filter((name) => name.endsWith(ending)).sort();
  const [home, docs, notebooks] = ["docs/index.md", await named("docs", ".md"), await named("notebooks", ".ipynb")];
  return [home, ...docs.filter((name) => name !== home), ...OTHERS, ...notebooks].map((source) => ({
    source,
    file: basename(source).toLowerCase().replace(/\.\w+$/, ".html"),
  }));
}

/**
 * Where a link of a page leads in the site; null where the site does not have it, as with source files.
 *
 * @param link As it stands in the Markdown.
 * @param source The page it stands in.
 */
export function siteLink(link: string, source: string, pages: readonly SitePage[]): string | null {
  if (/^(https?:|mailto:|#)/.test(link)) return link;
  const [path, anchor] = link.split("#") as [string, string?];
  const target = join(dirname(source), path).replaceAll("\\", "/");
  const hash = anchor === undefined ? "" : `#${anchor}`;
  const page = pages.find((one) => one.source === target);
  if (page) return page.file + hash;
  return target === "docs/api.txt"
    ? "api/index.html"
    : target.startsWith("data/") && target.endsWith(".png")
    ? basename(target)
    : null;
}

/** A heading's anchor, as GitHub makes it. */
export function anchorOf(heading: string): string {
  return heading.toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").trim().replaceAll(/\s/g, "-");
}

/** What stands in a page, as HTML. */
export function pageBody(text: string, page: SitePage, pages: readonly SitePage[]): string {
  const markdown = renderer(page, pages);
  const render = (text: string): string => markdown.render(text);
  const content = isNotebook(page) ? notebookHtml(text, render) : render(text);
  return content.replaceAll(/<(pre|table)>/g, '<$1 tabindex="0">'); // what scrolls sideways does so by keys, too
}

/** One page as HTML, from its body. */
export function pageHtml(body: string, { file }: SitePage, sidebar: string): string {
  const heading = /<h1[^>]*>(.+?)<\/h1>/.exec(body)?.[1]?.replaceAll(/<[^>]+>/g, "") ?? file;
  const title = heading === NAME ? NAME : `${heading} · ${NAME}`;
  // Its own entry of the list says which page this is.
  const list = sidebar.replaceAll(`<a href="${file}"`, `<a aria-current="page" href="${file}"`);
  return `<!doctype html><html lang="en-GB"><meta charset="utf-8"><meta name="viewport" content="width=device-width">` +
    `<title>${title}</title><style>${PAGE_STYLE}</style>` +
    // The text comes first for a keyboard, a reader and a telephone; a wide screen shows the list beside it.
    `<main><a class="to-pages" href="#pages">Search, all pages</a>${body}</main>` +
    `<nav id="pages" aria-label="Pages">${SEARCH_FORM}${list}</nav><script src="search.js"></script></html>\n`;
}

/** Hidden until its script shows it. */
const SEARCH_FORM = '<form class="search" role="search" hidden><label for="search">Search</label>' +
  '<input id="search" type="search" autocomplete="off" spellcheck="false"><p role="status"></p><ol></ol></form>';

const isNotebook = ({ source }: SitePage): boolean => source.endsWith(".ipynb");

function renderer(page: SitePage, pages: readonly SitePage[]): MarkdownIt {
  const markdown = new MarkdownIt({ html: true, linkify: false });
  markdown.core.ruler.push("site", ({ tokens }) => {
    tokens.forEach((token, i) => {
      if (token.type === "heading_open") token.attrSet("id", anchorOf(tokens[i + 1]!.content.replaceAll("`", "")));
      for (const child of token.children ?? []) {
        const name = child.type === "link_open" ? "href" : child.type === "image" ? "src" : undefined;
        if (name === undefined) continue;
        const link = siteLink(child.attrGet(name)!, page.source, pages);
        if (link === null) [child.tag, child.attrs] = ["span", null];
        else child.attrSet(name, link);
      }
      const closing: string[] = []; // a link that became a span ends as one
      for (const child of token.children ?? []) {
        if (child.type === "link_open") closing.push(child.tag);
        if (child.type === "link_close") child.tag = closing.pop()!;
      }
    });
  });
  return markdown;
}

/** The list of all pages: docs/index.md's, the notebooks and the repository's own by their titles, and the API. */
function sidebarHtml(pages: readonly SitePage[], texts: readonly string[]): string {
  const questions = texts[0]!.split("\n").filter((line) => /^(\*\*|- |$)/.test(line)).join("\n");
  const titled = (title: string, isListed: (page: SitePage) => boolean): string => {
    const items = pages.flatMap((page, i) => {
      const number = isNotebook(page) ? `${page.file.slice(0, 2)} ` : "";
      const heading = isNotebook(page) ? notebookTitle(texts[i]!) : /^# (.+)$/m.exec(texts[i]!)?.[1] ?? page.file;
      return isListed(page) ? [`<li><a href="${page.file}">${number}${escapeHtml(heading)}</a></li>`] : [];
    });
    return `<p><strong>${title}</strong></p><ul>${items.join("")}</ul>`;
  };
  return `<p><a href="readme.html">${NAME}</a></p>` + renderer(pages[0]!, pages).render(questions) +
    titled("Notebooks", isNotebook) +
    `<p><strong>API</strong></p><ul><li><a href="api/index.html">Every public name</a></li></ul>` +
    titled("Project", ({ source }) => OTHERS.includes(source) && source !== "README.md");
}

/** Copies the pictures that a page of Markdown shows, those of the repository. */
async function copyPictures(text: string, source: string, root: string, out: string): Promise<void> {
  for (const [, picture] of text.matchAll(/!\[[^\]]*\]\(([^)]+)\)/g)) {
    const path = join(root, dirname(source), picture!);
    if (!relative(root, path).startsWith("..")) await Deno.copyFile(path, join(out, basename(path)));
  }
}

/** What was written of the site. */
export interface WrittenPages {
  /** The pages. */
  pages: SitePage[];
  /** What of them can be found. */
  entries: SearchEntry[];
}

/** Writes every page, and the pictures they show. */
export async function writePages(root: string, out: string): Promise<WrittenPages> {
  const pages = await sitePages(root);
  const texts = await Promise.all(pages.map(({ source }) => Deno.readTextFile(join(root, source))));
  const sidebar = sidebarHtml(pages, texts);
  const entries: SearchEntry[] = [];
  await Deno.mkdir(out, { recursive: true });
  for (const [i, page] of pages.entries()) {
    const body = pageBody(texts[i]!, page, pages);
    entries.push(...searchEntries(body, page.file));
    await Deno.writeTextFile(join(out, page.file), pageHtml(body, page, sidebar));
    if (!isNotebook(page)) await copyPictures(texts[i]!, page.source, root, out);
  }
  return { pages, entries };
}
