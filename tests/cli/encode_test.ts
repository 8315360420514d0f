/** encode, end to end: shards, resuming, merging. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { aceLoraModel } from "../../lib/ace_lora.ts";
import { readSafetensors, writeSafetensors } from "../../lib/io/safetensors.ts";
import { toFloat32 } from "../../lib/io/tensors.ts";
import { imagesAt } from "../../lib/eval/classify.ts";
import { encodeShard, parseShard, shardPath } from "../../lib/eval/encode/shards.ts";
import { featureEncoder } from "../../lib/eval/encode/feature_encoder.ts";
import { loadClip } from "../../lib/clip/load.ts";
import { errorMessage } from "../../lib/platform/error_message.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { eventually } from "../eventually.ts";
import { inFolder } from "../folder.ts";
import { writeMiniAdapter, writePairs, writeRadiographs } from "./fixtures.ts";
import { command, fail, MINI_FILES, run, snapshot, succeed } from "./run.ts";

const permissions = (folder: string) => ({ read: [...MINI_FILES, folder], write: [join(folder, "out")] });

/** A folder of radiographs and an empty one for results, which is all that may be written. */
async function withRadiographs(
  body: (paths: { folder: string; images: string; out: string }) => Promise<void>,
  count = 7,
): Promise<void> {
  await inFolder(async (folder) => {
    const images = join(folder, "images");
    await writeRadiographs(images, count);
    await Deno.mkdir(join(folder, "out"));
    await body({ folder, images, out: join(folder, "out", "feats.safetensors") });
  });
}

Deno.test("encode gives the features the library computes, with the images' ids", async () => {
  await withRadiographs(async ({ folder, images, out }) => {
    assertEquals(await succeed(["encode", "--images", images, "--out", out], permissions(folder)), `${out}\n`);
    const { tensors, metadata } = await readSafetensors(out);
    assert(metadata["backend"]!.startsWith("wasm (tf.js, "), metadata["backend"]);
    assertEquals(JSON.parse(metadata["image_ids"]!), [0, 1, 2, 3, 4, 5, 6].map((i) => `${i}.png`));
    const features = tensors.get("image_features")!;
    assertEquals(features.shape, [7, 64]);
    await selectBackend({ backend: "wasm" });
    const { params, config: encoders, tokenizer } = await loadClip();
    const config = { encoders, learnScale: false };
    const paths = [0, 1, 2, 3, 4, 5, 6].map((i) => join(images, `${i}.png`));
    const encoder = featureEncoder(aceLoraModel(config), { params, config, tokenizer }, {
      images: imagesAt(paths),
      texts: [],
    });
    assertEquals(await encoder.encode("image", [0, 1, 2, 3, 4, 5, 6]), toFloat32(features));
    encoder.close();
  });
});

Deno.test("encode in shards and merged is the same file as in one, whether shards count from 0 or from 1", async () => {
  await withRadiographs(async ({ folder, images, out }) => {
    const texts = await writePairs(join(folder, "pairs"), 5);
    const adapter = await writeMiniAdapter(join(folder, "adapter.safetensors"));
    const args = ["encode", "--images", images, "--texts", texts, "--adapter", adapter];
    const at = (name: string): string => join(folder, "out", name);
    await succeed([...args, "--out", out], permissions(folder));
    for (
      const [name, shards] of [["zero.safetensors", ["0/3", "1/3", "2/3"]], ["one.safetensors", [
        "1/3",
        "2/3",
        "3/3",
      ]]] as const
    ) {
      for (const shard of shards) {
        const written = await succeed([...args, "--out", at(name), "--shard", shard], permissions(folder));
        assertEquals(written, `${shardPath(at(name), parseShard(shard))}\n`);
      }
      assertEquals(
        await succeed(["encode", "--merge", "--out", at(name)], { ...permissions(folder), env: [] }),
        `${at(name)}\n`,
      );
      assertEquals(await Deno.readFile(at(name)), await Deno.readFile(out), name);
    }
    const { tensors, metadata } = await readSafetensors(out);
    assertEquals([...tensors.keys()].sort(), ["image_features", "text_features"]);
    assertEquals(JSON.parse(metadata["text_ids"]!), ["2", "3", "4", "5", "6"]);
    for (const tensor of tensors.values()) {
      const rows = toFloat32(tensor), [count, width] = tensor.shape as [number, number];
      for (let i = 0; i < count; i++) {
        const norm = Math.hypot(...rows.subarray(i * width, (i + 1) * width));
        assert(Math.abs(norm - 1) < 1e-5, `row ${i}: ${norm}`);
      }
    }
  });
});

