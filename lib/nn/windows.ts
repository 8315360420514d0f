/** Square windows of a map of tokens: the orders that put each window's tokens together, and what they do not see. @module */
import * as tf from "@tensorflow/tfjs";
import {
  checkRecord,
  checkValue,
  COUNT,
  LIST,
  needed,
  type Rule,
  type Rules,
  shown,
  WHOLE,
} from "../platform/options.ts";
import { customGrad } from "../tensor/gradients.ts";
import { embeddingLookup, tidy } from "../tensor/ops.ts";
import { checkShape } from "../tensor/shape.ts";
import { expandDims, reshape } from "../tensor/typed.ts";
import type { Tensor2D, Tensor3D, Tensor4D } from "../tensor/types.ts";

/** A map cut into windows. */
export interface Windows {
  /** Tokens a side of the map; a multiple of `window`. */
  side: number;
  /** Tokens a side of a window. */
  window: number;
  /** By how much the map is moved up and left first, round its borders. */
  shift: number;
}

const WINDOW_RULES: Rules<Windows> = { side: needed(COUNT), window: needed(COUNT), shift: needed(WHOLE) };

function checkWindows(windows: Windows): void {
  checkRecord("cut a map into windows", "windows", windows, WINDOW_RULES);
  const { side, window } = windows;
  if (side % window === 0) return;
  throw new RangeError(
    `Cannot cut a map into windows as side must be a multiple of window (${window}): current value is ${side}`,
  );
}

/** A row-major map place for each place of an order. Of one size there is one array. */
export type TokenOrder = readonly number[];

/** What depends on sizes alone, made once, as a tower has few sizes and asks for them in every block. */
const orders = new Map<string, TokenOrder>();
const distancesOf = new Map<number, Int32Array>();
const unseenOf = new Map<string, Float32Array>();

function once<K, T>(known: Map<K, T>, key: K, make: () => T): T {
  const value = known.get(key) ?? make();
  known.set(key, value);
  return value;
}

/** The order of a map, row by row. */
export function rowOrder(side: number): TokenOrder {
  checkValue("order a map", "side", side, COUNT);
  return once(orders, `rows ${side}`, () => Array.from({ length: side * side }, (_, i) => i));
}

/** The order window by window, row by row within each. */
export function windowOrder(windows: Windows): TokenOrder {
  checkWindows(windows);
  const { side, window, shift } = windows;
  const across = side / window;
  const placeOf = (i: number): number => {
    const [cell, inner] = [Math.floor(i / window ** 2), i % window ** 2];
    const row = Math.floor(cell / across) * window + Math.floor(inner / window);
    const column = (cell % across) * window + inner % window;
    return ((row + shift) % side) * side + (column + shift) % side;
  };
  return once(
    orders,
    `windows ${side} ${window} ${shift}`,
    () => Array.from({ length: side * side }, (_, i) => placeOf(i)),
  );
}

const EVEN: Rule = {
  ...COUNT,
  must: "an even number of tokens",
  allows: (side) => Number(side) > 0 && Number(side) % 2 === 0,
};

/** The order two by two: each cell's upper left, lower left, upper right and lower right token. */
export function mergeOrder(side: number): TokenOrder {
  checkValue("order a map two by two", "side", side, EVEN);
  const across = side / 2;
  const placeOf = (i: number): number => {
    const [cell, inner] = [i >> 2, i & 3];
    const row = 2 * Math.floor(cell / across) + (inner & 1);
    const column = 2 * (cell % across) + (inner >> 1);
    return row * side + column;
  };
  return once(orders, `merge ${side}`, () => Array.from({ length: side * side }, (_, i) => placeOf(i)));
}

/**
 * Tokens in another order.
 *
 * @param x Shape `[B, S², D]`, in the order `from`.
 * @returns Shape of `x`, in the order `to`. The caller disposes it.
 * @throws {TypeError} If `x` has another number of tokens than an order.
 */
export function reorder(x: Tensor3D, from: TokenOrder, to: TokenOrder): Tensor3D {
  for (const [name, order] of Object.entries({ from, to })) {
    checkValue("reorder tokens", name, order, LIST);
    checkShape(x, [null, order.length, null], "the tokens");
  }
  if (from === to) return tf.clone(x);
  return customGrad([x], (tokens) => ({
    value: gatherTokens(tokens, sources(from, to)),
    saved: [],
    gradFunc: (dy) => [gatherTokens(dy, sources(to, from))],
  }));
}

