/**
 * BiomedCLIP's tokeniser: cleaning, BERT words, WordPiece, files and streams of lines.
 *
 * @module
 */
export * from "./byte_bpe.ts";
export * from "./byte_bpe_files.ts";
export * from "./byte_bpe_merge.ts";
export * from "./bert_words.ts";
export * from "./clean.ts";
export * from "./code_point_order.ts";
export * from "./html.ts";
export * from "./lines.ts";
export * from "./load_tokenizer.ts";
export * from "./misread.ts";
export * from "./tokenizer.ts";
export * from "./word_piece.ts";
