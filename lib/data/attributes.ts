/** Further columns of a table, such as sex and age, that are kept with its cases. @module */
import type { Table } from "./csv.ts";
import type { Case } from "./types.ts";

/**
 * Reads the named columns of a row; nothing of it where none is named.
 *
 * @throws {ColumnError} If the table lacks one.
 */
export function attributeReader(
  table: Table,
  names: readonly string[] = [],
): (row: number) => Pick<Case, "attributes"> {
  const columns = names.map((name) => [name, table.column(name)] as const);
  if (columns.length === 0) return () => ({});
  return (row) => ({
    attributes: Object.fromEntries(columns.map(([name, column]) => [name, table.rows[row]![column]!])),
  });
}
