/** Ablations of ACE-LoRA, one setting at a time. @module */
import type { ClipConfig } from "../../clip/config.ts";
import type { Table, TableCell } from "../../display/table.ts";
import { ACE_LORA_LORA, type LoraConfig, type LoraPositions } from "../../peft/lora/config.ts";
import type { RunSpec } from "../plan.ts";
import { isSynthetic, type Row, rowFigure, rowMeanAuroc, setNames } from "../summary.ts";
import { hgnnOf, provenance, spreadCell, titled } from "./parts.ts";
import { NOT_PUBLISHED, publishedFigures } from "./published.ts";
import type { PaperTable } from "./table.ts";

function loraOf(given: Partial<LoraConfig>): Record<string, unknown> {
  return { lora: { ...ACE_LORA_LORA, ...given } };
}

/** One row a value; the value that is the default runs without settings, so that its figures are shared with table 1. */
function ablationRows(encoders: ClipConfig): RunSpec[] {
  const quarter = Math.max(1, Math.round(encoders.embedding / 4));
  const rows = (group: string, values: readonly [string, Record<string, unknown> | null][]): RunSpec[] =>
    values.map(([value, settings]) => ({
      table: "ablations",
      id: `${group}-${value}`.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-"),
      label: settings === null ? `${value} (default)` : value,
      group,
      method: "ace-lora",
      ...(settings === null ? { explain: true } : { settings }),
    }));
  const positions = ["all", "bottom", "mid", "up", "half-bottom", "half-up"] as const satisfies LoraPositions[];
  return [
    ...lossRows(),
    ...rows("k", [1, 5, 10].map((topK) => [`${topK}`, topK === 5 ? null : hgnnOf(encoders, { topK })])),
    ...rows(
      "hidden width",
      [0.5, 1, 2].map((share) => {
        const hidden = Math.max(1, Math.round(share * quarter));
        return [`${hidden}`, share === 1 ? null : hgnnOf(encoders, { hidden })];
      }),
    ),
    ...rows("rank", [1, 4, 16].map((rank) => [`${rank}`, rank === 4 ? null : loraOf({ rank })])),
    ...rows("LoRA layers", positions.map((where) => [where, where === "all" ? null : loraOf({ positions: where })])),
    ...rows("logit scale", [["learned", null], ["fixed", { learnScale: false }]]),
  ];
}

function lossRows(): RunSpec[] {
  const row = { table: "ablations", group: "loss" } as const;
  return [
    { ...row, id: "loss-label-guided", label: "label-guided (default)", method: "ace-lora", explain: true },
    { ...row, id: "loss-info-nce", label: "InfoNCE", method: "ace-lora", loss: "info-nce" },
    { ...row, id: "loss-label-guided-lora", label: "LoRA only, label-guided", method: "rslora" },
    { ...row, id: "loss-info-nce-lora", label: "LoRA only, InfoNCE", method: "rslora", loss: "info-nce" },
  ];
}

const isPaperRow = ({ label }: Pick<Row, "label">): boolean => label.endsWith("(default)");

/** The table. */
export const ABLATIONS: PaperTable = {
  title: "Ablations of ACE-LoRA",
  rows: ablationRows,
  isPaperRow,
  show: (rows) => [
    { title: ABLATIONS.title, table: ablationTable(rows) },
    ...titled("Ablations: false negatives", falseNegativeTable(rows)),
  ],
};

/** One row a value of each ablated setting. */
function ablationTable(rows: readonly Row[]): Table {
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
