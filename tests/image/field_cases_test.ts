/** Files from problem reports, made here in small; the reported ones where they are. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { decodeImage, oriented, type RasterImage, readImage } from "../../lib/image/mod.ts";
import { CASES, needsCase } from "../cases.ts";

const ascii = (text: string): number[] => [...text].map((char) => char.charCodeAt(0));
const u16 = (...values: number[]): number[] => values.flatMap((value) => [value & 255, value >> 8]);
const u32 = (value: number): number[] => [...u16(value & 0xffff), ...u16(value >>> 16)];

function element(tag: number, vr: string, value: readonly number[]): number[] {
  const padded = value.length % 2 === 0 ? value : [...value, vr === "UI" ? 0 : 32];
  const isLong = vr === "OW" || vr === "SQ";
  const length = isLong ? [0, 0, ...u32(padded.length)] : u16(padded.length);
  return [...u16(tag >>> 16, tag & 0xffff), ...ascii(vr), ...length, ...padded];
}

const WORDS = Array.from({ length: 16 }, (_, i) => 256 * i); // 4 x 4 of 12 bits
const FILM: Record<number, number[]> = {
  0x00280002: element(0x00280002, "US", u16(1)),
  0x00280004: element(0x00280004, "CS", ascii("MONOCHROME2")),
  0x00280010: element(0x00280010, "US", u16(4)),
  0x00280011: element(0x00280011, "US", u16(4)),
  0x00280100: element(0x00280100, "US", u16(16)),
  0x00280101: element(0x00280101, "US", u16(12)),
  0x00280102: element(0x00280102, "US", u16(11)),
  0x00280103: element(0x00280103, "US", u16(0)),
  0x7fe00010: element(0x7fe00010, "OW", u16(...WORDS)),
};

/** An explicit little-endian file; an element that is undefined is left out. */
function film(changes: Record<number, number[] | undefined> = {}): Uint8Array {
  const elements = { ...FILM, ...changes };
  const tags = Object.keys(elements).map(Number).sort((a, b) => a - b);
  const syntax = element(0x00020010, "UI", ascii("1.2.840.10008.1.2.1"));
  const head = [...new Array(128).fill(0), ...ascii("DICM"), ...syntax];
  return Uint8Array.from([...head, ...tags.flatMap((tag) => elements[tag] ?? [])]);
}

const number = (tag: number, text: string): number[] => element(tag, "DS", ascii(text));

function voiLut(bits: number): number[] {
  const values = Array.from({ length: 4096 }, (_, i) => i);
  const item = [...element(0x00283002, "US", u16(4096, 0, bits)), ...element(0x00283006, "OW", u16(...values))];
  return element(0x00283010, "SQ", [...u16(0xfffe, 0xe000), ...u32(item.length), ...item]);
}

Deno.test("decodeImage() shows a VOI LUT by the bits its entries have, not by those it declares", async () => {
  const right = await decodeImage(film({ 0x00283010: voiLut(12) }), "12");
  const wide = await decodeImage(film({ 0x00283010: voiLut(16) }), "16");
  assertEquals(wide.data, right.data);
  assertEquals(right.notes, undefined);
  assertEquals(wide.notes, ["its VOI LUT (0028,3010) declares 16 bits and holds 12: it is read as of 12"]);
  const window = film({ 0x00281050: number(0x00281050, "2048"), 0x00281051: number(0x00281051, "4096") });
  assertEquals((await decodeImage(window, "window")).data, right.data);
});

Deno.test("decodeImage() notes JPEG of 12 bits, also under the transfer syntax of 8", async () => {
  const path = new URL("dicom_fixtures/extended_12.dcm", import.meta.url);
  const right = await Deno.readFile(path);
  const text = Array.from(right, (byte) => String.fromCharCode(byte)).join("");
  const wrong = Uint8Array.from(ascii(text.replace("1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.50")));
  const [image, noted] = [await decodeImage(right, "right"), await decodeImage(wrong, "wrong")];
  assertEquals(noted.data, image.data);
  assertEquals(image.notes, [
    "its compressed stream is JPEG of 12 bits, which few readers know: it is read as libjpeg reads it",
  ]);
  const syntax = "1.2.840.10008.1.2.4.50";
  assertEquals(noted.notes, [`its transfer syntax ${syntax} is JPEG of 8 bits, its compressed stream has 12`]);
});

