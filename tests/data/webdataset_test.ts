/** WebDataset shards: written here by hand, by Python's tarfile in each format, and by webdataset itself. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { listTar } from "../../lib/data/_tar.ts";
import { decodeFile, squareRgb } from "../../lib/data/pixels/decode.ts";
import { openImageReader } from "../../lib/data/pixels/reader.ts";
import { loadWebDataset, shardPaths } from "../../lib/data/webdataset.ts";
import { encodePng } from "../../lib/image/png.ts";
import { cropResize8 } from "../../lib/image/preprocess.ts";
import { tar } from "./tar.ts";
import { inFolder } from "../folder.ts";

const python = Deno.env.get("ACE_PYTHON");

const image = (shade: number): Uint8Array =>
  encodePng({
    width: 6,
    height: 5,
    channels: 1,
    bitDepth: 8,
    data: Uint8Array.from({ length: 30 }, (_, i) => shade + i),
  });

Deno.test("loadWebDataset() reads image, text and fields of each sample, over the shards of a pattern, and counts the others", async () => {
  await inFolder(async (folder) => {
    await Deno.writeFile(
      join(folder, "x-00.tar"),
      tar([
        ["__meta__/info.txt", "passed over"],
        ["a/0001.PNG", image(1)],
        ["a/0001.txt", "first\n"],
        ["a/0001.json", '{"patient": 17, "split": "train"}'],
        ["a/0002.seg.png", image(2)],
        ["a/0002.txt", "no image"],
      ]),
    );
    await Deno.writeFile(
      join(folder, "x-01.tar"),
      tar([
        ["0003.json", '{"patient": 18, "caption": "from the fields", "split": "train", "note": "other"}'],
        ["0003.png", image(3)],
        ["0004.json", '{"patient": 19, "caption": "x", "split": "test"}'],
        ["0004.png", image(4)],
        ["0005.json", '{"patient": 19, "split": "train"}'],
        ["0005.png", image(5)],
      ]),
    );
    const options = { patient: "patient", where: { split: "train" } };
    for (const pattern of ["x-{00..01}.tar", "x-*.tar", "{x-00,x-01}.tar"]) {
      const { cases, summary } = await loadWebDataset(join(folder, pattern), options);
      assertEquals(cases.map(({ id, text, patientId }) => [id, text, patientId]), [
        ["a/0001", "first", "17"],
        ["0003", "from the fields", "18"],
      ]);
      assertEquals((await cases[1]!.image()).data, Uint8Array.from({ length: 30 }, (_, i) => 3 + i));
      assertEquals([summary.read, summary.dropped], [5, { "no image": 1, "no text": 1, "other split": 1 }]);
    }
    const other = await loadWebDataset(join(folder, "x-01.tar"), { text: "note" });
    assertEquals(other.cases.map(({ text }) => text), ["other"]);
    const missing = await assertRejects(
      () => loadWebDataset(join(folder, "x-*.tar"), { patient: "subject" }),
      SyntaxError,
    );
    assert(missing.message.includes('"subject"') && missing.message.includes("a/0001"), missing.message);
  });
});

Deno.test("loadWebDataset() names archives and members that are damaged, cut short, compressed or missing", async () => {
  await inFolder(async (folder) => {
    const whole = tar([["1.png", image(1)], ["1.txt", "x".repeat(600)], ["1.json", "{}"]]);
    const changed = whole.slice();
    changed[10] = 65;
    const cases: [name: string, bytes: Uint8Array, words: string[]][] = [
      ["cut", whole.subarray(0, 1600), ["cut short"]],
      ["head", whole.subarray(0, 1100), ["cut short"]],
      ["sum", changed, ["checksum", "byte 0"]],
      ["text", new TextEncoder().encode("no archive".padEnd(600)), ["checksum"]],
      ["empty", new Uint8Array(), ["empty"]],
      ["gz", Uint8Array.from([0x1f, 0x8b, ...new Uint8Array(600)]), ["gunzip"]],
      ["json", tar([["1.png", image(1)], ["1.txt", "x"], ["1.json", "{"]]), ["1.json", "JSON"]],
      ["list", tar([["1.png", image(1)], ["1.txt", "x"], ["1.json", "[]"]]), ["1.json", "JSON object"]],
    ];
    for (const [name, bytes, words] of cases) {
      const path = join(folder, `${name}.tar`);
      await Deno.writeFile(path, bytes);
      const error = await assertRejects(() => loadWebDataset(path), SyntaxError);
      for (const word of [path, ...words]) assert(error.message.includes(word), `${word} in: ${error.message}`);
    }
    const bad = join(folder, "bad.tar");
    await Deno.writeFile(bad, tar([["1.png", "no image"], ["1.txt", "x"]]));
    const { cases: [one] } = await loadWebDataset(bad);
    const error = await assertRejects(() => one!.image(), SyntaxError);
    assert(error.message.includes(`${bad}:1.png`), error.message);
    await assertRejects(() => loadWebDataset(join(folder, "gone-*.tar")), Deno.errors.NotFound, "gone-*");
    await assertRejects(() => loadWebDataset(join(folder, "gone.tar")), Deno.errors.NotFound);
  });
});

Deno.test("shardPaths() expands ranges with their zeros, and more than one", async () => {
  const paths = await shardPaths("/d{1,2}/s-{008..010}.tar");
  assertEquals(paths, [1, 2].flatMap((d) => ["008", "009", "010"].map((i) => `/d${d}/s-${i}.tar`)));
});

Deno.test({
  name: `listTar() finds what Python's tarfile wrote, in every format, long names and folders included${
    python ? "" : " (skipped: ACE_PYTHON is not set)"
  }`,
  ignore: !python,
  fn: async () => {
    await inFolder(async (folder) => {
      const code = `
import io, json, sys, tarfile
out = {}
for name, kind in [("ustar", tarfile.USTAR_FORMAT), ("gnu", tarfile.GNU_FORMAT), ("pax", tarfile.PAX_FORMAT)]:
  path = f"{sys.argv[1]}/{name}.tar"
  with tarfile.open(path, "w", format=kind) as t:
    folder = tarfile.TarInfo("sub"); folder.type = tarfile.DIRTYPE; t.addfile(folder)
    names = ["a.txt", "sub/" + "d" * 60 + "/" + "f" * 90 + ".png", "empty.json"]
    if name != "ustar": names += ["x" * 300 + ".txt", "p/\\u00e9\\u4e2d.txt"]
    for i, n in enumerate(names):
      info = tarfile.TarInfo(n); info.size = 0 if n.startswith("empty") else 700 * i + 3
      t.addfile(info, io.BytesIO(bytes([i]) * info.size))
    link = tarfile.TarInfo("link"); link.type = tarfile.SYMTYPE; link.linkname = "a.txt"; t.addfile(link)
  with tarfile.open(path) as t:
    out[name] = [[m.name, m.offset_data, m.size] for m in t if m.isfile()]
print(json.dumps(out))`;
      const { stdout, success } = await new Deno.Command(python!, { args: ["-c", code, folder] }).output();
      assert(success);
      for (const [name, members] of Object.entries(JSON.parse(new TextDecoder().decode(stdout)))) {
        const actual = await listTar(join(folder, `${name}.tar`));
        assertEquals(actual.map(({ name, offset, size }) => [name, offset, size]), members as unknown[], name);
      }
    });
  },
});

const hasWebDataset = python !== undefined &&
  (await new Deno.Command(python, { args: ["-c", "import webdataset"], stderr: "null" }).output()).success;

Deno.test({
  name: `loadWebDataset() reads what the webdataset package wrote, samples as it groups them${
    hasWebDataset ? "" : " (skipped: ACE_PYTHON has no webdataset)"
  }`,
  ignore: !hasWebDataset,
  fn: async () => {
    await inFolder(async (folder) => {
      await Deno.writeFile(join(folder, "image.png"), image(9));
      const code = `
import json, sys, webdataset as wds
d = sys.argv[1]
png = open(d + "/image.png", "rb").read()
with wds.ShardWriter(d + "/s-%03d.tar", maxcount=3, verbose=0) as w:
  for i in range(8):
    w.write({"__key__": f"k{i:03d}", "png": png, "txt": f"text {i}", "json": {"patient": i // 2}})
out = []
for s in wds.WebDataset(d + "/s-{000..002}.tar", shardshuffle=False).decode(wds.handle_extension("png", lambda b: len(b))):
  out.append([s["__key__"], s["txt"], str(s["json"]["patient"]), s["png"]])
print(json.dumps(out))`;
      const { stdout, stderr, success } = await new Deno.Command(python!, { args: ["-c", code, folder] }).output();
      assert(success, new TextDecoder().decode(stderr));
      const { cases } = await loadWebDataset(join(folder, "s-{000..002}.tar"), { patient: "patient" });
      const actual = cases.map(({ id, text, patientId }) => [id, text, patientId, image(9).length]);
      assertEquals(actual, JSON.parse(new TextDecoder().decode(stdout)));
      assertEquals((await cases[7]!.image()).data[0], 9);
    });
  },
});

Deno.test("openImageReader() decodes images of archives in workers, keeps them, and sees that one has changed", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "a.tar");
    const write = (shade: number): Promise<void> =>
      Deno.writeFile(path, tar([["1.png", image(1)], ["1.txt", "one"], ["2.png", image(shade)], ["2.txt", "two"]]));
    await write(2);
    const transform = { size: 4, mode: "train" as const };
    const read = async (): Promise<Uint8Array[]> => {
      const { cases } = await loadWebDataset(path);
      const reader = openImageReader({ workers: 1, cache: join(folder, "cache") });
      try {
        const squares = await Promise.all(cases.map(({ part }) => reader.read(part!, transform)));
        for (const [i, { image }] of cases.entries()) {
          assertEquals(squareRgb(squares[i]!), cropResize8(await image(), transform).data);
        }
        return squares.map(({ data }) => data);
      } finally {
        await reader.close();
      }
    };
    const first = await read();
    assertEquals(await read(), first, "from the cache");
    await write(90);
    await Deno.utime(path, 0, 0);
    const second = await read();
    assertEquals(second[0], first[0]);
    assert(second[1]![0] !== first[1]![0], "a new content is decoded again");
    await assertRejects(
      () => decodeFile({ archive: path, name: "1.txt", offset: 0, size: 10 }, transform),
      SyntaxError,
      `"${path}:1.txt"`,
    );
  });
});
