/** What a command is, and how its line is read. @module */
import { parseArgs } from "node:util";
import { didYouMean, listed, nearest } from "../platform/nearest.ts";

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
}

/** A positive whole number. */
export const COUNT: NumberRule = { whole: true, least: 1 };
/** A whole number that is not negative. */
export const WHOLE: NumberRule = { whole: true, least: 0 };
/** A number that is not negative. */
export const AMOUNT: NumberRule = { least: 0 };

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
    if (!(words as readonly string[]).includes(value)) {
      throw new UsageError(
        `--${name} must be one of ${words.join(", ")}: current value is "${value}"${didYouMean(value, words)}`,
      );
    }
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
    const items = this.text(name)?.split(",").map((item) => item.trim()).filter((item) => item !== "");
    if (items?.length === 0) throw new UsageError(`--${name} must name at least one item`);
    return items;
  }

  /** Some of several words, as a comma-separated list; undefined when not given. */
  choices<T extends string>(name: string, words: readonly T[]): T[] | undefined {
    const items = this.list(name);
    const unknown = items?.find((item) => !(words as readonly string[]).includes(item));
    if (unknown === undefined) return items as T[] | undefined;
    throw new UsageError(
      `--${name} must be among ${words.join(", ")}: current value is "${unknown}"${didYouMean(unknown, words)}`,
    );
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

/**
 * Reads a command's line.
 *
 * @throws {UsageError} If an option is unknown, lacks its value, or an argument is not taken.
 */
export function parseCommandLine(command: Omit<Command, "run">, args: readonly string[]): Arguments {
  const known: Record<string, OptionSpec> = { ...command.options, help: HELP };
  const options = Object.fromEntries(
    Object.entries(known).map(([name, { value, short, multiple }]) => {
      const type: "boolean" | "string" = value === undefined ? "boolean" : "string";
      return [name, { type, ...(short ? { short } : {}), ...(multiple ? { multiple } : {}) }];
    }),
  );
  const read = (strict: boolean) =>
    parseArgs({ args: [...args], options, allowPositionals: true, strict, tokens: true });
  const { tokens } = read(false);
  checkNames(known, tokens);
  checkLists(tokens);
  checkValues(known, tokens);
  const { values, positionals } = read(true);
  if (command.positionals === undefined && positionals.length > 0) {
    const word = quotedWord(positionals[0]!);
    const [main] = Object.entries(command.options).find(([, { value }]) => value !== undefined) ?? [];
    const meant = main !== undefined && values[main] === undefined ? `: did you mean --${main} ${word}?` : "";
    throw new UsageError(`"${positionals[0]}" belongs to no option, and this command takes no other arguments${meant}`);
  }
  return new Arguments(positionals, values, known);
}

/** A word as a shell takes it. */
export function quotedWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `"${word.replaceAll(/["\\$`]/g, "\\$&")}"`;
}

/** An option as it is typed: `--out DIR`. */
export function optionWord(name: string, { value }: OptionSpec): string {
  return value === undefined ? `--${name}` : `--${name} ${value}`;
}

/** What `parseArgs` made of each word. */
interface Token {
  kind: string;
  name?: string;
  rawName?: string;
  value?: string | undefined;
  inlineValue?: boolean | undefined;
}

/** Checks that every option is known, and given once unless it may be repeated. */
function checkNames(known: Readonly<Record<string, OptionSpec>>, tokens: readonly Token[]): void {
  const given = new Map<string, string>();
  for (const { kind, name, rawName, value } of tokens) {
    if (kind !== "option" || name === undefined) continue;
    const spec = Object.hasOwn(known, name) ? known[name]! : undefined;
    if (!spec) {
      const meant = nearest(name, Object.keys(known));
      throw new UsageError(
        `Unknown option '${rawName}': ${
          meant === undefined
            ? `the options are ${listed(Object.keys(known).map((option) => `--${option}`))}`
            : `did you mean --${meant}?`
        }`,
      );
    }
    if (spec.value === undefined || spec.multiple) continue;
    const earlier = given.get(name);
    if (earlier !== undefined) {
      throw new UsageError(`--${name} must be given once: it is "${earlier}" and "${value ?? ""}"`);
    }
    given.set(name, value ?? "");
  }
}

/** Checks that options have values, numbers where they take numbers, and flags none. */
function checkValues(known: Readonly<Record<string, OptionSpec>>, tokens: readonly Token[]): void {
  for (const { kind, name, value, inlineValue } of tokens) {
    if (kind !== "option") continue;
    const spec = known[name!]!;
    if (spec.value === undefined && value !== undefined) {
      throw new UsageError(`--${name} takes no value: type --${name} alone, or leave it out`);
    }
    if (
      spec.value !== undefined && (value === undefined || (!inlineValue && value.length > 1 && value.startsWith("-")))
    ) {
      const other = value === undefined ? "" : `; "${value}" is another option, unless it is typed --${name}=${value}`;
      throw new UsageError(`${optionWord(name!, spec)} needs its value: ${spec.help}${other}`);
    }
    if (value === "") throw new UsageError(`${optionWord(name!, spec)} needs its value: ${spec.help}; it is empty`);
    if (spec.number) checkNumber(name!, value!, spec.number);
  }
}

/** Checks the text of a number. */
function checkNumber(name: string, text: string, rule: NumberRule = {}): void {
  const { whole = false, least = -Infinity, above = -Infinity } = rule;
  const number = Number(text);
  if (text.trim() === "" || !Number.isFinite(number) || number < least || number <= above) {
    const bound = "above" in rule ? ` above ${above}` : "least" in rule ? ` of at least ${least}` : "";
    throw new UsageError(`--${name} must be a number${bound}: current value is "${text}"`);
  }
  if (whole && !Number.isInteger(number)) {
    throw new UsageError(`--${name} must be a whole number: current value is "${text}"`);
  }
}

/** Refuses `--labels pneumonia, normal`: without quotes the shell hands over two words. */
function checkLists(tokens: readonly Token[]): void {
  for (const [i, { kind, name, value }] of tokens.entries()) {
    if (kind !== "option" || value === undefined || !value.endsWith(",")) continue;
    const words = [value];
    for (const next of tokens.slice(i + 1)) {
      const word = next.value ?? "";
      const isFile = /[./\\]/.test(word); // "a, no finding film.png": a name of several words, then a file
      if (next.kind !== "positional" || (isFile && !words.at(-1)!.endsWith(","))) break;
      words.push(word);
    }
    if (words.length === 1) continue;
    throw new UsageError(`a list with blanks must stand in quotes: type --${name} "${words.join(" ")}"`);
  }
}

/** The option that every command has. */
export const HELP: OptionSpec = { short: "h", help: "Show this help" };
