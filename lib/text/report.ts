/** Reports as GLoRIA and MGCA clean them before they tokenise: sentences of plain words. @module */

/** What ends a sentence: the number of a list's point, or a full stop. */
const SENTENCE_END = /[0-9]+\.|\./;
/** Python's `\w`: letters, numbers and the underscore, no combining marks. */
const WORD = /[\p{L}\p{N}_]+/gu;
// deno-lint-ignore no-control-regex
const NOT_ASCII = /[^\x00-\x7f]+/g;

/**
 * The sentences of a report: lower case, nothing but letters, digits and underscores, of words that are not ASCII what of them is.
 * Sentences of one word are left out; a full stop inside a number ends one.
 *
 * Source: GLoRIA `GLoRIA.process_text`; MGCA `MultimodalPretrainingDataset.create_path_2_sent_mapping`.
 *
 * @param text Any string.
 * @returns The sentences in order; none is empty, but there may be none.
 */
export function reportSentences(text: string): string[] {
  return text.replaceAll("\n", " ").split(SENTENCE_END).flatMap((sentence) => {
    const words = sentence.replaceAll("\ufffd\ufffd", " ").toLowerCase().match(WORD) ?? [];
    if (words.length <= 1) return [];
    const plain = words.map((word) => word.replace(NOT_ASCII, "")).filter((word) => word !== "");
    return plain.length === 0 ? [] : [plain.join(" ")];
  });
}
