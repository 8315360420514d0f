/** A corpus of damaged and hostile weights files, made here: each is refused in one line, quickly, in little memory. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { deflateRawSync } from "node:zlib";
import { readAdapter } from "../../lib/adapters/files.ts";
import { describeTensors } from "../../lib/adapters/describe.ts";
import { openTensorFile } from "../../lib/io/open.ts";
import { encodeSafetensors } from "../../lib/io/safetensors.ts";
import { readAllTensors, readFinite } from "../../lib/io/tensor_file.ts";
import { float32Tensor } from "../../lib/io/tensors.ts";
import { loadTorch } from "../../lib/io/torch_archive.ts";
import { writeTorch } from "../../lib/io/torch_writer.ts";
import { concat, latin1, makeTorch, makeZip, type ZipRecipe } from "./_zip.ts";
import { cpuMilliseconds } from "../cpu_time.ts";

/** Longest a refusal may take, in milliseconds, on a slow and busy machine. */
const MAX_TIME = 5000;
/** Most memory a refusal may add to the process, in bytes. */
const MAX_GROWTH = 700e6;

async function inTempFile(fn: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempFile();
  try {
    await fn(path);
  } finally {
    await Deno.remove(path);
  }
}

/** Reads all of a file in each of the ways there are. */
async function readFully(path: string): Promise<Map<string, number[]>> {
  const file = await openTensorFile(path);
  try {
    const tensors = await readAllTensors(file);
    if (file.format === "torch") await loadTorch(path);
    return new Map([...tensors].map(([name, t]) => [name, [...t.data]]));
  } finally {
    file.close();
  }
}

function checkMessage(error: unknown, path: string, reason: string): void {
  assert(error instanceof SyntaxError || error instanceof RangeError, `${error}`);
  assert(error.message.includes(`"${path}"`), `must name the file: ${error.message}`);
  assert(error.message.includes(reason), `must say ${reason}: ${error.message}`);
  assert(!/[\n\r\0]/.test(error.message) && error.message.length < 500, `must be one line: ${error.message}`);
}

function refuses(what: string, bytes: () => Uint8Array, reason: string): void {
  Deno.test(`openTensorFile() refuses ${what}`, () =>
    inTempFile(async (path) => {
      await Deno.writeFile(path, bytes());
      const [before, start] = [Deno.memoryUsage().rss, cpuMilliseconds()];
      checkMessage(await assertRejects(() => readFully(path)), path, reason);
      checkMessage(await assertRejects(() => readAdapter(path)), path, reason);
      assert(cpuMilliseconds() - start < MAX_TIME, `took ${cpuMilliseconds() - start} ms`);
      assert(Deno.memoryUsage().rss - before < MAX_GROWTH, `grew by ${Deno.memoryUsage().rss - before} bytes`);
    }));
}

// --- truncation and flipped bits -------------------------------------------------------------------------------------

const SMALL = { a: float32Tensor([2], [1, 2]), r: 4 };

Deno.test("openTensorFile() refuses a PyTorch archive cut after any byte", () =>
  inTempFile(async (path) => {
    await writeTorch(path, SMALL);
    const whole = await Deno.readFile(path);
    for (let length = 0; length < whole.length; length++) {
      await Deno.writeFile(path, whole.subarray(0, length));
      checkMessage(await assertRejects(() => readFully(path)), path, "");
    }
  }));

Deno.test("openTensorFile() refuses an archive of torch's own cut at any of 400 places", () =>
  inTempFile(async (path) => {
    const whole = await Deno.readFile(fromFileUrl(new URL("./fixtures/single.pt", import.meta.url)));
    for (let length = 0; length < whole.length; length += Math.ceil(whole.length / 400)) {
      await Deno.writeFile(path, whole.subarray(0, length));
      checkMessage(await assertRejects(() => readFully(path)), path, "");
    }
  }));

Deno.test("openTensorFile() refuses a safetensors file cut after any byte, and one with a byte more", () =>
  inTempFile(async (path) => {
    const whole = encodeSafetensors({ a: float32Tensor([2], [1, 2]), b: float32Tensor([1], [3]) }, { k: "v" });
    for (let length = 0; length < whole.length; length++) {
      await Deno.writeFile(path, whole.subarray(0, length));
      checkMessage(await assertRejects(() => readFully(path)), path, "");
    }
    await Deno.writeFile(path, concat([whole, Uint8Array.of(0)]));
    checkMessage(await assertRejects(() => readFully(path)), path, "must fill");
  }));

