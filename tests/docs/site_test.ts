/** The site of `deno task site`: every link leads somewhere, formulas are made, nothing is fetched. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { notebookHtml, withFormulas } from "../../docs/site/notebook.ts";
import { pageHtml, siteLink, sitePages, writePages } from "../../docs/site/pages.ts";
import { inFolder } from "../folder.ts";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));

Deno.test("writePages() writes every page of docs/ and every notebook; each link within the site has its file and its heading", async () => {
  await inFolder(async (out) => {
    const pages = await writePages(ROOT, out);
    const texts = new Map<string, string>();
    for (const { file } of pages) texts.set(file, await Deno.readTextFile(join(out, file)));
    assert(texts.size === pages.length && texts.has("index.html") && texts.has("readme.html"));
    for (const { name } of Deno.readDirSync(join(ROOT, "notebooks"))) {
      assert(texts.get(name.replace(".ipynb", ".html"))!.includes('<img src="data:image/svg+xml;base64,'), name);
    }
    for (const [file, text] of texts) {
      for (const [, link] of text.matchAll(/(?:href|src)="([^"]+)"/g)) {
        if (/^https?:|^api\/|^data:image\//.test(link!)) continue;
        const [target, anchor] = link!.split("#");
        if (/\.png$/.test(target!)) assert((await Deno.stat(join(out, target!))).isFile, `${file}: ${link}`);
        else assert(target === "" || texts.has(target!), `${file}: ${link}`);
        if (anchor) assert(texts.get(target || file)!.includes(`id="${anchor}"`), `${file}: ${link}`);
      }
    }
  });
});

Deno.test("pageHtml() marks the page's own entry in the list, and names the site once in its title", async () => {
  const pages = await sitePages(ROOT);
  const [home, weights] = ["docs/index.md", "docs/weights.md"].map((source) => pages.find((p) => p.source === source)!);
  const sidebar = '<a href="readme.html">ACE-LoRA for Deno</a><a href="weights.html">Weights</a>';
  const html = pageHtml("# Weights", weights!, pages, sidebar);
  assertEquals(html.match(/<a aria-current="page" [^>]*>/g), ['<a aria-current="page" href="weights.html">']);
  assertMatch(html, /<title>Weights · ACE-LoRA for Deno<\/title>/);
  assertMatch(pageHtml("# ACE-LoRA for Deno", home!, pages, sidebar), /<title>ACE-LoRA for Deno<\/title>/);
});

Deno.test("siteLink() finds pages, notebooks and the API; what the site has not is no link", async () => {
  const pages = await sitePages(ROOT);
  const of = (link: string, source = "docs/index.md"): string | null => siteLink(link, source, pages);
  assertEquals(of("weights.md#data-sets"), "weights.html#data-sets");
  assertEquals(of("docs/weights.md", "README.md"), "weights.html");
  assertEquals(of("../SECURITY.md"), "security.html");
  assertEquals(of("../notebooks/01_lora.ipynb"), "01_lora.html");
  assertEquals(of("api.txt"), "api/index.html");
  assertEquals(of("../lib/model.ts"), null);
});

Deno.test("withFormulas() makes formulas of text alone; Markdown reads nothing in them", () => {
  const shown: string[] = [];
  const html = withFormulas("$a_i < b_j$ and `$c$`, *so*\n\n$$\nx^2\n$$", (text) => {
    shown.push(text);
    return text;
  });
  assertEquals(/[$_]/.test(shown[0]!.replace("`$c$`", "")), false);
  assertMatch(html, /^<span.*<math.*<\/span> and `\$c\$`, \*so\*\n\n<span.*<math.*display="block"/s);
});

Deno.test("notebookHtml() escapes code and texts, and shows the richest output that needs no script", () => {
  const output = (data: Record<string, string>) => ({ output_type: "display_data", data });
  const cells = [
    { cell_type: "markdown", source: ["# A *title*\n", "and more"] },
    {
      cell_type: "code",
      source: 'const a = "<b>"; // a < b',
      outputs: [
        output({ "text/plain": "a <drawing>", "image/svg+xml": "<svg/>", "image/png": "AAAA" }),
        output({ "text/plain": "a | b", "text/html": "<table></table>" }),
        { output_type: "stream", text: ["1 < 2\n", "done"] },
      ],
    },
  ];
  assertEquals(
    notebookHtml(JSON.stringify({ cells }), (text) => `<p>${text}</p>`),
    "<p># A *title*\nand more</p>\n" +
      '<pre><code><span class="word">const</span> a = <span class="string">&quot;&lt;b&gt;&quot;</span>; ' +
      '<span class="comment">// a &lt; b</span></code></pre><div class="output">' +
      '<figure><img src="data:image/svg+xml;base64,PHN2Zy8+" alt="a &lt;drawing&gt;">' +
      "<figcaption>a &lt;drawing&gt;</figcaption></figure><table></table>" +
      "<pre>1 &lt; 2\ndone</pre></div>",
  );
});
