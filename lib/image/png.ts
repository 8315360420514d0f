/**
 * PNG, read as Pillow's `Image.open` sees it, and written.
 *
 * Chunks are walked and checked here before anything is inflated, so that a decompression bomb or a lying header costs
 * nothing; fast-png (which writes for us) inflates without a bound and misreads interlaced images below 8 bits.
 *
 * @module
 */
import { encode } from "fast-png";
import { checkImageSize, type RasterImage } from "./raster.ts";
import { inflatedBytes, readScanlines, type ScanlineLayout } from "./_png_scanlines.ts";
import { crc32, inflateSync } from "../platform/zlib.ts";
import { errorCode, errorMessage } from "../platform/error_message.ts";

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** Most bytes that image data may inflate to. */
const MAX_INFLATED = 256 * 2 ** 20;

const SAMPLES: Record<number, number> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const DEPTHS: Record<number, number[]> = { 0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16] };

/** What a PNG's header says. */
export interface PngHeader {
  /** Columns, pixels. */
  width: number;
  /** Rows, pixels. */
  height: number;
  /** Bits of one sample in the file: 1, 2, 4, 8 or 16. */
  depth: number;
  /** 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha. */
  colourType: number;
  /** Whether Adam7's seven passes are used. */
  interlaced: boolean;
}

/** Whether the bytes begin with PNG's signature. */
export function isPng(bytes: Uint8Array): boolean {
  return SIGNATURE.every((byte, i) => bytes[i] === byte);
}

/**
 * Reads a PNG: 1, 2, 4, 8 or 16 bits, grey, palette or RGB, with or without alpha or interlace.
 *
 * A palette is expanded to RGB and `tRNS` is left out, as Pillow's `convert("RGB")` does; grey of 1, 2 and 4 bits is
 * scaled to 0..255; 16-bit samples stay 16 bits.
 *
 * @param bytes The whole file.
 * @param name The file's name, for messages.
 * @throws {SyntaxError} If a chunk is cut short, its CRC is wrong, the order or a header is not PNG's, the size is above
 * the limits, or the data are shorter or longer than the header's size needs.
 */
export function decodePng(bytes: Uint8Array, name: string): RasterImage {
  const fail = (what: string): never => {
    throw new SyntaxError(`Cannot read "${name}" as PNG: ${what}`);
  };
  const { header, palette, parts, isAnimated } = readChunks(bytes, name, fail);
  const layout: ScanlineLayout = { ...header, samples: SAMPLES[header.colourType]! };
  const inflated = inflateParts(parts, inflatedBytes(layout), fail);
  let samples: Uint8Array | Uint16Array;
  try {
    samples = readScanlines(inflated, layout);
  } catch (error) {
    return fail(errorMessage(error));
  }
  const image = toRaster(samples, { header, palette, fail });
  return isAnimated ? { ...image, notes: ["it is animated: the picture that stands for it is read"] } : image;
}

function readChunks(
  bytes: Uint8Array,
  name: string,
  fail: (what: string) => never,
): { header: PngHeader; palette: Uint8Array | undefined; parts: Uint8Array[]; isAnimated: boolean } {
  if (!isPng(bytes)) fail("it must begin with PNG's 8-byte signature");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts: Uint8Array[] = [];
  let header: PngHeader | undefined;
  let palette: Uint8Array | undefined;
  let lastType = "";
  let isAnimated = false;
  for (let offset = 8;;) {
    if (offset + 12 > bytes.length) fail(`the file ends at byte ${bytes.length} before its IEND chunk`);
    const length = view.getUint32(offset);
    const type = String.fromCharCode(...bytes.subarray(offset + 4, offset + 8));
    if (!/^[A-Za-z]{4}$/.test(type)) fail(`byte ${offset + 4} must begin a chunk's four-letter type`);
    if (offset + 12 + length > bytes.length) {
      fail(`chunk ${type} at byte ${offset} says ${length} bytes, the file has ${bytes.length - offset - 12} left`);
    }
    const body = bytes.subarray(offset + 8, offset + 8 + length);
    if (crc32(bytes.subarray(offset + 4, offset + 8 + length)) !== view.getUint32(offset + 8 + length)) {
      fail(`chunk ${type} at byte ${offset} has a wrong CRC`);
    }
    if (!header) {
      if (type !== "IHDR") fail(`the first chunk must be IHDR, found ${type}`);
      header = readHeader(body, name, fail);
    } else if (type === "IHDR") fail("it has a second IHDR chunk");
    else if (type === "PLTE") palette = body;
    else if (type === "acTL") isAnimated = true;
    else if (type === "IDAT") {
      if (parts.length > 0 && lastType !== "IDAT") fail("its IDAT chunks must follow one another");
      parts.push(body);
    } else if (type === "IEND") break;
    else if (type[0]! >= "A" && type[0]! <= "Z") fail(`critical chunk ${type} is not known`);
    lastType = type;
    offset += 12 + length;
  }
  if (parts.length === 0) fail("it has no IDAT chunk");
  return { header: header!, palette, parts, isAnimated };
}

