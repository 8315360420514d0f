/** What a command is, and what its options are. @module */
import { didYouMean } from "../platform/nearest.ts";

/** One option of a command. */
export interface OptionSpec {
  /** Name of its value in the help; one that takes none is a flag. */
  value?: string;
  /** One-letter form. */
  short?: string;
  /** Whether it may be given more than once. */
  multiple?: boolean;
  /** What its value must be as a number; refused before the command begins. @default {no number} */
  number?: NumberRule;
  /** The words of which its value is one, refused as early. @default {any text} */
  words?: readonly string[];
  /** Whether it lists several of them, with commas between. @default {false} */
  list?: boolean;
  /** One line for the help. */
  help: string;
}

/** What a number must be, beside finite. */
export interface NumberRule {
  /** Whether it must be whole. @default {false} */
  whole?: boolean;
  /** The least it may be. @default {-Infinity} */
  least?: number;
  /** What it must be more than. @default {-Infinity} */
  above?: number;
  /** What it must be less than. @default {Infinity} */
  below?: number;
  /** The most it may be. @default {Infinity} */
  most?: number;
}

/** A positive whole number. */
export const COUNT: NumberRule = { whole: true, least: 1 };
/** A whole number that is not negative. */
export const WHOLE: NumberRule = { whole: true, least: 0 };
/** A number that is not negative. */
export const AMOUNT: NumberRule = { least: 0 };
/** A part of a whole, or all of it. */
export const FRACTION: NumberRule = { above: 0, most: 1 };

/** A command of cli.ts. */
export interface Command {
  /** Its name. */
  name: string;
  /** One line. */
  summary: string;
  /** Arguments after the options, for the help; empty when it takes none. */
  positionals?: string;
  /** Its options. */
  options: Record<string, OptionSpec>;
  /** A line that works, for the help. */
  example: string;
  /** Does the work; the number, when there is one, is the exit code. */
  run(args: Arguments): Promise<void | number>;
}

/** A parsed command line. */
export class Arguments {
  /** Arguments that are no options. */
  readonly positionals: readonly string[];
  readonly #values: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;
  readonly #known: Readonly<Record<string, OptionSpec>>;
  readonly #numbers = new Map<string, number>();

  /** Wraps what `parseArgs` found; `known` are the options the command has. */
  constructor(
    positionals: readonly string[],
    values: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>,
    known: Readonly<Record<string, OptionSpec>> = {},
  ) {
    this.positionals = positionals;
    this.#values = values;
    this.#known = known;
  }

  /** Whether the command has an option of this name. */
  knows(name: string): boolean {
    return Object.hasOwn(this.#known, name);
  }

  /** Whether a flag was given. */
  flag(name: string): boolean {
    return this.#values[name] === true;
  }

  /** A text, or undefined when not given. */
  text(name: string): string | undefined {
    const value = this.#values[name];
    return typeof value === "string" ? value : undefined;
  }

  /** A text that must be given. */
  required(name: string): string {
    const value = this.text(name);
    if (value !== undefined && value !== "") return value;
    const spec = this.#known[name];
    throw new UsageError(spec ? `${optionWord(name, spec)} is required: ${spec.help}` : `--${name} is required`);
  }

  /** One of several words; the fallback when not given. */
  choice<const T extends string, F extends T | undefined = T>(name: string, words: readonly T[], fallback: F): T | F {
    const value = this.text(name);
    if (value === undefined) return fallback;
    checkWord(name, value, words);
    return value as T;
  }

  /** A number, as the option's rule says, or the fallback when not given. */
  number<F extends number | undefined>(name: string, fallback: F): number | F {
    const value = this.text(name);
    const number = value === undefined ? fallback : Number(value);
    if (number === undefined) return number;
    checkNumber(name, value ?? String(number), this.#known[name]?.number);
    this.#numbers.set(name, number);
    return number;
  }

  /** The number that an option had, given or its fallback, once it was asked for. */
  numberUsed(name: string): number | undefined {
    return this.#numbers.get(name);
  }

  /** The least number that an option takes. */
  least(name: string): number {
    return this.#known[name]?.number?.least ?? -Infinity;
  }

  /** A comma-separated list, or undefined when not given; blanks around items are dropped. */
  list(name: string): string[] | undefined {
    const value = this.text(name);
    return value === undefined ? undefined : listItems(name, value);
  }

  /** Some of several words, as a comma-separated list; undefined when not given. */
  choices<T extends string>(name: string, words: readonly T[]): T[] | undefined {
    const items = this.list(name);
    for (const item of items ?? []) checkWord(name, item, words, "among");
    return items as T[] | undefined;
  }

  /** Names of the options that were given with this text. */
  namesOf(text: string): string[] {
    return Object.keys(this.#values).filter((name) => this.#values[name] === text);
  }

  /** An option that may be given several times. */
  all(name: string): string[] {
    const value = this.#values[name];
    return Array.isArray(value) ? value.filter((item): item is string => typeof item === "string") : [];
  }
}

/** A command line that cannot be followed; the message is shown with a pointer to the help. */
export class UsageError extends Error {
  /** Name shown in stack traces. */
  override name = "UsageError";
}

/** A word as a shell takes it. */
export function quotedWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `"${word.replaceAll(/["\\$`]/g, "\\$&")}"`;
}

/** An option as it is typed: `--out DIR`. */
export function optionWord(name: string, { value }: OptionSpec): string {
  return value === undefined ? `--${name}` : `--${name} ${value}`;
}

/** The items of a list; blanks around them are dropped. */
export function listItems(name: string, text: string): string[] {
  const items = text.split(",").map((item) => item.trim()).filter((item) => item !== "");
  if (items.length === 0) throw new UsageError(`--${name} must name at least one item`);
  return items;
}

/** Checks that a word is one of some. */
export function checkWord(
  name: string,
  word: string,
  words: readonly string[],
  relation: "one of" | "among" = "one of",
): void {
  if (words.includes(word)) return;
  throw new UsageError(
    `--${name} must be ${relation} ${words.join(", ")}: current value is "${word}"${didYouMean(word, words)}`,
  );
}

/** Checks the text of a number. */
export function checkNumber(name: string, text: string, rule: NumberRule = {}): void {
  const { whole = false, least = -Infinity, above = -Infinity, below = Infinity, most = Infinity } = rule;
  const number = Number(text);
  const isWithin = number >= least && number > above && number < below && number <= most;
  if (text.trim() === "" || !Number.isFinite(number) || !isWithin) {
    throw new UsageError(`--${name} must be a number${boundsText(rule)}: current value is "${text}"`);
  }
  if (whole && !Number.isInteger(number)) {
    throw new UsageError(`--${name} must be a whole number: current value is "${text}"`);
  }
}

function boundsText({ least, above, below, most }: NumberRule): string {
  const bounds = Object.entries({ "of at least": least, above, below, "at most": most });
  const told = bounds.filter(([, bound]) => bound !== undefined).map(([words, bound]) => ` ${words} ${bound}`);
  return told.join(" and");
}

/** The option that every command has. */
export const HELP: OptionSpec = { short: "h", help: "Show this help" };
