/** Whether a BLAS library's numbers are right: it is asked a few things when it is opened, and refused by name. @module */
import { allocate, type Blas, type ThreadLibrary, type WasmBackend } from "./module.ts";

/** Why a library is not used. */
export class BlasError extends Error {
  /** Name shown in stack traces. */
  override name = "BlasError";
}

/** tfjs's memory. */
export function memoryOf(backend: WasmBackend): ArrayBufferLike {
  return backend.wasm.asm.memory.buffer;
}

/** Largest relative difference from our own sums that a library's may have. */
const TOLERANCE = 1e-4;

/** Compares small products in all four forms with sums of our own: another convention, integer size or a fault shows here. */
export function checkProducts(backend: WasmBackend, path: string, matmul: Blas["matmul"]): void {
  const [batch, m, n, k] = [2, 7, 19, 33] as const;
  const address = allocate(backend, 4 * (m * k + k * n + n + batch * (1 + m * n)));
  const [a, b, bias] = [address, address + 4 * m * k, address + 4 * (m * k + k * n)];
  const [repeated, c] = [bias + 4 * n, bias + 4 * (n + batch)];
  try {
    const view = (address: number, count: number): Float32Array => new Float32Array(memoryOf(backend), address, count);
    const [left, right] = [view(a, m * k), view(b, k * n)];
    left.forEach((_, i) => left[i] = Math.sin(i + 1));
    right.forEach((_, i) => right[i] = Math.cos(2 * i));
    view(bias, n).fill(0.25);
    view(repeated, batch).fill(0); // the indices of the first matrix
    for (const [ta, tb] of [[0, 0], [0, 1], [1, 0], [1, 1]] as const) {
      for (const matrices of [1, batch]) {
        view(c, batch * m * n).fill(NaN);
        matmul(0, matrices, m, n, k, a, ta, repeated, b, tb, repeated, bias, c, 0, matrices);
        for (let i = 0; i < matrices; i++) {
          checkProduct(path, { ta, tb, m, n, k, left, right, result: view(c + 4 * i * m * n, m * n) });
        }
      }
    }
  } finally {
    backend.wasm._free(address);
  }
}

/** Compares sums of rows, and exponentials of all sizes, with our own. */
export function checkRows(backend: WasmBackend, path: string, { sums, exponentials }: ThreadLibrary): void {
  const [rows, count] = [2, 50];
  const values = Float32Array.from({ length: rows * count }, (_, i) => -0.87 * i);
  const expected = Array.from(
    { length: rows },
    (_, i) => values.subarray(i * count, (i + 1) * count).reduce((a, b) => a + b),
  );
  const address = allocate(backend, 4 * (rows * count + count + rows));
  try {
    const view = (from: number, length: number): Float32Array =>
      new Float32Array(memoryOf(backend), address + 4 * from, length);
    view(0, values.length).set(values);
    view(values.length, count).fill(1);
    const result = values.length + count;
    sums(rows, count, address, count, address + 4 * values.length, address + 4 * result);
    checkNumbers(path, view(result, rows), expected, "sums must be right: one");
    if (!exponentials) return;
    const greatest = exponentials.greatest(values.length, address);
    checkNumbers(path, [greatest], [values.length - 1], "greatest number must be right: its index");
    exponentials.exp(values.length, address);
    checkNumbers(
      path,
      view(0, values.length),
      [...values].map(Math.exp),
      (i) => `exponentials must be right: e^${values[i]}`,
    );
  } finally {
    backend.wasm._free(address);
  }
}

/** Refuses a library whose numbers are not the expected ones; `what` says what must hold, and which of them it is. */
function checkNumbers(
  path: string,
  numbers: ArrayLike<number>,
  expected: readonly number[],
  what: string | ((i: number) => string),
): void {
  for (const [i, right] of expected.entries()) {
    if (Math.abs(numbers[i]! - right) <= TOLERANCE * Math.abs(right)) continue;
    const name = typeof what === "string" ? what : what(i);
    throw new BlasError(`Cannot use "${path}" as its ${name} is ${numbers[i]} where ${right} is`);
  }
}

interface CheckedProduct {
  ta: number;
  tb: number;
  m: number;
  n: number;
  k: number;
  left: Float32Array;
  right: Float32Array;
  result: Float32Array;
}

function checkProduct(path: string, { ta, tb, m, n, k, left, right, result }: CheckedProduct): void {
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0.25;
      for (let p = 0; p < k; p++) sum += left[ta ? p * m + i : i * k + p]! * right[tb ? j * k + p : p * n + j]!;
      const value = result[i * n + j]!;
      if (Math.abs(value - sum) <= TOLERANCE * Math.max(1, Math.abs(sum))) continue;
      throw new BlasError(`Cannot use "${path}" as its products must be right: one is ${value} where ${sum} is`);
    }
  }
}