Deno.test("encode does not compute a finished shard again, does so for other weights, and with --force", async () => {
  await withRadiographs(async ({ folder, images, out }) => {
    const args = ["encode", "--images", images, "--out", out, "--shard", "1/2"];
    const path = (await succeed(args, permissions(folder))).trim();
    const before = await Deno.stat(path);
    const again = await run(args, permissions(folder));
    assertEquals([again.code, again.stdout.trim()], [0, path]);
    assert(again.stderr.includes("nothing to do: 3 items are there"), again.stderr);
    assertEquals(again.stderr.includes("backend"), false, "the model is not even loaded");
    assertEquals((await Deno.stat(path)).ino, before.ino);
    const adapter = await writeMiniAdapter(join(folder, "adapter.safetensors"));
    const other = await run([...args, "--adapter", adapter], permissions(folder));
    assert(other.stderr.includes("3 encoded, 0 kept"), other.stderr);
    const forced = await run([...args, "--adapter", adapter, "--force"], permissions(folder));
    assert(forced.stderr.includes("3 encoded, 0 kept"), forced.stderr);
    assertEquals(Object.keys(await snapshot(join(folder, "out"))).length, 1, "no parts are left");
  });
});

Deno.test("encode interrupted goes on to the same file, without computing its parts again", async () => {
  const most = 80; // a signal finds it at work, however long it takes to be sent
  await withRadiographs(async ({ folder, images, out }) => {
    await succeed(["encode", "--images", images, "--out", out], permissions(folder));
    const whole = await Deno.readFile(out);
    await Deno.remove(out);
    const args = ["encode", "--images", images, "--out", out, "--chunk", "1"];
    const child = command(args, permissions(folder)).spawn();
    const parts = `${out}.parts`;
    const count = async (): Promise<number> => {
      try {
        return [...Deno.readDirSync(parts)].filter(({ name }) => !name.endsWith(".tmp")).length;
      } catch {
        return await Promise.resolve(0);
      }
    };
    await eventually(async () => await count() >= 2, "two parts", 1);
    child.kill("SIGINT");
    const { code, stdout } = await child.output();
    const kept = await count();
    if (code === 0) throw new Error("it was done before the signal came: give it more images");
    assertEquals([code, stdout.length], [130, 0]);
    assert(kept >= 2 && kept < most, `${kept} parts`);
    await Deno.writeTextFile(join(parts, "image-0-1.safetensors"), "damaged");
    const result = await run(args, permissions(folder));
    assert(result.stderr.includes(`${most - kept + 1} encoded, ${kept - 1} kept`), result.stderr);
    assertEquals(await Deno.readFile(out), whole);
  }, most);
});

Deno.test("encodeShard() keeps whole parts when the model fails, and goes on", async () => {
  await inFolder(async (folder) => {
    let failAt = 3;
    let backend = "one machine";
    const asked: number[] = [];
    const job = {
      lists: [{ name: "image" as const, ids: ["a", "b", "c", "d", "e"] }],
      settings: { weights_sha256: "x" },
      open: () =>
        Promise.resolve({
          width: 2,
          backend,
          encode: (_: string, indices: readonly number[]) => {
            if (indices[0] === failAt) return Promise.reject(new Error("no such image"));
            asked.push(...indices);
            return Promise.resolve(Float32Array.from(indices.flatMap((i) => [i, -i])));
          },
          close: () => {},
        }),
    };
    const out = join(folder, "f.safetensors");
    let message = "";
    await encodeShard(out, job, { chunk: 1 }).catch((error) => message = error.message);
    assertEquals([message, asked], ["no such image", [0, 1, 2]]);
    failAt = -1;
    backend = "another";
    assertEquals(await encodeShard(out, job, { chunk: 1 }), { path: out, computed: 2, reused: 3, interrupted: false });
    assertEquals(asked, [0, 1, 2, 3, 4]);
    const { tensors, metadata } = await readSafetensors(out);
    assertEquals(metadata["backend"], "one machine; another");
    backend = "a third"; // no reason to compute anything again
    assertEquals((await encodeShard(out, job, { chunk: 1 })).computed, 0);
    assertEquals([...toFloat32(tensors.get("image_features")!)], [
      0,
      -0,
      1,
      -1,
      2,
      -2,
      3,
      -3,
      4,
      -4,
    ]);
    assertEquals(
      await encodeShard(out, job, { shard: { index: 5, count: 7 }, chunk: 2 }).then(({ computed }) => computed),
      0,
    );
  });
});