const takes = new WeakMap<TokenOrder, WeakMap<TokenOrder, Int32Array>>();

/** Refuses an order that has not each place once. */
function checkOrder(name: string, order: TokenOrder): void {
  const seen = new Set(order);
  if (seen.size === order.length && order.every((_, place) => seen.has(place))) return;
  throw new RangeError(
    `Cannot reorder tokens as ${name} must have each place from 0 to ${order.length - 1} once: current value is ${
      shown(order)
    }`,
  );
}

/** Where each place of `to` finds its token in `from`. */
function sources(from: TokenOrder, to: TokenOrder): Int32Array {
  const ofFrom = takes.get(from) ?? new WeakMap<TokenOrder, Int32Array>();
  takes.set(from, ofFrom);
  const kept = ofFrom.get(to);
  if (kept) return kept;
  checkOrder("from", from);
  checkOrder("to", to);
  const places = new Int32Array(from.length);
  for (let i = 0; i < from.length; i++) places[from[i]!] = i;
  const made = Int32Array.from(to, (place) => places[place]!);
  ofFrom.set(to, made);
  return made;
}

/** All samples' tokens as rows of one table: of the first axis alone are they copied in blocks. */
function gatherTokens(x: Tensor3D, indices: Int32Array): Tensor3D {
  const [batch, count, width] = x.shape;
  const rows = new Int32Array(batch * count);
  for (let sample = 0; sample < batch; sample++) {
    for (let i = 0; i < count; i++) rows[sample * count + i] = sample * count + indices[i]!;
  }
  return tf.tidy(() =>
    reshape(tf.gather(reshape(x, [batch * count, width]), tf.tensor1d(rows, "int32")), [batch, count, width])
  );
}

/** Added to the scores of tokens that a shift has brought together and that do not see each other. */
const UNSEEN = -100;

/**
 * What is added to the scores of each window's tokens: a number by their distance, and for a moved map {@linkcode UNSEEN} between
 * tokens from opposite borders.
 *
 * Source: Liu et al., Swin Transformer, 2021, Eq. (4) and Figure 4.
 *
 * @param table By row and column distance, `[(2w - 1)², H]`.
 * @returns Shape `[1, H, w², w²]`, or one for each window, `[S²/w², H, w², w²]`. The caller disposes it.
 */
export function windowBias(table: Tensor2D, windows: Windows): Tensor4D {
  checkWindows(windows);
  checkShape(table, [(2 * windows.window - 1) ** 2, null], "the biases by distance");
  const { window, shift } = windows;
  const [size, heads] = [window ** 2, table.shape[1]];
  return tidy(() => {
    const rows = embeddingLookup(table, tf.tensor1d(distances(window), "int32")); // [w⁴, H]
    const bias = reshape(tf.transpose(rows, [1, 0]), [1, heads, size, size]);
    return shift === 0 ? bias : tf.add<Tensor4D>(bias, unseen(windows));
  });
}

/** The table's row for each pair of a window's tokens. */
function distances(window: number): Int32Array {
  const size = window ** 2;
  const rowOf = (k: number): number => {
    const [i, j] = [Math.floor(k / size), k % size];
    const rows = Math.floor(i / window) - Math.floor(j / window) + window - 1;
    return rows * (2 * window - 1) + i % window - j % window + window - 1;
  };
  return once(distancesOf, window, () => Int32Array.from({ length: size * size }, (_, k) => rowOf(k)));
}

/** {@linkcode UNSEEN} between tokens of a window that lie in different parts of the moved map, `[S²/w², 1, w², w²]`. */
function unseen({ side, window, shift }: Windows): Tensor4D {
  const size = window ** 2;
  const count = (side / window) ** 2;
  const values = once(unseenOf, `${side} ${window} ${shift}`, () => unseenValues({ side, window, shift }));
  return expandDims(tf.tensor3d(values, [count, size, size]), 1);
}

function unseenValues({ side, window, shift }: Windows): Float32Array {
  const part = (place: number): number => Number(place >= side - window) + Number(place >= side - shift);
  // Of the moved map: its own order without a shift.
  const parts = windowOrder({ side, window, shift: 0 }).map((place) =>
    3 * part(Math.floor(place / side)) + part(place % side)
  );
  const size = window ** 2;
  const values = new Float32Array(parts.length * size);
  for (let start = 0, k = 0; start < parts.length; start += size) {
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < size; j++) values[k++] = parts[start + i] === parts[start + j] ? 0 : UNSEEN;
    }
  }
  return values;
}