Deno.test("decodeImage() reads excess bytes and 0 frames as pydicom 3 does, and says so", async () => {
  const plain = await decodeImage(film(), "plain");
  const excess = film({ 0x7fe00010: element(0x7fe00010, "OW", [...u16(...WORDS), ...new Array(20).fill(7)]) });
  const frames = film({ 0x00280008: element(0x00280008, "IS", ascii("0")) });
  for (const [bytes, note] of [[excess, "20 bytes more"], [frames, "is 0: it is read as 1"]] as const) {
    const { data, notes } = await decodeImage(bytes, "x");
    assertEquals(data, plain.data);
    assert(notes?.length === 1 && notes[0]!.includes(note), `${notes}`);
  }
  const two = film({ 0x7fe00010: element(0x7fe00010, "OW", u16(...WORDS, ...WORDS)) });
  await assertRejects(() => decodeImage(two, "two.dcm"), SyntaxError, "more than one picture");
  const short = film({ 0x7fe00010: element(0x7fe00010, "OW", u16(...WORDS.slice(1))) });
  await assertRejects(() => decodeImage(short, "short.dcm"), SyntaxError, "its header needs 32 bytes of pixels");
});

Deno.test("decodeImage() says why a DICOM's picture is one grey", async () => {
  const window = (center: string) => ({
    0x00281050: number(0x00281050, center),
    0x00281051: number(0x00281051, "10"),
  });
  const flat: [changes: Record<number, number[]>, reason: string][] = [
    [
      { 0x00281053: number(0x00281053, "0"), 0x00281052: number(0x00281052, "0"), ...window("2048") },
      "slope (0028,1053) is 0",
    ],
    [window("90000"), "window (centre 90000, width 10) lies off its values"],
    [{ 0x7fe00010: element(0x7fe00010, "OW", u16(...WORDS.map(() => 9))) }, "all its stored values are equal"],
  ];
  for (const [changes, reason] of flat) {
    const { notes } = await decodeImage(film(changes), "x");
    assert(notes?.some((note) => note.startsWith("its picture is one grey") && note.includes(reason)), `${notes}`);
  }
});

Deno.test("decodeImage() refuses a DICOM that leaves out what its pixels mean", async () => {
  for (
    const [tag, what] of [
      [0x00280002, "samples per pixel"],
      [0x00280004, "photometric interpretation"],
      [0x00280101, "bits stored"],
      [0x00280103, "pixel representation"],
    ] as const
  ) {
    const error = await assertRejects(() => decodeImage(film({ [tag]: undefined }), "x.dcm"), SyntaxError) as Error;
    for (
      const words of [
        `"x.dcm" as DICOM: it must state its ${what} (0028,`,
        "add that element, or save the picture as PNG",
      ]
    ) {
      assert(error.message.includes(words), error.message);
    }
  }
});

Deno.test("decodeImage() shows a file's escape sequences as text in what it says", async () => {
  const bytes = film({ 0x00280004: element(0x00280004, "CS", ascii("M\x1b[31mRED\x07")) });
  const error = await assertRejects(() => decodeImage(bytes, "x.dcm"), SyntaxError) as Error;
  assert(error.message.includes('"M\\u001b[31mRED\\u0007"'), error.message);
});

const at = (name: string): string => fromFileUrl(new URL(name, import.meta.url));

Deno.test("readImage() leaves an EXIF orientation alone with a note, and applies it when asked", async () => {
  const plain = await readImage(at("fixtures/jpeg_exif_rotated.jpg"));
  assertEquals([plain.width, plain.height], [60, 40]);
  assert(
    /^its EXIF orientation [2-8] is not applied; the option exif turns it$/.test(plain.notes![0]!),
    `${plain.notes}`,
  );
  const turned = await readImage(at("fixtures/jpeg_exif_rotated.jpg"), { exif: true });
  assertEquals(turned.notes, undefined);
  assertEquals([turned.width, turned.height].sort(), [40, 60]);
});

