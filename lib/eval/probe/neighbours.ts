/** Answers from the nearest of labelled features: k-NN, and Tip-Adapter's cache beside zero-shot. @module */
import { checkOptions, COUNT, NUMBER, POSITIVE, type Rules } from "../../platform/options.ts";

/** Labelled unit features. */
export interface LabelledFeatures {
  /** Unit rows, row-major `[n, E]`. */
  features: ArrayLike<number>;
  /** `n` class indices. */
  targets: ArrayLike<number>;
  /** Classes C. */
  classes: number;
}

function cosines(a: ArrayLike<number>, row: number, b: ArrayLike<number>, width: number): Float64Array {
  return Float64Array.from({ length: b.length / width }, (_, k) => {
    let sum = 0;
    for (let e = 0; e < width; e++) sum += a[row * width + e]! * b[k * width + e]!;
    return sum;
  });
}

/** Options of {@linkcode nearestNeighbours}. */
export interface NeighbourOptions {
  /** Neighbours asked. @default {20} */
  k?: number;
  /** Each votes with `exp(cosine / temperature)`; Infinity lets all vote alike. @default {0.07} */
  temperature?: number;
}

/** What they must be. */
const NEIGHBOUR_RULES: Rules<NeighbourOptions> = {
  k: COUNT,
  temperature: POSITIVE,
};

/**
 * Shares of the votes of the nearest training cases by cosine; of equally near ones the earlier.
 *
 * Source: Wu et al. 2018, section 3.4; DINO's evaluation has the same k and temperature.
 *
 * @param known Training cases.
 * @param queries Unit rows, row-major `[m, E]`.
 * @returns Row-major `[m, C]`; the rows sum to 1.
 * @throws {RangeError} If `k` is no positive integer.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function nearestNeighbours(
  known: LabelledFeatures,
  queries: ArrayLike<number>,
  options: NeighbourOptions = {},
): Float64Array {
  checkOptions("ask neighbours", options, NEIGHBOUR_RULES);
  const { k = 20, temperature = 0.07 } = options;
  const { features, targets, classes } = known;
  const width = features.length / targets.length;
  const out = new Float64Array(queries.length / width * classes);
  for (let q = 0; q < queries.length / width; q++) {
    const near = cosines(queries, q, features, width);
    const chosen = Array.from(near, (_, i) => i).sort((a, b) => near[b]! - near[a]! || a - b).slice(0, k);
    const weights = chosen.map((i) => Math.exp((near[i]! - near[chosen[0]!]!) / temperature));
    const sum = weights.reduce((a, b) => a + b, 0);
    chosen.forEach((i, rank) => out[q * classes + targets[i]!]! += weights[rank]! / sum);
  }
  return out;
}

/** Options of {@linkcode tipAdapter}. */
export interface TipAdapterOptions {
  /** Weight of the cache beside the zero-shot logits. @default {1} */
  alpha?: number;
  /** Sharpness of the affinities. @default {5.5} */
  beta?: number;
  /** Scale of the zero-shot logits. @default {100} */
  scale?: number;
}

/** What they must be. */
const TIP_RULES: Rules<TipAdapterOptions> = {
  alpha: NUMBER,
  beta: NUMBER,
  scale: NUMBER,
};

/**
 * Tip-Adapter without training: `scale · f Wᵀ + alpha · exp(-beta (1 - f Fᵀ)) L`, L the one-hot labels.
 *
 * Source: Zhang et al. 2022, Eq. (4) to (6); alpha and beta are to be chosen on a validation part.
 *
 * @param known The few shots.
 * @param queries Unit rows, row-major `[m, E]`.
 * @param classFeatures Unit rows of the classes' prompts, row-major `[C, E]`.
 * @returns Logits, row-major `[m, C]`.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function tipAdapter(
  known: LabelledFeatures,
  queries: ArrayLike<number>,
  classFeatures: ArrayLike<number>,
  options: TipAdapterOptions = {},
): Float64Array {
  checkOptions("answer by Tip-Adapter", options, TIP_RULES);
  const { alpha = 1, beta = 5.5, scale = 100 } = options;
  const { features, targets, classes } = known;
  const width = classFeatures.length / classes;
  const out = new Float64Array(queries.length / width * classes);
  for (let q = 0; q < queries.length / width; q++) {
    cosines(queries, q, classFeatures, width).forEach((cosine, c) => out[q * classes + c] = scale * cosine);
    cosines(queries, q, features, width).forEach((cosine, i) =>
      out[q * classes + targets[i]!]! += alpha * Math.exp(-beta * (1 - cosine))
    );
  }
  return out;
}
