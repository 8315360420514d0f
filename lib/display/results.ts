/** The record a run leaves behind (metrics.json), and its table. @module */
import type { EvaluationRecord } from "./evaluation.ts";
import type { Table, TableCell } from "./table.ts";

/** The form of metrics.json that this version writes; docs/metrics.md tells it. Files of version 0.1.0 name none. */
export const METRICS_SCHEMA = 2;

/** Figures of one method on one set; shares in `[0, 1]`, intervals `[low, high]` of 95 %. */
export interface MethodResult {
  /** Share of right predictions. */
  accuracy: number;
  /** Its interval. */
  accuracy_ci: [number, number];
  /** Area under the ROC curve; null where undefined. */
  auroc: number | null;
  /** Its interval. */
  auroc_ci: [number, number] | null;
  /** Number of cases. */
  n: number;
  /** Trainable numbers of the method. */
  trainable: number;
  /** Seconds of its training. */
  seconds?: number;
  /** Cases and AUROC of each class, where there are more than two or they do not exclude each other; null where undefined. */
  per_class?: Record<string, { n: number; auroc: number | null }>;
  /** Classes left out of the AUROC: without a case, or without another. */
  skipped?: string[];
  /** All else that was found of one model on one set. */
  evaluation?: EvaluationRecord;
}

/** Which cases a set was read from. */
export interface SplitRecord {
  /** Name of the split. */
  name: string;
  /** Number of cases. */
  size: number;
  /** SHA-256 (hex) of the ids joined by newlines. */
  hash: string;
}

/** One run: what it was, and its figures by set and method. */
export interface RunRecord {
  /** {@linkcode METRICS_SCHEMA}. @default {1, as version 0.1.0 wrote it} */
  schema?: number;
  /** The command that wrote it. @default {not told, as by version 0.1.0} */
  command?: string;
  /** Seed of everything random. */
  seed: number;
  /** `webgpu`, `wasm` or `cpu`. */
  backend: string;
  /** Name of the GPU adapter; null without one. */
  adapter: string | null;
  /** Seconds of the whole run. */
  seconds: number;
  /** Figures: set, then method. */
  sets: Record<string, Record<string, MethodResult>>;
  /** Whether the images and texts are generated. */
  synthetic: boolean;
  /** Versions of Deno, tfjs and this package. */
  versions: Record<string, string>;
  /** Git revision of the code. */
  revision?: string | null;
  /** The split of each set. */
  splits?: Record<string, SplitRecord>;
  /** Settings of the run. */
  configuration?: Record<string, unknown>;
}

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
  const fail = (field: string, expected: string, found: unknown): never => {
    throw new SyntaxError(
      `Cannot read "${name}" as "${field}" must be ${expected}: current value is ${
        JSON.stringify(found)?.slice(0, 60)
      }`,
    );
  };
  const isRecord = (v: unknown): v is Record<string, unknown> =>
    typeof v === "object" && v !== null && !Array.isArray(v);
  const isInterval = (v: unknown): boolean =>
    Array.isArray(v) && v.length === 2 && v.every((x) => typeof x === "number");
  if (!isRecord(value)) return fail("the file", "an object", value);
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
    }
  }
  return value as unknown as RunRecord;
}

/**
 * One row a set and method: accuracy and AUROC with intervals, cases, trainable numbers, seconds; the best of each set
 * is marked.
 *
 * @param record The run.
 * @returns The table, with the synthetic badge where it applies.
 */
export function resultsTable(record: RunRecord): Table {
  const timed = Object.values(record.sets).some((set) => Object.values(set).some((m) => m.seconds !== undefined));
  const rows = Object.entries(record.sets).flatMap(([set, methods]) =>
    Object.entries(methods).map(([method, m]): TableCell[] => [
      set,
      method,
      withInterval(m.accuracy, m.accuracy_ci),
      m.auroc === null ? null : withInterval(m.auroc, m.auroc_ci),
      m.n,
      m.trainable,
      ...(timed ? [m.seconds === undefined ? null : { value: m.seconds, text: m.seconds.toFixed(1) }] : []),
    ])
  );
  return {
    columns: [
      { title: "set" },
      { title: "method", align: "left" },
      { title: "accuracy (95 % CI)", best: "high" },
      { title: "AUROC (95 % CI)", best: "high" },
      { title: "cases" },
      { title: "trainable" },
      ...(timed ? [{ title: "training s" }] : []),
    ],
    rows,
    groupBy: 0,
    synthetic: record.synthetic,
    ...skippedCaption(record),
  };
}

/** Says which classes an AUROC leaves out. */
function skippedCaption({ sets }: RunRecord): Pick<Table, "caption"> {
  const sentences = Object.entries(sets).flatMap(([set, methods]) => {
    const [names] = Object.values(methods).flatMap(({ skipped = [] }) => skipped.length > 0 ? [skipped] : []);
    return names ? [`AUROC of ${set} without ${names.join(", ")}: all cases, or none, are of the class.`] : [];
  });
  return sentences.length > 0 ? { caption: sentences.join(" ") } : {};
}

function withInterval(value: number, interval: readonly [number, number] | null): TableCell {
  const range = interval === null ? "" : ` (${interval[0].toFixed(3)}-${interval[1].toFixed(3)})`;
  // Marks compare what is printed: two figures that read the same are equally good.
  return { value: Number(value.toFixed(3)), text: `${value.toFixed(3)}${range}` };
}
