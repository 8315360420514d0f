/** Reads and checks the records that runs leave behind. @module */
import {
  checkedField,
  checkedFields,
  FieldError,
  FINITE,
  FLAG,
  INTERVAL,
  isRecord,
  LIST,
  orAbsent,
  orNull,
  parseJson,
  RECORD,
  TEXT,
  TEXTS,
} from "../io/fields.ts";
import { THRESHOLD_FIGURES } from "./evaluation.ts";
import { type DenseRecord, METRICS_SCHEMA, type RunRecord, type TrainingRecord } from "./results.ts";

/** A schema that this version knows; files of version 0.1.0 name none. */
const SCHEMA = orAbsent({
  must: `a whole number up to ${METRICS_SCHEMA}, what this version reads`,
  fits: (value): value is number => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= METRICS_SCHEMA,
});

const RUN = {
  schema: SCHEMA,
  seed: FINITE,
  seconds: FINITE,
  backend: TEXT,
  adapter: orNull(TEXT),
  synthetic: FLAG,
  versions: RECORD,
  sets: RECORD,
  warnings: orAbsent(TEXTS),
};

const RESULT = {
  accuracy: FINITE,
  accuracy_ci: INTERVAL,
  auroc: orNull(FINITE),
  auroc_ci: orNull(INTERVAL),
  n: FINITE,
  trainable: FINITE,
  seconds: orAbsent(FINITE),
};

/** A figure with its intervals. */
const ESTIMATE = {
  value: orNull(FINITE),
  cases: orNull(INTERVAL),
  patients: orAbsent(orNull(INTERVAL)),
  delong: orAbsent(orNull(INTERVAL)),
};

/**
 * Checks a run's record.
 *
 * @param name File name for messages.
 * @throws {SyntaxError} If it lacks a field; the message names the file and the field.
 */
export function checkRunRecord(value: unknown, name: string): RunRecord {
  const record = checkedFields(name, value, RUN);
  for (const [set, methods] of Object.entries(record.sets)) {
    for (const [method, result] of Object.entries(checkedFields(name, methods, {}, `sets.${set}`))) {
      const field = `sets.${set}.${method}`;
      const { auroc, auroc_ci, evaluation } = checkedFields(name, result, RESULT, field);
      if (auroc !== null) checkedField(name, `${field}.auroc_ci`, auroc_ci, INTERVAL);
      if (evaluation !== undefined) checkEvaluation(name, evaluation, `${field}.evaluation`);
    }
  }
  return record as unknown as RunRecord;
}

/** {@linkcode checkRunRecord} of a JSON text. @throws {SyntaxError} If the text is no JSON, too. */
export function parseRunRecord(text: string, name: string): RunRecord {
  return checkRunRecord(parseJson(text, name), name);
}

/** Checks what tables and pages read of an evaluation. */
function checkEvaluation(name: string, value: unknown, field: string): void {
  const { accuracy, auroc, auprc, classes } = checkedFields(name, value, {
    cases: FINITE,
    classes: RECORD,
    subgroups: LIST,
  }, field);
  const estimates = (figures: Record<string, unknown>, within: string): void => {
    for (const [key, figure] of Object.entries(figures)) checkedFields(name, figure, ESTIMATE, `${within}.${key}`);
  };
  estimates({ accuracy, auroc, auprc }, field);
  for (const [label, figures] of Object.entries(classes)) {
    const within = `${field}.classes.${label}`;
    const known = checkedFields(name, figures, {}, within);
    estimates(
      Object.fromEntries(["auroc", "auprc", ...THRESHOLD_FIGURES].map((key) => [key, known[key]])),
      within,
    );
  }
}

/** Which of the commands' files a parsed JSON is; undefined for any other. */
export function recordKind(value: unknown): "evaluation" | "dense" | "training" | undefined {
  if (!isRecord(value)) return undefined;
  if ("sets" in value && "backend" in value && "synthetic" in value) return "evaluation";
  const { command } = value;
  if ((command === "segment evaluate" || command === "detect evaluate") && "figures" in value) return "dense";
  const isTraining = command === "train" || command === "segment train" || command === "detect train";
  return isTraining && "history" in value ? "training" : undefined;
}

/**
 * Checks a head's record.
 *
 * @throws {SyntaxError} If it lacks a field; the message names the file and the field.
 */
export function checkDenseRecord(value: unknown, name: string): DenseRecord {
  const record = checkedFields(name, value, {
    ...{ schema: SCHEMA, head: TEXT, figures: RECORD, baselines: RECORD },
    warnings: orAbsent(TEXTS),
  });
  checkedFields(name, record["data"], { name: TEXT, synthetic: FLAG }, "data");
  for (const [key, figures] of Object.entries(record.baselines)) {
    checkedFields(name, figures, {}, `baselines.${key}`);
  }
  return value as DenseRecord;
}

/**
 * Checks a training run's record.
 *
 * @throws {SyntaxError} If it lacks a field; the message names the file and the field.
 */
export function checkTrainingRecord(value: unknown, name: string): TrainingRecord {
  const { data, history } = checkedFields(name, value, {
    history: LIST,
    seconds: FINITE,
    trainable: orAbsent(FINITE),
  });
  checkedFields(name, data, { name: TEXT }, "data");
  const wrong = history.findIndex((step) => !isRecord(step) || !FINITE.fits(step["loss"]));
  if (wrong >= 0) {
    throw new FieldError(name, `history[${wrong}]`, "a record with a loss, a finite number", history[wrong]);
  }
  return value as TrainingRecord;
}
