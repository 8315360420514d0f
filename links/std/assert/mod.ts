/**
 * Offline stand-in for `jsr:@std/assert`: the same names and argument orders over Node's `assert`.
 *
 * @module
 */
import { AssertionError, deepStrictEqual, notDeepStrictEqual } from "node:assert";
export { AssertionError };

function fail(message: string): never {
  throw new AssertionError({ message });
}

/** Throws unless `expr` is truthy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) fail(msg);
}

/** Throws unless both values are deeply equal. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  msg === undefined ? deepStrictEqual(actual, expected) : deepStrictEqual(actual, expected, msg);
}

/** Throws if both values are deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  msg === undefined ? notDeepStrictEqual(actual, expected) : notDeepStrictEqual(actual, expected, msg);
}

/** Throws unless `Object.is(actual, expected)`. */
export function assertStrictEquals<T>(actual: unknown, expected: T, msg?: string): asserts actual is T {
  if (!Object.is(actual, expected)) {
    fail(msg ?? `Values are not strictly equal: ${String(actual)} !== ${String(expected)}`);
  }
}

/** Throws unless `|actual - expected| <= tolerance` (default: 1e-7 of the expected value, at least 1e-7). */
export function assertAlmostEquals(actual: number, expected: number, tolerance?: number, msg?: string): void {
  if (Object.is(actual, expected)) return;
  const limit = tolerance ?? (Number.isFinite(expected) ? Math.abs(expected * 1e-7) : 1e-7);
  if (Math.abs(expected - actual) <= limit) return;
  fail(msg ?? `Expected actual: "${actual}" to be close to "${expected}": delta is greater than "${limit}"`);
}

/** Throws unless `actual` holds `expected`. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (!actual.includes(expected)) fail(msg ?? `Expected actual: "${actual}" to contain: "${expected}"`);
}

/** Throws unless `expected` matches `actual`. */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  if (!expected.test(actual)) fail(msg ?? `Expected actual: "${actual}" to match: "${expected}"`);
}

/** Throws if `actual` is null or undefined. */
export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T> {
  if (actual === undefined || actual === null) fail(msg ?? `Expected actual: "${actual}" to not be null or undefined`);
}

// deno-lint-ignore no-explicit-any
type ErrorClass<E extends Error> = abstract new (...args: any[]) => E;

/** Throws unless `error` is an instance of `errorClass` whose message holds `msgIncludes`. */
export function assertIsError<E extends Error = Error>(
  error: unknown,
  errorClass?: ErrorClass<E>,
  msgIncludes?: string,
): asserts error is E {
  if (!(error instanceof Error)) fail(`Expected "error" to be an Error object: ${String(error)}`);
  if (errorClass && !(error instanceof errorClass)) {
    fail(
      `Expected error to be instance of "${errorClass.name}", but was "${error.constructor.name}": ${error.message}`,
    );
  }
  if (msgIncludes !== undefined && !error.message.includes(msgIncludes)) {
    fail(`Expected error message to include "${msgIncludes}", but got "${error.message}"`);
  }
}

/** Runs `fn`, which must throw, and returns what it threw. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  errorClass?: ErrorClass<E>,
  msgIncludes?: string,
): E {
  try {
    fn();
  } catch (error) {
    assertIsError(error, errorClass, msgIncludes);
    return error as E;
  }
  fail("Expected function to throw");
}

/** Awaits `fn`, which must reject, and returns what it rejected with. */
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  errorClass?: ErrorClass<E>,
  msgIncludes?: string,
): Promise<E> {
  try {
    await fn();
  } catch (error) {
    assertIsError(error, errorClass, msgIncludes);
    return error as E;
  }
  fail("Expected function to reject");
}
