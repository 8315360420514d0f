/** Rotary position embeddings of a grid of patches: queries and keys turned by angles that grow with row and column. @module */
import * as tf from "@tensorflow/tfjs";
import { checkOptions, checkRecord, checkValue, COUNT, needed, type Rules, WHOLE } from "../platform/options.ts";
import { rotatePairs } from "../tensor/kernels/rotate/api.ts";
import { tidy } from "../tensor/ops.ts";
import { checkShape } from "../tensor/shape.ts";
import type { Tensor2D, Tensor3D } from "../tensor/types.ts";
import { insertAfterFirst } from "./extra_tokens.ts";

/** By what each pair of neighbouring numbers of a token is turned; the first token, CLS, is not. */
export interface RotaryTable {
  /** Cosines, `[N + 1, D]`. */
  cos: Tensor2D;
  /** Sines, those of the first of each pair negated; `[N + 1, D]`. */
  sin: Tensor2D;
}

/** Sizes of a {@linkcode rotaryTable}. */
export interface RotaryOptions {
  /** Patches a side of the grid. */
  grid: number;
  /** Patches a side of the grid whose places the angles are those of: other grids are stretched over it. */
  reference: number;
  /** Token width D. */
  width: number;
  /** Number of heads; each has the same angles. */
  heads: number;
}

const ROTARY_RULES: Rules<RotaryOptions> = {
  grid: needed(COUNT),
  reference: needed(COUNT),
  width: needed(COUNT),
  heads: needed(COUNT),
};

/** Base of the frequencies. */
const TEMPERATURE = 10_000;

/**
 * The table of a grid. Of the `d = D/H` numbers of a head, pairs `p < d/4` are turned by `row · 10000^(-4p/d)`, the others by the
 * column in the same frequencies.
 *
 * Source: Fang et al., EVA-02, 2023; Su et al., RoFormer, 2021, section 3.2; timm `RotaryEmbeddingCat`.
 *
 * @returns The caller disposes both tensors.
 * @throws {RangeError} If a size will not do, or a head's numbers do not come in fours.
 */
export function rotaryTable(options: RotaryOptions): RotaryTable {
  checkOptions("make a table of turns", options, ROTARY_RULES);
  const { grid, reference, width, heads } = options;
  const size = width / heads;
  if (size % 4 !== 0) {
    throw new RangeError(
      `Cannot make a table of turns as width must be a multiple of 4 heads (${4 * heads}): current value is ${width}`,
    );
  }
  const bands = size / 4;
  const [cos, sin] = [new Float32Array((grid * grid + 1) * width), new Float32Array((grid * grid + 1) * width)];
  cos.fill(1, 0, width);
  for (let row = 0; row < grid; row++) {
    for (let column = 0; column < grid; column++) {
      const start = (row * grid + column + 1) * width;
      for (let j = 0; j < size; j++) {
        const pair = j >> 1;
        const place = (pair < bands ? row : column) / grid * reference;
        const angle = place * TEMPERATURE ** (-(pair % bands) / bands);
        cos[start + j] = Math.cos(angle);
        sin[start + j] = j % 2 === 0 ? -Math.sin(angle) : Math.sin(angle);
      }
      for (let head = 1; head < heads; head++) {
        cos.copyWithin(start + head * size, start, start + size);
        sin.copyWithin(start + head * size, start, start + size);
      }
    }
  }
  const shape: [number, number] = [grid * grid + 1, width];
  return { cos: tf.tensor2d(cos, shape), sin: tf.tensor2d(sin, shape) };
}

/** The table with `count` tokens more after the first, which are not turned. The caller disposes both tensors. */
export function extendRotary(table: RotaryTable, count: number): RotaryTable {
  checkTable(table);
  checkValue("extend a table of turns", "count", count, WHOLE);
  const { cos, sin } = table;
  const width = cos.shape[1];
  const extend = (table: Tensor2D, rows: Tensor2D): Tensor2D =>
    tf.tidy(() => tf.squeeze(insertAfterFirst(tf.expandDims(table, 0), rows), [0]));
  return tidy(() => ({
    cos: extend(cos, tf.ones([count, width])),
    sin: extend(sin, tf.zeros([count, width])),
  }));
}

function checkTable(table: RotaryTable): void {
  checkRecord("turn tokens", "table", table, {});
  checkShape(table.cos, [null, null], "the table's cosines");
  checkShape(table.sin, table.cos.shape, "the table's sines");
}

/**
 * Queries or keys, turned: `(x₀, x₁) → (x₀ cos - x₁ sin, x₁ cos + x₀ sin)` for each pair.
 *
 * @param x Shape `[B, N + 1, D]`.
 * @returns Shape of `x`. The caller disposes it.
 * @throws {TypeError} If the table is not that of `x`'s tokens.
 */
export function rotate(x: Tensor3D, table: RotaryTable): Tensor3D {
  checkTable(table);
  checkShape(x, [null, ...table.cos.shape], "the tokens to be turned");
  return rotatePairs(x, table.cos, table.sin);
}
