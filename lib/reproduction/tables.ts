/** The reproduced tables, the paper's figures beside the measured ones. @module */
import type { Table, TableCell } from "../display/table.ts";
import { isPaperRow, NOT_PUBLISHED, PUBLISHED_TRAINABLE, publishedFigures, publishedSet } from "./published.ts";
import { KNOWN_MODELS } from "./clip.ts";
import { comparisonTable } from "./comparisons.ts";
import type { TitledTable } from "./titled.ts";
import { isSynthetic, type Row, rowFigure, rowMeanAuroc, setNames, type Spread, spread, tableRuns } from "./summary.ts";
import type { ReproduceRecord, TableName } from "./types.ts";

/** What each table shows. */
export const TABLE_TITLES: Readonly<Record<TableName, string>> = {
  table1: "Table 1: fine-tuning methods",
  table2: "Table 2: medical vision-language models",
  table4: "Table 4: segmentation and detection",
  table6: "Table 6: affinities of the hypergraph",
  tableA3: "Table A.3: encoders that carry ACE-HGNN",
  ablations: "Ablations of ACE-LoRA",
  histopathology: "Histopathology, zero-shot",
};

/**
 * All tables of some records, ready to be shown: for each asked for its figures and, where anything was trained, its costs; then
 * the paired comparisons.
 *
 * @param records Runs, in any order of tables.
 * @param tables Which tables. @default {all that have records}
 */
export function reproducedTables(records: readonly ReproduceRecord[], tables?: readonly TableName[]): TitledTable[] {
  const wanted = tables ?? [...new Set(records.map(({ table }) => table))];
  return wanted.flatMap((table) => {
    const rows = tableRuns(records, table);
    if (rows.length === 0) return [];
    const title = TABLE_TITLES[table];
    const short = title.split(":")[0]!;
    if (table === "ablations") {
      return [
        { title, table: ablationTable(rows) },
        ...titled("Ablations: false negatives", falseNegativeTable(rows)),
      ];
    }
    return [
      { title, table: figuresTable(rows) },
      ...titled(`${short}: costs`, rows.some(({ runs }) => runs[0]!.trainable > 0) ? costTable(rows) : null),
      ...titled(`${short}: paired comparisons`, comparisonTable(rows)),
      ...titled(`${short}: models`, table === "table2" ? modelTable(rows) : null),
    ];
  });
}

function titled(title: string, table: Table | null): TitledTable[] {
  return table === null ? [] : [{ title, table }];
}

/** Words that every caption of measured figures ends with. */
function provenance(rows: readonly Row[]): string {
  const seeds = Math.max(...rows.map(({ runs }) => runs.length));
  const spreadWords = seeds > 1 ? `Mean and standard deviation over ${seeds} seeds.` : "One seed.";
  const isKnown = setNames(rows).some((set) => publishedSet(set) !== undefined);
  const paper = isKnown && isSynthetic(rows)
    ? " The paper's figures are of patients' radiographs and BiomedCLIP: they stand beside these, but are not comparable."
    : "";
  return spreadWords + paper;
}

/** One row a set and method: measured and published. */
export function figuresTable(rows: readonly Row[]): Table {
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
export function costTable(rows: readonly Row[]): Table {
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
      const bytes = Math.max(...row.runs.map((one) => one.peak_tensor_bytes));
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

/** The models measured, and those of the family there were no files for. */
function modelTable(rows: readonly Row[]): Table {
  const measured = rows.map(({ label, runs }) => {
    const { name } = runs[0]!.configuration["model"] as { name: string };
    return { label, name, numbers: runs[0]!.total };
  });
  const isAbsent = (folder: string): boolean => measured.every(({ name }) => name.toLowerCase() !== folder);
  return {
    columns: [{ title: "row" }, { title: "model", align: "left" }, { title: "numbers" }, { title: "paper's figures" }],
    rows: [
      ...measured.map(({ label, name, numbers }, i): TableCell[] => [
        label,
        name,
        numbers,
        isPaperRow(rows[i]!) ? "known" : NOT_PUBLISHED,
      ]),
      ...Object.entries(KNOWN_MODELS).filter(([folder]) => isAbsent(folder)).map(([folder, name]): TableCell[] => [
        name,
        `absent: no files in models/${folder}`,
        null,
        NOT_PUBLISHED,
      ]),
    ],
  };
}

/** One row a value of each ablated setting. */
export function ablationTable(rows: readonly Row[]): Table {
  const sets = setNames(rows);
  return {
    caption: `AUROC. ${provenance(rows)}`,
    columns: [
      { title: "setting" },
      { title: "value", align: "left" },
      ...sets.map((set) => ({ title: set.replace(" (synthetic)", ""), best: "high" as const })),
      { title: "mean of sets", best: "high" },
      { title: "trainable" },
      { title: "paper's AUROC" },
    ],
    rows: rows.map((row): TableCell[] => {
      const paper = sets.map((set) => publishedFigures(isPaperRow(row), set)?.auroc.toFixed(2));
      return [
        row.group ?? "",
        row.label,
        ...sets.map((set) => spreadCell(rowFigure(row, set, "auroc"))),
        spreadCell(rowMeanAuroc(row)),
        row.runs[0]!.trainable,
        paper.every((figure) => figure !== undefined) ? paper.join(" / ") + " %" : NOT_PUBLISHED,
      ];
    }),
    groupBy: 0,
    synthetic: isSynthetic(rows),
  };
}

/** How many pairs of the batches have identical labels, and what each loss does with them. */
function falseNegativeTable(rows: readonly Row[]): Table | null {
  const losses = rows.filter(({ group }) => group === "loss");
  if (losses.length === 0) return null;
  return {
    caption:
      "Ordered pairs of different studies in the batches of one run, and those with identical labels: false negatives, " +
      "which the label-guided loss takes out of the denominators.",
    columns: [{ title: "loss" }, { title: "pairs" }, { title: "identical labels" }, { title: "share" }, {
      title: "masked",
    }],
    rows: losses.map(({ label, runs }): TableCell[] => {
      const { pairs, identical } = runs[0]!.false_negatives;
      const masked = (runs[0]!.configuration["training"] as { loss?: string } | null)?.loss === "label-guided";
      const share = pairs === 0 ? null : `${(100 * identical / pairs).toFixed(1)} %`;
      return [label, pairs, identical, share, masked ? identical : 0];
    }),
    synthetic: isSynthetic(losses),
  };
}

function spreadCell(found: Spread | null, digits = 3): TableCell {
  if (found === null) return null;
  const text = found.mean.toFixed(digits) + (found.deviation === null ? "" : ` ± ${found.deviation.toFixed(digits)}`);
  // Marks compare what is printed: two figures that read the same are equally good.
  return { value: Number(found.mean.toFixed(digits)), text };
}
