/** A report as one HTML file that needs nothing else: no network, no server, no fonts. @module */
import { escapeHtml, scriptJson } from "./_escape.ts";
import { ORDER_SCRIPT, REPORT_SCRIPT } from "./_report_script.ts";
import { REPORT_STYLE } from "./_report_style.ts";
import type { Figure } from "./figure.ts";
import { plotlyFigure } from "./plotly.ts";
import { type ReportSection, sectionHtml } from "./sections.ts";

/** What {@linkcode buildReport} shows. */
export interface Report {
  /** Heading of the page. */
  title: string;
  /** One line under it. */
  subtitle?: string;
  /** What must be known before anything below is believed, a sentence each. @default {none} */
  warnings?: readonly string[];
  /** Seconds after which a browser loads the page again, for one that is written anew. @default {never} */
  refreshSeconds?: number;
  /**
   * Name of a file beside the page that holds {@linkcode plotlySource}, for a page that is written often. @default {it is inside}
   */
  plotlyFile?: string;
  /** Parts, top to bottom. */
  sections: readonly ReportSection[];
}

/**
 * Builds a self-contained page: plotly.js (when there is a figure), data, images and style are inside it, its content
 * policy forbids any request and any script but its own two, and all text is escaped.
 *
 * @param report Title and sections.
 * @returns HTML text, about 5 MB with a figure in it.
 * @throws {TypeError} If a table or an overlay does not fit its own shape.
 */
export async function buildReport(report: Report): Promise<string> {
  const figures: Figure[] = [];
  const body = report.sections.map((section) => sectionHtml(section, figures)).join("\n");
  const beside = figures.length === 0 ? undefined : report.plotlyFile;
  const scripts = [
    ...(figures.length > 0 && beside === undefined ? [inlineScript(await plotlySource())] : []),
    ...(figures.length > 0 ? [REPORT_SCRIPT] : []),
    ...(report.sections.some(isOrdered) ? [ORDER_SCRIPT] : []),
  ];
  const policy = await contentPolicy(scripts, beside !== undefined);
  const data = figures.map(plotlyFigure);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
${
    report.refreshSeconds === undefined
      ? ""
      : `<meta http-equiv="refresh" content="${Number(report.refreshSeconds)}">\n`
  }<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${escapeHtml(report.title)}</title>
<link rel="icon" href="data:,">
<style>
${REPORT_STYLE}
</style>
</head>
<body>
<header><h1>${escapeHtml(report.title)}</h1>${
    report.subtitle === undefined ? "" : `<p class="subtitle">${escapeHtml(report.subtitle)}</p>`
  }${(report.warnings ?? []).map((text) => `<p class="warning" role="note">${escapeHtml(text)}</p>`).join("")}</header>
<main>
${body}
</main>
<footer>This file ${
    beside === undefined ? "is complete in itself and opens" : `opens beside ${escapeHtml(beside)}, which it reads,`
  } without a network.</footer>
${figures.length === 0 ? "" : `<script type="application/json" id="figures">${scriptJson(data)}</script>`}
${beside === undefined ? "" : `<script src="${escapeHtml(beside)}"></script>\n`}${
    scripts.map((script) => `<script>${script}</script>`).join("\n")
  }
</body>
</html>
`;
}

/** Whether a reader may put a section's parts in another order. */
function isOrdered(section: ReportSection): boolean {
  return section.kind === "gallery" || (section.kind === "table" && section.table.sortable === true);
}

/** What a browser lets the page do: nothing but run these scripts, and one that lies beside it. */
async function contentPolicy(scripts: readonly string[], isBeside: boolean): Promise<string> {
  const hashes = (await Promise.all(scripts.map(scriptHash))).map((hash) => `'sha256-${hash}'`);
  const sources = [...(isBeside ? ["'self'", "file:"] : []), ...hashes];
  return [
    "default-src 'none'",
    `script-src ${sources.join(" ") || "'none'"}`,
    "style-src 'unsafe-inline'",
    "img-src data: blob:",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
}

/** The notice of a run's facts, such as what its model cannot know, as the page's warning; the facts without it. */
export function factsWithWarnings(
  { notice, ...facts }: Readonly<Record<string, string | number | null | undefined>>,
): { warnings: readonly string[]; facts: Readonly<Record<string, string | number>> } {
  return {
    warnings: notice === undefined || notice === null ? [] : [String(notice)],
    facts: Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, value ?? "none"])),
  };
}

/** plotly.js's own minified file, as text; read only when a report has a figure. */
export async function plotlySource(): Promise<string> {
  const module = await import("plotly.js/plotly.min.js", { with: { type: "text" } });
  return module.default;
}

/** Script text that may stand in HTML: the sequences that would end or re-open a script element are spelt otherwise. */
function inlineScript(source: string): string {
  return source.replace(/\r\n?/g, "\n").replace(/<(\/script|script|!--)/gi, (_, rest: string) => `\\x3c${rest}`);
}

async function scriptHash(script: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(script)));
  return btoa(String.fromCharCode(...digest));
}
