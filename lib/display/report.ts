/** A report as one HTML file that needs nothing else: no network, no server, no fonts. @module */
import { escapeHtml, scriptJson } from "./_escape.ts";
import { ORDER_SCRIPT, REPORT_SCRIPT } from "./_report_script.ts";
import { REPORT_STYLE } from "./_report_style.ts";
import { type Overlay, overlaySvg } from "./overlay.ts";
import type { Figure } from "./figure.ts";
import { plotlyFigure } from "./plotly.ts";
import { htmlTable, type Table } from "./table.ts";

/** What every section may have. */
export interface SectionHead {
  /** Heading. */
  title?: string;
  /**
   * Half the page's width on wide screens; two halves stand side by side.
   * @default {false}
   */
  half?: boolean;
}

/** Paragraphs of plain text. */
export interface ProseSection extends SectionHead {
  /** Discriminant. */
  kind: "prose";
  /** One paragraph, or several. */
  text: string | readonly string[];
}

/** A table. */
export interface TableSection extends SectionHead {
  /** Discriminant. */
  kind: "table";
  /** The table, with its caption and its badge. */
  table: Table;
}

/** A figure, drawn by plotly. */
export interface FigureSection extends SectionHead {
  /** Discriminant. */
  kind: "figure";
  /** The figure. */
  figure: Figure;
  /** One line about it. */
  caption?: string;
  /**
   * Whether it shows synthetic data; shown as a badge.
   * @default {false}
   */
  synthetic?: boolean;
  /**
   * Pixels.
   * @default {380}
   */
  height?: number;
}

/** Images with attention and hyperedges. */
export interface OverlaysSection extends SectionHead {
  /** Discriminant. */
  kind: "overlays";
  /** The images. */
  overlays: readonly Overlay[];
  /** One line about them. */
  caption?: string;
  /**
   * Whether they show synthetic images; shown as a badge.
   * @default {false}
   */
  synthetic?: boolean;
}

/** What a run was: seed, backend, versions, split hash. */
export interface FactsSection extends SectionHead {
  /** Discriminant. */
  kind: "facts";
  /** Names and values, in order. */
  facts: Readonly<Record<string, string | number>>;
}

/** One picture of a {@linkcode GallerySection}. */
export interface GalleryItem {
  /** The picture, a `data:` URL. */
  image: string;
  /** What it is, in one line. */
  caption: string;
  /** What the pictures can be ordered by, by name; the same names for all. */
  keys: Readonly<Record<string, number | string>>;
}

/** Pictures that can be ordered, and enlarged one at a time. */
export interface GallerySection extends SectionHead {
  /** Discriminant. */
  kind: "gallery";
  /** The pictures, in the order of their first key. */
  items: readonly GalleryItem[];
  /** One line about them. */
  caption?: string;
  /**
   * Whether they show synthetic images; shown as a badge.
   * @default {false}
   */
  synthetic?: boolean;
}

