/** Table A.3: which encoders carry ACE-HGNN. @module */
import type { ClipConfig } from "../../clip/config.ts";
import type { RunSpec } from "../plan.ts";
import type { Row } from "../summary.ts";
import { barsAndLosses, figuresCostsComparisons, hgnnOf } from "./parts.ts";
import type { PaperTable } from "./table.ts";

function encoderRows(encoders: ClipConfig): RunSpec[] {
  const table = "tableA3", method = "ace-lora";
  return [
    { table, id: "neither", label: "Neither (LoRA only)", method: "rslora" },
    { table, id: "image", label: "Image", method, settings: hgnnOf(encoders, { encoders: ["image"] }) },
    { table, id: "text", label: "Text", method, settings: hgnnOf(encoders, { encoders: ["text"] }) },
    { table, id: "both", label: "Both", method, explain: true },
  ];
}

const facts = {
  title: "Table A.3: encoders that carry ACE-HGNN",
  isPaperRow: ({ id }: Pick<Row, "id">) => id === "both",
  compared: [["both", "neither"], ["both", "image"], ["both", "text"]],
} as const;

/** The table. */
export const TABLE_A3: PaperTable = {
  ...facts,
  rows: encoderRows,
  show: (rows) => figuresCostsComparisons(facts, rows),
  illustrate: barsAndLosses,
};
