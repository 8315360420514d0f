/** Room for learned context in a text: which of its tokens stay. @module */
import * as tf from "@tensorflow/tfjs";
import { slice } from "../../tensor/typed.ts";
import type { Tensor2D } from "../../tensor/types.ts";

/**
 * The first tokens of texts, each text's last token kept: where a text is cut, its final token ([SEP], end of text)
 * takes the last place, as a tokeniser that truncates would have it.
 *
 * @param ids Token ids, shape `[B, N]` int32.
 * @param length Tokens to keep, K.
 * @param real 1 for a token of the text, 0 for the pads at its end; shape `[B, N]` float32.
 * @returns Shape `[B, min(K, N)]` int32. The caller disposes it.
 * @throws {RangeError} If fewer than two tokens would stay.
 */
export function cutTexts(ids: Tensor2D, length: number, real: Tensor2D): Tensor2D {
  const [batch, size] = ids.shape;
  if (length < 2) {
    throw new RangeError(
      `Cannot put context into a text as at least two of its tokens must stay: current value is ${length}`,
    );
  }
  if (length >= size) return tf.clone(ids);
  return tf.tidy(() => {
    const present = tf.cast(tf.greater(real, 0), "int32");
    const next = tf.concat([tf.slice(present, [0, 1], [batch, size - 1]), tf.zeros([batch, 1], "int32")], 1);
    // All int32: tf.where reads both branches as one type.
    const final = tf.sum<Tensor2D>(tf.mul(ids, tf.sub(present, next)), 1, true); // [B, 1]
    const isCut = tf.cast(tf.slice(present, [0, length], [batch, 1]), "bool");
    const last = tf.where<Tensor2D>(isCut, final, slice(ids, [0, length - 1], [batch, 1]));
    return tf.concat<Tensor2D>([slice(ids, [0, 0], [batch, length - 1]), last], 1);
  });
}
