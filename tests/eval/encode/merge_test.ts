import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { mergeShards } from "../../../lib/eval/encode/merge.ts";
import { FEATURES_FORMAT } from "../../../lib/eval/encode/features_file.ts";
import { readSafetensors, writeSafetensors } from "../../../lib/io/safetensors.ts";
import { float32Tensor } from "../../../lib/io/tensors.ts";
import { CASES, needsCase } from "../../cases.ts";
import { withFiles } from "../../data/helpers.ts";

async function writeShard(path: string, index: number, metadata: Record<string, string>): Promise<string> {
  const tensors = { image_features: float32Tensor([2, 3], new Float32Array(6).fill(index)) };
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

Deno.test({
  ...needsCase("merge", "mergeShards() refuses a shard without ids by its name"),
  fn: async () => {
    const paths = ["shard_no_ids.safetensors", "f.shard-1-of-2.safetensors"].map((name) => join(CASES, "merge", name));
    const error = await assertRejects(() => mergeShards("/nowhere/out", paths), SyntaxError, "image_ids") as Error;
    assert(error.message.includes(paths[0]!), error.message);
  },
});
