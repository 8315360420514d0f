/** Options and settings as they are given in a notebook's cell, where nobody checks types: a slip must not mean something else. @module */
import { entriesOf } from "./known_keys.ts";
import { didYouMean, listed, nearest } from "./nearest.ts";

/** What a value must be. */
export interface Rule {
  /** In words, as in "a positive integer". */
  readonly must: string;
  /** What `typeof` says of it; null is no object. @default {it may be of several types} */
  readonly type?: "boolean" | "function" | "number" | "object" | "string";
  /** Whether one of that type will do. @default {each does} */
  readonly allows?: (value: unknown) => boolean;
  /** Words of which one is meant. @default {none} */
  readonly among?: readonly string[];
  /** Whether it may be null. @default {false} */
  readonly nullable?: true;
  /** Whether it must be given. @default {false} */
  readonly needed?: true;
}

/** A rule for each field of a record, none left out, none too many; one that must be given says so. */
export type Rules<T> = {
  readonly [K in keyof T]-?: Record<never, never> extends Pick<T, K> ? Rule : Rule & { readonly needed: true };
};

const numbers = (must: string, allows: (value: number) => boolean): Rule => {
  return { must, type: "number", allows: (value) => typeof value === "number" && allows(value) };
};

/** How many of something. */
export const COUNT: Rule = numbers("a positive integer", (value) => Number.isInteger(value) && value > 0);
/** A place, or how many of something, none among them. */
export const WHOLE: Rule = numbers(
  "a whole number that is not negative",
  (value) => Number.isInteger(value) && value >= 0,
);
/** A seed. */
export const INTEGER: Rule = numbers("an integer", Number.isInteger);
/** An amount, infinity among them. */
export const AMOUNT: Rule = numbers("a number that is not negative", (value) => value >= 0);
/** A part of a whole, not all of it. */
export const PART: Rule = numbers("a number from 0 to below 1", (value) => value >= 0 && value < 1);
/** A number above 0, infinity among them. */
export const POSITIVE: Rule = numbers("a number above 0", (value) => value > 0);
/** A part of a whole, neither none nor all of it. */
export const SHARE: Rule = numbers("a number between 0 and 1", (value) => value > 0 && value < 1);
/** A part of a whole, or all of it. */
export const FRACTION: Rule = numbers("a number above 0 and at most 1", (value) => value > 0 && value <= 1);
/** A finite number. */
export const NUMBER: Rule = numbers("a finite number", Number.isFinite);
/** Yes or no. */
export const FLAG: Rule = { must: "true or false", type: "boolean" };
/** A text, such as a path. */
export const TEXT: Rule = { must: "a text", type: "string" };
/** What is called. */
export const CALL: Rule = { must: "a function", type: "function" };
/** Something with fields. */
export const RECORD: Rule = { must: "a record", type: "object", allows: (value) => !Array.isArray(value) };
/** Texts by name. */
export const TEXT_RECORD: Rule = {
  must: "a record of texts",
  type: "object",
  allows: (value) => !Array.isArray(value) && typeof value === "object" && Object.values(value ?? {}).every(isText),
};
/** Things in order. */
export const LIST: Rule = { must: "a list", type: "object", allows: Array.isArray };
/** Whether a value has a field of that name. */
export function hasField(value: unknown, name: string): boolean {
  return typeof value === "object" && value !== null && name in value;
}
/** Texts in order. */
export const TEXTS: Rule = { must: "a list of texts", type: "object", allows: (value) => isListOf(value, isText) };
/** Numbers in order. */
export const NUMBERS: Rule = {
  must: "a list of numbers",
  type: "object",
  allows: (value) => isListOf(value, Number.isFinite),
};

/** One of some words. */
export function oneOf(among: readonly string[]): Rule {
  return {
    must: `one of ${among.join(", ")}`,
    type: "string",
    allows: (value) => among.some((word) => word === value),
    among,
  };
}

/** A list of such words. */
export function listOf(among: readonly string[]): Rule {
  const allows = (value: unknown): boolean => isListOf(value, (item) => among.some((word) => word === item));
  return { must: `a list of ${among.join(", ")}`, type: "object", allows, among };
}

/** A rule for what must be given. */
export function needed(rule: Rule): Rule & { readonly needed: true } {
  return { ...rule, needed: true };
}

/** Two numbers, the lower first. */
export const INTERVAL: Rule = {
  must: "two finite numbers",
  type: "object",
  allows: (value) => isListOf(value, Number.isFinite) && (value as unknown[]).length === 2,
};
/** Lists in order. */
export const LISTS: Rule = {
  must: "a list of lists",
  type: "object",
  allows: (value) => isListOf(value, Array.isArray),
};
/** Numbers in order, whatever holds them: NaN and infinity, which a figure leaves out, may be among them. */
export const SERIES: Rule = {
  must: "a list of numbers",
  type: "object",
  allows: (value) =>
    ArrayBuffer.isView(value) ? !(value instanceof DataView) : isListOf(value, (item) => typeof item === "number"),
};

const isText = (value: unknown): boolean => typeof value === "string";
const isListOf = (value: unknown, is: (item: unknown) => boolean): boolean => Array.isArray(value) && value.every(is);

/** How messages show a value: short, whatever it is. */
export function shown(value: unknown): string {
  if (typeof value === "function") return "a function";
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return "a record";
  const text = typeof value === "string" || Array.isArray(value) ? JSON.stringify(value) : String(value);
  return text.length > 100 ? `${text.slice(0, 100)}...` : text;
}

