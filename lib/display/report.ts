/** A report as one HTML file that needs nothing else: no network, no server, no fonts. @module */
import { escapeHtml, scriptJson } from "./_escape.ts";
import { FOLD_SCRIPT, LIVE_SCRIPT, ORDER_SCRIPT, REPORT_SCRIPT } from "./_report_script.ts";
import { REPORT_STYLE } from "./_report_style.ts";
import type { Figure } from "./figure.ts";
import { plotlyFigure } from "./plotly.ts";
import { checkOptions, LIST, needed, RECORD, type Rules, TEXT, TEXTS } from "../platform/options.ts";
import { checkSections, type ReportSection, sectionHtml } from "./sections.ts";

/** Files beside a page that is written anew while browsers show it: they take over what is new in it, and stay where they are. */
export interface LiveReport {
  /** Name of the file that holds {@linkcode plotlySource}: with it inside, every writing would be of 5 MB. */
  plotlyFile: string;
  /** Name of the file that holds {@linkcode reportUpdate}. Once it is gone, a browser loads the page again. */
  updateFile: string;
  /** Seconds after which a browser looks for something new. */
  seconds: number;
}

/** What {@linkcode buildReport} shows. */
export interface Report {
  /** Heading of the page. */
  title: string;
  /** One line under it. */
  subtitle?: string;
  /** What must be known before anything below is believed, a sentence each. @default {none} */
  warnings?: readonly string[];
  /** For a page that is written anew while browsers show it. @default {none: it is complete in itself} */
  live?: LiveReport;
  /** Parts, top to bottom. */
  sections: readonly ReportSection[];
}

/** What a report must be. */
const REPORT_RULES: Rules<Report> = {
  title: needed(TEXT),
  subtitle: TEXT,
  warnings: TEXTS,
  live: RECORD,
  sections: needed(LIST),
};

function checkReport(report: Report): void {
  checkOptions("write a report", report, REPORT_RULES, "field");
  checkSections(report.sections, "sections");
}

/**
 * Builds a self-contained page: plotly.js (when there is a figure), data, images and style are inside it, its content
 * policy forbids any request and any script but its own, and all text is escaped.
 *
 * @param report Title and sections.
 * @returns HTML text, about 5 MB with a figure in it.
 * @throws {TypeError} If a table or an overlay does not fit its own shape.
 */
export async function buildReport(report: Report): Promise<string> {
  checkReport(report);
  const { title, sections, live } = report;
  const figures: Figure[] = [];
  const body = sections.map((section) => sectionHtml(section, figures)).join("\n");
  const hasFigures = figures.length > 0 || live !== undefined;
  const plotly = hasFigures && live === undefined ? [inlineScript(await plotlySource())] : [];
  const scripts = [
    ...(sections.some(({ kind }) => kind === "group") ? [FOLD_SCRIPT] : []),
    ...(hasFigures ? [...plotly, REPORT_SCRIPT] : []),
    ...(sections.some(isOrdered) ? [ORDER_SCRIPT] : []),
    ...(live === undefined ? [] : [LIVE_SCRIPT]),
  ];
  const beside = live === undefined ? "" : escapeHtml(live.plotlyFile);
  const ends = live === undefined ? "is complete in itself and opens" : `opens beside ${beside}, which it reads,`;
  const data = scriptJson(figures.map(plotlyFigure));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${await contentPolicy(scripts, live !== undefined)}">
${
    live === undefined
      ? ""
      : `<noscript><meta http-equiv="refresh" content="${Number(live.seconds)}"></noscript>\n`
  }<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${escapeHtml(title)}</title>
<link rel="icon" href="data:,">
<style>
${REPORT_STYLE}
</style>
</head>
<body${
    live === undefined
      ? ""
      : ` data-update-file="${escapeHtml(live.updateFile)}" data-seconds="${Number(live.seconds)}"`
  }>
<header>${headHtml(report)}</header>
<main>
${body}
</main>
<footer>This file ${ends} without a network.</footer>
${hasFigures ? `<script type="application/json" id="figures">${data}</script>` : ""}
${live === undefined ? "" : `<script src="${beside}"></script>\n`}${
    scripts.map((script) => `<script>${script}</script>`).join("\n")
  }
</body>
</html>
`;
}

/** What a page that is shown takes over: a script that hands it its head, its sections and its figures anew. */
export function reportUpdate(report: Report): string {
  checkReport(report);
  const figures: Figure[] = [];
  const sections = report.sections.map((section) => sectionHtml(section, figures));
  return `updateReport(${scriptJson({ head: headHtml(report), sections, figures: figures.map(plotlyFigure) })});\n`;
}

function headHtml({ title, subtitle, warnings = [] }: Report): string {
  return `<h1>${escapeHtml(title)}</h1>${
    subtitle === undefined ? "" : `<p class="subtitle">${escapeHtml(subtitle)}</p>`
  }${warnings.map((text) => `<p class="warning" role="note">${escapeHtml(text)}</p>`).join("")}`;
}

/** Whether a reader may put a section's parts in another order. */
function isOrdered(section: ReportSection): boolean {
  if (section.kind === "group") return section.sections.some(isOrdered);
  return section.kind === "gallery" || (section.kind === "table" && section.table.sortable === true);
}

/** What a browser lets the page do: nothing but run these scripts, and files that lie beside it. */
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
