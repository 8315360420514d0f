/** CheXpert labels out of CSV cells. @module */
import { rowNumber, type Table } from "./csv.ts";
import { CHEXPERT_LABELS, type LabelValue } from "./types.ts";

const VALUES: ReadonlyMap<string, LabelValue> = new Map<string, LabelValue>([
  ["", null],
  ["1", 1],
  ["1.0", 1],
  ["0", 0],
  ["0.0", 0],
  ["-1", -1],
  ["-1.0", -1],
]);

/**
 * One label of a table: 1 positive, 0 negative, -1 uncertain, null blank.
 *
 * @param table The file.
 * @param place Place of the row in `table.rows`, and of the column.
 * @throws {SyntaxError} If the cell holds anything else, naming the file, the row, the column and the value.
 */
export function labelAt(table: Table, place: { row: number; column: number }): LabelValue {
  const cell = table.rows[place.row]![place.column]!.trim();
  const value = VALUES.get(cell);
  if (value === undefined) {
    throw new SyntaxError(
      `Cannot read "${table.path}" row ${rowNumber(place.row)} as "${
        table.columns[place.column]
      }" must be 1, 0, -1 or blank: ` +
        `it is ${JSON.stringify(cell)}`,
    );
  }
  return value;
}

/**
 * A reader of the 14 CheXpert labels of a row, in the order of `CHEXPERT_LABELS` whatever the file's order.
 *
 * @throws {SyntaxError} If one of the columns is missing.
 */
export function labelReader(table: Table): (row: number) => LabelValue[] {
  const indices = CHEXPERT_LABELS.map((name) => table.column(name));
  return (row) => indices.map((column) => labelAt(table, { row, column }));
}
