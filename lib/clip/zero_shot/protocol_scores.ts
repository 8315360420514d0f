/** The arithmetic of protocols: from unit features to scores. @module */
import type { Protocol } from "./protocol.ts";

/** Unit features of one class's prompts, row-major `[P, E]`; one row where they are pooled before. */
export interface ClassFeatures {
  /** Of the prompts of its presence. */
  prompts: Float32Array;
  /** Of its absence. */
  negatives?: Float32Array;
}

/** What scores are made with beside the features. */
export interface Similarity {
  /** Embedding size E. */
  embedding: number;
  /** Scale s of the model; a protocol with a scale of its own reads that. */
  scale: number;
  /** Bias b, of a sigmoid. @default {0} */
  bias?: number;
}

/**
 * Scores of images by a protocol.
 *
 * @param images Unit features, row-major `[n, E]`.
 * @param classes Of each class.
 * @returns Row-major `[n, C]`.
 * @throws {RangeError} If there are negatives and the score is no softmax over the pair.
 */
export function protocolScores(
  protocol: Protocol,
  images: Float32Array,
  classes: readonly ClassFeatures[],
  { embedding, scale: own, bias = 0 }: Similarity,
): Float32Array {
  const { pool = "tokens", scale: asked = "model", score = "softmax", name } = protocol;
  const scale = asked === "model" ? own : asked;
  const isPair = classes.some(({ negatives }) => negatives !== undefined);
  if (isPair && score !== "softmax") {
    throw new RangeError(`Cannot score by ${name} as negatives must be scored by softmax: current value is "${score}"`);
  }
  const count = images.length / embedding;
  const rows = Array.from({ length: count }, (_, row) => {
    const image = images.subarray(row * embedding, (row + 1) * embedding);
    const logit = (features: Float32Array): number => scale * pooledCosine(image, features, pool === "max");
    if (!isPair) return rowScores(classes.map(({ prompts }) => logit(prompts)), score, bias);
    return classes.map(({ prompts, negatives }) => 1 / (1 + Math.exp(logit(negatives!) - logit(prompts))));
  });
  if (score === "standard" && count > 1) standardise(rows);
  return Float32Array.from(rows.flat());
}

/** The greatest or the mean of an image's cosines with the rows of `features`. */
function pooledCosine(image: Float32Array, features: Float32Array, isMax: boolean): number {
  const embedding = image.length;
  let sum = 0, max = -Infinity;
  for (let start = 0; start < features.length; start += embedding) {
    let cosine = 0;
    for (let e = 0; e < embedding; e++) cosine += image[e]! * features[start + e]!;
    sum += cosine;
    max = Math.max(max, cosine);
  }
  return isMax ? max : sum * embedding / features.length;
}

function rowScores(logits: number[], score: NonNullable<Protocol["score"]>, bias: number): number[] {
  if (score === "sigmoid") return logits.map((logit) => 1 / (1 + Math.exp(-logit - bias)));
  if (score === "cosine" || score === "standard") return logits;
  const max = score === "softmax" ? Math.max(...logits) : 0;
  const powers = logits.map((logit) => Math.exp(logit - max));
  if (score === "softmax") {
    const sum = powers.reduce((a, b) => a + b, 0);
    return powers.map((power) => power / sum);
  }
  const min = Math.min(...powers);
  const range = Math.max(...powers) - min || 1;
  return powers.map((power) => (power - min) / range);
}

/** Each column less its mean, over its deviation (of all rows, not of one less); a constant one becomes 0. */
function standardise(rows: number[][]): void {
  for (let c = 0; c < (rows[0]?.length ?? 0); c++) {
    const mean = rows.reduce((sum, row) => sum + row[c]!, 0) / rows.length;
    const deviation = Math.sqrt(rows.reduce((sum, row) => sum + (row[c]! - mean) ** 2, 0) / rows.length) || 1;
    for (const row of rows) row[c] = (row[c]! - mean) / deviation;
  }
}

/**
 * The mean over checkpoints of one model's scores of the same images.
 *
 * Source: CheXzero `ensemble_models`, which averages the predictions of ten.
 *
 * @param runs Scores of each checkpoint, all of one length.
 * @throws {RangeError} If there is none, or their lengths differ.
 */
export function averageScores(runs: readonly Float32Array[]): Float32Array {
  const [first] = runs;
  const odd = runs.find(({ length }) => length !== first!.length);
  if (!first || odd) {
    throw new RangeError(
      `Cannot average scores as there must be some, as many of each checkpoint: there are ${
        runs.map(({ length }) => length).join(", ") || "none"
      }`,
    );
  }
  return first.map((_, i) => runs.reduce((sum, run) => sum + run[i]!, 0) / runs.length);
}
