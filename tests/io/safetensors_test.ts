import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import {
  decodeSafetensors,
  encodeSafetensors,
  openSafetensors,
  readSafetensors,
  writeSafetensors,
} from "../../lib/io/safetensors.ts";
import { checkFinite, float32Tensor, type TensorData, toFloat32 } from "../../lib/io/tensors.ts";
import { inFolder } from "../folder.ts";

/** A file with this header text and this many bytes of zeros. */
function craft(header: string, dataBytes: number, claimed?: bigint): Uint8Array {
  const json = new TextEncoder().encode(header);
  const out = new Uint8Array(8 + json.length + dataBytes);
  new DataView(out.buffer).setBigUint64(0, claimed ?? BigInt(json.length), true);
  out.set(json, 8);
  return out;
}

const f32 = (shape: number[], begin: number, end: number): string =>
  JSON.stringify({ dtype: "F32", shape, data_offsets: [begin, end] });

Deno.test("writeSafetensors() and readSafetensors() agree on every type, scalars and empty tensors", async () => {
  await inFolder(async (dir) => {
    const tensors = new Map<string, TensorData>([
      ["b", { dtype: "BOOL", shape: [3], data: Uint8Array.of(1, 0, 1) }],
      ["scalar", float32Tensor([], [2.5])],
      ["empty", float32Tensor([0, 4], [])],
      ["long", { dtype: "I64", shape: [2], data: new Uint8Array(BigInt64Array.of(-5n, 7n).buffer) }],
      ['é\n"', { dtype: "BF16", shape: [1], data: Uint8Array.of(0x80, 0x3f) }],
    ]);
    const path = join(dir, "sub", "x.safetensors");
    await writeSafetensors(path, tensors, { note: "hello" });
    assertEquals([...Deno.readDirSync(join(dir, "sub"))].map((e) => e.name), ["x.safetensors"]);
    const read = await readSafetensors(path);
    assertEquals(read.metadata, { note: "hello" });
    assertEquals([...read.tensors.keys()].sort(), [...tensors.keys()].sort());
    for (const [name, t] of tensors) {
      assertEquals(read.tensors.get(name)!.shape, t.shape);
      assertEquals([...read.tensors.get(name)!.data], [...t.data]);
    }
    assertEquals([...toFloat32(read.tensors.get("long")!)], [-5, 7]);
    assertEquals([...toFloat32(read.tensors.get('é\n"')!)], [1]);
    assertEquals([...await Deno.readFile(path)], [...encodeSafetensors(tensors, { note: "hello" })]);
  });
});

