import { assertEquals, assertThrows } from "@std/assert";
import { nextUint32, permutation, randomInterval, randomState } from "../../lib/data/numpy_random.ts";
import { sampleRows, trainTestSplit } from "../../lib/data/splits.ts";
import fixture from "./fixtures/splits.json" with { type: "json" };

interface Digest {
  n: number;
  head: number[];
  hash: string;
}

async function digest(values: readonly number[]): Promise<Digest> {
  const bytes = new TextEncoder().encode(values.join(","));
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
  return { n: values.length, head: values.slice(0, 5), hash };
}

Deno.test("nextUint32() gives RandomState's words for seeds of 0 to 2^32 - 1", () => {
  for (const [seed, words] of Object.entries(fixture.words)) {
    const state = randomState(Number(seed));
    assertEquals(words.map(() => nextUint32(state)), words, seed);
  }
});

Deno.test("randomState() takes a list of words as NumPy does", async () => {
  for (const [seed, want] of Object.entries(fixture.array)) {
    assertEquals(await digest(permutation(randomState(JSON.parse(seed)), 1000)), want);
  }
});

Deno.test("randomState() refuses seeds NumPy refuses", () => {
  for (const seed of [-1, 2 ** 32, 1.5, NaN]) assertThrows(() => randomState(seed), RangeError, String(seed));
  assertThrows(() => randomState([]), RangeError);
});

Deno.test("randomInterval() draws 32 bits up to 2^32 - 1 and 64 bits past it", () => {
  for (const [top, want] of Object.entries(fixture.interval)) {
    const state = randomState(3);
    assertEquals(want.map(() => randomInterval(state, Number(top))), want, top);
  }
  assertThrows(() => randomInterval(randomState(0), -1), RangeError, "-1");
});

Deno.test("permutation() equals NumPy's for every size and seed, and draws on from its state", async () => {
  for (const [name, want] of Object.entries(fixture.permutation)) {
    const [seed, n] = name.split(",").map(Number);
    assertEquals(await digest(permutation(randomState(seed!), n!)), want, name);
  }
  const state = randomState(5);
  permutation(state, 10);
  assertEquals(await digest(permutation(state, 500)), fixture.second);
});

Deno.test("trainTestSplit() equals scikit-learn's, at the paper's 26,684 patients and others", async () => {
  for (const { n, testSize, trainSize, seed, train, test } of fixture.split) {
    const options = { seed, ...(testSize !== null && { testSize }), ...(trainSize !== null && { trainSize }) };
    const split = trainTestSplit(n, options);
    assertEquals(await digest(split.train), train, JSON.stringify(options));
    assertEquals(await digest(split.test), test, JSON.stringify(options));
  }
  assertEquals(trainTestSplit(26684, { testSize: 0.15 }).test.length, 4003);
});

Deno.test("trainTestSplit() refuses sizes that leave a part empty or overlap", () => {
  for (const testSize of [0, 1.5, -0.1, 10]) assertThrows(() => trainTestSplit(10, { testSize }), RangeError);
  assertThrows(() => trainTestSplit(10, { testSize: 0.6, trainSize: 0.6 }), RangeError, "6 and 6");
});

Deno.test("sampleRows() equals DataFrame.sample(), at the paper's 12,047 images and others", async () => {
  for (const { n, size, seed, rows } of fixture.pandas) {
    assertEquals(await digest(sampleRows(n, { size, seed })), rows, `${n} ${size} ${seed}`);
  }
  assertThrows(() => sampleRows(3, { size: 4, seed: 0 }), RangeError, "current value is 4");
});
