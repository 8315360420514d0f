import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import type { DetectorConfig } from "../../lib/dense/detect/head.ts";
import { checkDetectorConfig, initDetector } from "../../lib/dense/detect/head.ts";
import { loadHead, saveHead } from "../../lib/dense/files.ts";
import { checkDecoderConfig, decoderConfig, initDecoder } from "../../lib/dense/segment/head.ts";
import { readSafetensors, writeSafetensors } from "../../lib/io/safetensors.ts";
import { disposeParams } from "../../lib/tensor/params.ts";
import { CASES, needsCase } from "../cases.ts";
import { withFiles } from "../data/helpers.ts";

const box = { width: 0.2, height: 0.3 };
const detect = { task: "detect", encoder: "e", init: initDetector, checkConfig: checkDetectorConfig } as const;
const segment = { task: "segment", encoder: "e", init: initDecoder, checkConfig: checkDecoderConfig } as const;

const config: DetectorConfig = {
  input: 8,
  grid: 4,
  width: 4,
  pairs: 1,
  classes: ["a"],
  anchors: [[box], [box], [box]],
};

Deno.test("loadHead() checks every field of a head's config before it makes anything of that size", async () => {
  await withFiles({}, async (root) => {
    const path = join(root, "head.safetensors");
    const params = initDetector(config, 1);
    await saveHead(path, { head: { task: "detect", params, config }, encoder: "e", seen: new Set(["f"]) });
    disposeParams(params);
    const read = () => loadHead(path, detect);
    const { head, seen } = await read();
    disposeParams(head.params);
    assertEquals([...seen!], ["f"]);
    const { tensors, metadata } = await readSafetensors(path);
    const bad: [field: string, value: unknown][] = [
      ["pairs", 1e9],
      ["pairs", "1"],
      ["pairs", undefined],
      ["width", 1e6],
      ["width", 2.5],
      ["input", 1e9],
      ["input", 3000],
      ["grid", 0],
      ["classes", []],
      ["classes", [1]],
      ["classes", Array.from({ length: 5000 }, String)],
      ["anchors", [[box]]],
      ["anchors", [[box], [box], [null]]],
      ["anchors", [[box], [box], [{ width: -1, height: 1 }]]],
    ];
    for (const [field, value] of bad) {
      await writeSafetensors(path, tensors, { ...metadata, config: JSON.stringify({ ...config, [field]: value }) });
      const { message } = await assertRejects(read, SyntaxError, `config's "${field}"`) as Error;
      assert(message.includes(path) && message.length < 400, message);
    }
    for (
      const [config, reason] of [["{", 'must be JSON: found "{"'], ["undefined", "undefined"], ["null", '"input"']]
    ) {
      await writeSafetensors(path, tensors, { ...metadata, config: config! });
      await assertRejects(read, SyntaxError, reason);
    }
    const { seen: _, ...unlisted } = metadata;
    await writeSafetensors(path, tensors, unlisted);
    const loaded = await read();
    disposeParams(loaded.head.params);
    assertEquals(loaded.seen, undefined, "a list that is not there is not an empty one");
  });
});

Deno.test("loadHead() checks a segmentation head's channels", async () => {
  await withFiles({}, async (root) => {
    const path = join(root, "head.safetensors");
    const small = decoderConfig(8, 4, 16);
    const params = initDecoder(small, 1);
    await saveHead(path, { head: { task: "segment", params, config: small }, encoder: "e" });
    disposeParams(params);
    const { tensors, metadata } = await readSafetensors(path);
    for (const channels of [[1e9], [16, 1e6], "16", [0], []]) {
      await writeSafetensors(path, tensors, { ...metadata, config: JSON.stringify({ ...small, channels }) });
      await assertRejects(() => loadHead(path, segment), SyntaxError, `config's "channels"`);
    }
  });
});

Deno.test({
  ...needsCase("head", "loadHead() refuses a head without its config by the file's and the field's name"),
  fn: async () => {
    const path = join(CASES, "head", "head_no_config.safetensors");
    const { metadata } = await readSafetensors(path);
    const read = () => loadHead(path, { ...detect, encoder: metadata["encoder"]! });
    const error = await assertRejects(
      read,
      SyntaxError,
      "its config must be there: found nothing",
    ) as Error;
    assert(error.message.includes(path));
  },
});
