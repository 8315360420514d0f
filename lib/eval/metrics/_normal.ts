/** The normal distribution to double precision. @module */

/**
 * Complementary error function: the Taylor series of erf near zero, Laplace's continued fraction beyond.
 *
 * Source: Abramowitz and Stegun 1964, 7.1.6 and 7.1.14.
 */
export function erfc(x: number): number {
  if (x < 0) return 2 - erfc(-x);
  return x < 2 ? 1 - erfSeries(x) : erfcFraction(x);
}

/** `erf x = 2/√π e^(-x²) Σ 2^n x^(2n+1) / (2n + 1)!!`: all terms positive, nothing cancels. */
function erfSeries(x: number): number {
  let term = x, sum = x;
  for (let n = 1; term > sum * 1e-17; n++) {
    term *= 2 * x * x / (2 * n + 1);
    sum += term;
  }
  return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
}

/** `√π e^(x²) erfc x = 1 / (x + (1/2) / (x + 1 / (x + (3/2) / (x + ...))))`, from the inside out. */
function erfcFraction(x: number): number {
  let tail = x;
  for (let k = Math.ceil(60 + 300 / x); k >= 1; k--) tail = x + k / 2 / tail;
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / tail;
}

/** Chance that a standard normal variable lies further from zero than `z`, on either side. */
export function twoSidedP(z: number): number {
  return erfc(Math.abs(z) / Math.SQRT2);
}

/** The `z` within which a standard normal variable lies with the chance `level`, in (0, 1). */
export function centralQuantile(level: number): number {
  let z = 0;
  for (let i = 0; i < 100; i++) {
    // Newton's step on 1 - level = erfc(z / √2), whose slope is -2 φ(z); from 0 it rises to the root, as erfc is convex there.
    const step = (twoSidedP(z) - (1 - level)) / (2 * Math.exp(-z * z / 2) / Math.sqrt(2 * Math.PI));
    z += step;
    if (Math.abs(step) <= 1e-15 * Math.max(1, z)) break;
  }
  return z;
}
