/** Cells of CSV files that are written. @module */
import { checkValue, FLAG, type Rule, type Rules } from "../platform/options.ts";

/** Options of {@linkcode csvCell}. */
export interface CsvCellOptions {
  /**
   * Whether a text that a spreadsheet would take for a formula (it begins with `=`, `+`, `-`, `@`, a tab or a carriage return)
   * gets an apostrophe before it and stands in quotation marks, as OWASP's page on CSV injection describes. Without it the
   * text is written as it is, which a program that compares it needs.
   * @default {true}
   */
  spreadsheet?: boolean;
}

/** What they must be. */
export const CSV_CELL_RULES: Rules<CsvCellOptions> = {
  spreadsheet: FLAG,
};

const CELL: Rule = {
  must: "a text or a number",
  allows: (value) => typeof value === "string" || typeof value === "number",
};

/**
 * A value as a cell. Numbers, also those in a text ("-1.5"), stay as they are.
 *
 * Source: RFC 4180; OWASP, "CSV Injection".
 */
export function csvCell(value: string | number, options: CsvCellOptions = {}): string {
  checkValue("write a cell", "it", value, CELL);
  const text = String(value);
  const isFormula = options.spreadsheet !== false && /^[=+\-@\t\r]/.test(text) &&
    !/^[+-]?[\d.]+(e[+-]?\d+)?$/i.test(text);
  if (!isFormula && !/[",;\t\r\n]/.test(text)) return text;
  return `"${isFormula ? "'" : ""}${text.replaceAll('"', '""')}"`;
}
