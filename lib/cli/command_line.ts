/** How a command's line is read. @module */
import { parseArgs } from "node:util";
import { listed, nearest } from "../platform/nearest.ts";
import {
  Arguments,
  checkNumber,
  checkWord,
  type Command,
  HELP,
  listItems,
  type OptionSpec,
  optionWord,
  quotedWord,
  UsageError,
} from "./command.ts";

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

/** What `parseArgs` made of each word. */
interface Token {
  kind: string;
  name?: string;
  rawName?: string;
  value?: string | undefined;
  inlineValue?: boolean | undefined;
}

/** What here does what an option of other commands does, undefined where nothing does. */
function elsewhere(
  name: string,
  known: Readonly<Record<string, OptionSpec>>,
  value = "split",
): string | undefined {
  const knows = (option: string): boolean => Object.hasOwn(known, option);
  if (name === "split-column" && knows("where")) return `where ${value}=${knows("validate") ? "train" : "test"}`;
  if (name === "held-out" && knows("split-column")) return "split-column";
  if (name === "pairs" && knows("images")) return "images";
  return name === "images" && knows("pairs") ? "pairs" : undefined;
}

/** Checks that every option is known, and given once unless it may be repeated. */
function checkNames(known: Readonly<Record<string, OptionSpec>>, tokens: readonly Token[]): void {
  const given = new Map<string, string>();
  for (const [i, { kind, name, rawName, value }] of tokens.entries()) {
    if (kind !== "option" || name === undefined) continue;
    const spec = Object.hasOwn(known, name) ? known[name]! : undefined;
    if (!spec) {
      const next = tokens[i + 1]; // an unknown option's value stands apart
      const given = value ?? (next?.kind === "positional" ? next.value : undefined);
      const meant = elsewhere(name, known, given) ?? nearest(name, Object.keys(known));
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
    if (spec.words && !spec.list) checkWord(name!, value!, spec.words);
    if (spec.words && spec.list) {
      for (const item of listItems(name!, value!)) checkWord(name!, item, spec.words, "among");
    }
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
