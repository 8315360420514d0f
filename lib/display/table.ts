/** Tables of results for a terminal, a web page and a README. @module */
import {
  AMOUNT,
  checkItems,
  checkOptions,
  checkRecords,
  FLAG,
  LIST,
  LISTS,
  needed,
  oneOf,
  type Rule,
  type Rules,
  TEXT,
  WHOLE,
} from "../platform/options.ts";
import { outputColumns } from "./terminal.ts";

/** One column of a {@linkcode Table}. */
export interface TableColumn {
  /** Heading. */
  title: string;
  /**
   * Side the cells stand on.
   * @default {"left" for the first column, else "right"}
   */
  align?: "left" | "right";
  /** Mark the best and second-best numbers of the column: the highest or the lowest. Absent: no marks. */
  best?: "high" | "low";
  /**
   * Digits after the point for plain numbers that are not integers.
   * @default {3}
   */
  digits?: number;
}

/** A text, a number, nothing, or a number shown as a text (for instance with its interval). */
export type TableCell = string | number | null | { value: number; text: string };

/** A table: every row has one cell a column. */
export interface Table {
  /** Columns, left to right. */
  columns: readonly TableColumn[];
  /** Rows, top to bottom. */
  rows: readonly (readonly TableCell[])[];
  /** One line about the table. */
  caption?: string;
  /**
   * Whether the figures come from synthetic data; shown as a badge.
   * @default {false}
   */
  synthetic?: boolean;
  /**
   * What stands in an empty (null) cell.
   * @default {"-"}
   */
  empty?: string;
  /**
   * Whether a page lets its reader order the rows by a click on a heading; not with `groupBy`.
   * @default {false}
   */
  sortable?: boolean;
  /** Column by whose text the rows are grouped: best and second best are then marked within each group. */
  groupBy?: number;
}

/** What a table, its columns and a cell must be. */
const TABLE_RULES: Rules<Table> = {
  columns: needed(LIST),
  rows: needed(LISTS),
  caption: TEXT,
  synthetic: FLAG,
  empty: TEXT,
  sortable: FLAG,
  groupBy: WHOLE,
};
const COLUMN_RULES: Rules<TableColumn> = {
  title: needed(TEXT),
  align: oneOf(["left", "right"]),
  best: oneOf(["high", "low"]),
  digits: WHOLE,
};
const CELL: Rule = {
  must: "a text, a number, null, or a record of value and text",
  nullable: true,
  allows: (cell) =>
    ["string", "number"].includes(typeof cell) ||
    typeof cell === "object" && "value" in cell! && "text" in cell && typeof cell.text === "string",
};

/** Refuses what is no table, as a notebook's cell may hand it on. */
function checkTable(table: Table): void {
  checkOptions("show a table", table, TABLE_RULES, "field");
  checkRecords("show a table", "columns", table.columns, COLUMN_RULES);
  for (const [r, row] of table.rows.entries()) checkItems("show a table", `rows[${r}]`, row, CELL);
}

/** Place of a cell in its column. */
export type Mark = "best" | "second" | "";

/**
 * Best and second-best cell of every column that asks for it; equal numbers share a mark.
 *
 * @param table The table.
 * @returns One mark a cell, in the table's shape.
 */
export function tableMarks(table: Table): Mark[][] {
  return table.rows.map((row) =>
    row.map((cell, c): Mark => {
      const direction = table.columns[c]?.best;
      const value = numberOf(cell);
      if (direction === undefined || value === null) return "";
      const sign = direction === "high" ? -1 : 1;
      const group = (other: readonly TableCell[]): unknown => table.groupBy === undefined ? 0 : other[table.groupBy];
      const values = table.rows.filter((other) => group(other) === group(row))
        .map((other) => numberOf(other[c] ?? null)).filter((v) => v !== null);
      const distinct = [...new Set(values)].sort((a, b) => sign * (a - b));
      // With fewer than two different numbers there is nothing to set apart.
      if (distinct.length < 2) return "";
      return value === distinct[0] ? "best" : value === distinct[1] ? "second" : "";
    })
  );
}

/** Options of {@linkcode formatTable}. */
export interface FormatTableOptions {
  /**
   * Columns that a line may take. In a wider table each group gets a line of its own above its rows, and columns that still find
   * no room follow below, behind the first one again.
   * @default {those of the terminal, or no limit where stdout is none}
   */
  columns?: number;
}

/** What they must be. */
const FORMAT_RULES: Rules<FormatTableOptions> = { columns: AMOUNT };

/**
 * Aligned text for a terminal; `*` marks the best of a column and `+` the second best.
 *
 * @param table The table.
 * @param options See {@linkcode FormatTableOptions}.
 * @returns Lines joined by newlines, no trailing newline.
 * @throws {TypeError} If a row has another number of cells than there are columns.
 *
 * @example Aligned text
 * ```ts
 * import { formatTable } from "@ace-lora/ace-lora";
 * import { assert } from "@std/assert";
 *
 * const text = formatTable({ columns: [{ title: "class" }, { title: "AUROC" }], rows: [["pneumonia", "0.91"]] });
 * assert(text.includes("pneumonia"));
 * ```
 */
