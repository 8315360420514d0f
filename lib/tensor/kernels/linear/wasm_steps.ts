/**
 * Products of linear layers and what follows them, one after the other; by weights that a library has packed, some rows at a time, which
 * stay in the caches from the first product to the last sum.
 *
 * @module
 */
import { output, type WasmBackend } from "../../wasm/module.ts";
import { type RowJob, type RowStep, runRows } from "../../wasm/rows.ts";
import type { Info2D, TensorInfo } from "../info.ts";
import { hasZeroRows, multiplyMatrices } from "../matmul/wasm.ts";
import { CHAIN_ROWS, productStep } from "../matmul/wasm_packed.ts";

/** A rough speed of one thread, which only decides on threads. */
const FLOATS_PER_MS = 6e5;

/** A weight, `[n, k]` if transposed. */
export type Weight = readonly [weight: Info2D, transposed: boolean];

/** A function that changes the rows of its last result in their place. */
export type Finish = RowStep & Pick<RowJob, "scratchBytes"> & { results: readonly Info2D[] };

/** The steps of some layers, in their order. */
export interface LayerSteps {
  /** The rows times the next weight, `[rows, n]`. */
  multiply(rows: Info2D): Info2D;
  /** What follows. */
  finish(job: Finish): void;
  /** Ends the steps: their results are there, and no tensor that they read may be freed before. */
  run(): void;
}

/**
 * Begins steps.
 *
 * @param inputs What is there by now of the rows to be multiplied: where many of them are zeros, they are left out one product at a time.
 * @param weights In the order of their products.
 */
export function layerSteps(
  backend: WasmBackend,
  inputs: readonly Info2D[],
  weights: readonly Weight[],
): LayerSteps {
  const m = inputs[0]!.shape[0];
  const products = weights.map(([weight, transposed]) => productStep(backend, m, weight, transposed));
  let next = 0;
  if (!products.every((product) => product !== undefined) || inputs.some((rows) => hasZeroRows(backend, rows))) {
    return {
      multiply(rows) {
        const [weight, transposeB] = weights[next++]!;
        return multiplyMatrices(backend, rows, weight, { transposeA: false, transposeB });
      },
      finish: (job) => finishRows(backend, job),
      run() {},
    };
  }
  const [steps, results]: [RowStep[], Set<TensorInfo>] = [[], new Set()];
  let [milliseconds, scratchBytes] = [0, 0];
  return {
    multiply(rows) {
      const { shape, step, milliseconds: more, scratchBytes: bytes } = products[next++]!;
      const result = output(backend, shape);
      steps.push(step(rows, result));
      results.add(result);
      milliseconds += more;
      scratchBytes = Math.max(scratchBytes, bytes);
      return result;
    },
    finish(job) {
      steps.push(job);
      for (const result of job.results) results.add(result);
      scratchBytes = Math.max(scratchBytes, job.scratchBytes ?? 0);
    },
    run() {
      const [first, ...then] = steps;
      runRows(backend, {
        ...first!,
        then,
        results: [...results],
        rows: m,
        milliseconds,
        chunk: CHAIN_ROWS,
        scratchBytes,
      });
    },
  };
}

/** Runs a function over the rows of its last result at once. */
function finishRows(backend: WasmBackend, job: Finish): void {
  const [rows, width] = job.results.at(-1)!.shape;
  runRows(backend, { ...job, rows, milliseconds: rows * width / FLOATS_PER_MS, isInPlace: true });
}
