/** The notebooks as HTML pages that need no network: nbconvert's, with KaTeX's MathML in place of MathJax. @module */
import katex from "katex";
import { join } from "@std/path";

const ENTITIES: Record<string, string> = { "&lt;": "<", "&gt;": ">", "&amp;": "&", "&quot;": '"', "&#39;": "'" };

function plain(html: string): string {
  return html.replaceAll(/&(?:lt|gt|amp|quot|#39);/g, (entity) => ENTITIES[entity]!);
}

/** The formulas of rendered Markdown (`$$...$$`, `$...$`) as MathML; code is left alone. */
export function withFormulas(html: string): string {
  return html.split(/(<(?:pre|code)\b[\s\S]*?<\/(?:pre|code)>)/).map((part, i) =>
    i % 2 === 1 ? part : part
      .replaceAll(/\$\$([\s\S]+?)\$\$/g, (_, tex: string) => formula(tex, true))
      .replaceAll(/\$([^$\n]+?(?:\n[^$\n]+?)?)\$/g, (_, tex: string) => formula(tex, false))
  ).join("");
}

function formula(tex: string, displayMode: boolean): string {
  return katex.renderToString(plain(tex), { displayMode, output: "mathml", throwOnError: true });
}

/** nbconvert's page without what it would fetch, and with its formulas made. */
export function offlinePage(html: string): string {
  const marked =
    /(<div class="jp-RenderedHTMLCommon jp-RenderedMarkdown[^>]*>)([\s\S]*?)(<\/div>\s*<\/div>\s*<\/div>)/g;
  return html
    .replaceAll(/<script[^>]*\bsrc="https?:[^"]*"[^>]*>\s*<\/script>/g, "")
    .replaceAll(/<!-- Load mathjax -->[\s\S]*?<!-- End of mathjax configuration -->/g, "")
    .replaceAll(/<script type="module">[\s\S]*?<\/script>/g, "")
    .replaceAll(marked, (_, open: string, body: string, close: string) => open + withFormulas(body) + close);
}

/**
 * Writes `out/NAME.html` of every notebook, and an index.
 *
 * @param python A Python with nbconvert.
 * @returns The notebooks' names.
 * @throws {Error} If nbconvert fails; the message holds what it said.
 */
export async function writeGallery(root: string, out: string, python: string): Promise<string[]> {
  const folder = join(root, "notebooks");
  const names = (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name)
    .filter((name) => name.endsWith(".ipynb")).map((name) => name.slice(0, -6)).sort();
  const files = names.map((name) => join(folder, `${name}.ipynb`));
  const { code, stderr } = await new Deno.Command(python, {
    args: ["-m", "nbconvert", "--to", "html", "--output-dir", out, ...files],
    stdout: "null",
  }).output();
  if (code !== 0) {
    throw new Error(`Cannot make the gallery as nbconvert must succeed: ${new TextDecoder().decode(stderr)}`);
  }
  const items: string[] = [];
  for (const name of names) {
    const path = join(out, `${name}.html`);
    const page = offlinePage(await Deno.readTextFile(path)).replaceAll(/href="(\w+)\.ipynb"/g, 'href="$1.html"')
      .replaceAll(/href="\.\.\/docs\/(\w+)\.md"/g, 'href="../$1.html"');
    await Deno.writeTextFile(path, page);
    const title = /<h1[^>]*>([\s\S]*?)<a/.exec(page)?.[1] ?? name;
    items.push(`<li><a href="${name}.html">${title}</a></li>`);
  }
  const head =
    '<!doctype html><html lang="en-GB"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Notebooks</title>';
  await Deno.writeTextFile(
    join(out, "index.html"),
    `${head}<body style="font:16px/1.6 system-ui,sans-serif;margin:2rem"><p><a href="../index.html">Documentation</a></p><h1>Notebooks</h1><ol start="0">${
      items.join("")
    }</ol></html>\n`,
  );
  return names;
}
