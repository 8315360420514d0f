/** Scores of cases with their truth: a record, and the CSV it is kept in. @module */
import { CSV_CELL_RULES, csvCell, type CsvCellOptions } from "../../data/csv_cell.ts";
import { readCsv, rowNumber } from "../../data/csv.ts";
import { byCodePoint } from "../../text/code_point_order.ts";
import { splitByPatient } from "../../data/splits.ts";
import type { Dataset } from "../../data/types.ts";
import { checkOptions, type Rules, TEXT, TEXTS } from "../../platform/options.ts";

/** The part that thresholds are chosen on and temperatures fitted to; every other case is judged. */
export const TUNING_PART = "tune";

/** Scores of cases with their truth. */
export interface Predictions {
  /** Names, in the order of the scores; of two classes the second is the positive one. */
  classes: readonly string[];
  /** One class a case, or any number. */
  task: "multiclass" | "multilabel";
  /** Name of each case. */
  ids: readonly string[];
  /** Row-major `[n, C]`; `[n]` of the second class alone where there are two. */
  scores: ArrayLike<number>;
  /** Class index of each case, or `[n, C]` zeros and ones when multi-label. */
  targets: readonly number[];
  /** Part of each case: {@linkcode TUNING_PART}, or any other name. */
  parts: readonly string[];
  /** Patient of each case. @default {not known} */
  patients?: readonly string[];
  /** Further columns, such as sex and age, a text a case. */
  attributes: Readonly<Record<string, readonly string[]>>;
}

/** The predictions of some cases. */
export function selectPredictions(all: Predictions, rows: readonly number[]): Predictions {
  const pick = <T>(values: readonly T[]): T[] => rows.map((row) => values[row]!);
  const pickRows = (values: ArrayLike<number>): Float64Array => {
    const width = values.length / all.ids.length;
    return Float64Array.from(
      { length: rows.length * width },
      (_, i) => values[rows[Math.floor(i / width)]! * width + i % width]!,
    );
  };
  return {
    ...all,
    ids: pick(all.ids),
    scores: pickRows(all.scores),
    targets: Array.from(pickRows(all.targets)),
    parts: pick(all.parts),
    ...(all.patients ? { patients: pick(all.patients) } : {}),
    attributes: Object.fromEntries(Object.entries(all.attributes).map(([name, values]) => [name, pick(values)])),
  };
}

/** The predictions of the cases judged, and of those to tune on. */
export function predictionParts(all: Predictions): { tuning: Predictions; judged: Predictions } {
  const rows = all.ids.map((_, row) => row);
  const isTuning = (row: number): boolean => all.parts[row] === TUNING_PART;
  return {
    tuning: selectPredictions(all, rows.filter(isTuning)),
    judged: selectPredictions(all, rows.filter((row) => !isTuning(row))),
  };
}

/**
 * The predictions, a share of their patients (of their cases, where no patient is known) being for tuning.
 *
 * @throws {RangeError} If the share is not between 0 and 1, or there are fewer than two patients.
 */
export function withTuningPart(all: Predictions, share: number, seed: number): Predictions {
  const cases = all.ids.map((id, row) => ({ id, ...(all.patients ? { patientId: all.patients[row]! } : {}) }));
  const { [TUNING_PART]: tuning } = splitByPatient(cases, { shares: { [TUNING_PART]: share }, seed });
  const chosen = new Set(tuning.map(({ id }) => id));
  return { ...all, parts: all.ids.map((id) => chosen.has(id) ? TUNING_PART : "test") };
}

/** What they must be. */
const DATASET_PREDICTIONS_RULES: Rules<{ classes?: readonly string[]; attributes?: readonly string[] }> = {
  classes: TEXTS,
  attributes: TEXTS,
};

