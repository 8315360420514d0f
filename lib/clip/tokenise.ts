/** From texts to a model's token ids. @module */
import { checkValue, hasField, type Rule, TEXTS } from "../platform/options.ts";
import { newSha256 } from "../platform/sha256.ts";
import { type ByteBpe, encodeByteBpe } from "../text/byte_bpe.ts";
import { loadByteBpe } from "../text/byte_bpe_files.ts";
import { reportSentences } from "../text/report.ts";
import { loadTokenizer } from "../text/load_tokenizer.ts";
import { encodeSpaceBpe, loadSpaceBpe, type SpaceBpe } from "../text/space_bpe.ts";
import { encode, type Tokenizer } from "../text/tokenizer.ts";
import { encodeUnigram, type Unigram } from "../text/unigram.ts";
import { loadUnigram } from "../text/unigram_file.ts";
import { MINI } from "./architectures.ts";
import type { ClipConfig } from "./config.ts";
import { NoTextTowerError } from "./no_text.ts";
import type { TokenRows } from "./zero_shot/scores.ts";

/** What stands for the tokeniser of an image tower alone. */
export interface NoTokenizer {
  /** Tells it from the others. */
  kind: "none";
}

/** A BERT's tokeniser, CLIP's own, SigLIP's or SigLIP 2's, as plain data; none of an image tower alone. */
export type ClipTokenizer = Tokenizer | ByteBpe | Unigram | SpaceBpe | NoTokenizer;

/** What a tokeniser must be. */
const TOKENIZER: Rule = {
  must: "a tokeniser, as loadClip() gives it",
  type: "object",
  allows: (value) => ["merges", "kind", "model"].some((part) => hasField(value, part)),
};

/**
 * Token ids of texts, cleaned, cut and padded as the model was trained.
 *
 * @param config Its context length is used.
 * @returns Row-major `[n, N]`, padded as the model was trained: with 0, but for SigLIP with the end of a text.
 * @throws {NoTextTowerError} If the model is an image tower alone.
 * @throws {TypeError} If the texts are no list of texts.
 *
 * @example Rows of ids
 * ```ts
 * import { loadClip, selectBackend, tokenise } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 *
 * await selectBackend({ backend: "wasm" });
 * const { config, tokenizer } = await loadClip();
 * const { ids, contextLength } = tokenise(tokenizer, ["pneumonia", "no finding"], config);
 * assertEquals(ids.length, 2 * contextLength);
 * ```
 */
export function tokenise(
  tokenizer: ClipTokenizer,
  texts: readonly string[],
  config: Pick<ClipConfig, "text">,
): TokenRows {
  checkValue("tokenise", "texts", texts, TEXTS);
  checkValue("tokenise", "tokenizer", tokenizer, TOKENIZER);
  const { contextLength } = config.text;
  if (!cleansReports(config)) return { ids: idsOf(tokenizer, texts, contextLength), contextLength };
  const cleaned = texts.map((text) => reportSentences(text).join(" "));
  return { ids: idsOf(tokenizer, cleaned, contextLength, false), contextLength };
}

/**
 * The same of prompts, none of which may be left without a word: every such one would be asked with the same empty text.
 *
 * @throws {RangeError} If the model's cleaning leaves nothing of one.
 */
export function tokenisePrompts(
  tokenizer: ClipTokenizer,
  texts: readonly string[],
  config: Pick<ClipConfig, "text">,
): TokenRows {
  const empty = cleansReports(config) ? texts.find((text) => reportSentences(text).length === 0) : undefined;
  if (empty === undefined) return tokenise(tokenizer, texts, config);
  throw new RangeError(
    `Cannot ask with a prompt as it must be a sentence of two words or more, since the model's own cleaning drops others: ` +
      `current value is ${JSON.stringify(empty)}`,
  );
}

function cleansReports({ text }: Pick<ClipConfig, "text">): boolean {
  return text.kind === "bert" && text.cleaning === "report";
}

function idsOf(
  tokenizer: ClipTokenizer,
  texts: readonly string[],
  contextLength: number,
  clean = true,
): Int32Array {
  if ("merges" in tokenizer) return encodeByteBpe(tokenizer, texts, { contextLength });
  if (!("kind" in tokenizer)) return encode(tokenizer, texts, { contextLength, clean });
  if (tokenizer.kind === "none") throw new NoTextTowerError();
  return tokenizer.kind === "unigram"
    ? encodeUnigram(tokenizer, texts, { contextLength })
    : encodeSpaceBpe(tokenizer, texts, { contextLength });
}

/** Least share of the word table's rows that a tokeniser names: BiomedCLIP's names 28,895 of 28,895 or 30,522. */
const LEAST_SHARE = 0.9;

/** Where a tokeniser and a model are from, for errors. */
export interface TokenizerNames {
  /** Where the tokeniser is from. */
  tokenizer: string;
  /** Where the model is from. */
  weights: string;
}

/**
 * Reads the tokeniser of a model: a BERT's for a BERT, CLIP's own for a causal tower, SentencePiece's or Gemma's for SigLIP's.
 *
 * @param path See `ModelFiles`.
 * @param weights The weights' file, for errors.
 * @throws {SyntaxError} If the file is none.
 * @throws {RangeError} If it fits another model.
 */
