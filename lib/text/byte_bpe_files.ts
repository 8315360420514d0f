/** CLIP's tokeniser files: tokenizer.json, vocab.json with merges.txt, merges.txt, bpe_simple_vocab_16e6.txt(.gz). @module */
import { dirname, join } from "@std/path";
import { type ByteBpe, byteBpe, vocabularyOfMerges } from "./byte_bpe.ts";
import { system } from "../platform/system.ts";
import { gunzipSync } from "../platform/zlib.ts";
import { errorCode, errorMessage } from "../platform/error_message.ts";

/** Merges OpenAI's vocabulary uses of its longer file: 49,152 tokens less 256 bytes and 2 special tokens. */
const OPENAI_MERGES = 49152 - 256 - 2;

/** Options of {@linkcode loadByteBpe}. */
export interface LoadByteBpeOptions {
  /** The merges of a vocab.json. @default {merges.txt beside it} */
  merges?: string;
}

function refuse(path: string, expected: string, actual: string): never {
  throw new SyntaxError(`Cannot read "${path}" as a CLIP tokenizer as ${expected}: found ${actual}`);
}

/** Most bytes of a file, and of what a gzipped one holds: many times OpenAI's. */
const MAX_BYTES = 1 << 26;

async function readText(path: string): Promise<string> {
  const tooLong = (actual: string): never => refuse(path, `it must have at most ${MAX_BYTES} bytes`, actual);
  try {
    const { size } = await system.stat(path);
    if (size > MAX_BYTES) tooLong(`${size}`);
    const bytes = await system.readFile(path);
    const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
    return new TextDecoder("utf-8", { fatal: true }).decode(isGzip ? gunzip(bytes, tooLong) : bytes);
  } catch (error) {
    if (error instanceof SyntaxError) throw error;
    const reason = errorMessage(error).split("\n")[0];
    throw new SyntaxError(`Cannot read "${path}" as a CLIP tokenizer: ${reason}`, { cause: error });
  }
}

function gunzip(bytes: Uint8Array, tooLong: (actual: string) => never): Uint8Array {
  try {
    return gunzipSync(bytes, { maxOutputLength: MAX_BYTES });
  } catch (error) {
    if (errorCode(error) === "ERR_BUFFER_TOO_LARGE") return tooLong("more once unpacked");
    throw error;
  }
}

/** A merge as tokenizer.json has it: `"a b"` or `["a", "b"]`. */
function mergePair(path: string, merge: unknown, line: number): [string, string] {
  const parts = typeof merge === "string" ? merge.split(" ") : merge;
  if (isPair(parts)) return parts;
  return refuse(path, `merge ${line} must be two tokens`, (JSON.stringify(merge) ?? "nothing").slice(0, 80));
}

function mergesOfText(path: string, text: string): [string, string][] {
  const lines = text.split(/\r?\n/);
  const start = lines[0]?.includes("#version") ? 1 : 0;
  const used = lines.slice(start, start + OPENAI_MERGES);
  while (used.at(-1) === "") used.pop();
  if (used.length === 0) refuse(path, "it must hold merges, two tokens a line", `${lines.length} lines`);
  return used.map((line, i) => mergePair(path, line, i + 1));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isPair(value: unknown): value is [string, string] {
  return Array.isArray(value) && value.length === 2 && value.every((p) => typeof p === "string" && p !== "");
}

function vocabularyOf(path: string, json: unknown): Map<string, number> {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    return refuse(path, "its vocabulary must be a record", JSON.stringify(json)?.slice(0, 80) ?? "nothing");
  }
  const entries = Object.entries(json);
  const wrong = entries.find(([, id]) => !Number.isInteger(id) || id < 0 || id >= 2 ** 24);
  if (wrong) refuse(path, "ids must be whole numbers", `${JSON.stringify(wrong[0])}: ${JSON.stringify(wrong[1])}`);
  return new Map(entries);
}

function make(path: string, merges: [string, string][], vocabulary: Map<string, number>): ByteBpe {
  try {
    return byteBpe(merges, vocabulary);
  } catch (error) {
    const [, missing = errorMessage(error)] = /must hold (.*): it has/.exec(errorMessage(error)) ?? [];
    return refuse(path, `its vocabulary must hold ${missing}`, `${vocabulary.size} other tokens`);
  }
}

function fromTokenizerJson(path: string, model: Record<string, unknown>, added: unknown): ByteBpe {
  if (model["type"] !== undefined && model["type"] !== "BPE") {
    refuse(path, "model must be BPE", JSON.stringify(model["type"]));
  }
  if (model["end_of_word_suffix"] !== "</w>") {
    refuse(path, 'model.end_of_word_suffix must be "</w>"', JSON.stringify(model["end_of_word_suffix"]) ?? "nothing");
  }
  const vocabulary = vocabularyOf(path, model["vocab"]);
  for (const token of Array.isArray(added) ? added : []) {
    if (typeof token?.content === "string" && Number.isInteger(token.id)) vocabulary.set(token.content, token.id);
  }
  const { merges } = model;
  if (!Array.isArray(merges)) return refuse(path, "model.merges must be a list", typeof merges);
  return make(path, merges.map((merge: unknown, i) => mergePair(path, merge, i + 1)), vocabulary);
}

/**
 * Loads a CLIP tokeniser, told apart by content.
 *
 * @param path tokenizer.json, vocab.json (then the merges are needed as well), or merges alone (merges.txt of `transformers`,
 * OpenAI's bpe_simple_vocab_16e6.txt, gzip or not), of which the vocabulary follows.
 * @throws {SyntaxError} If a file is none of these or damaged; the message names it and what was found.
 */
export async function loadByteBpe(path: string, options: LoadByteBpeOptions = {}): Promise<ByteBpe> {
  const text = await readText(path);
  if (!text.trimStart().startsWith("{")) {
    const merges = mergesOfText(path, text);
    return make(path, merges, vocabularyOfMerges(merges));
  }
  let json: Record<string, unknown>;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return refuse(path, "it must be JSON", errorMessage(error).split("\n")[0]!);
  }
  if (isObject(json["model"])) return fromTokenizerJson(path, json["model"], json["added_tokens"]);
  const vocabulary = vocabularyOf(path, json);
  const mergesPath = options.merges ?? join(dirname(path), "merges.txt");
  return make(path, mergesOfText(mergesPath, await readText(mergesPath)), vocabulary);
}
