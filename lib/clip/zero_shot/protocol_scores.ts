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

/** Local similarities with each prompt of each class, by image. */
export type LocalScores = readonly (readonly { prompts: Float32Array; negatives?: Float32Array }[])[];

/**
 * Scores of images by a protocol.
 *
 * @param images Unit features, row-major `[n, E]`.
 * @param classes Of each class.
 * @returns Row-major `[n, C]`.
 * @param local Similarities of words and places, for a protocol that reads them. @default {the model has none}
 * @throws {RangeError} If there are negatives and the score is no softmax over the pair, or local similarities are not pooled.
 */
export function protocolScores(
  protocol: Protocol,
  images: Float32Array,
  classes: readonly ClassFeatures[],
  { embedding, scale: own, bias = 0 }: Similarity,
  local?: LocalScores,
): Float32Array {
  const { pool = "tokens", similarity = "global", scale: asked = "model", score = "softmax", name } = protocol;
  const scale = asked === "model" ? own : asked;
  const isPair = classes.some(({ negatives }) => negatives !== undefined);
  const isLocal = local !== undefined && similarity !== "global";
  if (isLocal && pool !== "mean" && pool !== "max") {
    throw new RangeError(
      `Cannot score by ${name} as local similarities must be pooled by mean or max: current value is "${pool}"`,
    );
  }
  if (isPair && score !== "softmax") {
    throw new RangeError(`Cannot score by ${name} as negatives must be scored by softmax: current value is "${score}"`);
  }
  const count = images.length / embedding;
  const rows = Array.from({ length: count }, (_, row) => {
    const image = images.subarray(row * embedding, (row + 1) * embedding);
    const logit = (features: Float32Array, ofWords?: Float32Array): number => {
      const cosines = cosinesWith(image, features);
      const compared = isLocal
        ? cosines.map((cosine, p) => similarity === "local" ? ofWords![p]! : (cosine + ofWords![p]!) / 2)
        : cosines;
      return scale * (pool === "max" ? Math.max(...compared) : compared.reduce((a, b) => a + b, 0) / compared.length);
    };
    const words = local?.[row];
    if (!isPair) return rowScores(classes.map(({ prompts }, c) => logit(prompts, words?.[c]?.prompts)), score, bias);
    return classes.map(({ prompts, negatives }, c) => {
      const [present, absent] = [logit(prompts, words?.[c]?.prompts), logit(negatives!, words?.[c]?.negatives)];
      return 1 / (1 + Math.exp(absent - present));
    });
  });
  if (score === "standard" && count > 1) standardise(rows);
  return Float32Array.from(rows.flat());
}

/** An image's cosines with the rows of `features`. */
function cosinesWith(image: Float32Array, features: Float32Array): number[] {
  const { length: width } = image;
  return Array.from({ length: features.length / width }, (_, p) => {
    let cosine = 0;
    for (let e = 0; e < width; e++) cosine += image[e]! * features[p * width + e]!;
    return cosine;
  });
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
