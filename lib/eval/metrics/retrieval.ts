/** Retrieval: how far down the right text of an image, or image of a text, stands. @module */
import { checkScores } from "./_check.ts";
import { checkOptions, NUMBERS, type Rules } from "../../platform/options.ts";

/** Figures of one direction. */
export interface RetrievalFigures {
  /** Queries. */
  queries: number;
  /** Share of the queries with a right answer among the first K, by K. */
  recall: Record<number, number>;
  /** Median rank of the best right answer, from 1. */
  medianRank: number;
  /** Its mean. */
  meanRank: number;
}

/** Options of {@linkcode retrievalFigures}. */
export interface RetrievalOptions {
  /** The K of recall at K. @default {[1, 5, 10]} */
  ks?: readonly number[];
}

/** What they must be. */
const RETRIEVAL_RULES: Rules<RetrievalOptions> = {
  ks: NUMBERS,
};

/**
 * The rank of the best right answer of each query, from 1: one more than the wrong answers that score higher, and half of those
 * that score the same, so that a score that knows nothing gains nothing by ties.
 *
 * @param similarity Row-major `[Q, A]`: of each query to each answer.
 * @param queries What each query belongs to, such as its study.
 * @param answers What each answer belongs to: all those of a query's study are right.
 * @returns One rank a query.
 * @throws {TypeError} If the lengths do not fit.
 * @throws {RangeError} If a score is NaN, or a query has no right answer.
 */
export function retrievalRanks(
  similarity: ArrayLike<number>,
  queries: readonly (string | number)[],
  answers: readonly (string | number)[],
): Float64Array {
  const columns = checkScores(similarity, queries.length, "ranks");
  if (columns !== answers.length) {
    throw new TypeError(
      `Cannot compute ranks as there must be a score for each of ${answers.length} answers: current number is ${columns}`,
    );
  }
  return Float64Array.from(queries, (query, q) => {
    let best = -Infinity;
    for (let a = 0; a < columns; a++) if (answers[a] === query) best = Math.max(best, similarity[q * columns + a]!);
    if (!answers.includes(query)) {
      throw new RangeError(
        `Cannot compute ranks as each query must have a right answer: row ${q}, "${query}", has none`,
      );
    }
    let rank = 1;
    for (let a = 0; a < columns; a++) {
      if (answers[a] === query) continue;
      const score = similarity[q * columns + a]!;
      rank += score > best ? 1 : score === best ? 0.5 : 0;
    }
    return rank;
  });
}

/**
 * Recall at K, median and mean of ranks.
 *
 * @param ranks As {@linkcode retrievalRanks} gives them.
 * @throws {RangeError} If there is no query.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export function retrievalFigures(ranks: ArrayLike<number>, options: RetrievalOptions = {}): RetrievalFigures {
  checkOptions("compute recall", options, RETRIEVAL_RULES);
  const { ks = [1, 5, 10] } = options;
  const sorted = Float64Array.from(ranks).sort();
  if (sorted.length === 0) throw new RangeError("Cannot compute recall as there must be a query: there is none");
  const middle = (sorted.length - 1) / 2;
  return {
    queries: sorted.length,
    recall: Object.fromEntries(ks.map((k) => [k, sorted.filter((rank) => rank <= k).length / sorted.length])),
    medianRank: (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2,
    meanRank: sorted.reduce((sum, rank) => sum + rank, 0) / sorted.length,
  };
}
