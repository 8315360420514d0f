import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { checkLearnable, NothingToLearnError } from "../../lib/train/learnable.ts";
import type { Label } from "../../lib/losses/label_mask.ts";
import type { BatchSource } from "../../lib/train/source.ts";

/** Pairs whose texts are one word each, followed by a pad, and whose images are never read. */
function source(texts: readonly number[], labels?: readonly (readonly Label[])[], length = 4): BatchSource {
  return {
    size: texts.length,
    imageSize: 1,
    contextLength: length,
    ids: (indices) =>
      Promise.resolve(Int32Array.from(indices.flatMap((i) => [2, texts[i]!, 3, ...new Array(length - 3).fill(0)]))),
    pixels: () => Promise.reject(new Error("images are not read")),
    ...(labels ? { labels: (indices) => Promise.resolve(indices.map((i) => labels[i]!)) } : {}),
  };
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 5);

Deno.test("checkLearnable() refuses one pair, a batch of one, equal texts, and labels that mask every pair", async () => {
  const refused = async (reason: string, pairs: BatchSource, batchSize: number, loss: "info-nce" | "label-guided") => {
    const error = await assertRejects(() => checkLearnable(pairs, { batchSize, loss }), NothingToLearnError);
    assertEquals(error.reason, reason);
  };
  await refused("pairs", source([7]), 64, "info-nce");
  await refused("batch", source([7, 8]), 1, "info-nce");
  await refused("texts", source(new Array(20).fill(7)), 4, "info-nce");
  await refused("labels", source(range(20), new Array(20).fill([null, 0, -1])), 4, "label-guided");
  await refused("labels", source(range(3), [[0, null], [-1, 0], [null, null]]), 4, "label-guided"); // all count as blank
  await refused("labels", source(range(3), [[1, 0], [1, -1], [1, null]]), 4, "label-guided");
  assertEquals(await checkLearnable(source(range(3), [[1], [1], [1]]), { batchSize: 4, loss: "info-nce" }), []);
});

Deno.test("checkLearnable() finds the one text that differs among many", async () => {
  const texts = new Array<number>(10_000).fill(7);
  texts[9_998] = 8;
  const warnings = await checkLearnable(source(texts), { batchSize: 4, loss: "info-nce" });
  assertEquals(warnings.length, 1);
  assert(/ only 2 different texts/.test(warnings[0]!), warnings[0]);
  texts[9_998] = 7;
  await assertRejects(() => checkLearnable(source(texts), { batchSize: 4, loss: "info-nce" }), NothingToLearnError);
});

Deno.test("checkLearnable() warns of few texts, of texts that fill the context, and of masks on most pairs", async () => {
  const few = await checkLearnable(source([7, 8, ...new Array(18).fill(7)]), { batchSize: 16, loss: "info-nce" });
  assertEquals(few, ["20 pairs have only 2 different texts: half of a batch or more tells apart what is the same"]);
  const cut = await checkLearnable(source(range(4), undefined, 3), { batchSize: 4, loss: "info-nce" });
  assertEquals(cut, ["every text fills the model's context of 3 tokens: what comes after it is cut and not learned"]);
  const labels = range(10).map((_, i): Label[] => [i === 0 ? 1 : null]);
  const masked = await checkLearnable(source(range(10), labels), { batchSize: 4, loss: "label-guided" });
  assertEquals(masked, ["80 % of all pairs have the same labels and are masked"]); // 9 · 8 of 10 · 9
  assertEquals(await checkLearnable(source(range(10)), { batchSize: 4, loss: "info-nce" }), []);
});

Deno.test("checkLearnable() warns of a last batch of one pair, and of no longer one", async () => {
  const warningsOf = (pairs: number) => checkLearnable(source(range(pairs)), { batchSize: 4, loss: "info-nce" });
  assertEquals(await warningsOf(9), [
    "9 pairs in batches of 4 leave one for the last batch of an epoch, from which nothing is learned: its loss is 0",
  ]);
  for (const pairs of [2, 4, 8, 10]) assertEquals(await warningsOf(pairs), []);
  const options = { batchSize: 4, loss: "info-nce", dropLast: true } as const;
  assertEquals(await checkLearnable(source(range(9)), options), []);
});

Deno.test("checkLearnable() warns of a run that ends within its warm-up, whatever its loss", async () => {
  for (const loss of ["info-nce", "supervised"] as const) {
    const warned = async (steps: number, warmupSteps: number): Promise<string> =>
      (await checkLearnable(source(range(4)), { batchSize: 4, loss, steps, warmupSteps })).join();
    for (const warmupSteps of [0.5, 1, 3]) assertMatch(await warned(1, warmupSteps), /one step .* nothing is learned/);
    assertMatch(await warned(4, 4), /^the run's 4 steps .* to 75 % of what was asked for/);
    for (const [steps, warmupSteps] of [[1, 0], [5, 4], [2, 0.5]]) assertEquals(await warned(steps!, warmupSteps!), "");
  }
});
