/** The sections of a report, and their HTML. @module */
import { escapeHtml } from "./_escape.ts";
import {
  checkRecord,
  checkRecords,
  FLAG,
  LIST,
  needed,
  oneOf,
  POSITIVE,
  RECORD,
  type Rule,
  TEXT,
} from "../platform/options.ts";
import type { Figure } from "./figure.ts";
import { type Overlay, overlaySvg } from "./overlay.ts";
import { htmlTable } from "./html_table.ts";
import type { Table } from "./table.ts";

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

/** Parts under one heading, folded to it where the window is narrow. */
export interface GroupSection extends SectionHead {
  /** Discriminant. */
  kind: "group";
  /** Heading. */
  title: string;
  /** The parts. */
  sections: readonly Exclude<ReportSection, GroupSection>[];
}

/** One part of a report. */
export type ReportSection =
  | ProseSection
  | TableSection
  | FigureSection
  | OverlaysSection
  | GallerySection
  | FactsSection
  | GroupSection;

/** What the parts of each kind of section must be; what they hold is checked where it is drawn. */
const SECTION_RULES: Readonly<Record<ReportSection["kind"], Readonly<Record<string, Rule>>>> = {
  prose: { text: needed({ must: "a text, or a list of texts", allows: isProse }) },
  table: { table: needed(RECORD) },
  figure: { figure: needed(RECORD), caption: TEXT, height: POSITIVE },
  overlays: { overlays: needed(LIST), caption: TEXT },
  gallery: { items: needed(LIST), caption: TEXT },
  facts: { facts: needed(RECORD) },
  group: { title: needed(TEXT), sections: needed(LIST) },
};
const KIND_RULES = { kind: needed(oneOf(Object.keys(SECTION_RULES))), title: TEXT, half: FLAG };

function isProse(text: unknown): boolean {
  return typeof text === "string" || Array.isArray(text) && text.every((item) => typeof item === "string");
}

/** Refuses what are no sections, named by their places. */
export function checkSections(sections: readonly ReportSection[], name: string): void {
  checkRecords("write a report", name, sections, KIND_RULES);
  for (const [i, section] of sections.entries()) {
    checkRecord("write a report", `${name}[${i}]`, section, SECTION_RULES[section.kind]);
    if (section.kind === "group") checkSections(section.sections, `${name}[${i}].sections`);
  }
}

/** A section as HTML; its figures are added to `figures`, which the page draws by their places. */
export function sectionHtml(section: ReportSection, figures: Figure[], level: 2 | 3 = 2): string {
  const heading = section.title === undefined ? "" : `<h${level}>${escapeHtml(section.title)}</h${level}>`;
  const content = section.kind === "group"
    ? `<details open><summary>${heading}</summary><div class="parts">${
      section.sections.map((part) => sectionHtml(part, figures, 3)).join("\n")
    }</div></details>`
    : heading + contentHtml(section, figures);
  return `<section class="${section.kind}-section${section.half ? " half" : ""}">${content}</section>`;
}

function contentHtml(section: Exclude<ReportSection, GroupSection>, figures: Figure[]): string {
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

/** The name of a setting in words: `batchSize` and `weights_sha256` are for programs. */
export function inWords(name: string): string {
  return name.replaceAll("_", " ").replace(
    /([a-z])([A-Z])/g,
    (_, end: string, start: string) => `${end} ${start.toLowerCase()}`,
  );
}
