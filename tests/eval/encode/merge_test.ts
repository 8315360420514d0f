import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { mergeShards } from "../../../lib/eval/encode/merge.ts";
import { FEATURES_FORMAT } from "../../../lib/eval/encode/features_file.ts";
import { readSafetensors, writeSafetensors } from "../../../lib/io/safetensors.ts";
import { float32Tensor } from "../../../lib/io/tensors.ts";
import { CASES, needsCase } from "../../cases.ts";
import { withFiles } from "../../data/helpers.ts";

async function writeShard(path: string, index: number, metadata: Record<string, string>, width = 3): Promise<string> {
  const tensors = { image_features: float32Tensor([2, width], new Float32Array(2 * width).fill(index)) };
  const whole = { format: FEATURES_FORMAT, fingerprint: "f", shard: `${index}/2`, ...metadata };
  await writeSafetensors(path, tensors, whole);
  return path;
}

Deno.test("mergeShards() takes the rows in turn, and refuses a shard whose ids do not fit its rows", async () => {
  await withFiles({}, async (root) => {
    const second = await writeShard(join(root, "1"), 1, { image_ids: '["b","d"]' });
    const out = join(root, "out");
    const good = await writeShard(join(root, "0"), 0, { image_ids: '["a","c"]' });
    assertEquals((await mergeShards(out, [second, good])).items, 4);
    assertEquals((await readSafetensors(out)).metadata["image_ids"], '["a","b","c","d"]');
    const bad: [ids: Record<string, string>, reason: string][] = [
      [{}, "its image_ids must be there"],
      [{ image_ids: "undefined" }, '"undefined"'],
      [{ image_ids: '["a"]' }, "it lists 1"],
      [{ image_ids: "[1,2]" }, "it lists 2"],
      [{ image_ids: "{}" }, "it is no list"],
    ];
    for (const [ids, reason] of bad) {
      const path = await writeShard(join(root, "0"), 0, ids);
      const { message } = await assertRejects(() => mergeShards(out, [path, second]), SyntaxError, reason) as Error;
      assert(message.includes(path) && message.includes("image_ids") && !message.includes("\n"), message);
    }
  });
});

Deno.test("mergeShards() refuses features of another size and a share that is none, and keeps stamps where all have them", async () => {
  await withFiles({}, async (root) => {
    const ids = [{ image_ids: '["a","c"]' }, { image_ids: '["b","d"]' }];
    const first = await writeShard(join(root, "0"), 0, { ...ids[0], image_stamps: '["1","3"]' });
    const merged = async (second: string): Promise<Record<string, unknown>> => {
      await mergeShards(join(root, "out"), [first, second], { force: true });
      return (await readSafetensors(join(root, "out"))).metadata;
    };
    const wide = await writeShard(join(root, "wide"), 1, ids[1]!, 4);
    const words = "they hold image_features [rows, 4] and image_features [rows, 3]";
    await assertRejects(() => merged(wide), RangeError, words);
    const past = await writeShard(join(root, "past"), 1, { ...ids[1], shard: "2/2" });
    await assertRejects(() => merged(past), SyntaxError, '"shard" must be i/n');
    const unstamped = await writeShard(join(root, "unstamped"), 1, ids[1]!);
    assertEquals((await merged(unstamped))["image_stamps"], undefined);
    const stamped = await writeShard(join(root, "stamped"), 1, { ...ids[1], image_stamps: '["2","4"]' });
    assertEquals((await merged(stamped))["image_stamps"], '["1","2","3","4"]');
  });
});

Deno.test({
  ...needsCase("merge", "mergeShards() refuses a shard without ids by its name"),
  fn: async () => {
    const paths = ["shard_no_ids.safetensors", "f.shard-1-of-2.safetensors"].map((name) => join(CASES, "merge", name));
    const error = await assertRejects(() => mergeShards("/nowhere/out", paths), SyntaxError, "image_ids") as Error;
    assert(error.message.includes(paths[0]!), error.message);
  },
});
