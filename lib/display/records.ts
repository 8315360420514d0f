/** Reads and checks the records that runs leave behind. @module */
import { THRESHOLD_FIGURES } from "./evaluation.ts";
import { type DenseRecord, METRICS_SCHEMA, type RunRecord, type TrainingRecord } from "./results.ts";

/**
 * Reads a run's record.
 *
 * @param text JSON text.
 * @param name File name for messages.
 * @returns The record.
 * @throws {SyntaxError} If the text is no JSON or lacks a field; the message names the file and the field.
 */
export function parseRunRecord(text: string, name: string): RunRecord {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new SyntaxError(`Cannot read "${name}" as it must be JSON: ${(error as Error).message}`);
  }
  const fail: Fail = failing(name);
  const isRecord = (v: unknown): v is Record<string, unknown> =>
    typeof v === "object" && v !== null && !Array.isArray(v);
  const isInterval = (v: unknown): boolean =>
    Array.isArray(v) && v.length === 2 && v.every((x) => typeof x === "number");
  if (!isRecord(value)) return fail("the file", "an object", value);
  checkSchema(value.schema, fail);
  for (const field of ["seed", "seconds"]) {
    if (typeof value[field] !== "number") fail(field, "a number", value[field]);
  }
  if (typeof value.backend !== "string") fail("backend", "a string", value.backend);
  if (value.adapter !== null && typeof value.adapter !== "string") fail("adapter", "a string or null", value.adapter);
  if (typeof value.synthetic !== "boolean") fail("synthetic", "true or false", value.synthetic);
  if (!isRecord(value.versions)) fail("versions", "an object", value.versions);
  if (!isRecord(value.sets)) return fail("sets", "an object", value.sets);
  for (const [set, methods] of Object.entries(value.sets)) {
    if (!isRecord(methods)) return fail(`sets.${set}`, "an object", methods);
    for (const [method, result] of Object.entries(methods)) {
      const field = `sets.${set}.${method}`;
      if (!isRecord(result)) return fail(field, "an object", result);
      for (const name of ["accuracy", "n", "trainable"]) {
        if (typeof result[name] !== "number") fail(`${field}.${name}`, "a number", result[name]);
      }
      if (!isInterval(result.accuracy_ci)) fail(`${field}.accuracy_ci`, "two numbers", result.accuracy_ci);
      if (result.auroc !== null && typeof result.auroc !== "number") {
        fail(`${field}.auroc`, "a number or null", result.auroc);
      }
      if (result.auroc !== null && !isInterval(result.auroc_ci)) {
        fail(`${field}.auroc_ci`, "two numbers", result.auroc_ci);
      }
      if (result.evaluation !== undefined) checkEvaluation(result.evaluation, `${field}.evaluation`, fail);
    }
  }
  return value as unknown as RunRecord;
}

type Fail = (field: string, expected: string, actual: unknown) => never;

/** Refuses a schema that this version does not know; files of version 0.1.0 name none. */
function checkSchema(schema: unknown, fail: Fail): void {
  if (schema === undefined || (Number.isInteger(schema) && Number(schema) >= 1 && Number(schema) <= METRICS_SCHEMA)) {
    return;
  }
  fail("schema", `a whole number up to ${METRICS_SCHEMA}, what this version reads`, schema);
}

/** Checks what tables and pages read of an evaluation. */
function checkEvaluation(value: unknown, field: string, fail: Fail): void {
  const isObject = (v: unknown): v is Record<string, unknown> =>
    typeof v === "object" && v !== null && !Array.isArray(v);
  if (!isObject(value)) return fail(field, "an object", value);
  const estimate = (v: unknown, field: string): void => {
    if (!isObject(v) || (v.value !== null && typeof v.value !== "number")) {
      fail(field, "a figure with a value, a number or null", v);
    }
  };
  if (typeof value.cases !== "number") fail(`${field}.cases`, "a number", value.cases);
  for (const name of ["accuracy", "auroc", "auprc"]) estimate(value[name], `${field}.${name}`);
  if (!isObject(value.classes)) return fail(`${field}.classes`, "an object", value.classes);
  for (const [name, figures] of Object.entries(value.classes)) {
    if (!isObject(figures)) return fail(`${field}.classes.${name}`, "an object", figures);
    for (const one of ["auroc", "auprc", ...THRESHOLD_FIGURES]) {
      estimate(figures[one], `${field}.classes.${name}.${one}`);
    }
  }
  if (!Array.isArray(value.subgroups)) fail(`${field}.subgroups`, "a list", value.subgroups);
}

/** Which of the commands' files a parsed JSON is; undefined for any other. */
export function recordKind(value: unknown): "evaluation" | "dense" | "training" | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if ("sets" in value && "backend" in value && "synthetic" in value) return "evaluation";
  const command = "command" in value ? value.command : undefined;
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
  const fail = failing(name), record = value as Record<string, unknown>;
  checkSchema(record.schema, fail);
  checkFields(record, { head: "string", figures: "object", baselines: "object", data: "object" }, fail);
  checkFields(record.data as Record<string, unknown>, { name: "string", synthetic: "boolean" }, failing(name, "data."));
  return value as DenseRecord;
}

/**
 * Checks a training run's record.
 *
 * @throws {SyntaxError} If it lacks a field; the message names the file and the field.
 */
export function checkTrainingRecord(value: unknown, name: string): TrainingRecord {
  const fail = failing(name), record = value as Record<string, unknown>;
  checkFields(record, { history: "object", data: "object", seconds: "number" }, fail);
  checkFields(record.data as Record<string, unknown>, { name: "string" }, failing(name, "data."));
  const history = record.history as Record<string, unknown>[];
  if (!Array.isArray(history) || history.some((step) => typeof step?.loss !== "number")) {
    fail("history", "a list with a loss each", history);
  }
  return value as TrainingRecord;
}

function failing(name: string, within = ""): Fail {
  return (field, expected, actual) => {
    throw new SyntaxError(
      `Cannot read "${name}" as "${within}${field}" must be ${expected}: current value is ${
        JSON.stringify(actual)?.slice(0, 60)
      }`,
    );
  };
}

function checkFields(record: Record<string, unknown>, fields: Record<string, string>, fail: Fail): void {
  for (const [field, type] of Object.entries(fields)) {
    if (typeof record[field] !== type || record[field] === null) fail(field, `of type ${type}`, record[field]);
  }
}