export async function loadClipTokenizer(
  path: string,
  config: Pick<ClipConfig, "text">,
  options: { weights: string; merges?: string | undefined },
): Promise<ClipTokenizer> {
  const { weights, merges } = options;
  const tokenizer = await readTokenizer(path, config.text.kind, merges);
  checkTokenizer(tokenizer, config, { tokenizer: path, weights });
  return tokenizer;
}

async function readTokenizer(
  path: string,
  kind: ClipConfig["text"]["kind"],
  merges: string | undefined,
): Promise<ClipTokenizer> {
  if (kind === "none") throw new NoTextTowerError();
  if (kind === "bert") return await loadTokenizer(path);
  if (kind === "clip") return await loadByteBpe(path, merges === undefined ? {} : { merges });
  return path.endsWith(".json") ? await loadSpaceBpe(path) : await loadUnigram(path);
}

/** A vocabulary that is known. */
interface KnownVocabulary {
  /** Whose. */
  name: string;
  /** Number of its entries. */
  entries: number;
  /** SHA-256 of its entries in the order of their ids, with line ends between. */
  sha256: string;
}

const BIOMED_CLIP_VOCABULARY: KnownVocabulary = {
  name: "BiomedCLIP's",
  entries: 28895,
  sha256: "8ee8b70c406f9708f1c5e82a31493e88d35234322be0463017e112c5b94bfbec",
};

/** By kind of the text tower, and the rows of its word table. */
const KNOWN_VOCABULARIES: ReadonlyMap<string, KnownVocabulary> = new Map([
  [
    `bert ${MINI.text.vocabularySize}`,
    {
      name: "the mini model's",
      entries: 506,
      sha256: "fe8822dcdf73802fe2bf4b94820c9e955352e5d3925e0745822b8616a809c7c8",
    },
  ],
  ["bert 28895", BIOMED_CLIP_VOCABULARY],
  ["bert 30522", BIOMED_CLIP_VOCABULARY],
  [
    "clip 49408",
    {
      name: "CLIP's",
      entries: 49408,
      sha256: "7cccc44d334555d1ff3c0ac5f0246b428fab2918383e77ee745cf30d41010b78",
    },
  ],
]);

/** See {@linkcode KnownVocabulary}. */
function vocabularyHash(vocabulary: ReadonlyMap<string, number>): string {
  const tokens = [...vocabulary].sort(([, a], [, b]) => a - b).map(([token]) => token);
  return newSha256().update(tokens.join("\n")).digest("hex");
}

/** The id of every entry. */
function vocabularyIds(tokenizer: ClipTokenizer): number[] {
  if ("merges" in tokenizer) return [...tokenizer.vocabulary.values()];
  if (!("kind" in tokenizer)) return [...tokenizer.model.vocab.values()];
  if (tokenizer.kind === "none") return [];
  return tokenizer.kind === "unigram"
    ? Array.from({ length: tokenizer.size }, (_, id) => id)
    : [...tokenizer.vocabulary.values()];
}

/**
 * Checks that a tokeniser's ids are rows of the model's word table, without holes, and nearly all of them; where the model's
 * vocabulary is known, that it is that one.
 *
 * @throws {RangeError} If they are not; one line names both files.
 */
export function checkTokenizer(
  tokenizer: ClipTokenizer,
  { text }: Pick<ClipConfig, "text">,
  names: TokenizerNames,
): void {
  const { vocabularySize: rows } = text;
  const isBpe = "merges" in tokenizer;
  const ids = vocabularyIds(tokenizer);
  let highest = 0;
  for (const id of ids) highest = Math.max(highest, id);
  const entries = ids.length;
  const refuse = (expected: string, actual: string): never => {
    throw new RangeError(`Cannot use "${names.tokenizer}" with "${names.weights}" as ${expected}: found ${actual}`);
  };
  if (highest >= rows || entries < LEAST_SHARE * rows) {
    refuse(
      `it must have nearly as many entries as the word table's ${rows} rows`,
      `${entries}, with ids up to ${highest}`,
    );
  }
  const known = KNOWN_VOCABULARIES.get(`${text.kind} ${rows}`);
  if (known && entries < known.entries && entries > 0.99 * known.entries) {
    refuse(
      `it must have the ${known.entries} entries of ${known.name} vocabulary (after a missing line every id is another word's)`,
      `${entries}: take the file as it was published`,
    );
  }
  if (new Set(ids).size !== entries || highest !== entries - 1) {
    refuse("its ids must be 0, 1, 2 and so on, one for each entry", `${entries} entries, with ids up to ${highest}`);
  }
  if ("kind" in tokenizer) return;
  if (
    entries === known?.entries && vocabularyHash(isBpe ? tokenizer.vocabulary : tokenizer.model.vocab) !== known.sha256
  ) {
    refuse(
      `its entries must be those of ${known.name} vocabulary, in its order`,
      "others, or another order: take the file as it was published",
    );
  }
  if (!isBpe) {
    if (tokenizer.padId !== 0) refuse("its [PAD] must be 0", `${tokenizer.padId}`);
    return;
  }
  const eot = text.kind === "clip" ? text.eotId ?? highest : highest;
  if (tokenizer.eotId !== eot) refuse(`its end of text must have the id ${eot}`, `${tokenizer.eotId}`);
}
