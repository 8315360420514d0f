/** A notebook as a page of the site: its text with formulas made, its code, its outputs. Nothing is fetched. @module */
import { Buffer } from "node:buffer";
import katex from "katex";
import { escapeHtml } from "../../lib/display/_escape.ts";

/** A multi-line text, as notebook files hold it. */
type Lines = string | string[];

/** What of a notebook file is shown. */
interface Notebook {
  /** In order. */
  cells: { cell_type: string; source: Lines; outputs?: { text?: Lines; data?: Record<string, Lines> }[] }[];
}

const joined = (text: Lines = ""): string => [text].flat().join("");

/** Comments, strings and words of TypeScript, as they are coloured. */
const TOKENS =
  /(\/\/.*|\/\*[\s\S]*?\*\/)|("(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`)|\b(as|async|assert|await|const|else|for|from|function|if|import|in|let|new|of|return|throw|type)\b/g;

function codeHtml(code: string): string {
  let [html, end] = ["", 0];
  for (const { 0: token, 1: comment, 2: string, index } of code.matchAll(TOKENS)) {
    const kind = comment ? "comment" : string ? "string" : "word";
    html += `${escapeHtml(code.slice(end, index))}<span class="${kind}">${escapeHtml(token)}</span>`;
    end = index + token.length;
  }
  return `<pre><code>${html}${escapeHtml(code.slice(end))}</code></pre>`;
}

/** The richest form that needs no script. Drawings are pictures of their own: within one page their ids would collide. */
function outputHtml({ text, data = {} }: NonNullable<Notebook["cells"][number]["outputs"]>[number]): string {
  const plain = joined(data["text/plain"] ?? text);
  const [svg, png] = [joined(data["image/svg+xml"]), joined(data["image/png"]).trim()];
  const picture = svg ? `svg+xml;base64,${Buffer.from(svg).toString("base64")}` : png ? `png;base64,${png}` : "";
  if (picture) {
    const words = escapeHtml(plain);
    const caption = "application/vnd.plotly.v1+json" in data ? "" : `<figcaption>${words}</figcaption>`; // a plot has axes
    return `<figure><img src="data:image/${picture}" alt="${words}">${caption}</figure>`;
  }
  return data["text/html"] ? joined(data["text/html"]) : `<pre>${escapeHtml(plain)}</pre>`;
}

/** Stand where formulas were while the rest is rendered, so that Markdown does not read them. */
const [OPEN, CLOSE] = ["\ue000", "\ue001"];

/**
 * Markdown rendered, and its formulas (`$$...$$`, `$...$`) as MathML; code is left alone.
 *
 * @throws {Error} If KaTeX cannot read a formula.
 */
export function withFormulas(markdown: string, render: (text: string) => string): string {
  const formulas: string[] = [];
  const keep = (tex: string, displayMode: boolean): string => {
    formulas.push(katex.renderToString(tex, { displayMode, output: "mathml", throwOnError: true }));
    return `${OPEN}${formulas.length - 1}${CLOSE}`;
  };
  const text = markdown.split(/(```[\s\S]*?```|`[^`\n]*`)/).map((part, i) =>
    i % 2 === 1 ? part : part.replaceAll(/\$\$([\s\S]+?)\$\$/g, (_, tex: string) => keep(tex, true))
      .replaceAll(/\$([^$\n]+?(?:\n[^$\n]+?)?)\$/g, (_, tex: string) => keep(tex, false))
  ).join("");
  return render(text).replaceAll(new RegExp(`${OPEN}(\\d+)${CLOSE}`, "g"), (_, i: string) => formulas[Number(i)]!);
}

/** A notebook's title, its first heading. */
export function notebookTitle(file: string): string {
  const { cells } = JSON.parse(file) as Notebook;
  const text = cells.filter(({ cell_type }) => cell_type === "markdown").map(({ source }) => joined(source)).join("\n");
  const title = /^# (.+)$/m.exec(text)?.[1];
  if (title === undefined) throw new SyntaxError("Cannot list a notebook as it must have a heading: there is none");
  return title;
}

/**
 * What stands in a notebook's page.
 *
 * @param file The notebook file's text.
 * @param render Renders Markdown.
 */
export function notebookHtml(file: string, render: (text: string) => string): string {
  return (JSON.parse(file) as Notebook).cells.map(({ cell_type, source, outputs = [] }) =>
    cell_type === "markdown" ? withFormulas(joined(source), render) : codeHtml(joined(source)) +
      (outputs.length ? `<div class="output">${outputs.map(outputHtml).join("")}</div>` : "")
  ).join("\n");
}