Deno.test("openSafetensors() reads tensors one by one, concurrently, and names a missing one", async () => {
  const path = await Deno.makeTempFile();
  try {
    const many = Object.fromEntries(
      Array.from({ length: 20 }, (_, i) => [`t${i}`, float32Tensor([1000], new Float32Array(1000).fill(i))]),
    );
    await writeSafetensors(path, many);
    const file = await openSafetensors(path);
    try {
      const read = await Promise.all(Object.keys(many).map((name) => file.read(name)));
      read.forEach((t, i) => assert(toFloat32(t).every((x) => x === i)));
      const error = await assertRejects(() => file.read("nope"), RangeError, '"nope"');
      assert(error.message.includes(path));
    } finally {
      file.close();
    }
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("decodeSafetensors() reads data that is not aligned", async () => {
  const bytes = craft(`{"a":${f32([1], 0, 4)}}  `.padEnd(65), 4);
  new DataView(bytes.buffer).setFloat32(bytes.length - 4, 1.5, true);
  assertEquals([...toFloat32((await decodeSafetensors(bytes)).tensors.get("a")!)], [1.5]);
});

function manyTensors(count: number): string {
  return `{${Array.from({ length: count }, (_, i) => `"${i}":${f32([0], 0, 0)}`).join(",")}}`;
}

Deno.test("decodeSafetensors() reads 100,000 tensors, and a long text with quotation marks in its metadata", async () => {
  assertEquals((await decodeSafetensors(craft(manyTensors(100_000), 0))).tensors.size, 100_000);
  const text = String.raw`a \" \\`.repeat(500_000);
  const { metadata } = await decodeSafetensors(craft(JSON.stringify({ __metadata__: { text } }), 0));
  assertEquals(metadata["text"] === text, true);
});

const refused: [string, Uint8Array, string][] = [
  ["an empty file", new Uint8Array(0), "at least 8 bytes"],
  ["a huge header length", craft("{}", 0, 2n ** 63n), "at most 100000000"],
  ["more tensors than are read", craft(manyTensors(100_001), 0), "at most 100000"],
  ["nested lists without end", craft(`{"a":${"[".repeat(1_000_000)}`, 0), "3 deep at most"],
  ["a header longer than the file", craft("{}", 0, 3n), "must end within"],
  ["a header that is no JSON", craft("{", 0), "JSON"],
  ["a header that is not UTF-8", craft("{}", 0).fill(0xff, 8), "JSON in UTF-8"],
  ["a header that is a list", craft("[]", 0), "JSON object"],
  ["a header after white space", craft(" {}", 0), "JSON object"],
  ["an unknown type", craft('{"a":{"dtype":"F4","shape":[1],"data_offsets":[0,4]}}', 4), '"F4"'],
  ["a type named like a method", craft('{"a":{"dtype":"toString","shape":[1],"data_offsets":[0,4]}}', 4), '"toString"'],
  ["a negative size", craft(`{"a":${f32([-1], 0, 4)}}`, 4), "list of sizes"],
  ["a fractional size", craft(`{"a":${f32([0.5], 0, 2)}}`, 2), "list of sizes"],
  ["an absurd shape", craft(`{"a":${f32([2 ** 40, 2 ** 40], 0, 4)}}`, 4), "too large"],
  ["a size that does not fit", craft(`{"a":${f32([2], 0, 4)}}`, 4), "needs 8 bytes"],
  ["offsets past the end", craft(`{"a":${f32([2], 0, 8)}}`, 4), "must end within 4"],
  ["offsets the wrong way round", craft(`{"a":${f32([1], 4, 0)}}`, 4), "needs 4 bytes"],
  ["an overlap", craft(`{"a":${f32([2], 0, 8)},"b":${f32([1], 4, 8)}}`, 8), "overlaps"],
  ["the same bytes twice", craft(`{"a":${f32([2], 0, 8)},"b":${f32([2], 0, 8)}}`, 8), "overlaps"],
  ["a gap", craft(`{"a":${f32([1], 0, 4)},"b":${f32([1], 8, 12)}}`, 12), "gap of 4"],
  ["a gap at the start", craft(`{"a":${f32([1], 4, 8)}}`, 8), "gap of 4"],
  ["bytes left over", craft(`{"a":${f32([1], 0, 4)}}`, 8), "must fill"],
  ["a name twice", craft(`{"a":${f32([1], 0, 4)},"\\u0061":${f32([1], 4, 8)}}`, 8), '"a" twice'],
  ["a field twice", craft('{"a":{"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]}}', 4), '"shape" twice'],
  ["metadata that is not text", craft('{"__metadata__":{"n":1}}', 0), "__metadata__"],
  ["a tensor that is a number", craft('{"a":1}', 0), "object"],
];

for (const [what, bytes, reason] of refused) {
  Deno.test(`decodeSafetensors() refuses ${what}`, async () => {
    const error = await assertRejects(() => decodeSafetensors(bytes, "x.safetensors"), SyntaxError, reason);
    assert(error.message.includes('"x.safetensors"') && !error.message.includes("\n"), error.message);
  });
}

Deno.test("encodeSafetensors() refuses bytes that do not fit and the reserved name", () => {
  const bad: TensorData = { dtype: "F32", shape: [2], data: new Uint8Array(4) };
  assertThrows(() => encodeSafetensors({ bad }), TypeError, "needs 8 bytes");
  assertThrows(() => encodeSafetensors({ __metadata__: float32Tensor([], [1]) }), TypeError, "reserved");
});

Deno.test("toFloat32() converts halves by the standard's table of examples", () => {
  const bits = Uint16Array.of(0x0001, 0x03ff, 0x0400, 0x3555, 0x3c00, 0x7bff, 0x7c00, 0xc000, 0xfc00, 0x8000);
  const read = toFloat32({ dtype: "F16", shape: [10], data: new Uint8Array(bits.buffer) });
  const expected = [2 ** -24, 1023 * 2 ** -24, 2 ** -14, 0.333251953125, 1, 65504, Infinity, -2, -Infinity, -0];
  assertEquals([...read], expected);
});

Deno.test("checkFinite() names the tensor and the place", () => {
  checkFinite(float32Tensor([2], [1, 2]), '"w"');
  assertThrows(() => checkFinite(float32Tensor([2], [1, NaN]), '"w"'), RangeError, '"w"');
  assertThrows(() => checkFinite(float32Tensor([2], [1, -Infinity]), '"w"'), RangeError, "element 1 is -Infinity");
  const inf16: TensorData = { dtype: "F16", shape: [1], data: Uint8Array.of(0, 0x7c) };
  assertThrows(() => checkFinite(inf16, '"h"'), RangeError, "element 0 is Infinity");
  const nan64: TensorData = { dtype: "F64", shape: [1], data: new Uint8Array(Float64Array.of(NaN).buffer) };
  assertThrows(() => checkFinite(nan64, '"d"'), RangeError, "element 0 is NaN");
  const far: TensorData = { dtype: "F64", shape: [2], data: new Uint8Array(Float64Array.of(1, -1e300).buffer) };
  assertThrows(() => checkFinite(far, '"d"'), RangeError, "element 1 is -Infinity");
  checkFinite({ dtype: "F32", shape: [1], data: new Uint8Array(Float32Array.of(3.4e38).buffer) }, '"max"');
});
