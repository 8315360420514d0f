/** Zero-shot protocols by name, or from JSON and CSV files. @module */
import { checkValue, TEXT } from "../platform/options.ts";
import { PROTOCOLS } from "../clip/zero_shot/presets.ts";
import {
  type ClassTexts,
  PROMPT_POOLS,
  type Protocol,
  PROTOCOL_SCORES,
  PROTOCOL_SIMILARITIES,
} from "../clip/zero_shot/protocol.ts";
import { didYouMean } from "../platform/nearest.ts";
import { readCsv, rowNumber } from "./csv.ts";
import { isRecord, parseJson } from "../io/fields.ts";

/** Fields of a JSON protocol. */
const FIELDS: readonly (keyof Protocol)[] = [
  ...["name", "source", "prompts", "negatives", "pool", "similarity", "scale", "score"] as const,
];

/**
 * A published protocol by its name, or one from a file: JSON with {@linkcode Protocol}'s fields (or only lists of prompts by
 * class), or CSV with the columns `class`, `prompt` and, where there are pairs, `kind` (positive or negative).
 *
 * @param from One of `PROTOCOLS`, or the path of a file.
 * @throws {SyntaxError} If the file is no protocol; the message names it, the field or row, and what it must be.
 * @throws {Deno.errors.NotFound} If there is neither.
 *
 * @example By name
 * ```ts
 * import { readProtocol } from "@ace-lora/ace-lora/data";
 * import { assertEquals } from "@std/assert";
 *
 * const { negatives } = await readProtocol("chexzero");
 * assertEquals(negatives, ["no {c}"]);
 * ```
 */
export async function readProtocol(from: string): Promise<Protocol> {
  checkValue("read a protocol", "its name or path", from, TEXT);
  if (Object.hasOwn(PROTOCOLS, from)) return PROTOCOLS[from]!;
  if (/\.(csv|tsv|csv\.gz)$/i.test(from)) return await csvProtocol(from);
  const isPath = /[./\\]/.test(from); // a mistyped name is not looked for on the disk
  let text: string;
  try {
    if (!isPath) throw new Deno.errors.NotFound();
    if ((await Deno.stat(from)).isDirectory) {
      throw new SyntaxError(`Cannot read "${from}" as a protocol as it must be a file: it is a folder`);
    }
    text = await Deno.readTextFile(from);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Deno.errors.NotFound(
      `Cannot ask by "${from}" as a protocol must be one of ${
        Object.keys(PROTOCOLS).join(", ")
      }, or a file: there is none${didYouMean(from, Object.keys(PROTOCOLS))}`,
    );
  }
  return jsonProtocol(text, from);
}

function jsonProtocol(text: string, path: string): Protocol {
  const json = parseJson(text, path);
  const refuse = (field: string, must: string, actual: unknown): never => {
    throw new SyntaxError(
      `Cannot read "${path}" as a protocol as ${field} must be ${must}: current value is ${shown(actual)}`,
    );
  };
  if (!isRecord(json)) return refuse("the file", "a record", json);
  if (!("prompts" in json)) return { name: path, prompts: textsOf(json, "the file", refuse) };
  const unknown = Object.keys(json).find((key) => !FIELDS.some((field) => field === key));
  if (unknown !== undefined) {
    refuse(`its field ${JSON.stringify(unknown)}`, `one of ${FIELDS.join(", ")}`, json[unknown]);
  }
  const { name = path, source, prompts, negatives, pool, similarity, scale, score } = json;
  const textOf = (field: string, value: unknown): string =>
    typeof value === "string" ? value : refuse(field, "a text", value);
  const choice = <T extends string>(field: string, value: unknown, words: readonly T[]): T =>
    words.find((word) => word === value) ?? refuse(field, words.join(" or "), value);
  const isScale = scale === "model" || (typeof scale === "number" && scale > 0 && Number.isFinite(scale));
  return {
    name: textOf("name", name),
    prompts: textsOf(prompts, "prompts", refuse),
    ...(source === undefined ? {} : { source: textOf("source", source) }),
    ...(negatives === undefined ? {} : { negatives: textsOf(negatives, "negatives", refuse) }),
    ...(pool === undefined ? {} : { pool: choice("pool", pool, PROMPT_POOLS) }),
    ...(similarity === undefined ? {} : { similarity: choice("similarity", similarity, PROTOCOL_SIMILARITIES) }),
    ...(scale === undefined ? {} : { scale: isScale ? scale : refuse("scale", '"model" or a number above 0', scale) }),
    ...(score === undefined ? {} : { score: choice("score", score, PROTOCOL_SCORES) }),
  };
}

function textsOf(
  value: unknown,
  field: string,
  refuse: (field: string, must: string, actual: unknown) => never,
): ClassTexts {
  const listOf = (texts: unknown, where: string): string[] => {
    const isList = Array.isArray(texts) && texts.length > 0 &&
      texts.every((text) => typeof text === "string" && text.trim() !== "");
    return isList ? texts : refuse(where, "a list of texts, at least one, none of them empty", texts);
  };
  if (Array.isArray(value)) return listOf(value, field);
  if (!isRecord(value)) return refuse(field, "a list of texts, or one for each class", value);
  return Object.fromEntries(
    Object.entries(value).map(([key, texts]) => [key, listOf(texts, `${field} of ${JSON.stringify(key)}`)]),
  );
}

async function csvProtocol(path: string): Promise<Protocol> {
  const table = await readCsv(path);
  const label = table.column("class"), prompt = table.column("prompt");
  const kind = table.columns.includes("kind") ? table.column("kind") : undefined;
  const lists: Record<"positive" | "negative", Record<string, string[]>> = { positive: {}, negative: {} };
  table.rows.forEach((row, i) => {
    const word = kind === undefined ? "positive" : row[kind]!.trim().toLowerCase() || "positive";
    if (word !== "positive" && word !== "negative") {
      throw new SyntaxError(
        `Cannot read "${path}" as a protocol as kind must be positive or negative: row ${rowNumber(i)} has ${
          shown(word)
        }`,
      );
    }
    const empty = ([["class", label], ["prompt", prompt]] as const).find(([, place]) => row[place]!.trim() === "");
    if (empty) {
      throw new SyntaxError(
        `Cannot read "${path}" as a protocol as ${empty[0]} must be a text: row ${rowNumber(i)} has none`,
      );
    }
    (lists[word][row[label]!] ??= []).push(row[prompt]!);
  });
  const hasPairs = Object.keys(lists.negative).length > 0;
  return { name: path, prompts: lists.positive, pool: "features", ...(hasPairs ? { negatives: lists.negative } : {}) };
}

/** A JSON value for a message: one line, at most 60 characters. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
