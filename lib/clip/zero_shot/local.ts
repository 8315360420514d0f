/** The local similarity of an image and a text: words looked for among the places of a map. @module */
import * as tf from "@tensorflow/tfjs";
import type { Tensor1D, Tensor3D } from "../../tensor/types.ts";
import type { ClipConfig } from "../config.ts";
import type { ClipTokenizer } from "../tokenise.ts";

/** The words of one text. */
export interface TextWords {
  /** Row-major `[W, E]`: of each word, the sum of its pieces' tokens over the hidden states; the end of the text is one. */
  words: Float32Array;
  /** Words that are all zeros, which take part too. */
  empty: number;
}

/**
 * The words of one text from its tokens. GLoRIA takes as many words as the text has letters, the places after its last word among
 * them; so it is here, up to the context's length.
 *
 * Source: GLoRIA `BertEncoder.aggregate_tokens`, `GLoRIA.process_text`, `GLoRIA.get_local_similarities`.
 *
 * @param tokens Row-major `[N, E]`, the mean of the hidden states; the first is not read.
 * @param ids Token ids `[N]`.
 * @param text As it was asked, before its cleaning.
 */
export function textWords(
  tokens: Float32Array,
  ids: Int32Array,
  text: string,
  { config, tokenizer }: { config: Pick<ClipConfig, "text">; tokenizer: ClipTokenizer },
): TextWords {
  const width = tokens.length / ids.length;
  const letters = [...text].filter((letter) => letter !== "[").length;
  const limit = Math.max(1, Math.min(letters, ids.length - 1));
  const states = config.text.kind === "bert" ? config.text.hiddenStates?.length ?? 1 : 1;
  const pieces = pieceIds(tokenizer);
  const words: Float32Array[] = [];
  for (let place = 1; place < ids.length && ids[place] !== 0; place++) {
    if (words.length === 0 || !pieces.has(ids[place]!)) words.push(new Float32Array(width));
    const word = words.at(-1)!;
    for (let e = 0; e < width; e++) word[e]! += states * tokens[place * width + e]!;
  }
  const kept = words.slice(0, limit);
  const out = new Float32Array(kept.length * width);
  kept.forEach((word, i) => out.set(word, i * width));
  return { words: out, empty: limit - kept.length };
}

const knownPieces = new WeakMap<ClipTokenizer, ReadonlySet<number>>();

/** Ids of entries that continue a word; looked for once in a vocabulary, as every text asks. */
function pieceIds(tokenizer: ClipTokenizer): ReadonlySet<number> {
  if ("merges" in tokenizer || "kind" in tokenizer) return new Set();
  const known = knownPieces.get(tokenizer);
  if (known) return known;
  const { vocab, prefix = "##" } = tokenizer.model;
  const pieces = new Set([...vocab].filter(([entry]) => entry.startsWith(prefix)).map(([, id]) => id));
  knownPieces.set(tokenizer, pieces);
  return pieces;
}

/** Least product of two lengths that a cosine divides by. */
const LEAST_LENGTH = 1e-8;

/**
 * The local similarity of images with one text, the greatest over its words of `s cos(word, what it attends to)`: at every place
 * the words compete (softmax), then the places for each word, `a` times sharper.
 *
 * Source: GLoRIA `gloria_loss.attention_fn`, `GLoRIA.get_local_similarities`, which takes the greatest where training sums.
 *
 * @param places Of each image's map, shape `[B, P, E]`.
 * @returns Shape `[B]`. The caller disposes it.
 */
export function localSimilarities(
  places: Tensor3D,
  { words, empty }: TextWords,
  { attention, cosine }: NonNullable<ClipConfig["local"]>,
): Tensor1D {
  const [batch, , width] = places.shape;
  const count = words.length / width;
  return tf.tidy(() => {
    const queries: Tensor3D = tf.broadcastTo(tf.tensor3d(words, [1, count, width]), [batch, count, width]);
    const scores = tf.matMul(queries, places, false, true); // [B, W, P]
    const highest = tf.max(scores, 1, true);
    const reference = empty > 0 ? tf.maximum(highest, 0) : highest;
    const powers = tf.exp(tf.sub(scores, reference));
    const sum = tf.sum(powers, 1, true);
    const zeros = (): tf.Tensor => tf.mul(tf.exp(tf.neg(reference)), empty); // of the words that are zeros
    const shares = tf.div(powers, empty > 0 ? tf.add(sum, zeros()) : sum);
    const seen = tf.matMul(tf.softmax(tf.mul(shares, attention), 2), places); // [B, W, E]
    const lengths = tf.mul(tf.norm(queries, 2, 2), tf.norm(seen, 2, 2));
    const cosines = tf.div(tf.sum(tf.mul(queries, seen), 2), tf.maximum(lengths, LEAST_LENGTH)); // [B, W]
    const best: Tensor1D = tf.mul(tf.max(cosines, 1), cosine);
    return empty > 0 ? tf.maximum(best, 0) : best;
  });
}
