/** docs/ and the notebooks as HTML: each a page, links between them kept, the sidebar from docs/index.md. @module */
// @ts-types="npm:@types/markdown-it@14.1.2"
import MarkdownIt from "markdown-it";
import { basename, dirname, join, relative } from "@std/path";
import { notebookHtml } from "./notebook.ts";
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

/** One page as HTML. */
export function pageHtml(text: string, page: SitePage, pages: readonly SitePage[], sidebar: string): string {
  const markdown = renderer(page, pages);
  const render = (text: string): string => markdown.render(text);
  const content = page.source.endsWith(".ipynb") ? notebookHtml(text, render) : render(text);
  const body = content.replaceAll(/<(pre|table)>/g, '<$1 tabindex="0">'); // what scrolls sideways does so by keys, too
  const heading = /<h1[^>]*>(.+?)<\/h1>/.exec(body)?.[1]?.replaceAll(/<[^>]+>/g, "") ?? page.file;
  const title = heading === NAME ? NAME : `${heading} · ${NAME}`;
  // Its own entry of the list says which page this is.
  const list = sidebar.replaceAll(`<a href="${page.file}"`, `<a aria-current="page" href="${page.file}"`);
  return `<!doctype html><html lang="en-GB"><meta charset="utf-8"><meta name="viewport" content="width=device-width">` +
    `<title>${title}</title><style>${PAGE_STYLE}</style>` +
    // The text comes first for a keyboard, a reader and a telephone; a wide screen shows the list beside it.
    `<main><a class="to-pages" href="#pages">All pages</a>${body}</main><nav id="pages" aria-label="Pages">${list}</nav></html>\n`;
}

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

/** Writes every page, and the pictures they show. */
export async function writePages(root: string, out: string): Promise<SitePage[]> {
  const pages = await sitePages(root);
  const index = await Deno.readTextFile(join(root, "docs/index.md"));
  const list = index.split("\n").filter((line) => /^(\*\*|- |$)/.test(line)).join("\n");
  const home: SitePage = pages[0]!;
  const sidebar = `<p><a href="readme.html">${NAME}</a></p>` +
    renderer(home, pages).render(list) +
    `<p><a href="api/index.html">Every public name</a></p>`;
  await Deno.mkdir(out, { recursive: true });
  for (const page of pages) {
    const text = await Deno.readTextFile(join(root, page.source));
    await Deno.writeTextFile(join(out, page.file), pageHtml(text, page, pages, sidebar));
    if (page.source.endsWith(".ipynb")) continue;
    for (const [, picture] of text.matchAll(/!\[[^\]]*\]\(([^)]+)\)/g)) {
      const path = join(root, dirname(page.source), picture!);
      if (!relative(root, path).startsWith("..")) await Deno.copyFile(path, join(out, basename(path)));
    }
  }
  return pages;
}