Deno.test("openTensorFile() gives the right numbers or an error when any byte of an archive is flipped", () =>
  inTempFile(async (path) => {
    await writeTorch(path, SMALL);
    const whole = await Deno.readFile(path);
    const right = await readFully(path);
    let refused = 0;
    for (let i = 0; i < whole.length; i++) {
      const bytes = whole.slice();
      bytes[i]! ^= 0xff;
      await Deno.writeFile(path, bytes);
      try {
        assertEquals(await readFully(path), right, `byte ${i}`); // a date, or padding
      } catch (error) {
        checkMessage(error, path, "");
        refused++;
      }
    }
    assert(refused > whole.length / 2, `${refused} of ${whole.length}`);
  }));

// --- archives --------------------------------------------------------------------------------------------------------

const PICKLE = latin1("\x80\x02}.");
const data = (name: string, more: Partial<ZipRecipe> = {}): ZipRecipe => ({ name, data: PICKLE, ...more });
const MAIN = data("x/data.pkl");
const zip64 = (size: bigint): Uint8Array => {
  const extra = new Uint8Array(20);
  const view = new DataView(extra.buffer);
  view.setUint16(0, 1, true);
  view.setUint16(2, 16, true);
  view.setBigUint64(4, size, true);
  view.setBigUint64(12, size, true);
  return extra;
};
const zeros = deflateRawSync(new Uint8Array(64 << 20));

const ARCHIVES: [string, ZipRecipe[], string, number?][] = [
  ["a name twice", [MAIN, data("x/data/0"), data("x/data/0")], '"x/data/0" is there twice'],
  ["a name that climbs", [MAIN, data("x/../../etc/passwd")], "Unsafe filename"],
  ["an absolute name", [MAIN, data("/etc/passwd")], "Unsafe filename"],
  ["a name with backslashes that climbs", [MAIN, data("x\\..\\..\\boot.ini")], "Unsafe filename"],
  ["a name with a drive", [MAIN, data("C:/x")], "Unsafe filename"],
  ["a name with a NUL", [MAIN, data("x/data/0\0.txt")], "Unsafe filename"],
  ["a record outside the archive's folder", [MAIN, data("y/data/0")], 'must lie under "x/"'],
  ["two pickles", [MAIN, data("y/data.pkl")], "found 2"],
  ["no pickle", [data("x/other")], "found 0"],
  ["a record of another compression", [MAIN, data("x/data/0", { method: 12 })], "must be stored or deflated"],
  ["a deflated bomb that says how large it is", [
    MAIN,
    data("x/data/0", { data: zeros, method: 8, size: 64 << 20, compressedSize: zeros.length }),
  ], "must be stored"],
  ["a deflated bomb that lies", [
    data("x/data.pkl", { data: zeros, method: 8, size: 10, compressedSize: zeros.length }),
  ], "must be stored"],
  ["a stored record with two sizes", [MAIN, data("x/data/0", { size: 1 << 30, compressedSize: 4 })], "must be stored"],
  ["a record longer than the file", [MAIN, data("x/data/0", { size: 1 << 30 })], "must end within"],
  ["a record of 2^60 bytes by zip64", [MAIN, data("x/data/0", { size: 0xffffffff, extra: zip64(1n << 60n) })], ""],
  ["a record that begins past the end", [MAIN, data("x/data/0", { offset: 0x7fffffff })], ""],
  ["a record that begins nowhere", [MAIN, data("x/data/0", { offset: 3 })], "header"],
  ["two records on the same bytes", [MAIN, data("x/data/0", { offset: 0, localName: "x/data.pkl" })], "another name"],
  ["records that overlap", [
    data("x/data.pkl", { data: concat([PICKLE, makeZip([data("x/data/0")]).subarray(0, 42)]) }),
    data("x/data/0", { offset: 44 }),
  ], "overlaps"],
  ["another name in the record's own header", [MAIN, data("x/data/0", { localName: "x/data/1" })], "another name"],
  ["another size in the record's own header", [MAIN, data("x/data/0", { localSize: 99 })], "another size"],
  ["an encrypted record", [MAIN, data("x/data/0", { flags: 0x0801 })], "encrypted"],
  ["a wrong checksum of the pickle", [data("x/data.pkl", { crc: 1 })], "checksum differs"],
  ["more records than there are", [MAIN], "", 9],
  ["fewer records than there are", [MAIN, data("x/data/0")], "", 1],
  ["another byte order", [MAIN, data("x/byteorder", { data: latin1("big") })], 'found "big"'],
  ["a byte order that goes on", [MAIN, data("x/byteorder", { data: new Uint8Array(1000) })], "byte order"],
  ["a pickle of 20 MB", [data("x/data.pkl", { data: new Uint8Array(20_000_000) })], "at most 16777216"],
];
for (const [what, recipes, reason, count] of ARCHIVES) {
  refuses(`an archive with ${what}`, () => makeZip(recipes, count), reason);
}
refuses("an archive after other bytes", () => concat([latin1("PK\x03\x04MZ"), makeZip([MAIN])]), "");
refuses("an archive before 100,000 other bytes", () => concat([makeZip([MAIN]), new Uint8Array(100_000)]), "");
refuses("an empty archive", () => makeZip([]), "found 0");

