/** What a table of the paper is here: what it runs, which row the paper prints, how it is shown. @module */
import type { ClipConfig } from "../../clip/config.ts";
import type { ReportSection } from "../../display/sections.ts";
import type { Table } from "../../display/table.ts";
import type { RunSpec } from "../plan.ts";
import type { Row } from "../summary.ts";

/** A table with its heading. */
export interface TitledTable {
  /** Heading. */
  title: string;
  /** The table. */
  table: Table;
}

/** A table of the paper, or one that stands beside them. */
export interface PaperTable {
  /** Its heading. */
  title: string;
  /** What it runs, for models of a size. */
  rows(encoders: ClipConfig): RunSpec[];
  /** Whether a row is the paper's ACE-LoRA with nothing changed. @default {none is} */
  isPaperRow?(row: Pick<Row, "id" | "label">): boolean;
  /** Rows compared pairwise by their ids: the first of each pair against the second. @default {none} */
  compared?: readonly (readonly [string, string])[];
  /** Measured beside published. */
  show(rows: readonly Row[]): TitledTable[];
  /** Figures of the report. @default {none} */
  illustrate?(rows: readonly Row[]): ReportSection[];
}
