/** Python's draws, against the interpreter (fixtures/python_random.json of make_python_random.py). */
import { assertEquals, assertThrows } from "@std/assert";
import { pythonRandom, pythonSample } from "../../lib/data/python_random.ts";
import fixture from "./fixtures/python_random.json" with { type: "json" };

Deno.test("pythonSample() draws what random.Random(seed).sample draws, out of a pool and by rejection", () => {
  for (const { n, k, seed, sample } of fixture.samples) {
    const items = Array.from({ length: n }, (_, i) => i);
    assertEquals(pythonSample(pythonRandom(seed), items, k), sample, `n ${n}, k ${k}, seed ${seed}`);
  }
});

Deno.test("pythonSample() draws nothing for 0 and refuses more than there are", () => {
  assertEquals(pythonSample(pythonRandom(1), ["a"], 0), []);
  assertThrows(() => pythonSample(pythonRandom(1), ["a"], 2), RangeError, "from 0 to 1");
  assertThrows(() => pythonRandom(-1), RangeError, "seed");
});
