/** Settings chosen on validation cases: the linear probe's C, Tip-Adapter's alpha and beta. @module */
import { fitLogistic, type LogisticModel, predictLogistic } from "./logistic.ts";
import { type LabelledFeatures, tipAdapter } from "./neighbours.ts";
import { type ProbeTask, shareRight } from "./task.ts";

/** Where the search of C starts. */
const FIRST_C: readonly number[] = [-6, -4, -2, 0, 2, 4, 6];

/** The finest step of the search, in decades: eight steps a decade. */
const FINEST = 0.125;

/**
 * The C of a linear probe by search in log space: of 10^-6, 10^-4, ... 10^6 the best on the validation cases, then half the
 * distance to both sides around the best so far, down to eight steps a decade. Of equally good ones the smallest, whose penalty is
 * the strongest.
 *
 * Source: Radford et al. 2021, CLIP, appendix A.3, which gives no rule for equals.
 *
 * @returns The model fitted to the training cases with that C.
 */
export function chooseLogistic(
  train: LabelledFeatures,
  validation: LabelledFeatures,
): { model: LogisticModel; c: number } {
  const tried = new Map<number, { model: LogisticModel; right: number }>();
  const trial = (exponent: number): void => {
    if (tried.has(exponent)) return;
    const model = fitLogistic(train.features, train.targets, { c: 10 ** exponent, classes: train.classes });
    tried.set(exponent, { model, right: shareRight(predictLogistic(model, validation.features), validation.targets) });
  };
  const best = (): number => [...tried].sort(([a, x], [b, y]) => y.right - x.right || a - b)[0]![0];
  FIRST_C.forEach(trial);
  for (let step = 1; step >= FINEST; step /= 2) {
    const centre = best();
    for (const exponent of [centre - step, centre + step]) if (Math.abs(exponent) <= 6) trial(exponent);
  }
  return { model: tried.get(best())!.model, c: 10 ** best() };
}

/** Steps and greatest values of the search of alpha and beta. */
const BETAS = { steps: 200, most: 7 };
const ALPHAS = { steps: 20, most: 3 };

/**
 * Tip-Adapter's alpha and beta by search over 200 values of beta up to 7 and 20 of alpha up to 3, from 0.1 on; of equally good
 * pairs the first.
 *
 * Source: Zhang et al. 2022; ranges and steps are those of its released search on most data sets.
 *
 * @param known The cache: features as they are, or trained.
 */
export function chooseTipAdapter(
  known: LabelledFeatures,
  { validation, classFeatures, scale }: Pick<ProbeTask, "validation" | "classFeatures" | "scale">,
): { alpha: number; beta: number } {
  const { features, targets } = validation;
  const zeroShot = tipAdapter(known, features, classFeatures, { alpha: 0, scale });
  const cosines = tipAffinities(known, features);
  const n = known.targets.length;
  const cache = new Float64Array(zeroShot.length);
  let best = { alpha: 0.1, beta: 0.1, right: -1 };
  for (let b = 0; b < BETAS.steps; b++) {
    const beta = 0.1 + b * (BETAS.most - 0.1) / BETAS.steps;
    cache.fill(0);
    for (let i = 0; i < cosines.length; i++) {
      cache[Math.floor(i / n) * known.classes + known.targets[i % n]!]! += Math.exp(-beta * (1 - cosines[i]!));
    }
    for (let a = 0; a < ALPHAS.steps; a++) {
      const alpha = 0.1 + a * (ALPHAS.most - 0.1) / ALPHAS.steps;
      const right = shareRight(zeroShot.map((logit, i) => logit + alpha * cache[i]!), targets);
      if (right > best.right) best = { alpha, beta, right };
    }
  }
  return { alpha: best.alpha, beta: best.beta };
}

/** Products of queries and cached features, row-major `[m, n]`. */
function tipAffinities({ features, targets }: LabelledFeatures, queries: ArrayLike<number>): Float64Array {
  const n = targets.length, width = features.length / n;
  const out = new Float64Array(queries.length / width * n);
  for (let i = 0; i < out.length; i++) {
    const [q, k] = [Math.floor(i / n) * width, i % n * width];
    for (let e = 0; e < width; e++) out[i]! += queries[q + e]! * features[k + e]!;
  }
  return out;
}