Deno.test("parseShard() takes i from 0 or 1 to n, and nothing else", () => {
  assertEquals(["0/4", "3/4", "4/4", "1/1"].map(parseShard), [
    { index: 0, count: 4 },
    { index: 3, count: 4 },
    { index: 0, count: 4 },
    { index: 0, count: 1 },
  ]);
  for (const text of ["", "1", "1/0", "5/4", "-1/4", "1/4/2", "a/b", "1.5/4", " 1/4"]) {
    let message = "";
    try {
      parseShard(text);
    } catch (error) {
      message = errorMessage(error);
    }
    assert(message.includes(`current value is "${text}"`), `${text}: ${message}`);
  }
});

Deno.test("encode reads a CSV of images by its columns, and single images", async () => {
  await withRadiographs(async ({ folder, images, out }) => {
    const csv = join(folder, "cases.csv");
    await Deno.writeTextFile(csv, "file,key,split\n0.png,k0,test\n1.png,k1,train\n2.png,k2,test\n");
    await succeed(
      [
        "encode",
        "--images",
        csv,
        "--image-column",
        "file",
        "--image-root",
        images,
        "--id-column",
        "key",
        "--where",
        "split=test",
        "--out",
        out,
      ],
      permissions(folder),
    );
    assertEquals(JSON.parse((await readSafetensors(out)).metadata["image_ids"]!), ["k0", "k2"]);
    const [a, b] = [join(images, "4.png"), join(images, "5.png")];
    await succeed(["encode", "--images", a, b, "--out", out], permissions(folder));
    assertEquals(JSON.parse((await readSafetensors(out)).metadata["image_ids"]!), [a, b]);
  });
});

Deno.test("encode refuses bad input in one line that names it, and writes nothing", async () => {
  await withRadiographs(async ({ folder, images, out }) => {
    const csv = join(folder, "cases.csv"), empty = join(folder, "empty");
    await Deno.writeTextFile(csv, "path,text\nimages/0.png,a\nimages/9.png,b\n");
    await Deno.mkdir(empty);
    await Deno.writeFile(join(images, "8.png"), (await Deno.readFile(join(images, "0.png"))).subarray(0, 200));
    const refuse = (args: string[], ...patterns: (string | RegExp)[]) =>
      fail(["encode", ...args, "--out", out], patterns, permissions(folder));
    await refuse(["--images", csv], csv, "row 3", "images/9.png");
    await refuse(["--images", csv, "--image-column", "file"], csv, 'must have a column "file"', '"path", "text"');
    await refuse(["--texts", csv, "--text-column", "note"], csv, 'must have a column "note"');
    await refuse(["--images", empty], empty, "it holds none");
    await refuse(["--images", images], join(images, "8.png"));
    await refuse(["--images", join(folder, "absent")], "absent");
    await refuse([], "name something to encode");
    await refuse(["--images", images, "--shard", "3/2"], "must be i/n");
    await refuse(["--images", images, "--dataset", "rsna"], "exclude each other");
    await refuse(["--dataset", "rsnaa", "--root", images], "--dataset must be one of", "rsna");
    await refuse(["--merge"], "there must be shards: none found");
    assertEquals(await snapshot(join(folder, "out")), {});
  });
});

Deno.test("encode --merge refuses shards that are missing, come twice, are of another job or no features", async () => {
  await withRadiographs(async ({ folder, images, out }) => {
    const args = ["encode", "--images", images, "--out", out];
    const shard = async (text: string, ...more: string[]) =>
      (await succeed([...args, "--shard", text, ...more], permissions(folder))).trim();
    const first = await shard("0/3"), second = await shard("1/3");
    const refuse = (files: string[], ...patterns: string[]) =>
      fail(["encode", "--merge", ...files, "--out", out], patterns, permissions(folder));
    await refuse([], "missing 2/3");
    await refuse([first, second, first], first, "each shard must come once");
    const adapter = await writeMiniAdapter(join(folder, "adapter.safetensors"));
    const foreign = await shard("2/3", "--adapter", adapter);
    await refuse([], foreign, "of different ones");
    await refuse([first, MINI_FILES[0]!], MINI_FILES[0]!, "must be a file of features");
    const cut = join(folder, "cut.safetensors");
    await Deno.writeFile(cut, (await Deno.readFile(first)).subarray(0, -8));
    await refuse([cut, second], cut);
    await writeSafetensors(cut, new Map(), { format: "ace-lora features", fingerprint: "x", shard: "0/1" });
    await refuse([cut, second], second, "of different ones");
    assertEquals(Object.keys(await snapshot(join(folder, "out"))).includes("feats.safetensors"), false);
  });
});
