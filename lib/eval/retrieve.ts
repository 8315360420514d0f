/** Retrieval with a model's features: between images and their texts, and in a folder of images by a query. @module */
import { type RetrievalFigures, retrievalFigures, retrievalRanks } from "./metrics/retrieval.ts";

/** Unit features of images and of their texts, row by row a pair. */
export interface PairFeatures {
  /** Row-major `[n, E]`. */
  image: ArrayLike<number>;
  /** Row-major `[n, E]`. */
  text: ArrayLike<number>;
  /** E. */
  width: number;
}

/** Figures of both directions. */
export interface RetrievalReport {
  /** Images ask, texts answer. */
  imageToText: RetrievalFigures;
  /** Texts ask, images answer. */
  textToImage: RetrievalFigures;
  /** Recall at K of answers in random order, by K; the same in both directions. */
  chance: Record<number, number>;
  /** Pairs. */
  pairs: number;
  /** Different studies. */
  studies: number;
}

/** Queries whose similarities are held at a time. */
const BLOCK = 256;

/**
 * How well a model's features find the text of an image and the image of a text: recall at K, median and mean rank.
 *
 * @param features Of the pairs.
 * @param studies What each pair belongs to: all texts of a study are right for each of its images, and the reverse.
 * @param ks The K of recall at K.
 * @throws {TypeError} If the lengths do not fit.
 * @throws {RangeError} If there is no pair, or a feature is NaN.
 */
export function retrieval(
  features: PairFeatures,
  studies: readonly string[],
  ks: readonly number[] = [1, 5, 10],
): RetrievalReport {
  const { image, text, width } = features;
  const n = studies.length;
  for (const [name, { length }] of [["image", image], ["text", text]] as const) {
    if (length === n * width) continue;
    throw new TypeError(
      `Cannot compute retrieval as the ${name} features must be [${n}, ${width}]: current length is ${length}`,
    );
  }
  const direction = (queries: ArrayLike<number>, answers: ArrayLike<number>): RetrievalFigures => {
    const ranks = new Float64Array(n);
    for (let start = 0; start < n; start += BLOCK) {
      const own = studies.slice(start, start + BLOCK);
      const similarity = new Float64Array(own.length * n);
      own.forEach((_, q) => similarity.set(cosines(queries, start + q, answers, width), q * n));
      ranks.set(retrievalRanks(similarity, own, studies), start);
    }
    return retrievalFigures(ranks, { ks });
  };
  const sizes = [...Map.groupBy(studies, (study) => study).values()].map(({ length }) => length);
  return {
    imageToText: direction(image, text),
    textToImage: direction(text, image),
    chance: Object.fromEntries(
      ks.map((k) => [k, sizes.reduce((sum, size) => sum + size * chanceOf(n, size, k), 0) / n]),
    ),
    pairs: n,
    studies: sizes.length,
  };
}

/** The chance that one of `right` answers is among the first `k` of `n` in random order. */
function chanceOf(n: number, right: number, k: number): number {
  let none = 1;
  for (let i = 0; i < k; i++) none *= Math.max(0, n - right - i) / Math.max(1, n - i);
  return 1 - none;
}

function cosines(a: ArrayLike<number>, row: number, b: ArrayLike<number>, width: number): Float64Array {
  return Float64Array.from({ length: b.length / width }, (_, k) => {
    let sum = 0;
    for (let e = 0; e < width; e++) sum += a[row * width + e]! * b[k * width + e]!;
    return sum;
  });
}

/** One answer of {@linkcode nearestItems}. */
export interface Hit {
  /** Row of the item. */
  index: number;
  /** Its cosine with the query. */
  score: number;
}

/**
 * The items nearest to a query by cosine, nearest first; of equally near ones the earlier.
 *
 * @param query A unit feature, `[E]`.
 * @param features Unit rows of the items, row-major `[n, E]`.
 * @param top Most hits.
 */
export function nearestItems(query: ArrayLike<number>, features: ArrayLike<number>, top: number): Hit[] {
  return Array.from(cosines(query, 0, features, query.length), (score, index) => ({ index, score }))
    .sort((a, b) => b.score - a.score || a.index - b.index)
    .slice(0, top);
}
