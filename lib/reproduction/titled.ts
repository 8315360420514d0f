/** A table under a heading. @module */
import type { Table } from "../display/table.ts";

/** A table with its heading. */
export interface TitledTable {
  /** Heading. */
  title: string;
  /** The table. */
  table: Table;
}
