/** The exact GELU as one kernel. @module */
import type { Tensor } from "../../types.ts";
import { checkFloat, runKernel } from "../run.ts";
import "./gradient.ts";

/**
 * The exact Gaussian error linear unit, `y = x (1 + erf(x / sqrt(2))) / 2` (not the tanh form). The absolute error is
 * below 1e-6.
 *
 * Source: Hendrycks and Gimpel, Gaussian Error Linear Units, 2016.
 *
 * @param x Any shape, float32.
 * @returns Shape of `x`. The caller disposes it.
 * @throws {TypeError} If `x` is not float32.
 */
export function gelu<T extends Tensor>(x: T): T {
  checkFloat("apply GELU to", { x });
  return runKernel("AceGelu", { x }, {});
}
