/** Reads the expected values that reference/make_fixtures.py wrote. @module */
import * as tf from "@tensorflow/tfjs";
import { assert } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { readSafetensors } from "../../lib/io/safetensors.ts";

/** One tensor of a fixture. */
export interface FixtureTensor {
  /** Sizes, outermost first; `[]` is a scalar. */
  shape: number[];
  /** Type of the numbers. */
  dtype: "float32" | "int32";
  /** Row-major numbers. */
  data: Float32Array | Int32Array;
}

/** Tensors of a fixture by name. */
export type Fixture = Map<string, FixtureTensor>;

/** Reads `fixtures/<name>.safetensors`. */
export async function readFixture(name: string): Promise<Fixture> {
  const { tensors } = await readSafetensors(fixturePath(`${name}.safetensors`));
  const fixture: Fixture = new Map();
  for (const [key, { dtype, shape, data }] of tensors) {
    if (dtype !== "F32" && dtype !== "I32") {
      throw new TypeError(`Cannot use "${key}" as it must be F32 or I32: ${dtype}`);
    }
    const { buffer } = data.slice(); // a copy, so that the numbers are aligned
    fixture.set(
      key,
      dtype === "F32"
        ? { shape, dtype: "float32", data: new Float32Array(buffer) }
        : { shape, dtype: "int32", data: new Int32Array(buffer) },
    );
  }
  return fixture;
}

/** Path of a file beside the fixtures. */
export function fixturePath(file: string): string {
  return fromFileUrl(new URL(`./fixtures/${file}`, import.meta.url));
}

/** The card: configuration, seeds, versions and what each ACE-HGNN case's answer depends on. */
// deno-lint-ignore no-explicit-any -- the card's fields are documented in README.md, and every use names one
export async function readCard(): Promise<any> {
  return JSON.parse(await Deno.readTextFile(fixturePath("card.json")));
}

/** One named tensor. @throws {RangeError} If the fixture has none of that name. */
export function pick(fixture: Fixture, name: string): FixtureTensor {
  const found = fixture.get(name);
  if (!found) throw new RangeError(`Cannot find "${name}" as the fixture has no such tensor`);
  return found;
}

/** One named tensor on the current backend; the caller disposes it. */
export function toTensor(fixture: Fixture, name: string): tf.Tensor {
  const { data, shape, dtype } = pick(fixture, name);
  return tf.tensor(data, shape, dtype);
}

/** Tensors whose name starts with `prefix`, without it. */
export function below(fixture: Fixture, prefix: string): Fixture {
  return new Map(
    [...fixture].filter(([key]) => key.startsWith(prefix)).map(([key, t]) => [key.slice(prefix.length), t]),
  );
}

/** The batch's label rows, blank as null; the fixture writes it as -2. */
export function labelRows(cases: Fixture): (1 | 0 | -1 | null)[][] {
  const { shape: [rows = 0, width = 0], data } = pick(cases, "labels");
  const row = (i: number): number[] => [...data.slice(i * width, (i + 1) * width)];
  return Array.from({ length: rows }, (_, i) => row(i).map((value) => value === -2 ? null : value as 1 | 0 | -1));
}

/** Largest absolute difference; NaN counts as infinite. Read asynchronously. */
export async function largestDifference(actual: tf.Tensor, expected: FixtureTensor): Promise<number> {
  assert(
    actual.shape.join() === expected.shape.join(),
    `shape [${actual.shape}] differs from the reference's [${expected.shape}]`,
  );
  const values = await actual.data();
  let largest = 0;
  for (let i = 0; i < expected.data.length; i++) {
    const difference = Math.abs(values[i]! - expected.data[i]!);
    largest = Number.isNaN(difference) ? Infinity : Math.max(largest, difference);
  }
  return largest;
}

/** Fails, naming the tensor, unless every number is within `tolerance` of the reference. */
export async function assertParity(
  actual: tf.Tensor,
  expected: FixtureTensor,
  { name = "tensor", tolerance = 1e-4 }: { name?: string; tolerance?: number } = {},
): Promise<void> {
  const difference = await largestDifference(actual, expected);
  assert(difference <= tolerance, `${name}: largest absolute difference ${difference.toExponential(2)} > ${tolerance}`);
}