/** One part of a report. */
export type ReportSection =
  | ProseSection
  | TableSection
  | FigureSection
  | OverlaysSection
  | GallerySection
  | FactsSection;

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
  const isOrdered = report.sections.some((section) =>
    section.kind === "gallery" || (section.kind === "table" && section.table.sortable)
  );
  const beside = figures.length === 0 ? undefined : report.plotlyFile;
  const scripts = [
    ...(figures.length === 0
      ? []
      : [...(beside === undefined ? [inlineScript(await plotlySource())] : []), REPORT_SCRIPT]),
    ...(isOrdered ? [ORDER_SCRIPT] : []),
  ];
  const hashes = await Promise.all(scripts.map(scriptHash));
  const sources = [...(beside === undefined ? [] : ["'self'", "file:"]), ...hashes.map((hash) => `'sha256-${hash}'`)];
  const policy = [
    "default-src 'none'",
    `script-src ${sources.join(" ") || "'none'"}`,
    "style-src 'unsafe-inline'",
    "img-src data: blob:",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
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

function sectionHtml(section: ReportSection, figures: Figure[]): string {
  const heading = section.title === undefined ? "" : `<h2>${escapeHtml(section.title)}</h2>`;
  return `<section class="${section.kind}-section${section.half ? " half" : ""}">${heading}${
    contentHtml(section, figures)
  }</section>`;
}

function contentHtml(section: ReportSection, figures: Figure[]): string {
  switch (section.kind) {
    case "prose":
      return (typeof section.text === "string" ? [section.text] : section.text)
        .map((paragraph) => `<p>${escapeHtml(paragraph)}</p>`).join("\n");
    case "table":
      return htmlTable(section.table);
    case "figure": {
      const { figure, height = 380 } = section;
      const index = figures.push(figure) - 1;
      return `<figure>${captionHtml(section)}<div class="plot" data-figure="${index}" role="group" aria-label="${
        escapeHtml(figure.alt)
      }" style="height:${Number(height)}px"><noscript>${escapeHtml(figure.alt)}</noscript></div></figure>`;
    }
    case "overlays":
      return overlaysHtml(section);
    case "gallery":
      return galleryHtml(section);
    case "facts":
      return `<dl class="facts">${
        Object.entries(section.facts).map(([name, value]) =>
          `<div${String(value).length > 24 ? ' class="wide"' : ""}><dt>${escapeHtml(inWords(name))}</dt><dd>${
            escapeHtml(String(value))
          }</dd></div>`
        ).join("")
      }</dl>`;
  }
}

function overlaysHtml(section: OverlaysSection): string {
  const layers = [
    [
      "attention",
      section.overlays.find(({ heat }) => heat !== undefined)?.heat ?? "CLS attention",
      section.overlays.some((o) => o.attention !== undefined),
    ],
    ["hyperedges", "hyperedges", section.overlays.some((o) => (o.hyperedges ?? []).length > 0)],
  ] as const;
  const switches = layers.filter(([, , present]) => present)
    .map(([name, text]) =>
      `<label><input type="checkbox" name="${name}" checked autocomplete="off">${escapeHtml(text)}</label>`
    );
  const pictures = section.overlays.map((overlay) =>
    `<figure>${overlaySvg(overlay)}${
      overlay.caption === undefined ? "" : `<figcaption>${escapeHtml(overlay.caption)}</figcaption>`
    }</figure>`
  );
  return `${captionHtml(section, "p")}${
    switches.length === 0 ? "" : `<div class="switches">${switches.join("")}</div>`
  }<div class="overlays">${pictures.join("\n")}</div>`;
}

function galleryHtml(section: GallerySection): string {
  const names = Object.keys(section.items[0]?.keys ?? {});
  const choices = names.map((name) => `<option>${escapeHtml(name)}</option>`).join("");
  const pictures = section.items.map(({ image, caption, keys }) =>
    `<figure data-keys="${escapeHtml(JSON.stringify(names.map((name) => keys[name] ?? "")))}">` +
    `<button type="button" class="zoom"><img src="${escapeHtml(image)}" alt="${escapeHtml(caption)}"></button>` +
    `<figcaption>${escapeHtml(caption)}</figcaption></figure>`
  );
  const order = names.length < 2
    ? ""
    : `<div class="switches"><label>order by <select autocomplete="off">${choices}</select></label></div>`;
  return `${captionHtml(section, "p")}${order}<div class="gallery">${
    pictures.join("\n")
  }</div><dialog><form method="dialog"><button>close</button></form><img alt=""><p></p></dialog>`;
}

function captionHtml(section: { caption?: string; synthetic?: boolean }, element = "figcaption"): string {
  const badge = section.synthetic ? '<span class="badge">synthetic data</span>' : "";
  const text = section.caption === undefined ? "" : escapeHtml(section.caption);
  if (badge + text === "") return "";
  return `<${element}${element === "p" ? ' class="caption"' : ""}>${badge}${text}</${element}>`;
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

/** The name of a setting in words: `batchSize` and `weights_sha256` are for programs. */
export function inWords(name: string): string {
  return name.replaceAll("_", " ").replace(
    /([a-z])([A-Z])/g,
    (_, end: string, start: string) => `${end} ${start.toLowerCase()}`,
  );
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