export function formatTable(table: Table, options: FormatTableOptions = {}): string {
  checkOptions("show a table", options, FORMAT_RULES);
  const { columns = outputColumns() } = options;
  const texts = cellTexts(table), marks = tableMarks(table);
  const marked = table.columns.map((_, c) => marks.some((row) => row[c] !== ""));
  const cells = texts.map((row, r) =>
    row.map((text, c) => marked[c] ? text + { best: " *", second: " +", "": "  " }[marks[r]![c]!] : text)
  );
  const heads = table.columns.map((column, c) => marked[c] ? column.title + "  " : column.title);
  const widths = heads.map((head, c) => Math.max(width(head), ...cells.map((row) => width(row[c]!))));
  const line = (row: readonly string[], shown: readonly number[]): string =>
    shown.map((c) => {
      const fill = " ".repeat(widths[c]! - width(row[c]!));
      return alignOf(table, c) === "right" ? fill + row[c]! : row[c]! + fill;
    }).join("  ").trimEnd();
  const rule = widths.map((w) => "-".repeat(w));
  const all = table.columns.map((_, c) => c);
  const wide = lineWidth(widths, all) > columns;
  const body = (shown: readonly number[]): string[] =>
    cells.flatMap((row, r) => {
      const group = wide && table.groupBy !== undefined ? row[table.groupBy]! : undefined;
      const first = group !== undefined && (r === 0 || cells[r - 1]![table.groupBy!] !== group);
      return [...(first ? [group] : []), line(row, shown)];
    });
  const parts = wide ? splitColumns(widths, all.filter((c) => c !== table.groupBy), columns) : [all];
  const title = [table.caption ?? "", table.synthetic ? "[synthetic]" : ""].filter((t) => t !== "").join(" ");
  return [
    ...(title === "" ? [] : [title]),
    ...parts.flatMap((shown, part) => [
      ...(part === 0 ? [] : [""]),
      line(heads, shown),
      line(rule, shown),
      ...body(shown),
    ]),
    ...(marked.includes(true) ? ["* best, + second best"] : []),
  ].join("\n");
}

function lineWidth(widths: readonly number[], shown: readonly number[]): number {
  return shown.reduce((sum, c) => sum + widths[c]! + 2, -2);
}

/** Columns side by side as long as they fit; the first one leads each part. */
function splitColumns(widths: readonly number[], shown: readonly number[], columns: number): number[][] {
  const [lead = 0, ...rest] = shown;
  const parts: number[][] = [[lead]];
  for (const c of rest) {
    const part = parts.at(-1)!;
    if (part.length > 1 && lineWidth(widths, [...part, c]) > columns) parts.push([lead, c]);
    else part.push(c);
  }
  return parts;
}

/**
 * The table as GitHub Markdown; the best of a column is bold, the second best in italics.
 *
 * @param table The table.
 * @returns Lines joined by newlines, no trailing newline.
 * @throws {TypeError} If a row has another number of cells than there are columns.
 */
export function markdownTable(table: Table): string {
  const texts = cellTexts(table), marks = tableMarks(table);
  const plain = (text: string): string => text.replace(/([\\|*_`<>])/g, "\\$1").replace(/\s+/g, " ");
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [
    line(table.columns.map((column) => plain(column.title))),
    line(table.columns.map((_, c) => alignOf(table, c) === "right" ? "---:" : "---")),
    ...texts.map((row, r) =>
      line(
        row.map((text, c) =>
          ({ best: `**${plain(text)}**`, second: `_${plain(text)}_`, "": plain(text) })[marks[r]![c]!]
        ),
      )
    ),
  ].join("\n");
}

/** A cell's number; null where it has none. */
export function numberOf(cell: TableCell): number | null {
  const value = typeof cell === "object" && cell !== null ? cell.value : cell;
  return typeof value === "number" && !Number.isNaN(value) ? value : null;
}

/** The text of each cell. @throws {TypeError | RangeError} If it is no table. */
export function cellTexts(table: Table): string[][] {
  checkTable(table);
  return table.rows.map((row, r) => {
    if (row.length !== table.columns.length) {
      throw new TypeError(
        `Cannot show a table as each row must have ${table.columns.length} cells: current number in row ${r} is ${row.length}`,
      );
    }
    return row.map((cell, c) => {
      if (cell === null) return table.empty ?? "-";
      if (typeof cell === "string") return cell;
      if (typeof cell === "object") return cell.text;
      // A column that was given digits shows them of every number: 60 beside 62.5 would look measured otherwise.
      const { digits } = table.columns[c]!;
      return digits === undefined && Number.isInteger(cell) ? cell.toLocaleString("en-GB") : cell.toFixed(digits ?? 3);
    });
  });
}

/** The side that a column's cells stand on. */
export function alignOf(table: Table, column: number): "left" | "right" {
  return table.columns[column]!.align ?? (column === 0 ? "left" : "right");
}

/** Columns a text takes in a terminal: combining marks take none, East Asian wide characters two. */
function width(text: string): number {
  let sum = 0;
  for (const char of text.normalize("NFC")) {
    if (/\p{Mark}/u.test(char)) continue;
    sum += /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/.test(char)
      ? 2
      : 1;
  }
  return sum;
}
