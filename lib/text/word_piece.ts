/** WordPiece: one word to the longest pieces a vocabulary has, left to right. @module */

/** A vocabulary and how it spells pieces. */
export interface WordPieceModel {
  /** Piece to id. */
  vocab: ReadonlyMap<string, number>;
  /** Id given to a word that cannot be spelt. */
  unknownId: number;
  /** Prefix of a piece that does not begin its word. @default {"##"} */
  prefix?: string;
  /** Words of more code points than this are unknown. @default {100} */
  maxCharacters?: number;
}

/**
 * The ids of the pieces of one word: at each place the longest piece in the vocabulary; the unknown id alone when some
 * place has none, or when the word is longer than `maxCharacters` code points.
 *
 * Source: Wu et al. 2016; the same as Hugging Face tokenizers' WordPiece.
 */
export function wordPiece(model: WordPieceModel, word: string): number[] {
  const { vocab, unknownId, prefix = "##", maxCharacters = 100 } = model;
  const whole = vocab.get(word);
  if (whole !== undefined && word.length <= maxCharacters) return [whole];
  if (word.length > 2 * maxCharacters) return [unknownId];
  const characters = [...word];
  if (characters.length > maxCharacters) return [unknownId];
  const ids: number[] = [];
  for (let start = 0; start < characters.length;) {
    let end = characters.length;
    let id: number | undefined;
    for (; end > start; end--) {
      const piece = characters.slice(start, end).join("");
      id = vocab.get(start > 0 ? prefix + piece : piece);
      if (id !== undefined) break;
    }
    if (id === undefined) return [unknownId];
    ids.push(id);
    start = end;
  }
  return ids;
}
