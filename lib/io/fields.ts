/** Values of files' fields, checked before they are believed: one line names the file, the field and what it must be. @module */
import { shownValue } from "./_errors.ts";
import { errorMessage } from "../platform/error_message.ts";

/** What a value of a field must be, a `T`. */
export interface FieldRule<T = unknown> {
  /** In words: `a whole number of at least 1`. */
  must: string;
  /** Whether a value is that. */
  fits(value: unknown): value is T;
}

/** The error for a field of a file that is not what it must be. */
export class FieldError extends SyntaxError {
  /** Name shown in stack traces. */
  override name = "FieldError";
  /** The file. */
  readonly path: string;
  /** Its field, dotted: `data.name`. */
  readonly field: string;

  /**
   * An error about one field.
   *
   * @param path The file.
   * @param field Its field, dotted: `data.name`.
   * @param must What that must be.
   * @param value What it is; undefined where it is missing.
   */
  constructor(path: string, field: string, must: string, value: unknown) {
    const current = value === undefined ? "it is missing" : `current value is ${shownValue(value)}`;
    super(`Cannot read "${path}" as "${field}" must be ${must}: ${current}`);
    this.path = path;
    this.field = field;
  }
}

/** What a file's text holds. @throws {SyntaxError} If it is no JSON; the message names the file. */
export function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SyntaxError(`Cannot read "${path}" as JSON: ${errorMessage(error).split("\n")[0]}`, {
      cause: error,
    });
  }
}

/** Whether a JSON value is a record. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const isText = (value: unknown): value is string => typeof value === "string";
const isNumber = (value: unknown): value is number => Number.isFinite(value);

/** A text. */
export const TEXT: FieldRule<string> = { must: "a text", fits: isText };
/** A list of texts. */
export const TEXTS: FieldRule<string[]> = {
  must: "texts",
  fits: (value): value is string[] => Array.isArray(value) && value.every(isText),
};
/** True or false. */
export const FLAG: FieldRule<boolean> = {
  must: "true or false",
  fits: (value): value is boolean => typeof value === "boolean",
};
/** A number that is not NaN or infinite. */
export const FINITE: FieldRule<number> = { must: "a finite number", fits: isNumber };
/** A list of them. */
export const FINITES: FieldRule<number[]> = {
  must: "finite numbers",
  fits: (value): value is number[] => Array.isArray(value) && value.every(isNumber),
};
/** A whole number of at least 0. */
export const WHOLE: FieldRule<number> = {
  must: "a whole number of at least 0",
  fits: (value): value is number => isNumber(value) && Number.isSafeInteger(value) && value >= 0,
};
/** A whole number of at least 1. */
export const SIZE: FieldRule<number> = {
  must: "a whole number of at least 1",
  fits: (value): value is number => WHOLE.fits(value) && value > 0,
};
/** A number from 0 to 1. */
export const SHARE: FieldRule<number> = {
  must: "a number in [0, 1]",
  fits: (value): value is number => isNumber(value) && value >= 0 && value <= 1,
};
/** The two ends of an interval. */
export const INTERVAL: FieldRule<[number, number]> = {
  must: "two rising numbers",
  fits: (value): value is [number, number] => FINITES.fits(value) && value.length === 2 && value[0]! <= value[1]!,
};
/** One of some words. */
export function word<T extends string>(words: readonly T[]): FieldRule<T> {
  const known: readonly unknown[] = words;
  return {
    must: words.length === 1 ? `"${words[0]}"` : `one of ${words.join(", ")}`,
    fits: (value): value is T => known.includes(value),
  };
}
/** A JSON record. */
export const RECORD: FieldRule<Record<string, unknown>> = { must: "an object", fits: isRecord };
/** A list. */
export const LIST: FieldRule<unknown[]> = { must: "a list", fits: Array.isArray };

/** What fits the rule, or null. */
export function orNull<T>({ must, fits }: FieldRule<T>): FieldRule<T | null> {
  return { must: `${must}, or null`, fits: (value): value is T | null => value === null || fits(value) };
}

/** What fits the rule, or nothing at all. */
export function orAbsent<T>({ must, fits }: FieldRule<T>): FieldRule<T | undefined> {
  return { must, fits: (value): value is T | undefined => value === undefined || fits(value) };
}

/** A value of a file, refused unless it fits the rule. @throws {FieldError} If it does not. */
export function checkedField<T>(path: string, field: string, value: unknown, rule: FieldRule<T>): T {
  if (rule.fits(value)) return value;
  throw new FieldError(path, field, rule.must, value);
}

/** A record whose fields fit rules, and that may have others. */
export type Checked<Rules> =
  & { [K in keyof Rules]: Rules[K] extends FieldRule<infer T> ? T : never }
  & Record<string, unknown>;

/**
 * Every field of a record that a rule names, checked.
 *
 * @param within The record's own name, for messages. @default {the file itself}
 * @returns The record.
 * @throws {FieldError} If `value` is no record, or a field does not fit its rule.
 */
export function checkedFields<Rules extends Readonly<Record<string, FieldRule>>>(
  path: string,
  value: unknown,
  rules: Rules,
  within?: string,
): Checked<Rules> {
  if (!isRecord(value)) throw new FieldError(path, within ?? "the file", RECORD.must, value);
  for (const [name, rule] of Object.entries(rules)) {
    checkedField(path, within === undefined ? name : `${within}.${name}`, value[name], rule);
  }
  return value as Checked<Rules>;
}
