/** Byte-pair encoding over spaces and bytes as Gemma's tokeniser has it, which SigLIP 2 uses: from a tokenizer.json. @module */
import { notThere, system } from "../platform/system.ts";
import { errorMessage } from "../platform/error_message.ts";

/** Gemma's kind of tokeniser, as plain data. Made by {@linkcode loadSpaceBpe}. */
export interface SpaceBpe {
  /** Tells it from the other tokenisers. */
  kind: "space-bpe";
  /** Id of each piece. */
  vocabulary: ReadonlyMap<string, number>;
  /** Place of each pair in the order of merging; pairs as `left right`. */
  ranks: ReadonlyMap<string, number>;
  /** Ids before and after a text. */
  before: readonly number[];
  /** Ids after it; they stay where a text is cut. */
  after: readonly number[];
  /** Id of the padding. */
  padId: number;
  /** Id of what neither piece nor byte is of. */
  unknownId: number;
}

/** The mark of a space. */
const SPACE = "▁";
/** Most bytes of a file: twice Gemma's. */
const MAX_BYTES = 1 << 26;

/**
 * The ids of `texts` in lower case, one row of `contextLength` each, padded on the right.
 *
 * Source: transformers `Siglip2Tokenizer`; Hugging Face tokenizers' `BPE` with byte fallback.
 *
 * @returns Row-major ids, `[texts.length, contextLength]`.
 * @throws {RangeError} If `contextLength` leaves no room beside what stands around a text.
 */
export function encodeSpaceBpe(
  tokenizer: SpaceBpe,
  texts: readonly string[],
  { contextLength }: { contextLength: number },
): Int32Array {
  const { before, after, padId } = tokenizer;
  const room = contextLength - before.length - after.length;
  if (!Number.isInteger(contextLength) || room < 1) {
    throw new RangeError(
      `Cannot encode text as contextLength must be a whole number above ${before.length + after.length}: ` +
        `current value is ${contextLength}`,
    );
  }
  const out = new Int32Array(texts.length * contextLength).fill(padId);
  texts.forEach((text, i) => {
    const ids = spaceBpeIds(tokenizer, text).slice(0, room);
    out.set([...before, ...ids, ...after], i * contextLength);
  });
  return out;
}

/** The ids of one text's pieces, without what stands around it. */
function spaceBpeIds({ vocabulary, ranks, unknownId }: SpaceBpe, text: string): number[] {
  const symbols = [...text.toLowerCase().replaceAll(" ", SPACE)].flatMap((character) => {
    if (vocabulary.has(character)) return [character];
    const bytes = [...new TextEncoder().encode(character)].map((byte) =>
      `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`
    );
    return bytes.every((byte) => vocabulary.has(byte)) ? bytes : [""]; // an unknown merges with nothing
  });
  for (;;) {
    let best = Infinity, place = -1;
    for (let i = 0; i + 1 < symbols.length; i++) {
      const rank = ranks.get(`${symbols[i]} ${symbols[i + 1]}`) ?? Infinity;
      if (rank < best) [best, place] = [rank, i];
    }
    if (place < 0) break;
    symbols.splice(place, 2, symbols[place]! + symbols[place + 1]!);
  }
  const ids = symbols.map((symbol) => vocabulary.get(symbol) ?? unknownId);
  return ids.filter((id, i) => id !== unknownId || ids[i - 1] !== unknownId);
}

/** The parts of a tokenizer.json that matter here. */
interface TokenizerJson {
  model?: {
    type?: string;
    vocab?: Record<string, number>;
    merges?: (string | [string, string])[];
    byte_fallback?: boolean;
    unk_token?: string | null;
  };
  post_processor?: {
    type?: string;
    single?: ({ SpecialToken?: { id: string } } | { Sequence?: unknown })[];
    special_tokens?: Record<string, { ids: number[] }>;
  } | null;
  added_tokens?: { id: number; content: string }[];
}

/**
 * Reads a tokenizer.json of Gemma's kind.
 *
 * @param path File to read.
 * @throws {SyntaxError} If it is of another kind; the message names the file and what was found.
 * @throws {Deno.errors.NotFound} If there is no such file.
 */
export async function loadSpaceBpe(path: string): Promise<SpaceBpe> {
  const refuse = (must: string, actual: string): never => {
    throw new SyntaxError(`Cannot read "${path}" as Gemma's tokenizer as ${must}: found ${actual}`);
  };
  const { size, isDirectory } = await system.stat(path).catch(notThere(path));
  if (isDirectory) refuse("it must be a file", "a folder");
  if (size > MAX_BYTES) refuse(`it must have at most ${MAX_BYTES} bytes`, `${size}`);
  let json: TokenizerJson;
  try {
    json = JSON.parse(await system.readTextFile(path));
  } catch (error) {
    return refuse("it must be JSON", errorMessage(error).split("\n")[0]!);
  }
  const { model, post_processor: post, added_tokens: added = [] } = json;
  if (model?.type !== "BPE" || !model.vocab || !Array.isArray(model.merges)) {
    return refuse("model must be a BPE with vocab and merges", `${model?.type ?? "no model"}`);
  }
  if (model.byte_fallback !== true) refuse("byte_fallback must be true", `${model.byte_fallback}`);
  const vocabulary = new Map(Object.entries(model.vocab));
  for (const { content, id } of added) vocabulary.set(content, id);
  const idOf = (token: string): number =>
    vocabulary.get(token) ?? refuse(`it must hold ${token}`, `${vocabulary.size} others`);
  const ranks = new Map(model.merges.map((pair, rank) => [typeof pair === "string" ? pair : pair.join(" "), rank]));
  const single = post?.single ?? [];
  const place = single.findIndex((part) => "Sequence" in part);
  const around = (parts: typeof single): number[] =>
    parts.flatMap((part) => "SpecialToken" in part ? post!.special_tokens?.[part.SpecialToken!.id]?.ids ?? [] : []);
  return {
    kind: "space-bpe",
    vocabulary,
    ranks,
    before: place < 0 ? [] : around(single.slice(0, place)),
    after: place < 0 ? [idOf("<eos>")] : around(single.slice(place + 1)),
    padId: idOf("<pad>"),
    unknownId: idOf(model.unk_token ?? "<unk>"),
  };
}
