/** Tokeniser files: tokenizer.json and vocab.txt. @module */
import { type Tokenizer, tokenizerFromVocab } from "./tokenizer.ts";
import { notThere, system } from "../platform/system.ts";
import { errorMessage } from "../platform/error_message.ts";

/** Most bytes of a file: a hundred times BiomedCLIP's tokenizer.json. */
const MAX_BYTES = 1 << 26;

/** The parts of a tokenizer.json that matter here. */
interface TokenizerJson {
  model?: {
    type?: string;
    vocab?: Record<string, number>;
    continuing_subword_prefix?: string;
    max_input_chars_per_word?: number;
  };
  normalizer?: {
    type?: string;
    lowercase?: boolean;
    strip_accents?: boolean | null;
    handle_chinese_chars?: boolean;
    clean_text?: boolean;
  } | null;
  pre_tokenizer?: { type?: string } | null;
}

function refuse(path: string, expected: string, actual: string): never {
  throw new SyntaxError(`Cannot read "${path}" as a BERT tokenizer as ${expected}: found ${actual}`);
}

function checkSpecial(path: string, vocab: { has(token: string): boolean; readonly size: number }): void {
  const missing = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"].filter((token) => !vocab.has(token));
  if (missing.length) {
    refuse(path, `its vocabulary must hold ${missing.join(" ")}`, `${vocab.size} other tokens`);
  }
}

function fromJson(path: string, text: string): Tokenizer {
  let json: TokenizerJson;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return refuse(path, "it must be JSON", errorMessage(error).split("\n")[0]!);
  }
  const { model, normalizer, pre_tokenizer: pre } = json;
  if (!model?.vocab || (model.type !== undefined && model.type !== "WordPiece")) {
    return refuse(path, "model must be a WordPiece vocabulary", `${model?.type ?? "no model"}`);
  }
  if (normalizer?.type !== "BertNormalizer") {
    return refuse(path, "normalizer must be a BertNormalizer", `${normalizer?.type ?? "none"}`);
  }
  if (pre?.type !== "BertPreTokenizer") {
    return refuse(path, "pre_tokenizer must be a BertPreTokenizer", `${pre?.type ?? "none"}`);
  }
  const vocab = new Map(Object.entries(model.vocab));
  for (const [token, id] of vocab) {
    if (!Number.isInteger(id) || id < 0) refuse(path, "ids must be whole numbers", `${JSON.stringify(token)}: ${id}`);
  }
  checkSpecial(path, vocab);
  const lowercase = normalizer.lowercase ?? true;
  return tokenizerFromVocab(vocab, {
    prefix: model.continuing_subword_prefix ?? "##",
    maxCharacters: model.max_input_chars_per_word ?? 100,
    lowercase,
    stripAccents: normalizer.strip_accents ?? lowercase,
    handleChineseChars: normalizer.handle_chinese_chars ?? true,
    cleanText: normalizer.clean_text ?? true,
  });
}

/**
 * Reads a BERT tokeniser from a local tokenizer.json (WordPiece) or vocab.txt (one token a line, uncased).
 * The file's content decides which of the two it is, not its name.
 *
 * @param path File to read.
 * @throws {SyntaxError} If the file is neither, naming it and what was found.
 * @throws {Deno.errors.NotFound} If there is no such file.
 */
export async function loadTokenizer(path: string): Promise<Tokenizer> {
  const { isDirectory, size } = await system.stat(path).catch(notThere(path));
  if (isDirectory) refuse(path, "it must be a file", "a folder");
  if (size > MAX_BYTES) refuse(path, `it must have at most ${MAX_BYTES} bytes`, `${size}`);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(await system.readFile(path));
  } catch (error) {
    if (error instanceof TypeError) return refuse(path, "it must be UTF-8 text", "other bytes");
    throw error;
  }
  if (text.trimStart().startsWith("{")) return fromJson(path, text);
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  checkSpecial(path, new Set(lines));
  return tokenizerFromVocab(lines);
}
