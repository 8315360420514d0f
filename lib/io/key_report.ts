/** Which of the tensors a model needs a file has: missing, unused and misshapen ones in one table. @module */
import { quoted } from "./_errors.ts";

/** A tensor that is there with another shape. */
export interface MisshapenKey {
  /** Name the model uses. */
  name: string;
  /** Shape the model needs. */
  expected: readonly number[];
  /** Shape the file has. */
  actual: readonly number[];
}

/** What fits and what does not. */
export interface KeyReport {
  /** Prefix that the file puts before every name (`module.`), or the empty string. */
  prefix: string;
  /** The file's name of each tensor that fits, by the model's name. */
  matched: Map<string, string>;
  /** Tensors the model needs and the file lacks. */
  missing: { name: string; expected: readonly number[] }[];
  /** Tensors of the file that the model does not need, under the file's names. */
  unused: { name: string; actual: readonly number[] }[];
  /** Tensors that are there with another shape. */
  misshapen: MisshapenKey[];
}

/** How names are compared. */
export interface KeyReportOptions {
  /** Prefixes a file may put before every name; the one that fits most names is taken. @default {those in the file} */
  prefixes?: readonly string[];
  /** Names in the file that are neither needed nor worth a word. @default {/(^|\.)position_ids$/} */
  ignore?: RegExp;
  /** What the names belong to, for {@linkcode checkKeys}'s message. @default {nothing} */
  layout?: string;
}

/** What wrapped models, compiled ones and training checkpoints put before every name. */
const WRAPPERS = /^((module|model|_orig_mod|state_dict|model_state_dict)\.)+/;

/** A tensor's name without what wrappers put before it: `state_dict.module.logit_scale` is `logit_scale`. */
export function bareName(name: string): string {
  return name.replace(WRAPPERS, "");
}

function prefixesIn(names: Iterable<string>): string[] {
  return [...new Set(["", ...Iterator.from(names).map((name) => WRAPPERS.exec(name)?.[0] ?? "")])];
}

/**
 * Compares the names and shapes a model needs with those of a file.
 *
 * @param expected Shapes by the model's names.
 * @param stored The file's tensors (`entries` of an open file).
 * @example Usage
 * ```ts
 * import { formatKeyReport, reportKeys } from "@ace-lora/ace-lora/io";
 * import { assertEquals } from "@std/assert";
 *
 * const report = reportKeys(new Map([["head", [2, 3]]]), new Map([["module.head", { shape: [2, 3] }]]));
 * assertEquals(formatKeyReport(report), '1 of 1 tensors fit under the prefix "module.", 0 missing, 0 misshapen, 0 unused');
 * ```
 */
export function reportKeys(
  expected: ReadonlyMap<string, readonly number[]>,
  stored: ReadonlyMap<string, { shape: readonly number[] }>,
  options: KeyReportOptions = {},
): KeyReport {
  const { prefixes = prefixesIn(stored.keys()), ignore = /(^|\.)position_ids$/ } = options;
  const fits = (prefix: string): number => [...expected.keys()].filter((name) => stored.has(prefix + name)).length;
  const prefix = prefixes.reduce((best, next) => fits(next) > fits(best) ? next : best, prefixes[0] ?? "");
  const report: KeyReport = { prefix, matched: new Map(), missing: [], unused: [], misshapen: [] };
  for (const [name, shape] of expected) {
    const entry = stored.get(prefix + name);
    if (!entry) report.missing.push({ name, expected: shape });
    else if (isShape(entry.shape, shape)) report.matched.set(name, prefix + name);
    else report.misshapen.push({ name, expected: shape, actual: entry.shape });
  }
  for (const [name, { shape }] of stored) {
    const isNeeded = name.startsWith(prefix) && expected.has(name.slice(prefix.length));
    if (!isNeeded && !ignore.test(name)) report.unused.push({ name, actual: shape });
  }
  return report;
}

/** Whether a file's shape is the one a model needs; a scalar may be stored as a list of one number. */
export function isShape(shape: readonly number[], expected: readonly number[]): boolean {
  return shape.join() === expected.join() || (expected.length === 0 && shape.every((size) => size === 1));
}

const shown = (shape: readonly number[]): string => `[${shape.join(", ")}]`;

/**
 * The report as a table of text, one line a tensor: `missing  visual.head.proj.weight  [512, 768]  -`.
 *
 * @param limit Lines of each kind before "and n more". @default {20}
 */
export function formatKeyReport(report: KeyReport, limit = 20): string {
  const rows: string[][] = [["", "tensor", "expected", "found"]];
  const add = (kind: string, lines: string[][]): void => {
    for (const line of lines.slice(0, limit)) rows.push([kind, ...line]);
    if (lines.length > limit) rows.push([kind, `and ${lines.length - limit} more`, "", ""]);
  };
  add("missing", report.missing.map(({ name, expected }) => [name, shown(expected), "-"]));
  add("misshapen", report.misshapen.map(({ name, expected, actual }) => [name, shown(expected), shown(actual)]));
  add("unused", report.unused.map(({ name, actual }) => [name, "-", shown(actual)]));
  const { matched, missing, misshapen, unused, prefix } = report;
  const summary = `${matched.size} of ${matched.size + missing.length + misshapen.length} tensors fit` +
    `${
      prefix ? ` under the prefix ${quoted(prefix)}` : ""
    }, ${missing.length} missing, ${misshapen.length} misshapen, ${unused.length} unused`;
  if (rows.length === 1) return summary;
  const widths = [0, 1, 2, 3].map((i) => Math.max(...rows.map((row) => row[i]!.length)));
  return [...rows.map((row) => row.map((cell, i) => cell.padEnd(widths[i]!)).join("  ").trimEnd()), summary].join("\n");
}

/** The error of {@linkcode checkKeys}, which carries the report for who wants to print its table. */
export class KeyReportError extends SyntaxError {
  /** What fits and what does not. */
  readonly report: KeyReport;

  /**
   * An error about a file's keys.
   *
   * @param message One line.
   * @param report What fits and what does not.
   */
  constructor(message: string, report: KeyReport) {
    super(message);
    this.name = "KeyReportError";
    this.report = report;
  }
}

/**
 * The report of a file that has all a model needs.
 *
 * @param expected Shapes by the model's names.
 * @param file An open file.
 * @throws {KeyReportError} If a tensor is missing or misshapen; the message names the file and the first one.
 */
export function checkKeys(
  expected: ReadonlyMap<string, readonly number[]>,
  file: { path: string; entries: ReadonlyMap<string, { shape: readonly number[] }> },
  options: KeyReportOptions = {},
): KeyReport {
  const report = reportKeys(expected, file.entries, options);
  const { missing, misshapen } = report;
  const shownFile = `"${file.path}"${options.layout === undefined ? "" : ` (${options.layout})`}`;
  const [first] = missing;
  if (first) {
    throw new KeyReportError(
      `Cannot load ${shownFile} as ${quoted(first.name)} ${shown(first.expected)} is missing: ` +
        `${missing.length} of ${expected.size} tensors are missing, ${misshapen.length} misshapen`,
      report,
    );
  }
  const [wrong] = misshapen;
  if (wrong) {
    throw new KeyReportError(
      `Cannot load ${shownFile} as ${quoted(wrong.name)} must be ${shown(wrong.expected)}: found ${
        shown(wrong.actual)
      }, ` +
        `${misshapen.length} of ${expected.size} tensors are misshapen`,
      report,
    );
  }
  return report;
}
