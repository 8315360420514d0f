/** Models from folders as the hub gives them. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import type { ClipConfig } from "../../lib/clip/config.ts";
import { loadClip } from "../../lib/clip/load.ts";
import { readSafetensors } from "../../lib/io/safetensors.ts";
import { initClip } from "../../lib/clip/params.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { disposeParams, namedTensors } from "../../lib/tensor/params.ts";
import { noLeak } from "../close.ts";
import { HUB_CONFIG, HUB_JSON, writeHubFolder } from "./hub_folder.ts";
import { inFolder } from "../folder.ts";

await selectBackend({ backend: "cpu" });
const BPE = fromFileUrl(new URL("../text/byte_bpe_fixtures/", import.meta.url));
const MINI = fromFileUrl(new URL("../../data/mini_generalist.safetensors", import.meta.url));

Deno.test("loadClip() takes a folder, links followed: weights, sizes, preprocessing and tokeniser", async () => {
  await inFolder(async (root) => {
    // The hub's cache: a snapshot of links to blobs; and the snapshot linked to once more.
    for (const name of ["blobs", "snapshot"]) await Deno.mkdir(join(root, name));
    await writeHubFolder(join(root, "blobs"));
    for await (const { name } of Deno.readDir(join(root, "blobs"))) {
      await Deno.symlink(join(root, "blobs", name), join(root, "snapshot", name));
    }
    await Deno.symlink(join(root, "snapshot"), join(root, "link"));
    await noLeak(async () => {
      const { params, config, tokenizer, files } = await loadClip(join(root, "link"));
      assertEquals(config, {
        ...HUB_CONFIG,
        ...{ mean: [0.5, 0.5, 0.5], std: [1, 1, 1], resizeMode: "squash", interpolation: "bilinear" },
      } as ClipConfig);
      assert("merges" in tokenizer);
      assertEquals(files.weights, join(root, "link", "model.safetensors"));
      const own = initClip(HUB_CONFIG, 3);
      for (const [leaf, x] of namedTensors(own)) {
        assertEquals(await namedTensors(params).get(leaf)!.data(), await x.data(), leaf);
      }
      disposeParams(own);
      disposeParams(params);
    });
  });
});

Deno.test("loadClip() refuses a folder that is no model in one line each", async () => {
  const refused = async (change: (folder: string) => Promise<unknown>, ...parts: string[]): Promise<void> => {
    await inFolder(async (folder) => {
      await writeHubFolder(folder);
      await change(folder);
      await noLeak(async () => {
        const error = await assertRejects(() => loadClip(folder), Error);
        for (const part of [folder, ...parts]) assert(error.message.includes(part), `${error.message}\nlacks ${part}`);
        assert(!error.message.includes("\n"), error.message);
      });
    });
  };
  const remove = (...names: string[]) => async (folder: string): Promise<void> => {
    for (const name of names) await Deno.remove(join(folder, name));
  };
  const preprocessor = (json: object) => (folder: string): Promise<void> =>
    Deno.writeTextFile(join(folder, "preprocessor_config.json"), JSON.stringify(json));
  await refused(remove("model.safetensors"), "must hold weights", "a configuration alone");
  await refused(
    remove("model.safetensors", "config.json", "tokenizer.json", "preprocessor_config.json", "training_args.bin"),
    "it has nothing",
  );
  await refused(
    (folder) => Deno.copyFile(MINI, join(folder, "pytorch_model.bin")),
    "model.safetensors and pytorch_model.bin",
  );
  await refused(remove("tokenizer.json"), "without a tokeniser");
  await refused(
    (folder) =>
      remove("tokenizer.json")(folder).then(() => Deno.copyFile(join(BPE, "ids.json"), join(folder, "vocab.json"))),
    "CLIP tokenizer",
  );
  await refused(
    (folder) => writeHubFolder(folder, { json: { ...HUB_JSON, projection_dim: 7 } }),
    "projection_dim must be 6",
    "7",
  );
  await refused(preprocessor({ size: { shortest_edge: 32 } }), "size.shortest_edge must be 16");
  await refused(preprocessor({ resample: 1 }), "resample must be 2 or 3");
  await refused(preprocessor({ do_normalize: false }), "do_normalize must be true");
  await refused(preprocessor({ resize_mode: "shortest" }), "preprocessor_config.json", "resize_mode must be absent");
  const vision = { ...HUB_JSON.vision_config, pooling: "max" };
  await refused(
    (folder) => writeHubFolder(folder, { json: { ...HUB_JSON, vision_config: vision } }),
    "config.json",
    'vision_config.pooling must be absent: found "max"',
  );
  await assertRejects(() => loadClip("/no/such/folder"), Deno.errors.NotFound, '"/no/such/folder"');
  await assertRejects(() => loadClip({ config: "config.json" }), TypeError, "weights must be given with it");
});

Deno.test("loadClip() refuses the tokeniser of another model", async () => {
  await inFolder(async (folder) => {
    await Deno.copyFile(MINI, join(folder, "mini.safetensors"));
    await Deno.writeTextFile(join(folder, "vocab.txt"), "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n");
    await assertRejects(() => loadClip(folder), RangeError, "the word table's 512 rows: found 5");
  });
});

Deno.test("loadClip() refuses what wasm's 4 GB of memory cannot hold, with its size, before it reads it", async () => {
  await inFolder(async (folder) => {
    await writeHubFolder(folder);
    const weights = join(folder, "model.safetensors");
    const bytes = await lengthen(weights, "text_model.embeddings.token_embedding.weight", 140_000_000);
    const json = { ...HUB_JSON, text_config: { ...HUB_JSON.text_config, vocab_size: 140_000_000 } };
    await Deno.writeTextFile(join(folder, "config.json"), JSON.stringify(json));
    await selectBackend({ backend: "wasm" });
    try {
      await assertRejects(() => loadClip(folder), RangeError, `must fit 4 GB of memory: they are 4.5 GB in float32`);
    } finally {
      await selectBackend({ backend: "cpu" });
    }
    assert(bytes > 2 ** 32 && (await Deno.stat(weights)).blocks! < 1000, "the file has a hole");
  });
});

/** Gives a file's tensor more rows, all zeros of a hole; returns the file's size. */
async function lengthen(path: string, name: string, rows: number): Promise<number> {
  const { tensors } = await readSafetensors(path);
  const { shape: [, width] } = tensors.get(name)!;
  const last = { dtype: "F32", shape: [rows, width!], bytes: 4 * rows * width! };
  let begin = 0;
  const header: Record<string, unknown> = {};
  for (const [key, { dtype, shape, data }] of tensors) {
    if (key === name) continue;
    header[key] = { dtype, shape, data_offsets: [begin, begin += data.length] };
  }
  header[name] = { dtype: last.dtype, shape: last.shape, data_offsets: [begin, begin += last.bytes] };
  const text = new TextEncoder().encode(JSON.stringify(header));
  const head = new Uint8Array(8 + text.length);
  new DataView(head.buffer).setBigUint64(0, BigInt(text.length), true);
  head.set(text, 8);
  await Deno.writeFile(path, head);
  await Deno.truncate(path, head.length + begin);
  return head.length + begin;
}
