/** The site of `deno task site`: every link leads somewhere, formulas are made, nothing is fetched. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { dirname, fromFileUrl, join } from "@std/path";
import { writeApi } from "../../docs/site/api.ts";
import { notebookHtml, notebookTitle, withFormulas } from "../../docs/site/notebook.ts";
import { pageHtml, siteLink, sitePages, writePages } from "../../docs/site/pages.ts";
import { inFolder } from "../folder.ts";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));

Deno.test("writePages() writes every page of docs/ and every notebook, all listed; each link within the site has its file and its heading", async () => {
  await inFolder(async (out) => {
    const { pages, entries } = await writePages(ROOT, out);
    const texts = new Map<string, string>();
    for (const { file } of pages) texts.set(file, await Deno.readTextFile(join(out, file)));
    assert(texts.size === pages.length && texts.has("index.html") && texts.has("readme.html"));
    for (const { name } of Deno.readDirSync(join(ROOT, "notebooks"))) {
      assert(texts.get(name.replace(".ipynb", ".html"))!.includes('<img src="data:image/svg+xml;base64,'), name);
    }
    for (const [file, text] of texts) {
      for (const [, link] of text.matchAll(/(?:href|src)="([^"]+)"/g)) {
        if (/^https?:|^api\/|^data:image\/|^search[.]js$/.test(link!)) continue;
        const [target, anchor] = link!.split("#");
        if (/\.png$/.test(target!)) assert((await Deno.stat(join(out, target!))).isFile, `${file}: ${link}`);
        else assert(target === "" || texts.has(target!), `${file}: ${link}`);
        if (anchor) assert(texts.get(target || file)!.includes(`id="${anchor}"`), `${file}: ${link}`);
      }
      for (const { file: other } of pages) {
        if (other !== "index.html") assert(new RegExp(`<nav[^]*href="${other}"`).test(text), `${file} lists ${other}`);
      }
    }
    assertEquals(new Set(entries.map(({ link }) => link.split("#")[0])), new Set(texts.keys()));
    for (const { link } of entries) {
      const [target, anchor] = link.split("#");
      if (anchor) assert(texts.get(target!)!.includes(`id="${anchor}"`), link);
    }
  });
});

Deno.test("pageHtml() marks the page's own entry in the list, and names the site once in its title", async () => {
  const pages = await sitePages(ROOT);
  const [home, weights] = ["docs/index.md", "docs/weights.md"].map((source) => pages.find((p) => p.source === source)!);
  const sidebar = '<a href="readme.html">ACE-LoRA for Deno</a><a href="weights.html">Weights</a>';
  const html = pageHtml("<h1>Weights</h1>", weights!, sidebar);
  assertEquals(html.match(/<a aria-current="page" [^>]*>/g), ['<a aria-current="page" href="weights.html">']);
  assertMatch(html, /<title>Weights · ACE-LoRA for Deno<\/title>/);
  assertMatch(pageHtml("<h1>ACE-LoRA for Deno</h1>", home!, sidebar), /<title>ACE-LoRA for Deno<\/title>/);
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

Deno.test("notebookTitle() is the first heading", () => {
  const cells = [{ cell_type: "code", source: "# none" }, {
    cell_type: "markdown",
    source: ["text\n", "# A title\n", "## b"],
  }];
  assertEquals(notebookTitle(JSON.stringify({ cells })), "A title");
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

Deno.test("writeApi() lists every entry point at its home, leads back to the site from every page, and indexes the names", async () => {
  await inFolder(async (folder) => {
    const files = {
      "deno.json": JSON.stringify({ name: "@a/b", exports: { ".": "./mod.ts", "./part": "./lib/part.ts" } }),
      "mod.ts": "/** The whole <of> it.\n *\n * More. @module */\n/** One. */\nexport const one = 1;\n",
      "lib/part.ts":
        "/** A part,\n * in short.\n *\n * @module\n */\n/** Two of it. */\nexport function two(): void {}\n",
    };
    await Deno.mkdir(join(folder, "lib"));
    for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(join(folder, name), text);
    const out = join(folder, "site/api");
    await Deno.mkdir(join(folder, "site"));
    const { entryPoints, entries } = await writeApi(folder, out, Deno.execPath());
    assertEquals(entryPoints, 2);
    const home = await Deno.readTextFile(join(out, "index.html"));
    for (const text of ["The whole &lt;of&gt; it.", "@a/b/part", "A part, in short."]) {
      assert(home.includes(text), text);
    }
    assertEquals(entries.toSorted((a, b) => a.heading < b.heading ? -1 : 1), [
      { link: "api/~/one.html", page: "@a/b", heading: "one", text: "One." },
      { link: "api/part/~/two.html", page: "@a/b/part", heading: "two", text: "Two of it." },
    ]);
    const two = await Deno.readTextFile(join(out, "part/~/two.html"));
    assertMatch(two, /import \{ two \} from &quot;@a\/b\/part&quot;/);
    assertEquals(two.includes("file:"), false, "no path of the builder's machine");
    for (const path of ["index.html", "part/index.html", "part/~/two.html", "all_symbols.html"]) {
      const html = (await Deno.readTextFile(join(out, path))).replaceAll("&#x2F;", "/");
      const links = [...html.matchAll(/href="([^"#]*)/g)].map(([, link]) => link!);
      const targets = links.filter((link) => link !== "").map((link) => join(dirname(join(out, path)), link));
      assert(targets.includes(join(folder, "site/index.html")), `${path} leads back`);
      for (const target of targets) {
        if (target !== join(folder, "site/index.html")) assert((await Deno.stat(target)).isFile, `${path}: ${target}`);
      }
    }
  });
});