function readHeader(body: Uint8Array, name: string, fail: (what: string) => never): PngHeader {
  if (body.length !== 13) fail(`IHDR must have 13 bytes, found ${body.length}`);
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const [depth, colourType, compression, filter, interlace] = Array.from(body.subarray(8));
  const header = {
    width: view.getUint32(0),
    height: view.getUint32(4),
    depth: depth!,
    colourType: colourType!,
    interlaced: interlace === 1,
  };
  if (!DEPTHS[header.colourType]?.includes(header.depth)) {
    fail(`colour type ${colourType} with ${depth} bits is not one of PNG's`);
  }
  if (compression !== 0 || filter !== 0 || interlace! > 1) {
    fail(`compression, filter and interlace must be 0, 0 and 0 or 1, found ${compression}, ${filter}, ${interlace}`);
  }
  checkImageSize(header, name);
  return header;
}

/** Inflates no more than `expected` bytes and insists on exactly that many. */
function inflateParts(parts: Uint8Array[], expected: number, fail: (what: string) => never): Uint8Array {
  if (expected > MAX_INFLATED) {
    fail(`its header needs ${expected} bytes of image data, at most ${MAX_INFLATED} are read`);
  }
  const compressed = concat(parts);
  // Deflate cannot shrink below 1/1032: a file this small cannot hold the image, so its size is not allocated.
  if (compressed.length * 1032 + 64 < expected) {
    fail(`its header needs ${expected} bytes of image data, ${compressed.length} compressed bytes cannot hold them`);
  }
  let inflated: Uint8Array;
  try {
    inflated = inflateSync(compressed, { maxOutputLength: expected });
  } catch (error) {
    return fail(
      errorCode(error) === "ERR_BUFFER_TOO_LARGE"
        ? `its data inflate to more than the ${expected} bytes the header needs`
        : `its data do not inflate (${errorMessage(error)})`,
    );
  }
  if (inflated.length !== expected) {
    fail(`its header needs ${expected} bytes of image data, found ${inflated.length}`);
  }
  return inflated;
}

function concat(parts: Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

function toRaster(
  samples: Uint8Array | Uint16Array,
  from: { header: PngHeader; palette: Uint8Array | undefined; fail: (what: string) => never },
): RasterImage {
  const { header: { width, height, depth, colourType }, palette, fail } = from;
  if (colourType === 3) return { ...expandPalette(samples, palette, fail), width, height };
  const channels = SAMPLES[colourType] as 1 | 2 | 3 | 4;
  if (depth === 16) return { width, height, channels, bitDepth: 16, data: samples };
  if (depth < 8) {
    const scale = 255 / ((1 << depth) - 1);
    for (let i = 0; i < samples.length; i++) samples[i] = samples[i]! * scale;
  }
  return { width, height, channels, bitDepth: 8, data: samples, ...(depth === 1 ? { indexed: true } : {}) };
}

function expandPalette(
  indices: Uint8Array | Uint16Array,
  palette: Uint8Array | undefined,
  fail: (what: string) => never,
): Omit<RasterImage, "width" | "height"> {
  if (!palette) return fail("it has palette indices and no PLTE chunk");
  if (palette.length === 0 || palette.length % 3 !== 0 || palette.length > 768) {
    fail(`PLTE must have 3 to 768 bytes in threes, found ${palette.length}`);
  }
  const data = new Uint8Array(indices.length * 3);
  for (let i = 0, to = 0; i < indices.length; i++, to += 3) {
    const entry = indices[i]! * 3;
    if (entry >= palette.length) {
      fail(`a pixel's index is ${indices[i]}, the palette has ${palette.length / 3} colours`);
    }
    data[to] = palette[entry]!;
    data[to + 1] = palette[entry + 1]!;
    data[to + 2] = palette[entry + 2]!;
  }
  return { channels: 3, bitDepth: 8, data, indexed: true };
}

/**
 * Writes a PNG, lossless, in the image's own channels and bits.
 *
 * @param image 8 or 16 bits, 1 to 4 channels.
 */
export function encodePng(image: RasterImage): Uint8Array {
  const { width, height, channels, bitDepth: depth, data } = image;
  return encode({ width, height, channels, depth, data });
}
