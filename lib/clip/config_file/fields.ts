/** Fields of a configuration file, each checked as it is read and against the weights. @module */
import { shownValue } from "../../io/_errors.ts";
import { type FieldRule, FINITES, isRecord, SIZE } from "../../io/fields.ts";
import type { ClipSizes } from "./sizes.ts";

/** A record of a JSON file. */
export type JsonRecord = Readonly<Record<string, unknown>>;

/** The files a configuration is read from and checked against. */
export interface ClipSource {
  /** Name of the configuration file, for errors. */
  config: string;
  /** Name of the weights file, for errors. @default {none} */
  weights?: string;
  /** Sizes the weights have. @default {not checked; what the configuration leaves out must have a default} */
  sizes?: ClipSizes;
}

/** Activations by their names in `transformers`. */
export const ACTIVATIONS = [
  ["quick_gelu", "quick-gelu"],
  ["gelu", "gelu"],
  ["gelu_pytorch_tanh", "gelu-tanh"],
] as const;

/** Refuses a field: names the file, what it must be and what it is. */
export function refuseField(source: ClipSource, field: string, must: string, actual: unknown): never {
  throw new SyntaxError(
    `Cannot read "${source.config}" as a CLIP configuration as ${field} must be ${must}: found ${shownValue(actual)}`,
  );
}

/** A part of a configuration, `vision_cfg`. @throws {SyntaxError} If it is no record. */
export function recordField(source: ClipSource, parent: JsonRecord, name: string): JsonRecord {
  const value = parent[name];
  return isRecord(value) ? value : refuseField(source, name, "a record", value);
}

/** What a size may be when the configuration does not say. */
export interface SizeOptions {
  /** What the weights have. */
  stored?: number | undefined;
  /** The format's default. */
  fallback?: number | undefined;
}

/**
 * A whole number of at least 1 (a pair of equal ones counts as one).
 *
 * @param field Its full name, for errors.
 * @param declared What the file says.
 * @throws {SyntaxError} If it is none, differs from the weights, or nothing tells it.
 */
export function sizeField(source: ClipSource, field: string, declared: unknown, options: SizeOptions = {}): number {
  const { stored, fallback } = options;
  const value = Array.isArray(declared) && declared.length === 2 && declared[0] === declared[1]
    ? declared[0]
    : declared;
  if (value === undefined || value === null) {
    return stored ?? fallback ?? refuseField(source, field, "given where no weights tell it", declared);
  }
  if (!SIZE.fits(value)) return refuseField(source, field, "a positive whole number", declared);
  if (stored !== undefined && value !== stored) {
    throw new SyntaxError(
      `Cannot use "${source.config}" with "${source.weights}" as ${field} must be ${stored} to fit the weights: ` +
        `current value is ${value}`,
    );
  }
  return value;
}

/** One of a few values. @throws {SyntaxError} If it is another. */
export function choiceField<T>(
  source: ClipSource,
  field: string,
  declared: unknown,
  choices: readonly (readonly [unknown, T])[],
): T {
  const choice = choices.find(([value]) => value === (declared ?? undefined));
  if (choice) return choice[1];
  const names = choices.filter(([value]) => value !== undefined).map(([value]) => shownValue(value));
  return refuseField(source, field, names.length ? names.join(" or ") : "absent", declared);
}

/** The number of heads, which must divide the width. */
export function headsField(source: ClipSource, field: string, declared: unknown, options: {
  width: number;
  fallback: number;
}): number {
  const heads = sizeField(source, field, declared, { fallback: options.fallback });
  return options.width % heads === 0
    ? heads
    : refuseField(source, field, `a divisor of the width ${options.width}`, heads);
}

/** A number above 0. */
export function positiveField(source: ClipSource, field: string, declared: unknown, fallback: number): number {
  const value = declared ?? fallback;
  return typeof value === "number" && value > 0 && Number.isFinite(value)
    ? value
    : refuseField(source, field, "a number above 0", declared);
}

const COLOUR: FieldRule<[number, number, number]> = {
  must: "three numbers",
  fits: (value): value is [number, number, number] => FINITES.fits(value) && value.length === 3,
};

/** Three numbers, or the fallback. */
export function colourField(
  source: ClipSource,
  field: string,
  declared: unknown,
  fallback: readonly [number, number, number],
): readonly [number, number, number] {
  if (declared === undefined || declared === null) return fallback;
  return COLOUR.fits(declared) ? declared : refuseField(source, field, COLOUR.must, declared);
}

/** Values of a field that change no number here; `"any"` where none does (training, and what is read elsewhere). */
export type PlainFields = Readonly<Record<string, readonly unknown[] | "any">>;

/**
 * Refuses a field that this package does not know, or knows and does not compute: it could change the numbers.
 *
 * @param json A part of the configuration.
 * @param options What stands before its fields' names, the fields that change nothing, and those that are read.
 * @throws {SyntaxError} If a field is neither.
 */
export function checkFields(
  source: ClipSource,
  json: JsonRecord,
  options: { part: string; plain: PlainFields; read: readonly string[] },
): void {
  const { part, plain, read } = options;
  for (const [name, value] of Object.entries(json)) {
    if (read.includes(name) || value === null) continue;
    const values = Object.hasOwn(plain, name) ? plain[name]! : [];
    if (values === "any") continue;
    choiceField(source, part + name, value, [undefined, ...values].map((value) => [value, true]));
  }
}

/** Fields of other formats that say how numbers are made. */
const FOREIGN = ["pooling", "pool_type", "pooling_type", "resize_mode", "interpolation"];

/**
 * Refuses fields that `transformers` passes over, as it does all that it does not know, where they ask for other numbers than it
 * computes; whoever wrote them meant them.
 *
 * @param part What stands before the fields' names.
 * @throws {SyntaxError} If there is one.
 */
export function refuseForeign(source: ClipSource, json: JsonRecord, part = ""): void {
  for (const name of FOREIGN) {
    if (json[name] !== undefined && json[name] !== null) refuseField(source, part + name, "absent", json[name]);
  }
}