/**
 * Predictions out of a set's cases, its targets and the scores of a model.
 *
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function datasetPredictions(
  dataset: Dataset,
  { scores, targets }: { scores: ArrayLike<number>; targets: readonly number[] },
  options: { classes?: readonly string[]; attributes?: readonly string[] } = {},
): Predictions {
  checkOptions("list predictions", options, DATASET_PREDICTIONS_RULES);
  const { cases } = dataset;
  const isKnown = cases.some(({ patientId }) => patientId !== undefined);
  return {
    classes: options.classes ?? dataset.classes,
    task: dataset.task === "multilabel" ? "multilabel" : "multiclass",
    ids: cases.map(({ id }) => id),
    scores,
    targets,
    parts: cases.map(() => "test"),
    ...(isKnown ? { patients: cases.map(({ id, patientId }) => patientId || `case ${id}`) } : {}),
    attributes: Object.fromEntries(
      (options.attributes ?? []).map((name) => [name, cases.map(({ attributes }) => attributes?.[name] ?? "")]),
    ),
  };
}

/**
 * Predictions as CSV: `id`, `split`, `patient` where known, `truth` (multi-label: `truth:CLASS` of 0 and 1 each), a column
 * `score:CLASS` for each class, and the further columns. Numbers are written so that reading gives the same bits.
 *
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function predictionsCsv(predictions: Predictions, options: CsvCellOptions = {}): string {
  checkOptions("write predictions", options, CSV_CELL_RULES);
  const { classes, task, ids, scores, targets, parts, patients, attributes } = predictions;
  const width = scores.length / ids.length;
  const scored = width === 1 ? classes.slice(1) : classes;
  const multilabel = task === "multilabel";
  const known = [
    ...["id", "split", ...(patients ? ["patient"] : [])],
    ...(multilabel ? classes.map((name) => `truth:${name}`) : ["truth"]),
    ...scored.map((name) => `score:${name}`),
  ];
  const further = Object.keys(attributes).filter((name) => !known.includes(name));
  const header = [...known, ...further];
  const rows = ids.map((id, row) => [
    ...[id, parts[row]!, ...(patients ? [patients[row]!] : [])],
    ...(multilabel ? classes.map((_, c) => targets[row * classes.length + c]!) : [classes[targets[row]!]!]),
    ...scored.map((_, c) => scores[row * width + c]!),
    ...further.map((name) => attributes[name]![row]!),
  ]);
  return [header, ...rows].map((cells) => cells.map((cell) => csvCell(cell, options)).join(",")).join("\n") + "\n";
}

/** Which columns of a CSV of scores mean what. */
export interface ReadPredictionsOptions {
  /** The classes, in order. @default {those of the columns `score:CLASS`; of one column `score`, those of the truth, sorted} */
  classes?: readonly string[];
  /** Column of the case's name. @default {"id"} */
  id?: string;
  /** Column of the class; where there is none, 0 and 1 in a column `truth:CLASS` each. @default {"truth"} */
  truth?: string;
  /** Columns of the scores, in the order of the classes. @default {`score:CLASS` each, or `score`} */
  scores?: readonly string[];
  /** Column of the patient. @default {"patient" where it is there} */
  patient?: string;
  /** Column of the part. @default {"split" where it is there} */
  part?: string;
  /** Further columns to keep. @default {[]} */
  attributes?: readonly string[];
}

/** What they must be. */
const READ_RULES: Rules<ReadPredictionsOptions> = {
  classes: TEXTS,
  id: TEXT,
  truth: TEXT,
  scores: TEXTS,
  patient: TEXT,
  part: TEXT,
  attributes: TEXTS,
};

/** The error for a cell of a CSV of scores. */
function cellError(path: string, row: number, column: string, expected: string, actual: string): SyntaxError {
  return new SyntaxError(
    `Cannot read "${path}" as ${JSON.stringify(column)} in row ${rowNumber(row)} must be ${expected}: it is ${
      JSON.stringify(actual)
    }`,
  );
}

