/** What the tables of fine-tuned models are made of: figures, costs, cells. @module */
import type { Figure } from "../../display/figure.ts";
import type { ReportSection } from "../../display/sections.ts";
import type { Table, TableCell } from "../../display/table.ts";
import type { ClipConfig } from "../../clip/config.ts";
import { ACE_LORA_HGNN, type AceHgnnConfig } from "../../hypergraph/ace_hgnn.ts";
import { comparisonTable } from "../comparisons.ts";
import { rowsBarFigure, rowsLossFigure } from "../figures.ts";
import { isSynthetic, type Row, rowFigure, setNames, type Spread, spread } from "../summary.ts";
import { NOT_PUBLISHED, PUBLISHED_TRAINABLE, publishedFigures, publishedSet } from "./published.ts";
import type { PaperTable, TitledTable } from "./table.ts";

/** Whether a row is the paper's ACE-LoRA, unaltered. */
type PaperRow = (row: Row) => boolean;

/** Figures, costs where anything was trained, and paired comparisons: how most tables are shown. */
export function figuresCostsComparisons(
  { title, isPaperRow = () => false, compared = [] }: Omit<PaperTable, "rows" | "show">,
  rows: readonly Row[],
): TitledTable[] {
  const short = title.split(":")[0]!;
  return [
    { title, table: figuresTable(rows, isPaperRow) },
    ...titled(`${short}: costs`, rows.some(({ runs }) => runs[0]!.trainable > 0) ? costTable(rows, isPaperRow) : null),
    ...titled(`${short}: paired comparisons`, comparisonTable(rows, compared)),
  ];
}

/** A figure as a section of the report, half as wide as the page; none without a figure. */
export function figureSection(
  title: string,
  figure: Figure | null,
  rows: readonly Row[],
  { half = true, height = 400 }: { half?: boolean; height?: number } = {},
): ReportSection[] {
  return figure === null ? [] : [{ kind: "figure", title, figure, synthetic: isSynthetic(rows), half, height }];
}

/** AUROC by set and training loss: the figures of the tables that vary one part of the method. */
export function barsAndLosses(rows: readonly Row[]): ReportSection[] {
  return [
    ...figureSection("AUROC by set; dashed: chance", rowsBarFigure(rows), rows),
    ...figureSection("Training loss, first seed", rowsLossFigure(rows), rows),
  ];
}

/** A table under a heading, where there is one. */
export function titled(title: string, table: Table | null): TitledTable[] {
  return table === null ? [] : [{ title, table }];
}

/** What a caption says where the paper's figures stand beside those of drawings. */
export const BESIDE_PAPER =
  " The paper's figures are of patients' radiographs and BiomedCLIP: they stand beside these, but are not comparable.";

/** Words that every caption of measured figures ends with. */
export function provenance(rows: readonly Row[]): string {
  const seeds = Math.max(...rows.map(({ runs }) => runs.length));
  const spreadWords = seeds > 1 ? `Mean and standard deviation over ${seeds} seeds.` : "One seed.";
  const isKnown = setNames(rows).some((set) => publishedSet(set) !== undefined);
  return spreadWords + (isKnown && isSynthetic(rows) ? BESIDE_PAPER : "");
}

/** One row a set and method: measured and published. */
function figuresTable(rows: readonly Row[], isPaperRow: PaperRow): Table {
  const cells = setNames(rows).flatMap((set) =>
    rows.filter(({ runs }) => runs.some(({ sets }) => set in sets)).map((row): TableCell[] => {
      const paper = publishedFigures(isPaperRow(row), set);
      return [
        set,
        row.label,
        spreadCell(rowFigure(row, set, "accuracy")),
        spreadCell(rowFigure(row, set, "auroc")),
        paper ? paper.accuracy.toFixed(2) + " %" : NOT_PUBLISHED,
        paper ? paper.auroc.toFixed(2) + " %" : NOT_PUBLISHED,
      ];
    })
  );
  return {
    caption: provenance(rows),
    columns: [
      { title: "set" },
      { title: "method", align: "left" },
      { title: "accuracy", best: "high" },
      { title: "AUROC", best: "high" },
      { title: "paper's accuracy" },
      { title: "paper's AUROC" },
    ],
    rows: cells,
    groupBy: 0,
    synthetic: isSynthetic(rows),
  };
}

/** One row a method: trainable numbers, time, memory. */
function costTable(rows: readonly Row[], isPaperRow: PaperRow): Table {
  return {
    caption: "Memory is the most that tensors held at a time, the frozen model's included.",
    columns: [
      { title: "method" },
      { title: "trainable" },
      { title: "share" },
      { title: "training s", best: "low", digits: 1 },
      { title: "memory MiB", best: "low", digits: 1 },
      { title: "paper's trainable" },
    ],
    rows: rows.map((row): TableCell[] => {
      const run = row.runs[0]!;
      const seconds = spread(row.runs.map(({ seconds }) => seconds))!;
      const bytes = Math.max(...row.runs.map(({ peak_tensor_bytes }) => peak_tensor_bytes));
      const trained = run.steps > 0;
      return [
        row.label,
        run.trainable,
        `${(100 * run.trainable / run.total).toFixed(2)} %`,
        trained ? spreadCell(seconds, 1) : null,
        trained ? { value: bytes, text: (bytes / 2 ** 20).toFixed(1) } : null,
        isPaperRow(row) ? PUBLISHED_TRAINABLE : NOT_PUBLISHED,
      ];
    }),
    synthetic: isSynthetic(rows),
  };
}

/** Mean and deviation as a cell; null where there is no figure. */
export function spreadCell(figure: Spread | null, digits = 3): TableCell {
  if (figure === null) return null;
  const text = figure.mean.toFixed(digits) +
    (figure.deviation === null ? "" : ` ± ${figure.deviation.toFixed(digits)}`);
  // Marks compare what is printed: two figures that read the same are equally good.
  return { value: Number(figure.mean.toFixed(digits)), text };
}

/** ACE-HGNN's settings for models of a size: the bottleneck keeps the paper's ratio of a quarter of the embedding. */
export function hgnnOf(encoders: ClipConfig, given: Partial<AceHgnnConfig> = {}): Record<string, unknown> {
  return { hgnn: { ...ACE_LORA_HGNN, hidden: Math.max(1, Math.round(encoders.embedding / 4)), ...given } };
}