Deno.test("openTensorFile() refuses a storage whose checksum differs, read whole and in part", () =>
  inTempFile(async (path) => {
    for (const view of ["K\x00", "K\x01"]) {
      const pickle = `\x80\x02}X\x01\x00\x00\x00a${
        tensor({ offset: view, size: view === "K\x00" ? "K\x02" : "K\x01" })
      }s.`;
      const bytes = makeTorch(pickle, { "0": latin1("abcdefgh") });
      await Deno.writeFile(path, bytes);
      await readFully(path);
      bytes[bytes.findIndex((_, i) => latin1("abcdefgh").every((b, j) => bytes[i + j] === b)) + 7]! ^= 1;
      await Deno.writeFile(path, bytes);
      checkMessage(await assertRejects(() => readFully(path)), path, '"data/0" is damaged');
    }
  }));

// --- pickles ---------------------------------------------------------------------------------------------------------

const text = (s: string): string => `X${String.fromCharCode(s.length)}\0\0\0${s}`;

/** The opcodes of a float tensor, with any part replaced. */
function tensor(
  parts: { type?: string; key?: string; count?: string; offset?: string; size?: string; stride?: string } = {},
): string {
  const {
    type = "ctorch\nFloatStorage\n",
    key = text("0"),
    count = "K\x02",
    offset = "K\x00",
    size = "K\x02",
    stride = "K\x01",
  } = parts;
  const storage = `(${text("storage")}${type}${key}${text("cpu")}${count}tQ`;
  return `ctorch._utils\n_rebuild_tensor_v2\n(${storage}${offset}(${size}t(${stride}t\x89ccollections\nOrderedDict\n)RtR`;
}

/** A NumPy scalar of protocol 2. */
function scalar(type: string, bytes: string): string {
  const dtype = `cnumpy\ndtype\n(${text(type)}\x89\x88tR`;
  return `cnumpy.core.multiarray\nscalar\n(${dtype}c_codecs\nencode\n(${text(bytes)}${text("latin1")}tRtR`;
}

const u32 = (n: number): string => String.fromCharCode(n & 255, (n >> 8) & 255, (n >> 16) & 255, (n >> 24) & 255);
const MILLION = "J" + u32(1_000_000);
const LONG_BYTES = "\xff".repeat(254) + "\x7f";

