/** Models from folders as the hub gives them. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import type { ClipConfig } from "../../lib/clip/config.ts";
import { loadClip } from "../../lib/clip/load.ts";
import { initClip } from "../../lib/clip/params.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { disposeParams, namedTensors } from "../../lib/tensor/params.ts";
import { noLeak } from "../close.ts";
import { HUB_CONFIG, HUB_JSON, writeHubFolder } from "./hub_folder.ts";

await selectBackend({ backend: "cpu" });
const BPE = fromFileUrl(new URL("../text/byte_bpe_fixtures/", import.meta.url));
const MINI = fromFileUrl(new URL("../../data/mini_generalist.safetensors", import.meta.url));

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

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