/**
 * Refuses a value that breaks a rule.
 *
 * @param action What cannot be done with it, such as `train`.
 * @param name What the value is called.
 * @throws {TypeError} If it is of another type.
 * @throws {RangeError} If it is of that type and will not do.
 */
export function checkValue(action: string, name: string, value: unknown, rule: Rule): void {
  const { must, type, allows, among, nullable } = rule;
  if (value === null && nullable) return;
  const isType = (type === undefined || typeof value === type) && value !== null;
  if (isType && (allows?.(value) ?? true)) return;
  const isList = Array.isArray(value);
  const word = isList ? value.find((item) => !among?.includes(item)) : value;
  const meant = among && typeof word === "string" ? didYouMean(word, among) : "";
  const message = `Cannot ${action} as ${name} must be ${must}: current value is ${shown(value)}${meant}`;
  const isInKind = typeof value === "number" || (among && (isList || typeof value === "string"));
  throw isType && isInKind ? new RangeError(message) : new TypeError(message);
}

/** What stands beside the fields a record must have and may be one of them, mistyped. */
function slipOf(name: string, given: object, rules: Readonly<Record<string, Rule>>): string {
  const near = nearest(name, Object.keys(given).filter((other) => !Object.hasOwn(rules, other)));
  return near === undefined ? "" : ` (there is ${JSON.stringify(near)})`;
}

/**
 * Refuses a record that lacks a field, or has one that breaks its rule. Fields without a rule may stand beside them: of options, where
 * they may not, {@linkcode checkOptions}.
 *
 * @param name What the record is called; its fields are told as `name.field`.
 * @throws {TypeError} If it is no record, or a field is missing or of another type.
 * @throws {RangeError} If a field is of its type and will not do.
 */
export function checkRecord(
  action: string,
  name: string,
  value: unknown,
  rules: Readonly<Record<string, Rule>>,
): void {
  checkValue(action, name, value, RECORD);
  const given = value as Readonly<Record<string, unknown>>;
  for (const [field, rule] of Object.entries(rules)) {
    const place = `${name}.${field}`;
    if (given[field] !== undefined) checkValue(action, place, given[field], rule);
    else if (rule.needed) {
      throw new TypeError(
        `Cannot ${action} as ${place} must be ${rule.must}: it is not given${slipOf(field, given, rules)}`,
      );
    }
  }
}

/** Refuses a value of a list that breaks a rule, told as `name[0]`, and what is no list. */
export function checkItems(action: string, name: string, value: unknown, rule: Rule): void {
  checkValue(action, name, value, LIST);
  for (const [i, item] of (value as readonly unknown[]).entries()) checkValue(action, `${name}[${i}]`, item, rule);
}

/** {@linkcode checkRecord} of each of a list, told as `name[0]`. */
export function checkRecords(
  action: string,
  name: string,
  value: unknown,
  rules: Readonly<Record<string, Rule>>,
): void {
  checkValue(action, name, value, LIST);
  for (const [i, item] of (value as readonly unknown[]).entries()) checkRecord(action, `${name}[${i}]`, item, rules);
}

/**
 * Refuses options that mean nothing without another one, which is not given: they would be passed over.
 *
 * @param needs What each of them needs.
 * @throws {TypeError} If one is given and what it needs is not.
 */
export function checkCompanions<T extends object>(
  action: string,
  options: T,
  needs: Readonly<Partial<Record<keyof T & string, keyof T & string>>>,
): void {
  for (const [name, other] of entriesOf<keyof T & string, (keyof T & string) | undefined>(needs)) {
    const isGiven = options[name] !== undefined && options[name] !== false;
    if (!isGiven || other === undefined || options[other] !== undefined) continue;
    throw new TypeError(`Cannot ${action} as ${name} needs ${other}: it is not given`);
  }
}

/**
 * Refuses a name that is none of those known.
 *
 * @param kind What it is a name of, such as `option`.
 * @throws {TypeError} If it is none of them.
 */
export function checkName(action: string, kind: string, name: string, known: readonly string[]): void {
  if (known.includes(name)) return;
  const meant = didYouMean(name, known) || `: the ${kind}s are ${listed(known) || "none"}`;
  throw new TypeError(`Cannot ${action} as there is no ${kind} ${JSON.stringify(name)}${meant}`);
}

/**
 * Refuses a record with a field that there is none of, one that breaks its rule, or one too few.
 *
 * @param action What cannot be done with it, such as `train`.
 * @param rules Those of all fields.
 * @param kind What a field is called.
 * @throws {TypeError} If there is no such field, one is missing, or its value is of another type.
 * @throws {RangeError} If a value is of its type and will not do.
 */
export function checkOptions(
  action: string,
  options: object,
  rules: Readonly<Record<string, Rule>>,
  kind: string = "option",
): void {
  checkValue(action, `its ${kind}s`, options, RECORD);
  const given = options as Readonly<Record<string, unknown>>;
  for (const name in given) {
    if (!Object.hasOwn(rules, name)) checkName(action, kind, name, Object.keys(rules));
    if (given[name] !== undefined) checkValue(action, name, given[name], rules[name]!);
  }
  for (const name in rules) {
    if (!rules[name]!.needed || given[name] !== undefined) continue;
    throw new TypeError(`Cannot ${action} as ${name} must be ${rules[name]!.must}: it is not given`);
  }
}
