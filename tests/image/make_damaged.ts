/**
 * A corpus of damaged images, made from the fixtures: cut at every structural boundary, lengths that lie, wrong checksums,
 * decompression bombs, absurd sizes. `deno run --allow-read --allow-write tests/image/make_damaged.ts DIR` writes it out;
 * the test writes it to a temporary folder.
 *
 * @module
 */
import { crc32, deflateRawSync, deflateSync } from "node:zlib";

/** One damaged file. */
export interface Damaged {
  name: string;
  bytes: Uint8Array;
}

const here = new URL("./", import.meta.url);
const fixture = (path: string): Uint8Array => Deno.readFileSync(new URL(path, here));

function concat(...parts: (Uint8Array | number[])[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

function be32(value: number): number[] {
  return [value >>> 24, value >>> 16 & 255, value >>> 8 & 255, value & 255];
}

/** A copy with some bytes changed. */
function patched(bytes: Uint8Array, at: number, values: number[]): Uint8Array {
  const out = bytes.slice();
  out.set(values, at);
  return out;
}

// PNG

interface Chunk {
  at: number;
  type: string;
  body: Uint8Array;
}

function pngChunks(bytes: Uint8Array): Chunk[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const chunks: Chunk[] = [];
  for (let at = 8; at < bytes.length;) {
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    chunks.push({ at, type, body: bytes.subarray(at + 8, at + 8 + length) });
    at += 12 + length;
  }
  return chunks;
}

function pngChunk(type: string, body: Uint8Array | number[]): Uint8Array {
  const named = concat([...type].map((letter) => letter.charCodeAt(0)), body);
  return concat(be32(body.length), named, be32(crc32(named)));
}

function png(...chunks: Uint8Array[]): Uint8Array {
  return concat([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10], ...chunks);
}

function ihdr(width: number, height: number, depth = 8, colour = 0, rest = [0, 0, 0]): Uint8Array {
  return pngChunk("IHDR", [...be32(width), ...be32(height), depth, colour, ...rest]);
}

function* damagedPngs(): Generator<Damaged> {
  for (const file of ["grey_odd", "palette_2bit", "rgba_16bit", "interlaced_rgb"]) {
    const bytes = fixture(`fixtures/${file}.png`);
    const chunks = pngChunks(bytes);
    for (const { at, type, body } of chunks) {
      const stops = {
        start: 0,
        length: 2,
        type: 6,
        body: 8,
        middle: 8 + (body.length >> 1),
        crc: 8 + body.length,
        end: 10,
      };
      for (const [where, offset] of Object.entries(stops)) {
        const end = where === "end" ? at + 10 + body.length : at + offset;
        yield { name: `${file}_cut_${type}_${at}_${where}.png`, bytes: bytes.slice(0, end) };
      }
      yield {
        name: `${file}_crc_${type}_${at}.png`,
        bytes: patched(bytes, at + 8 + body.length, [bytes[at + 8 + body.length]! ^ 1]),
      };
      for (const length of [body.length + 1, body.length - 1, 0, 0x7fffffff, 0xffffffff]) {
        if (length === body.length || length < 0) continue;
        yield { name: `${file}_length_${type}_${at}_${length}.png`, bytes: patched(bytes, at, be32(length)) };
      }
      if (type !== "tRNS" && body.length > 0) {
        const others = chunks.filter((chunk) => chunk.at !== at).map((chunk) => pngChunk(chunk.type, chunk.body));
        yield { name: `${file}_without_${type}_${at}.png`, bytes: png(...others) };
      }
    }
    const rest = chunks.slice(1).map((chunk) => pngChunk(chunk.type, chunk.body));
    const header = chunks[0]!.body;
    const changes: [string, number, number[]][] = [
      ["wider", 0, be32(5000)],
      ["one_wider", 3, [header[3]! + 40]],
      ["lower", 7, [header[7]! - 1]],
      ["higher", 7, [header[7]! + 1]],
      ["no_width", 0, be32(0)],
      ["no_height", 4, be32(0)],
      ["huge", 0, [...be32(0x7fffffff), ...be32(0x7fffffff)]],
      ["depth_3", 8, [3]],
      ["colour_5", 9, [5]],
      ["compression_1", 10, [1]],
      ["filter_1", 11, [1]],
      ["interlace_2", 12, [2]],
    ];
    for (const [what, at, values] of changes) {
      yield { name: `${file}_header_${what}.png`, bytes: png(pngChunk("IHDR", patched(header, at, values)), ...rest) };
    }
  }
  const end = pngChunk("IEND", []);
  const zeros = deflateSync(new Uint8Array(40 * 2 ** 20));
  yield { name: "bomb_small_header.png", bytes: png(ihdr(100, 100), pngChunk("IDAT", zeros), end) };
  yield { name: "bomb_400_megapixels.png", bytes: png(ihdr(20_000, 20_000), pngChunk("IDAT", zeros), end) };
  yield { name: "bomb_rgba_16.png", bytes: png(ihdr(9000, 9000, 16, 6), pngChunk("IDAT", zeros), end) };
  yield {
    name: "bomb_header_only.png",
    bytes: png(ihdr(9000, 9000), pngChunk("IDAT", deflateSync(new Uint8Array(9))), end),
  };
  const profile = concat([...new TextEncoder().encode("x\0\0")], deflateSync(new Uint8Array(2 ** 20)));
  yield { name: "bomb_profile_no_data.png", bytes: png(ihdr(9, 9), pngChunk("iCCP", profile), end) };
  yield { name: "filter_9.png", bytes: png(ihdr(2, 1), pngChunk("IDAT", deflateSync(Uint8Array.of(9, 1, 1))), end) };
  yield {
    name: "index_beyond_palette.png",
    bytes: png(
      ihdr(2, 1, 8, 3),
      pngChunk("PLTE", [1, 2, 3]),
      pngChunk("IDAT", deflateSync(Uint8Array.of(0, 0, 1))),
      end,
    ),
  };
  yield {
    name: "palette_of_4_bytes.png",
    bytes: png(
      ihdr(1, 1, 8, 3),
      pngChunk("PLTE", [1, 2, 3, 4]),
      pngChunk("IDAT", deflateSync(Uint8Array.of(0, 0))),
      end,
    ),
  };
  yield {
    name: "unknown_critical.png",
    bytes: png(ihdr(1, 1), pngChunk("ABCD", []), pngChunk("IDAT", deflateSync(Uint8Array.of(0, 0))), end),
  };
  yield {
    name: "two_headers.png",
    bytes: png(ihdr(1, 1), ihdr(1, 2), pngChunk("IDAT", deflateSync(Uint8Array.of(0, 0))), end),
  };
  const good = deflateSync(Uint8Array.of(0, 7, 0, 8));
  yield {
    name: "adler.png",
    bytes: png(ihdr(1, 2), pngChunk("IDAT", patched(good, good.length - 1, [good[good.length - 1]! ^ 1])), end),
  };
}

// JPEG

function jpegSegments(bytes: Uint8Array): { at: number; code: number; end: number }[] {
  const segments = [];
  for (let at = 2; at < bytes.length;) {
    const code = bytes[at + 1]!;
    if (code === 0xd9) break;
    let end = at + 2 + (bytes[at + 2]! << 8 | bytes[at + 3]!);
    if (code === 0xda) {
      while (!(bytes[end] === 0xff && bytes[end + 1] !== 0 && (bytes[end + 1]! < 0xd0 || bytes[end + 1]! > 0xd7))) {
        end++;
      }
    }
    segments.push({ at, code, end });
    at = end;
  }
  return segments;
}

function* damagedJpegs(): Generator<Damaged> {
  const eoi = [0xff, 0xd9];
  for (const file of ["grey_jpeg", "jpeg_420", "jpeg_420_progressive", "jpeg_restart"]) {
    const bytes = fixture(`fixtures/${file}.jpg`);
    for (const { at, code, end } of jpegSegments(bytes)) {
      const id = `${code.toString(16)}_${at}`;
      const stops = { start: at, marker: at + 1, length: at + 3, middle: at + end >> 1, end: end - 1, after: end };
      for (const [where, stop] of Object.entries(stops)) {
        yield { name: `${file}_cut_${id}_${where}.jpg`, bytes: bytes.slice(0, stop) };
      }
      for (const length of [0, 1, 0xffff]) {
        yield {
          name: `${file}_length_${id}_${length}.jpg`,
          bytes: patched(bytes, at + 2, [length >> 8, length & 255]),
        };
      }
      if (code === 0xda) {
        // Cut inside the scan, then closed as if nothing were missing: libjpeg alone would fill in grey.
        for (const part of [0.1, 0.5, 0.9]) {
          const stop = Math.round(at + 14 + (end - at - 14) * part);
          yield { name: `${file}_closed_${id}_${part}.jpg`, bytes: concat(bytes.subarray(0, stop), eoi) };
        }
      }
      if (code === 0xc0 || code === 0xc2) {
        const sizes: [string, number[]][] = [
          ["no_width", [bytes[at + 5]!, bytes[at + 6]!, 0, 0]],
          ["no_height", [0, 0, bytes[at + 7]!, bytes[at + 8]!]],
          ["huge", [255, 255, 255, 255]],
          ["limit", [0x4e, 0x20, 0x0f, 0xa0]],
          ["higher", [bytes[at + 5]! + 1, bytes[at + 6]!, bytes[at + 7]!, bytes[at + 8]!]],
        ];
        for (const [what, values] of sizes) {
          yield { name: `${file}_size_${what}.jpg`, bytes: patched(bytes, at + 5, values) };
        }
        yield { name: `${file}_12_bits.jpg`, bytes: patched(bytes, at + 4, [12]) };
        yield { name: `${file}_components.jpg`, bytes: patched(bytes, at + 9, [bytes[at + 9]! + 1]) };
        yield { name: `${file}_arithmetic.jpg`, bytes: patched(bytes, at + 1, [0xc9]) };
        yield {
          name: `${file}_two_frames.jpg`,
          bytes: concat(bytes.subarray(0, at), bytes.subarray(at, end), bytes.subarray(at)),
        };
      }
      if (code === 0xc4 || code === 0xdb) {
        yield { name: `${file}_without_${id}.jpg`, bytes: concat(bytes.subarray(0, at), bytes.subarray(end)) };
      }
    }
  }
  const progressive = fixture("fixtures/jpeg_420_progressive.jpg");
  const scan = jpegSegments(progressive).findLast(({ code }) => code === 0xda)!;
  const again = progressive.subarray(scan.at, scan.end);
  const head = patched(progressive.subarray(0, scan.end), progressive.indexOf(0xc2) + 4, [0x1f, 0x40, 0x1f, 0x40]);
  yield { name: "bomb_200_scans.jpg", bytes: concat(head, ...Array.from({ length: 200 }, () => again), eoi) };
}

// DICOM

const LONG = new Set(["OB", "OW", "SQ", "UN", "UT", "UC", "UR", "OF", "OD", "OL"]);

/** Top-level elements of an explicit little-endian fixture, and the items of its encapsulated pixels. */
function dicomElements(
  bytes: Uint8Array,
): { at: number; tag: string; value: number; lengthAt: number; length: number }[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const out = [];
  for (let at = 132; at < bytes.length;) {
    const group = view.getUint16(at, true);
    const tag = `${group.toString(16).padStart(4, "0")}${view.getUint16(at + 2, true).toString(16).padStart(4, "0")}`;
    const vr = String.fromCharCode(bytes[at + 4]!, bytes[at + 5]!);
    const short = group !== 0xfffe && !LONG.has(vr);
    const lengthAt = group === 0xfffe ? at + 4 : short ? at + 6 : at + 8;
    const length = short ? view.getUint16(lengthAt, true) : view.getUint32(lengthAt, true);
    const value = lengthAt + (short ? 2 : 4);
    out.push({ at, tag, value, lengthAt, length });
    at = length === 0xffffffff ? value : value + length;
  }
  return out;
}

function* damagedDicoms(): Generator<Damaged> {
  const files = [
    "explicit_8",
    "rle_16",
    "lossless_sv1",
    "lossless_fragments",
    "jpegls_8",
    "j2k_16",
    "jpeg_8",
    "extended_12_restart",
  ];
  for (const file of files) {
    const bytes = fixture(`dicom_fixtures/${file}.dcm`);
    const elements = dicomElements(bytes);
    for (const { at, tag, value, lengthAt, length } of elements) {
      const known = length === 0xffffffff ? 0 : length;
      const stops = { start: at, tag: at + 2, length: lengthAt, value, middle: value + (known >> 1) };
      for (const [where, stop] of Object.entries(stops)) {
        if (stop >= bytes.length) continue;
        yield { name: `${file}_cut_${tag}_${at}_${where}.dcm`, bytes: bytes.slice(0, stop) };
      }
      const wide = value - lengthAt === 4;
      for (const lie of [known + 2, 0xfffe, ...(wide ? [0x7ffffffe, 0xfffffffe] : [])]) {
        const values = wide ? be32(lie).reverse() : [lie & 255, lie >> 8 & 255];
        // The meta group's own length is advice: the group is walked. Text may take in the next element's bytes.
        if (tag === "00020000") continue;
        yield { name: `${file}_length_${tag}_${at}_${lie}.dcm`, bytes: patched(bytes, lengthAt, values) };
      }
    }
    const find = (tag: string): number => elements.find((element) => element.tag === tag)!.value;
    const sizes: [string, string, number][] = [
      ["rows", "00280010", 65535],
      ["columns", "00280011", 65535],
      ["no_rows", "00280010", 0],
      ["no_columns", "00280011", 0],
      ["one_more_row", "00280010", bytes[find("00280010")]! + 1],
      ["one_more_column", "00280011", bytes[find("00280011")]! + 1],
      ["samples", "00280002", 3],
      ["allocated_12", "00280100", 12],
      ["stored_0", "00280101", 0],
      ["stored_17", "00280101", 17],
      ["high_bit", "00280102", 3],
      ["signed_2", "00280103", 2],
    ];
    for (const [what, tag, value] of sizes) {
      yield { name: `${file}_${what}.dcm`, bytes: patched(bytes, find(tag), [value & 255, value >> 8]) };
    }
    const square = patched(patched(bytes, find("00280010"), [0x40, 0x1f]), find("00280011"), [0x40, 0x1f]);
    yield { name: `${file}_64_megapixels.dcm`, bytes: square };
    const rows = elements.find((element) => element.tag === "00280010")!;
    const twice = concat(bytes.subarray(0, rows.value + 2), bytes.subarray(rows.at));
    yield { name: `${file}_rows_twice.dcm`, bytes: twice };
    yield { name: `${file}_unknown_vr.dcm`, bytes: patched(bytes, rows.at + 4, [0x7a, 0x7a]) };
  }
  const rle = fixture("dicom_fixtures/rle_16.dcm");
  const header = dicomElements(rle).filter(({ tag }) => tag === "fffee000")[1]!.value;
  for (
    const [what, at, value] of [
      ["segments_0", 0, 0],
      ["segments_15", 0, 15],
      ["segments_max", 0, -1],
      ["offset_0", 4, 0],
      ["offset_past_end", 8, 1 << 20],
      ["offsets_swapped", 4, 1000],
    ] as const
  ) {
    yield { name: `rle_${what}.dcm`, bytes: patched(rle, header + at, be32(value).reverse()) };
  }
  const j2k = fixture("dicom_fixtures/j2k_16.dcm");
  const marker = (bytes: Uint8Array, code: number): number =>
    bytes.findIndex((byte, i) => byte === 0xff && bytes[i + 1] === code);
  const sot = marker(j2k, 0x90), siz = marker(j2k, 0x51);
  for (const length of [1, 13, 0x7fffffff]) {
    yield { name: `j2k_tile_length_${length}.dcm`, bytes: patched(j2k, sot + 6, be32(length)) };
  }
  yield { name: "j2k_huge_siz.dcm", bytes: patched(j2k, siz + 6, [...be32(0x7fffffff), ...be32(0x7fffffff)]) };
  yield { name: "j2k_38_bits.dcm", bytes: patched(j2k, siz + 40, [37]) };
  yield { name: "j2k_tiny_tiles.dcm", bytes: patched(j2k, siz + 22, [...be32(0), ...be32(0)]) };
  const explicit = fixture("dicom_fixtures/explicit_8.dcm");
  const first = dicomElements(explicit).find(({ tag }) => tag === "00080016")!.at;
  const deep = Array.from(
    { length: 5000 },
    () => [0x08, 0, 0x11, 0x11, 0x53, 0x51, 0, 0, 255, 255, 255, 255, 0xfe, 0xff, 0, 0xe0, 255, 255, 255, 255],
  ).flat();
  yield { name: "deep_sequences.dcm", bytes: concat(explicit.subarray(0, first), deep) };
  const deflated = fixture("dicom_fixtures/deflated_12.dcm");
  const meta = 132 + 12 + 8 + 22;
  yield { name: "deflated_cut.dcm", bytes: deflated.slice(0, deflated.length - 40) };
  const bomb = deflateRawSync(new Uint8Array(200 * 2 ** 20), { level: 9 });
  yield { name: "bomb_deflated.dcm", bytes: concat(deflated.subarray(0, meta), bomb) };
  for (const file of ["implicit_12_window", "big_16", "no_meta_implicit", "undefined_sequence"]) {
    const bytes = fixture(`dicom_fixtures/${file}.dcm`);
    for (let cut = 10; cut < bytes.length; cut += 37) {
      yield { name: `${file}_cut_${cut}.dcm`, bytes: bytes.slice(0, cut) };
    }
  }
}

function* notImages(): Generator<Damaged> {
  yield { name: "empty.png", bytes: new Uint8Array(0) };
  yield { name: "one_byte.jpg", bytes: Uint8Array.of(0xff) };
  yield { name: "text.png", bytes: new TextEncoder().encode("this is no image\nat all\n") };
  yield { name: "zeros.dcm", bytes: new Uint8Array(1000) };
  yield { name: "preamble_only.dcm", bytes: concat(new Uint8Array(128), [0x44, 0x49, 0x43, 0x4d]) };
  yield { name: "gif.png", bytes: new TextEncoder().encode("GIF89a\u0001\0\u0001\0") };
}

/** The whole corpus. */
export function* damagedFiles(): Generator<Damaged> {
  yield* damagedPngs();
  yield* damagedJpegs();
  yield* damagedDicoms();
  yield* notImages();
}

if (import.meta.main) {
  const folder = Deno.args[0] ?? await Deno.makeTempDir();
  let count = 0;
  for (const { name, bytes } of damagedFiles()) {
    await Deno.writeFile(`${folder}/${name}`, bytes);
    count++;
  }
  console.log(`${count} files in ${folder}`);
}
