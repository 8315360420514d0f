import { assertEquals } from "@std/assert";
import type { FitOptions } from "../../lib/train/options.ts";
import { planOf } from "../../lib/train/run.ts";

Deno.test("planOf() keeps how often a run is validated among its settings only where it is validated", () => {
  const kept = (options: FitOptions): unknown =>
    planOf("model", 8, { batchSize: 4, ...options }).settings["validateEvery"];
  const validate = () => Promise.resolve({ name: "figure", value: 1 });
  assertEquals([kept({}), kept({ validateEvery: 2 })], [null, null]);
  assertEquals([kept({ validate }), kept({ validate, validateEvery: 2 })], ["epoch", 2]);
});
