/** Table 6: what weighs the CLS hyperedge. @module */
import type { ClipConfig } from "../../clip/config.ts";
import type { RunSpec } from "../plan.ts";
import type { Row } from "../summary.ts";
import { barsAndLosses, figuresCostsComparisons, hgnnOf } from "./parts.ts";
import type { PaperTable } from "./table.ts";

function affinityRows(encoders: ClipConfig): RunSpec[] {
  const table = "table6", method = "ace-lora";
  return [
    { table, id: "attention", label: "ACE-HGNN, encoder attention", method, explain: true },
    { table, id: "gat", label: "GAT", method, settings: hgnnOf(encoders, { affinity: "gat" }) },
    { table, id: "gatv2", label: "GATv2", method, settings: hgnnOf(encoders, { affinity: "gatv2" }) },
    {
      table,
      id: "similarity",
      label: "Cosine similarity",
      method,
      settings: hgnnOf(encoders, { affinity: "similarity" }),
    },
  ];
}

const facts = {
  title: "Table 6: affinities of the hypergraph",
  isPaperRow: ({ id }: Pick<Row, "id">) => id === "attention",
  compared: [["attention", "gat"], ["attention", "gatv2"], ["attention", "similarity"]],
} as const;

/** The table. */
export const TABLE6: PaperTable = {
  ...facts,
  rows: affinityRows,
  show: (rows) => figuresCostsComparisons(facts, rows),
  illustrate: barsAndLosses,
};
