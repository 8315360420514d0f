import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { rehearsalPage } from "../bench/rehearsal/page.ts";
import { planRehearsal, projection } from "../bench/rehearsal/plan.ts";
import { rehearse } from "../bench/rehearsal/rehearse.ts";
import { filmJpeg } from "../bench/rehearsal/film.ts";
import { decodeImage } from "../lib/image/read.ts";
import { inFolder } from "./folder.ts";

Deno.test("planRehearsal() trains on whole epochs of as many films as the steps need", () => {
  const { splits, epochs, steps } = planRehearsal({ images: 200 });
  assertEquals([splits, epochs, steps], [{ train: 168, validate: 16, test: 16, rest: 0 }, 4, 12]);
  const full = planRehearsal({ images: 200, size: "full", steps: 6 });
  assertEquals([full.splits.train, full.splits.rest, full.epochs, full.steps], [24, 144, 1, 6]);
  assertThrows(() => planRehearsal({ images: 60 }), RangeError, "a batch of 64 besides the 10 held out: there are 60");
});

Deno.test("projection() scales the rates to 238,000 films and 40 epochs", () => {
  const rates = { filmBytes: 1.5e6, cacheBytes: 5e4, cached: 10, processor: 0.2, read: 6400, trained: 20 };
  const figures = projection(rates);
  assertAlmostEquals(figures["files, GB"]!, 357);
  assertAlmostEquals(figures["cache, GB"]!, 11.9);
  assertAlmostEquals(figures["filling the cache, hours"]!, 238000 / 36000);
  assertAlmostEquals(figures["training from the cache, hours"]!, 238000 * 40 / 20 / 3600);
  assertAlmostEquals(figures["reading a batch from the cache, ms"]!, 10);
});

Deno.test("filmJpeg() writes a grey JPEG of the pixels asked for, as large as a real film's", async () => {
  const bytes = await filmJpeg({ seed: 3, width: 2544, height: 3056 });
  const { width, height, channels } = await decodeImage(bytes, "film.jpg");
  assertEquals([width, height, channels], [2544, 3056, 1]);
  assert(bytes.length > 1e6 && bytes.length < 2.5e6, String(bytes.length));
});

Deno.test({
  name: "rehearse() goes through every stage, and a run killed twice ends in the bytes of one left alone",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await inFolder(async (folder) => {
      const rehearsal = await rehearse(folder, { images: 12, pairsPerBatch: 2, steps: 96, workers: 1, shrink: 8 });
      assertEquals(rehearsal.differing, []);
      assertEquals(rehearsal.killed.map(({ signal }) => signal), ["SIGTERM", "SIGKILL"]);
      assertEquals(
        rehearsal.stages.map(({ name, images }) => `${name}: ${images}`),
        [
          "write the tree: 12",
          "fill the cache: 12",
          "the same again: 12",
          "read the cache: 12",
          "train, 96 steps: 192",
          `train to the end after two kills: ${192 - 2 * rehearsal.killed[1]!.step}`,
          "validate: 2",
        ],
      );
      assert(rehearsal.stages.every(({ seconds, rate }) => seconds > 0 && rate > 0));
      const facts = {
        date: "2026-01-01",
        adapter: "a processor",
        processors: 1,
        load: null,
        versions: {},
        revision: null,
      };
      assert((await rehearsalPage({ ...facts, ...rehearsal })).includes("to the byte"));
    });
  },
});