Deno.test("oriented() puts the file's first pixel where each of the eight orientations says", () => {
  const image: RasterImage = { width: 3, height: 2, channels: 1, bitDepth: 8, data: Uint8Array.of(1, 2, 3, 4, 5, 6) };
  const expected: Record<number, number[][]> = {
    1: [[1, 2, 3], [4, 5, 6]],
    2: [[3, 2, 1], [6, 5, 4]],
    3: [[6, 5, 4], [3, 2, 1]],
    4: [[4, 5, 6], [1, 2, 3]],
    5: [[1, 4], [2, 5], [3, 6]],
    6: [[4, 1], [5, 2], [6, 3]],
    7: [[6, 3], [5, 2], [4, 1]],
    8: [[3, 6], [2, 5], [1, 4]],
  };
  for (const [orientation, rows] of Object.entries(expected)) {
    const { width, height, data } = oriented(image, Number(orientation));
    assertEquals([width, height, [...data]], [rows[0]!.length, rows.length, rows.flat()], orientation);
  }
});

Deno.test("decodeImage() names what a file is that it does not read", async () => {
  const others: [start: string, name: string][] = [
    ["GIF89a....", "a GIF"],
    ["BM\x10\0\0\0\0\0\0\0", "a BMP"],
    ["\0\0\0\x18ftypheic", "an HEIF"],
    ["%PDF-1.7", "a PDF"],
    ["PK\x03\x04....", "a zip archive"],
    ["<!DOCTYPE html>", "a web page"],
    ["image,label\nx.png", "text"],
    ["hello\n", "text"],
    ["\xc3\x9cbersicht", "text"], // UTF-8
    ["L\xc3", "text"], // cut in a letter
    ["\xff\xfeh\0i\0", "text"], // UTF-16
    ["\xff\xd8", "bytes ff d8"],
    ["", "an empty file"],
    ["\x01\x02\x03\x04\x05\x06\x07\x08", "bytes 01 02"],
  ];
  for (const [start, name] of others) {
    await assertRejects(() => decodeImage(Uint8Array.from(ascii(start)), "x"), SyntaxError, `found ${name}`);
  }
});

Deno.test({
  ...needsCase("voi_lut", "readImage() shows three files alike: a window, a VOI LUT of 12 bits, one that declares 16"),
  fn: async () => {
    const [a, b, c] = await Promise.all(
      ["window", "lut12", "lut16"].map((name) => readImage(join(CASES, "voi_lut", `film_${name}.dcm`))),
    );
    assertEquals(b!.data, c!.data);
    const furthest = [...a!.data].reduce((most, value, i) => Math.max(most, Math.abs(value - b!.data[i]!)), 0);
    assert(furthest <= 1, `${furthest}`);
  },
});
Deno.test({
  ...needsCase("dicom_refused", "readImage() reads excess bytes and 0 frames"),
  fn: async () => {
    for (const name of ["film_excess512", "film_frames0"]) {
      assertEquals((await readImage(join(CASES, "dicom_refused", `${name}.dcm`))).notes?.length, 1);
    }
  },
});
Deno.test({
  ...needsCase("dicom_silent", "readImage() says that a slope of 0 leaves one grey"),
  fn: async () => {
    const { notes } = await readImage(join(CASES, "dicom_silent", "film_slope0.dcm"));
    assert(notes?.[0]?.includes("rescale slope (0028,1053) is 0"), `${notes}`);
  },
});
Deno.test({
  ...needsCase("exif", "readImage() turns a JPEG by its EXIF orientation when asked: it is then the PNG beside it"),
  fn: async () => {
    const path = join(CASES, "exif", "exif6.jpg");
    assertEquals((await readImage(path)).notes, ["its EXIF orientation 6 is not applied; the option exif turns it"]);
    const plain = await readImage(join(CASES, "exif", "plain.png"));
    const turned = await readImage(path, { exif: true });
    assertEquals([turned.width, turned.height], [plain.width, plain.height]);
    const step = plain.channels / turned.channels; // a grey JPEG of an RGB PNG, or the same
    const sum = [...turned.data].reduce(
      (sum, value, i) => sum + Math.abs(value - plain.data[Math.floor(i * step)]!),
      0,
    );
    assert(sum / turned.data.length < 6, `mean difference ${sum / turned.data.length}`);
  },
});
Deno.test({
  ...needsCase("escapes", "readImage() shows escape sequences as text"),
  fn: async () => {
    const read = () => readImage(join(CASES, "escapes", "photometric_esc.dcm"));
    const error = await assertRejects(read, SyntaxError) as Error;
    // deno-lint-ignore no-control-regex
    assert(!/[\x00-\x1f]/.test(error.message) && error.message.includes("\\u001b[31mRED"), error.message);
  },
});