const PICKLES: [string, string, string][] = [
  ["calls os.system", "cposix\nsystem\n(X\x02\0\0\0idtR.", '"posix.system"'],
  ["calls os.system by its other name", "cos\nsystem\n(X\x02\0\0\0idtR.", '"os.system"'],
  ["calls os.system in protocol 4", "\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.", '"posix.system"'],
  ["only names os.system", "}X\x01\0\0\0acposix\nsystem\ns.", '"posix.system"'],
  ["calls eval", "c__builtin__\neval\n(X\x01\0\0\x001tR.", '"__builtin__.eval"'],
  ["asks for getattr", "cbuiltins\ngetattr\n.", '"builtins.getattr"'],
  ["asks for a global built from a list", "]X\x06\0\0\0system\x93.", "which is not allowed"],
  ["asks for a name of JavaScript's", "cconstructor\nconstructor\n.", '"constructor.constructor"'],
  ["asks for toString", "c\ntoString\n.", "not allowed"],
  ["asks for a global with line feeds and quotes", '\x8c\x04a\n"b\x8c\x01c\x93.', 'a\\n\\"b.c'],
  ["asks for a very long global", `c${"a".repeat(100_000)}\nb\n.`, "not allowed"],
  ["calls a storage type", "ctorch\nFloatStorage\n)R.", '"torch.FloatStorage"'],
  ["calls a number", "K\x01)R.", "not allowed"],
  ["calls None", "N)R.", "not allowed"],
  ["calls without a tuple", "ccollections\nOrderedDict\nK\x01R.", "not allowed"],
  ["makes an instance (INST)", "(iposix\nsystem\n.", "opcode INST"],
  ["makes an object (OBJ)", "(cposix\nsystem\no.", '"posix.system"'],
  ["makes an object (NEWOBJ)", "ccollections\nOrderedDict\n)\x81.", 'makes an object of "collections.OrderedDict"'],
  ["makes an object of a number", "K\x01)\x81.", "what is not a class"],
  ["makes an object of a TorchScript class with a list as state", "c__torch__.M\nM\n)\x81]b.", "must be a dict"],
  ["calls a TorchScript class", "c__torch__.M\nM\n)R.", '"__torch__.M.M"'],
  ["has a NumPy scalar shorter than its type", `${scalar("f8", "1234")}.`, "has 4 bytes"],
  ["has bytes that are not Latin-1", `c_codecs\nencode\n(${text("a")}${text("utf8")}tR.`, "Latin-1"],
  ["uses the extension registry", "\x82\x01.", "opcode EXT1"],
  ["has a text persistent id", "P0\n.", "opcode PERSID"],
  ["is bytes", "C\x01a.", "tensor or a plain value"],
  ["is a set", "\x8f.", "tensor or a plain value"],
  ["is a configuration", "comegaconf.dictconfig\nDictConfig\n)\x81}b.", "tensor or a plain value"],
  [
    "holds a whole model and nothing else",
    `}${text("model")}ctransformers\nCLIPModel\n)\x81}bs.`,
    'no tensors beside a "transformers.CLIPModel"',
  ],
  ["appends to a number", "K\x01K\x01a.", "not a list"],
  ["duplicates the stack", "N2.", "opcode DUP"],
  ["has an unknown opcode", "\xfe.", "opcode 0xfe"],
  ["sets attributes of a tensor", `${tensor()}}b.`, "attributes"],
  ["appends to a tuple", ")K\x01a.", "not a list"],
  ["sets items of a list", "]K\x01K\x01s.", "not a dict"],
  ["has an odd number of items", "}(K\x01u.", "not a dict"],
  ["has a dict with a key twice", "}(X\x01\0\0\0aK\x01X\x01\0\0\0aK\x02u.", 'key "a" twice'],
  ["has a dict with a list as key", "}]K\x01s.", "keys"],
  ["gives one name to two values", "}(X\x03\0\0\0a.bK\x01X\x01\0\0\0a}X\x01\0\0\0bK\x02su.", 'name "a.b"'],
  ["takes from an empty stack", "a.", "empty stack"],
  ["takes below a mark", "](K\x01aa.", "empty stack"],
  ["has no mark", "t.", "mark"],
  ["gets a memo that is not there", "h\x07.", "memo 7"],
  ["leaves two values", "NN.", "more than one"],
  ["leaves none", ".", "empty stack"],
  ["does not stop", "N", "go on"],
  ["has a string longer than itself", `X${u32(0x7fffffff)}a.`, "go on for 2147483647 bytes"],
  ["has a string of 2^63 bytes", "\x8d\0\0\0\0\0\0\0\x80a.", "go on for"],
  ["has a string that is not UTF-8", "X\x01\0\0\0\xff.", "UTF-8"],
  ["has a name without an end", "ctorch", "line feed"],
  ["has an integer of a gigabyte", `\x8b${u32(1 << 30)}\x01.`, "at most 255 bytes"],
  ["holds itself", "]q\0h\0a.", "nested"],
  ["holds itself in a dict", "}q\0X\x01\0\0\0ah\0s.", "nested"],
  ["is nested 100,000 deep", `${"](".repeat(50_000)}${"e".repeat(50_000)}.`, "nested"],
  [
    "is a million laughs",
    `]q\0(${"K\x01".repeat(10)}e${
      Array.from(
        { length: 20 },
        (_, i) => `](${`h${String.fromCharCode(i)}`.repeat(10)}eq${String.fromCharCode(i + 1)}`,
      ).join("")
    }.`,
    "",
  ],
  ["repeats a long list very often", `](](${"K\x01".repeat(50_000)}eq\0${"h\0".repeat(50_000)}e.`, ""],
  ["has five million dicts", `](${"}".repeat(5_000_000)}e.`, "at most 100000"],
  ["has five million dicts in batches", `]${`(${"}".repeat(50_000)}e`.repeat(100)}.`, "at most 1000000"],
  ["has five million marks", `${"(".repeat(5_000_000)}.`, "marks"],
  ["has a million memos", `N${Array.from({ length: 1_000_000 }, () => "\x94").join("")}a.`, ""],
  ["has a storage named like a path", `${tensor({ key: text("../../etc/passwd") })}.`, '"../../etc/passwd"'],
  ["has a storage named by a number", `${tensor({ key: "K\x00" })}.`, "persistent id"],
  ["has a storage that is not there", `${tensor({ key: text("9") })}.`, '"data/9" is missing'],
  ["has a storage longer than its record", `${tensor({ count: MILLION })}.`, "must have 4000000 bytes: found 8"],
  ["has a storage of negative length", `${tensor({ count: "J\xff\xff\xff\xff" })}.`, "size"],
  ["has a storage of a huge length", `${tensor({ count: `\x8a\xff${LONG_BYTES}` })}.`, "size"],
  [
    "has a storage of an unknown type",
    `${tensor({ type: "ctorch\nComplexFloatStorage\n" })}.`,
    '"torch.ComplexFloatStorage"',
  ],
  ["has a storage of a type that is a function", `${tensor({ type: "ctorch\nSize\n" })}.`, "persistent id"],
  ["has a persistent id that is a string", "X\x01\0\0\0aQ.", "persistent id"],
  [
    "has a bare storage",
    `(${text("storage")}ctorch\nFloatStorage\n${text("0")}${text("cpu")}K\x02tQ.`,
    "tensor or a plain value",
  ],
  ["has a bare global", "ctorch\nFloatStorage\n.", "tensor or a plain value"],
  ["has a tensor past its storage", `${tensor({ offset: "K\x01" })}.`, "ends at 3"],
  ["has a tensor past its storage by its stride", `${tensor({ stride: "K\x02" })}.`, "ends at 3"],
  ["has a tensor with a negative stride", `${tensor({ stride: "J\xff\xff\xff\xff", offset: "K\x01" })}.`, "strides"],
  ["has a tensor with a negative offset", `${tensor({ offset: "J\xff\xff\xff\xff" })}.`, "offset"],
  ["has a tensor with a fractional size", `${tensor({ size: "G?\xe0\0\0\0\0\0\0" })}.`, "shape"],
  ["has a tensor with fewer strides", `${tensor({ stride: "" })}.`, "same length"],
  ["has a tensor of huge size", `${tensor({ size: `\x8a\xff${LONG_BYTES}` })}.`, "shape"],
  ["repeats one number 10^9 times", `${tensor({ size: "J\0\xca\x9a\x3b", stride: "K\0" })}.`, "outgrow"],
  [
    "repeats one number 10^18 times",
    `${tensor({ size: "J\0\xca\x9a\x3b".repeat(2), stride: "K\0K\0" })}.`,
    "too large",
  ],
  ["has a tensor of 100 dimensions", `${tensor({ size: "K\x01".repeat(100), stride: "K\x01".repeat(100) })}.`, "shape"],
  ["has a tensor without a storage", "ctorch._utils\n_rebuild_tensor_v2\n)R.", "storage"],
  ["has a parameter without a tensor", "ctorch._utils\n_rebuild_parameter\n)R.", "tensor"],
  ["has an OrderedDict built from numbers", "ccollections\nOrderedDict\n(K\x01tR.", "pairs"],
  [
    "has an OrderedDict with a key twice",
    "ccollections\nOrderedDict\n(](X\x01\0\0\0aN\x86X\x01\0\0\0aN\x86etR.",
    "twice",
  ],
];
const number = (size: number): string => String.fromCharCode(...[0, 8, 16, 24].map((bits) => size >>> bits & 255));
PICKLES.push(
  ["remembers 16 million values", "N" + "\x94".repeat(16_000_000) + ".", "remember at most 1000000"],
  ["has a key of 8 million characters", `}X${number(8_000_000)}${"k".repeat(8_000_000)}`, "the pickle must go on"],
  ["has a key of 5,000 characters", `}X${number(5000)}${"k".repeat(5000)}K\x01s.`, "at most 4096 characters"],
  [
    "goes over one list of 2,000 pairs 1,000 times",
    `](${Array.from({ length: 2000 }, (_, i) => `X\x04\0\0\0${1000 + i}N\x86`).join("")}eq\0` +
    `ccollections\nOrderedDict\nq\x01${"h\x01h\0\x85R".repeat(1000)}.`,
    "at most 1000000 dicts, lists and tuples",
  ],
);
for (const [what, opcodes, reason] of PICKLES) {
  const start = opcodes.startsWith("\x8c") ? "\x80\x04" : "\x80\x02";
  refuses(`a pickle that ${what}`, () => makeTorch(start + opcodes, { "0": new Uint8Array(8) }), reason);
}
refuses("a pickle without a protocol", () => makeTorch("}."), "begin with its protocol");
refuses("a pickle of protocol 9", () => makeTorch("\x80\x09}."), "found 9");
refuses("an empty pickle", () => makeTorch(""), "go on");

Deno.test("openTensorFile() runs nothing: a pickle that would write a file leaves none", () =>
  inTempFile(async (path) => {
    const proof = `${path}.proof`;
    await Deno.writeFile(path, makeTorch(`\x80\x02cposix\nsystem\n(${text(`touch ${proof}`)}tR.`));
    await assertRejects(() => readFully(path), SyntaxError, '"posix.system"');
    await assertRejects(() => Deno.stat(proof), Deno.errors.NotFound);
  }));

// --- numbers ---------------------------------------------------------------------------------------------------------

for (const bad of [NaN, Infinity, -Infinity]) {
  Deno.test(`readFinite() and readAdapter() refuse ${bad} by the tensor's name`, () =>
    inTempFile(async (path) => {
      const half = {
        dtype: "F16" as const,
        shape: [1],
        data: Number.isNaN(bad) ? Uint8Array.of(1, 0x7c) : Uint8Array.of(0, 0x7c),
      };
      await Deno.writeFile(
        path,
        encodeSafetensors({ good: float32Tensor([1], [1]), bad: float32Tensor([2], [1, bad]), half }),
      );
      const file = await openTensorFile(path);
      try {
        await readFinite(file, "good");
        checkMessage(await assertRejects(() => readFinite(file, "bad")), path, '"bad"');
        checkMessage(await assertRejects(() => readFinite(file, "half")), path, '"half"');
      } finally {
        file.close();
      }
      const lora = {
        layer_0: { q_proj: { w_lora_A: float32Tensor([1, 2], [1, bad]), w_lora_B: float32Tensor([2, 1], [0, 0]) } },
      };
      const both = { ...lora, layer_1: lora.layer_0 };
      await writeTorch(path, { weights: both, metadata: { r: 1 } });
      checkMessage(await assertRejects(() => readAdapter(path)), path, "text layer 0 q A");
    }));
}

Deno.test("describeTensors() refuses a damaged file as reading it does", () =>
  inTempFile(async (path) => {
    await Deno.writeFile(path, makeTorch("\x80\x02cposix\nsystem\n."));
    checkMessage(await assertRejects(() => describeTensors(path)), path, '"posix.system"');
    await assertRejects(() => describeTensors(join(path, "nope")), Error, "nope");
  }));
