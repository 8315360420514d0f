import { assert, assertEquals, assertRejects } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { readAdapter, writeAdapter } from "../../lib/adapters/files.ts";
import { describeCsv, describeTensors, formatTensors } from "../../lib/adapters/describe.ts";
import { writeSafetensors } from "../../lib/io/safetensors.ts";
import { float32Tensor } from "../../lib/io/tensors.ts";

async function inTempDir(fn: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await fn(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("describeTensors() lists names, types, shapes, counts and totals", () =>
  inTempDir(async (dir) => {
    const path = join(dir, "x.safetensors");
    await writeSafetensors(path, {
      w: float32Tensor([2, 600], new Float32Array(1200)),
      h: { dtype: "F16", shape: [], data: new Uint8Array(2) },
    }, { by: "me" });
    const description = await describeTensors(path);
    assertEquals(description, {
      path,
      format: "safetensors",
      tensors: [{ name: "w", dtype: "F32", shape: [2, 600], count: 1200 }, {
        name: "h",
        dtype: "F16",
        shape: [],
        count: 1,
      }],
      total: 1201,
      bytes: 4802,
      metadata: { by: "me" },
    });
    assertEquals(formatTensors(description).split("\n"), [
      `${path}: safetensors`,
      "w  F32  [2, 600]  1,200",
      "h  F16  []            1",
      "2 tensors, 1,201 numbers, 4,802 bytes",
    ]);
  }));

Deno.test("describeTensors() reads PyTorch archives", async () => {
  const path = fromFileUrl(new URL("../io/fixtures/strided.pt", import.meta.url));
  const { format, tensors, adapter } = await describeTensors(path);
  assertEquals([format, adapter], ["torch", undefined]);
  assertEquals(tensors.find(({ name }) => name === "permuted"), {
    name: "permuted",
    dtype: "F32",
    shape: [4, 2, 3],
    count: 24,
  });
});

const data = Deno.env.get("ACE_REAL_DATA") ?? "../shared/data";
const released = join(data, "ace_lora", "ACE_LoRA.pt");
const isThere = await Deno.stat(released).then(() => true, () => false);
Deno.test({
  name: `describeTensors() finds 969,217 trainable numbers in the released adapter, in every layout${
    isThere ? "" : ` (skipped: no ${released})`
  }`,
  ignore: !isThere,
  fn: () =>
    inTempDir(async (dir) => {
      const first = await describeTensors(released);
      assertEquals([first.adapter, first.trainableTotal, first.tensors.length], ["authors", 969_217, 161]);
      assert(formatTensors(first).endsWith("trainable total: 969,217"));
      const adapter = await readAdapter(released);
      await writeAdapter(join(dir, "a.safetensors"), adapter, { format: "ace" });
      await writeAdapter(join(dir, "peft"), adapter, { format: "peft" });
      for (const [path, layout] of [["a.safetensors", "ace"], ["peft", "peft"]] as const) {
        const { adapter, trainableTotal } = await describeTensors(join(dir, path));
        assertEquals([adapter, trainableTotal], [layout, 969_217]);
      }
    }),
});

Deno.test("describeCsv() counts rows with quoted line ends, ragged ones, and reads gzip and a byte order mark", () =>
  inTempDir(async (dir) => {
    const path = join(dir, "x.csv");
    const text = '\ufeffid,"a ""b""",note\r\n1,2,"line\nbreak, and ""quotes"""\r\n2,3\n\n3,4,é\n';
    const described = { path, format: "csv" as const, columns: ["id", 'a "b"', "note"], rows: 3, raggedRows: 1 };
    await Deno.writeTextFile(path, text);
    assertEquals(await describeCsv(path), described);
    const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
    await Deno.writeFile(path, stream);
    assertEquals(await describeCsv(path), described);
    await Deno.writeTextFile(path, "a,b");
    assertEquals(await describeCsv(path), { path, format: "csv", columns: ["a", "b"], rows: 0, raggedRows: 0 });
  }));

Deno.test("describeCsv() counts as many rows as were written when records fall across pieces", () =>
  inTempDir(async (dir) => {
    const path = join(dir, "x.csv");
    const rows = Array.from({ length: 20_000 }, (_, i) => `${i},"text ${"x".repeat(i % 37)}\n, more",end`);
    await Deno.writeTextFile(path, ["id,text,last", ...rows].join("\n"));
    assertEquals((await describeCsv(path)).rows, 20_000);
    assertEquals((await describeCsv(path)).raggedRows, 0);
  }));

Deno.test("describeCsv() refuses what is no CSV by the file's name", () =>
  inTempDir(async (dir) => {
    const path = join(dir, "x.csv");
    for (
      const [bytes, reason] of [
        [new Uint8Array(0), "no rows"],
        [Uint8Array.of(0xff, 0xfe, 0x00), "UTF-8"],
        [new TextEncoder().encode('a,b\n"open'), ""],
        [Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0), ""],
      ] as const
    ) {
      await Deno.writeFile(path, bytes);
      const error = await assertRejects(() => describeCsv(path), SyntaxError, reason);
      assert(error.message.includes(path) && !error.message.includes("\n"), error.message);
    }
  }));
