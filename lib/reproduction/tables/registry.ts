/** The tables by name: their runs, and the measured beside the published. @module */
import type { ClipConfig } from "../../clip/config.ts";
import { verdictsOf } from "../comparisons.ts";
import type { ClipFolder, PlannedRun, TableName } from "../plan.ts";
import type { ReproduceRecord } from "../record.ts";
import { type Row, tableRuns } from "../summary.ts";
import { ABLATIONS } from "./ablations.ts";
import { HISTOPATHOLOGY } from "./histopathology.ts";
import type { PaperTable, TitledTable } from "./table.ts";
import { TABLE1 } from "./table1.ts";
import { clipRows, TABLE2 } from "./table2.ts";
import { TABLE4 } from "./table4/show.ts";
import { TABLE6 } from "./table6.ts";
import { TABLE_A3 } from "./table_a3.ts";

/** Every table. */
export const TABLES: Readonly<Record<TableName, PaperTable>> = {
  table1: TABLE1,
  table2: TABLE2,
  table4: TABLE4,
  table6: TABLE6,
  tableA3: TABLE_A3,
  ablations: ABLATIONS,
  histopathology: HISTOPATHOLOGY,
};

/** The rows of some tables under each seed, seed by seed within a row; table 2 has a row or two more for each of `clips`. */
export function plannedRuns(
  tables: readonly TableName[],
  encoders: ClipConfig,
  seeds: readonly number[],
  clips: readonly ClipFolder[] = [],
): PlannedRun[] {
  return tables.flatMap((table) =>
    [...TABLES[table].rows(encoders), ...(table === "table2" ? clips.flatMap(clipRows) : [])].flatMap((spec, place) =>
      (spec.seeded === false ? seeds.slice(0, 1) : seeds).map((seed) => ({ ...spec, seed, place }))
    )
  );
}

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
    return rows.length === 0 ? [] : TABLES[table].show(rows);
  });
}

/** What a table's comparisons came to, one sentence each, whichever way it went. */
export function verdicts(rows: readonly Row[]): string[] {
  return verdictsOf(rows, TABLES[rows[0]!.table].compared ?? []);
}
