/** What `segment` and `detect` write: records, and a page with pictures. @module */
import { join } from "@std/path";
import type { Overlay } from "../display/overlay.ts";
import { buildReport } from "../display/report.ts";
import type { Table } from "../display/table.ts";
import { writeFileAtomic } from "../io/files.ts";
import { factsOf, type ModelFacts } from "./provenance.ts";

interface Page {
  title: string;
  subtitle: string;
  table?: Table;
  overlays: readonly Overlay[];
  caption: string;
  /** What limits what its figures are worth. @default {nothing} */
  warnings?: readonly string[];
  synthetic: boolean;
  model: ModelFacts;
  facts: Readonly<Record<string, string | number>>;
}

/** Writes figures and pictures as one HTML file that needs nothing else. */
export async function writePage(out: string, page: Page): Promise<void> {
  const { title, subtitle, table, overlays, caption, synthetic, facts, warnings = [], model: { notice, ...model } } =
    page;
  const html = await buildReport({
    title,
    subtitle,
    warnings: [...(notice === undefined || synthetic ? [] : [notice]), ...warnings],
    sections: [
      ...(table ? [{ kind: "table" as const, table }] : []),
      { kind: "overlays", overlays, caption, synthetic },
      { kind: "facts", facts: { ...facts, ...factsOf(model) } },
    ],
  });
  await writeFileAtomic(join(out, "overlays.html"), html, { isPrivate: true });
}

/** Writes a record for its owner alone. */
export async function writeJson(path: string, record: unknown): Promise<void> {
  await writeFileAtomic(path, JSON.stringify(record, null, 2) + "\n", { isPrivate: true });
}
