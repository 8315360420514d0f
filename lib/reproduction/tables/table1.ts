/** Table 1: ways to fine-tune the generalist. @module */
import type { ClipConfig } from "../../clip/config.ts";
import type { ReportSection } from "../../display/sections.ts";
import { PEFT_METHODS, PEFT_NAMES } from "../../peft/methods.ts";
import { parameterFigure, rowsLossFigure, rowsRocFigure, runConfusionFigure } from "../figures.ts";
import type { RunSpec } from "../plan.ts";
import { type Row, setNames } from "../summary.ts";
import { figuresCostsComparisons, figureSection } from "./parts.ts";
import type { PaperTable } from "./table.ts";

/**
 * Every weight of the pre-trained model moves under full fine-tuning, so it gets a tenth of the small methods' learning rate, as is
 * usual; no row's rate was tuned.
 */
const FULL_RATE = 0.1;

function methodRows(encoders: ClipConfig): RunSpec[] {
  return PEFT_NAMES.map((method): RunSpec => ({
    table: "table1",
    id: method,
    label: PEFT_METHODS[method](encoders).label,
    method,
    ...(method === "none" ? { seeded: false } : {}),
    ...(method === "full" ? { rateFactor: FULL_RATE } : {}),
    ...(method === "ace-lora" ? { explain: true } : {}),
  }));
}

/** Rows whose curves are drawn; more would not be told apart. */
const DRAWN = ["none", "full", "lora", "dora", "ace-lora"];

function illustrate(rows: readonly Row[]): ReportSection[] {
  const drawn = DRAWN.flatMap((id) => rows.filter((row) => row.id === id));
  const confused = ["lora", "ace-lora"].flatMap((id) => rows.filter((row) => row.id === id));
  return [
    ...figureSection("Trainable numbers against AUROC", parameterFigure(rows), rows, { half: false, height: 480 }),
    ...figureSection("Training loss, first seed", rowsLossFigure(drawn), rows, { half: false }),
    ...setNames(rows).flatMap((set) =>
      figureSection(`ROC, first seed: ${set}`, rowsRocFigure(drawn, set), rows, { height: 460 })
    ),
    ...setNames(rows).flatMap((set) =>
      confused.flatMap((row) =>
        figureSection(`Confusion of ${row.label}, first seed: ${set}`, runConfusionFigure(row.runs[0]!, set), rows)
      )
    ),
  ];
}

const facts = {
  title: "Table 1: fine-tuning methods",
  isPaperRow: ({ id }: Pick<Row, "id">) => id === "ace-lora",
  compared: [["ace-lora", "lora"], ["ace-lora", "rslora"]],
} as const;

/** The table. */
export const TABLE1: PaperTable = {
  ...facts,
  rows: methodRows,
  show: (rows) => figuresCostsComparisons(facts, rows),
  illustrate,
};
