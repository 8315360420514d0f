/**
 * Tokenisers: BERT's (cleaning, words, WordPiece, files and streams of lines), CLIP's, SigLIP's and SigLIP 2's.
 *
 * @module
 */
export type { BertWordsOptions } from "./bert_words.ts";
export { type ByteBpe, type ByteBpeOptions, encodeByteBpe } from "./byte_bpe.ts";
export { loadByteBpe, type LoadByteBpeOptions } from "./byte_bpe_files.ts";
export type { MergeTable } from "./byte_bpe_merge.ts";
export { cleanText } from "./clean.ts";
export { byCodePoint } from "./code_point_order.ts";
export { unescapeHtml } from "./html.ts";
export { tokenizeLines, type TokenizeLinesOptions } from "./lines.ts";
export { loadTokenizer } from "./load_tokenizer.ts";
export { undoMisreading } from "./misread.ts";
export { encodeSpaceBpe, loadSpaceBpe, type SpaceBpe } from "./space_bpe.ts";
export {
  CONTEXT_LENGTH,
  encode,
  type EncodeOptions,
  type Tokenizer,
  tokenizerFromVocab,
  type TokenizerOptions,
} from "./tokenizer.ts";
export type { CharacterMap } from "./character_map.ts";
export { canonicalText, encodeUnigram, type Unigram } from "./unigram.ts";
export { loadUnigram } from "./unigram_file.ts";
export type { WordPieceModel } from "./word_piece.ts";
