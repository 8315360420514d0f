/** The site of `deno task site`: every link leads somewhere, formulas are made, nothing is fetched. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { offlinePage, withFormulas } from "../../docs/site/gallery.ts";
import { siteLink, sitePages, writePages } from "../../docs/site/pages.ts";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));

Deno.test("writePages() writes every page of docs/; each link within the site has its file and its heading", async () => {
  const out = await Deno.makeTempDir({ prefix: "ace-site-" });
  try {
    const pages = await writePages(ROOT, out);
    const texts = new Map<string, string>();
    for (const { file } of pages) texts.set(file, await Deno.readTextFile(join(out, file)));
    assert(texts.size === pages.length && texts.has("index.html") && texts.has("readme.html"));
    const notebooks = new Set([...Deno.readDirSync(join(ROOT, "notebooks"))].map(({ name }) => name));
    for (const [file, text] of texts) {
      for (const [, link] of text.matchAll(/(?:href|src)="([^"]+)"/g)) {
        if (/^https?:|^api\/|^gallery\/index/.test(link!)) continue;
        const notebook = /^gallery\/(\w+)\.html/.exec(link!)?.[1];
        if (notebook) {
          assert(notebooks.has(`${notebook}.ipynb`), `${file}: ${link}`);
          continue;
        }
        const [target, anchor] = link!.split("#");
        if (/\.png$/.test(target!)) assert((await Deno.stat(join(out, target!))).isFile, `${file}: ${link}`);
        else assert(target === "" || texts.has(target!), `${file}: ${link}`);
        if (anchor) assert(texts.get(target || file)!.includes(`id="${anchor}"`), `${file}: ${link}`);
      }
    }
  } finally {
    await Deno.remove(out, { recursive: true });
  }
});

Deno.test("siteLink() finds pages, notebooks and the API; what the site has not is no link", async () => {
  const pages = await sitePages(ROOT);
  const of = (link: string, source = "docs/index.md"): string | null => siteLink(link, source, pages);
  assertEquals(of("weights.md#data-sets"), "weights.html#data-sets");
  assertEquals(of("docs/weights.md", "README.md"), "weights.html");
  assertEquals(of("../SECURITY.md"), "security.html");
  assertEquals(of("../notebooks/01_lora.ipynb"), "gallery/01_lora.html");
  assertEquals(of("api.txt"), "api/index.html");
  assertEquals(of("../lib/model.ts"), null);
});

Deno.test("offlinePage() makes formulas of rendered Markdown alone, and leaves nothing to fetch", () => {
  assertMatch(
    withFormulas("<p>$a &lt; b$ and <code>$c$</code></p>"),
    /^<p><span.*<math.*and <code>\$c\$<\/code><\/p>$/s,
  );
  const page = offlinePage(
    '<script src="https://a/b.js"></script><script type="module">import "https://c";</script>' +
      '<div class="jp-RenderedHTMLCommon jp-RenderedMarkdown jp-MarkdownOutput " data-mime-type="text/markdown">$$x^2$$</div>\n</div>\n</div>' +
      "<pre>cost: $5 or $6</pre>",
  );
  assert(!/https?:\/\/(a|c)/.test(page));
  assertMatch(page, /<math[\s\S]*<pre>cost: \$5 or \$6<\/pre>/);
});