/**
 * Reads scores from a CSV: one that {@linkcode predictionsCsv} wrote, or any with the columns named.
 *
 * @throws {SyntaxError} If a column is missing, a score is no number, a truth no class, or an id comes twice; the message
 * names file, row and column.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function readPredictions(path: string, options: ReadPredictionsOptions = {}): Promise<Predictions> {
  checkOptions("read predictions", options, READ_RULES);
  const table = await readCsv(path);
  const column = (name: string): string[] => {
    const index = table.column(name);
    return table.rows.map((cells) => plainCell(cells[index]!));
  };
  if (table.rows.length === 0) {
    throw new RangeError(`Cannot read "${path}" as scores as it must have a row: it has none`);
  }
  const ids = column(options.id ?? "id");
  checkIds(ids, path, options.id ?? "id");
  const multilabel = options.truth === undefined && !table.columns.includes("truth") &&
    table.columns.some((name) => name.startsWith("truth:"));
  const truths = multilabel ? undefined : column(options.truth ?? "truth");
  const classes = classNames(table.columns, truths, options);
  const columns = scoreColumns(path, table.columns, { ...options, classes, column });
  const optional = (name: string | undefined, usual: string): string[] | undefined =>
    name !== undefined || table.columns.includes(usual) ? column(name ?? usual) : undefined;
  const targets = truths
    ? classTargets(path, classes, truths, options.truth ?? "truth")
    : labelTargets(path, classes, column);
  const patients = optional(options.patient, "patient")?.map((patient, row) => patient || `case ${ids[row]}`);
  return {
    classes,
    task: multilabel ? "multilabel" : "multiclass",
    ids,
    scores: Float64Array.from(ids.flatMap((_, row) => columns.map((values) => values[row]!))),
    targets,
    parts: optional(options.part, "split") ?? ids.map(() => "test"),
    ...(patients ? { patients } : {}),
    attributes: Object.fromEntries((options.attributes ?? []).map((name) => [name, column(name)])),
  };
}

/** A cell as it was before `csvCell` kept spreadsheets from taking it for a formula. */
function plainCell(cell: string): string {
  return cell.replace(/^'(?=[=+\-@\t\r])/, "");
}

function checkIds(ids: readonly string[], path: string, column: string): void {
  const known = new Set<string>();
  const repeated = ids.findIndex((id) => known.size === known.add(id).size);
  if (repeated >= 0) throw cellError(path, repeated, column, "an id of its own", ids[repeated]!);
}

/** The classes given, else those of the columns `truth:CLASS` or `score:CLASS`, else the truths that occur. */
function classNames(
  columns: readonly string[],
  truths: readonly string[] | undefined,
  { classes, scores }: ReadPredictionsOptions,
): readonly string[] {
  const named = (prefix: string): string[] =>
    columns.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  if (classes) return classes;
  if (!truths) return named("truth:");
  const scored = named("score:");
  if (scored.length > 1) return scored;
  if (scores && scores.length > 1) return scores;
  const names = [...new Set(truths)].sort(byCodePoint);
  // One column of scores tells which of two classes is the positive one.
  return scored.length === 1 && names.length === 2 && names[0] === scored[0] ? names.reverse() : names;
}

/** The scores by column; of two classes the second alone may have one. */
function scoreColumns(
  path: string,
  columns: readonly string[],
  { classes, column, scores = scoreColumnNames(columns, classes) }: {
    classes: readonly string[];
    column: (name: string) => string[];
    scores?: readonly string[];
  },
): number[][] {
  if (scores.length !== classes.length && !(scores.length === 1 && classes.length === 2)) {
    throw new SyntaxError(
      `Cannot read "${path}" as each class must have a column of scores (of two classes the second alone may have one): ` +
        `${classes.length} classes (${classes.join(", ")}), ${scores.length} columns (${scores.join(", ")})`,
    );
  }
  return scores.map((name) =>
    column(name).map((cell, row) => {
      const score = Number(cell);
      if (cell.trim() === "" || !Number.isFinite(score)) throw cellError(path, row, name, "a finite number", cell);
      return score;
    })
  );
}

function classTargets(path: string, classes: readonly string[], truths: readonly string[], column: string): number[] {
  return truths.map((cell, row) => {
    const index = classes.indexOf(cell);
    if (index < 0) throw cellError(path, row, column, `one of ${classes.join(", ")}`, cell);
    return index;
  });
}

/** `score:CLASS` of each class; the second of two alone, or a lone `score`, where that is all there is. */
function scoreColumnNames(columns: readonly string[], classes: readonly string[]): string[] {
  const wanted = classes.map((name) => `score:${name}`);
  if (wanted.every((name) => columns.includes(name))) return wanted;
  const last = wanted.at(-1);
  if (classes.length === 2 && last !== undefined && columns.includes(last)) return [last];
  return columns.includes("score") ? ["score"] : wanted;
}

function labelTargets(path: string, classes: readonly string[], column: (name: string) => string[]): number[] {
  const columns = classes.map((name) =>
    column(`truth:${name}`).map((cell, row) => {
      if (cell !== "0" && cell !== "1") throw cellError(path, row, `truth:${name}`, "0 or 1", cell);
      return Number(cell);
    })
  );
  return columns[0]!.flatMap((_, row) => columns.map((values) => values[row]!));
}
