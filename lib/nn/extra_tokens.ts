/** Learned tokens between the first token and the rest, put in and taken out again. @module */
import * as tf from "@tensorflow/tfjs";
import { checkRecord, checkValue, WHOLE } from "../platform/options.ts";
import { checkShape } from "../tensor/shape.ts";
import { expandDims, slice } from "../tensor/typed.ts";
import type { Tensor2D, Tensor3D } from "../tensor/types.ts";

/**
 * The same learned rows after token 0 of every sample.
 *
 * @param x Shape `[B, N, D]`.
 * @param rows Shape `[P, D]`.
 * @returns Shape `[B, N + P, D]`. The caller disposes it.
 */
export function insertAfterFirst(x: Tensor3D, rows: Tensor2D): Tensor3D {
  checkShape(x, [null, null, null], "the tokens");
  checkShape(rows, [null, x.shape[2]], "the learned tokens");
  const [batch, size, width] = x.shape;
  const count = rows.shape[0];
  return tf.tidy(() => {
    const copies: Tensor3D = tf.broadcastTo(expandDims(rows, 0), [batch, count, width]);
    const first = tf.slice(x, [0, 0, 0], [batch, 1, width]);
    return tf.concat([first, copies, tf.slice(x, [0, 1, 0], [batch, size - 1, width])], 1);
  });
}

/** The inverse of {@linkcode insertAfterFirst}: tokens 1 to P left out. */
export function dropAfterFirst(x: Tensor3D, count: number): Tensor3D {
  const [batch, size, width] = x.shape;
  return tf.tidy(() => {
    const first = tf.slice(x, [0, 0, 0], [batch, 1, width]);
    return tf.concat([first, tf.slice(x, [0, 1 + count, 0], [batch, size - 1 - count, width])], 1);
  });
}

/** Masks over the tokens of a sample, `[B, N]`. */
export interface TokenMasks {
  /** 1 for a real token, 0 for a pad. */
  keyMask?: Tensor2D;
  /** 1 at the token that is read, else 0. */
  read?: Tensor2D;
}

/** The masks with `count` learned tokens after the first: real keys, never read; shape `[B, N + count]` each. */
export function extendMasks(masks: TokenMasks, count: number): TokenMasks {
  checkRecord("extend masks", "masks", masks, {});
  checkValue("extend masks", "count", count, WHOLE);
  const { keyMask, read } = masks;
  const extend = (mask: Tensor2D, value: number): Tensor2D => {
    checkShape(mask, [null, null], "a mask of tokens");
    return tf.tidy(() => tf.squeeze(insertAfterFirst(tf.expandDims(mask, 2), tf.fill([count, 1], value)), [2]));
  };
  return {
    ...(keyMask === undefined ? {} : { keyMask: extend(keyMask, 1) }),
    ...(read === undefined ? {} : { read: extend(read, 0) }),
  };
}

/** Tokens of samples, and the attention of the one that is read. */
export interface EncodedTokens {
  /** Shape `[B, N, D]`, or `[B, 1, D]`. */
  tokens: Tensor3D;
  /** Shape `[B, N - 1]`, or `[B, N]` with `read`. */
  affinity?: Tensor2D;
}

/**
 * A result over `P + N` tokens without the P learned ones after the first.
 *
 * @param options As the stack was run with: `clsOnly` returns one token, `read` the affinity to all tokens instead of those
 * after the first.
 * @returns Tokens and affinity of the N. The caller disposes both.
 */
export function dropExtra(
  result: EncodedTokens,
  count: number,
  options: TokenMasks & { clsOnly?: boolean },
): EncodedTokens {
  checkRecord("drop learned tokens", "result", result, {});
  checkRecord("drop learned tokens", "options", options, {});
  checkShape(result.tokens, [null, null, null], "the tokens");
  checkValue("drop learned tokens", "count", count, WHOLE);
  const { tokens, affinity } = result;
  if (affinity !== undefined) checkShape(affinity, [null, null], "the affinity");
  const kept = options.clsOnly ? tokens : dropAfterFirst(tokens, count);
  if (affinity === undefined) return { tokens: kept };
  const [batch, size] = affinity.shape;
  const others = options.read
    ? tf.tidy(() => tf.squeeze<Tensor2D>(dropAfterFirst(tf.expandDims(affinity, 2), count), [2]))
    : slice(affinity, [0, count], [batch, size - count]);
  return { tokens: kept, affinity: others };
}
