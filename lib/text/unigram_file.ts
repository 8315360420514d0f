/** SentencePiece's model files. @module */
import { notThere, system } from "../platform/system.ts";
import { defined } from "../platform/defined.ts";
import { errorMessage } from "../platform/error_message.ts";
import { type CharacterMap, decodeCharacterMap } from "./character_map.ts";
import type { Unigram } from "./unigram.ts";

/** Most bytes of a file: eighty times SigLIP's. */
const MAX_BYTES = 1 << 26;
/** Kinds of pieces: sentencepiece `ModelProto.SentencePiece.Type`. */
const NORMAL = 1, UNKNOWN = 2, CONTROL = 3, USER = 4, BYTE = 6;

/** A field of a message: its number and what it holds. */
type MessageField = [field: number, value: Uint8Array | number];

/** The fields of a protocol-buffer message; groups are not among them. @throws {RangeError} If it ends within one. */
function* messageFields(bytes: Uint8Array): Generator<MessageField> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let place = 0;
  const varint = (): number => {
    let value = 0, factor = 1;
    for (;; factor *= 128) {
      const byte = view.getUint8(place++);
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (place < bytes.length) {
    const tag = varint();
    const [field, type] = [Math.floor(tag / 8), tag % 8];
    if (type === 0) yield [field, varint()];
    else if (type === 2) {
      const length = varint();
      if (place + length > bytes.length) throw new RangeError("a field ends after the file");
      yield [field, bytes.subarray(place, place + length)];
      place += length;
    } else if (type === 5) {
      yield [field, view.getFloat32(place, true)];
      place += 4;
    } else if (type === 1) {
      yield [field, view.getFloat64(place, true)];
      place += 8;
    } else throw new RangeError(`a field has the type ${type}`);
  }
}

interface Piece {
  text: string;
  score: number;
  type: number;
}

/**
 * Reads SentencePiece's unigram model, SigLIP's spiece.model.
 *
 * @param path File to read.
 * @throws {SyntaxError} If it is none, or of another kind (BPE, byte fallback); the message says which.
 * @throws {Deno.errors.NotFound} If there is no such file.
 */
export async function loadUnigram(path: string): Promise<Unigram> {
  const refuse: Refuse = (must, actual) => {
    throw new SyntaxError(`Cannot read "${path}" as a SentencePiece unigram model as ${must}: ${actual}`);
  };
  const { size, isDirectory } = await system.stat(path).catch(notThere(path));
  if (isDirectory) refuse("it must be a file", "it is a folder");
  if (size > MAX_BYTES) refuse(`it must have at most ${MAX_BYTES} bytes`, `it has ${size}`);
  const model = readModel(await system.readFile(path), refuse);
  checkUnigram(model, refuse);
  const { pieces, unknownId, endId, characters } = model;
  const normal = pieces.flatMap(({ text, score, type }, id) => type === NORMAL ? [{ text, score, id }] : []);
  const greatest = Math.max(...normal.map(({ score }) => score));
  // A piece of the user's own wins over all others: as many times the greatest score as it has characters.
  const own = pieces.flatMap(({ text, type }, id) =>
    type === USER ? [{ text, id, score: Math.fround([...text].length * greatest - 0.1) }] : []
  );
  const known = new Map([...normal, ...own].map(({ text, score, id }) => [text, { id, score }]));
  return {
    kind: "unigram",
    pieces: known,
    size: pieces.length,
    longest: Math.max(...known.keys().map((text) => [...text].length)),
    unknownScore: Math.fround(Math.min(...normal.map(({ score }) => score)) - 10),
    unknownId,
    endId,
    ...defined({ characters }),
  };
}

type Refuse = (must: string, actual: string) => never;

/** What a model file holds. */
interface ModelFile {
  pieces: Piece[];
  kind: number;
  endId: number;
  unknownId: number;
  characters?: CharacterMap | undefined;
}

function readModel(bytes: Uint8Array, refuse: Refuse): ModelFile {
  const model: ModelFile = { pieces: [], kind: 1, endId: 2, unknownId: 0 };
  try {
    for (const [field, value] of messageFields(bytes)) {
      if (!(value instanceof Uint8Array)) continue;
      if (field === 1) model.pieces.push(pieceOf(value));
      if (field === 2) {
        for (const [key, number] of messageFields(value)) {
          if (key === 3) model.kind = Number(number);
          if (key === 40) model.unknownId = Number(number);
          if (key === 42) model.endId = Number(number);
        }
      }
      if (field === 3) {
        for (const [key, map] of messageFields(value)) {
          if (key === 2 && map instanceof Uint8Array) model.characters = decodeCharacterMap(map);
        }
      }
    }
  } catch (error) {
    refuse("its messages must be whole", errorMessage(error));
  }
  return model;
}

function checkUnigram({ pieces, kind, unknownId, endId }: ModelFile, refuse: Refuse): void {
  if (pieces.length === 0) refuse("it must hold pieces", "it has none");
  if (kind !== 1) refuse("its kind must be unigram (1)", `it is ${kind}`);
  if (pieces.some(({ type }) => type === BYTE)) refuse("it must have no pieces for single bytes", "it has some");
  if (pieces[unknownId]?.type !== UNKNOWN) refuse("it must have an unknown piece", `that of id ${unknownId} is none`);
  if (pieces[endId]?.type !== CONTROL) refuse("it must have an end token", `the piece of id ${endId} is none`);
}

function pieceOf(message: Uint8Array): Piece {
  const piece: Piece = { text: "", score: 0, type: NORMAL };
  for (const [field, value] of messageFields(message)) {
    if (field === 1 && value instanceof Uint8Array) piece.text = new TextDecoder().decode(value);
    if (field === 2) piece.score = Number(value);
    if (field === 3) piece.type = Number(value);
  }
  return piece;
}
