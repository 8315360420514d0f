/** JPEG's marker segments, walked before any codec sees the file. ITU-T T.81, annex B. @module */

/** What the frame header (SOFn) says, and whether the stream is whole. */
export interface JpegHeader {
  width: number;
  height: number;
  /** Bits of a sample. */
  precision: number;
  /** 1 grey, 3 colour, 4 CMYK. */
  components: number;
  /** SOFn's second byte: 0xc0 baseline, 0xc1 extended, 0xc2 progressive, 0xc3 lossless, 0xf7 JPEG-LS. */
  process: number;
  /** How many scans follow: one, or about ten in a progressive stream. */
  scans: number;
  /** Bytes of their segments and entropy-coded data. */
  scanBytes: number;
  /** What the stream itself says of three components; undefined when it says nothing (libjpeg then takes them for YCbCr). */
  colour: "RGB" | "YCbCr" | undefined;
  /** All its markers. */
  markers: readonly JpegMarker[];
}

/** Where one marker stands: `end` is the first byte after its segment (after its scan's data, for SOS). */
export interface JpegMarker {
  code: number;
  start: number;
  end: number;
}

/**
 * Every marker up to the end of the image.
 *
 * @throws {Error} If a segment or scan is cut short, or the end-of-image marker is missing.
 */
export function jpegMarkers(bytes: Uint8Array): JpegMarker[] {
  const markers: JpegMarker[] = [];
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) throw new Error("it must begin with the start-of-image marker ff d8");
  markers.push({ code: 0xd8, start: 0, end: 2 });
  let offset = 2;
  for (;;) {
    // Junk before a marker is skipped, as libjpeg does; fill bytes ff may precede it.
    while (offset < bytes.length && bytes[offset] !== 0xff) offset++;
    const start = offset;
    while (offset < bytes.length && bytes[offset] === 0xff) offset++;
    const code = bytes[offset];
    if (code === undefined) throw new Error(`the file ends at byte ${bytes.length} before its end-of-image marker`);
    offset++;
    if (code === 0x00) continue;
    if (code === 0xd9) {
      markers.push({ code, start, end: offset });
      return markers;
    }
    if (isStandAlone(code)) continue;
    const length = offset + 1 < bytes.length ? bytes[offset]! << 8 | bytes[offset + 1]! : -1;
    if (length < 2 || offset + length > bytes.length) {
      throw new Error(
        `segment ff ${code.toString(16)} at byte ${start} says ${length} bytes, the file has ${
          bytes.length - offset
        } left`,
      );
    }
    offset += length;
    if (code === 0xda) offset = endOfScan(bytes, offset);
    markers.push({ code, start, end: offset });
  }
}

/** The first byte after a scan's entropy-coded data: an ff that neither stuffs a byte nor restarts. */
function endOfScan(bytes: Uint8Array, from: number): number {
  for (let offset = bytes.indexOf(0xff, from); offset >= 0; offset = bytes.indexOf(0xff, offset + 1)) {
    const next = bytes[offset + 1];
    if (next === undefined) break;
    // JPEG-LS stuffs one bit, so any byte below 0x80 follows an ff inside its data; T.81 stuffs a zero byte.
    if (next >= 0x80 && next !== 0xff && !(next >= 0xd0 && next <= 0xd7)) return offset;
  }
  throw new Error(`the file ends at byte ${bytes.length} inside a scan's data`);
}

/** Whether a marker begins a frame header (SOFn), which says the picture's size. */
export function isFrameHeader(code: number): boolean {
  return code === 0xf7 || (code >= 0xc0 && code <= 0xcf && code !== 0xc4 && code !== 0xc8 && code !== 0xcc);
}

/** Whether a marker stands alone, without a segment. */
export function isStandAlone(code: number): boolean {
  return code === 0x01 || (code >= 0xd0 && code <= 0xd8);
}

/**
 * The frame header of a whole stream.
 *
 * @throws {Error} As {@linkcode jpegMarkers}, or if there is no frame header or no scan.
 */
export function readJpegHeader(bytes: Uint8Array): JpegHeader {
  const markers = jpegMarkers(bytes);
  const frames = markers.filter((marker) => isFrameHeader(marker.code));
  const frame = frames[0];
  if (!frame) throw new Error("it has no frame header (SOF)");
  if (frames.length > 1) throw new Error("it has more than one frame header (SOF)");
  const scans = markers.filter((marker) => marker.code === 0xda);
  if (scans.length === 0) throw new Error("it has no scan (SOS)");
  let offset = frame.start;
  while (bytes[offset] === 0xff) offset++;
  const body = bytes.subarray(offset + 1, frame.end);
  const components = body[7] ?? 0;
  if (body.length !== 8 + 3 * components) {
    throw new Error(`its frame header has ${body.length} bytes, ${components} components need ${8 + 3 * components}`);
  }
  if (frame.code !== 0xf7) checkTables(bytes, markers);
  return {
    precision: body[2]!,
    height: body[3]! << 8 | body[4]!,
    width: body[5]! << 8 | body[6]!,
    components,
    process: frame.code,
    scans: scans.length,
    scanBytes: scans.reduce((sum, { start, end }) => sum + end - start, 0),
    markers,
    colour: statedColour(bytes, markers, [8, 11, 14].map((offset) => body[offset])),
  };
}

/** EXIF's Orientation (tag 0x0112 of the first directory), 1 to 8; 1 when the stream states none, or one that cannot be read. */
export function exifOrientation(bytes: Uint8Array, markers: readonly JpegMarker[]): number {
  for (const { code, start, end } of markers) {
    if (code !== 0xe1) continue;
    const body = bytes.subarray(bytes.indexOf(code, start) + 3, end);
    if (!startsWith(body, "Exif\0\0")) continue;
    const tiff = new DataView(body.buffer, body.byteOffset + 6, body.byteLength - 6);
    const isLittle = tiff.byteLength >= 8 && tiff.getUint8(0) === 0x49;
    const directory = tiff.byteLength >= 8 ? tiff.getUint32(4, isLittle) : 0;
    const count = directory + 2 <= tiff.byteLength ? tiff.getUint16(directory, isLittle) : 0;
    for (let offset = directory + 2, i = 0; i < count && offset + 12 <= tiff.byteLength; i++, offset += 12) {
      if (tiff.getUint16(offset, isLittle) !== 0x0112) continue;
      const value = tiff.getUint16(offset + 8, isLittle);
      return value >= 1 && value <= 8 ? value : 1;
    }
  }
  return 1;
}

const startsWith = (bytes: Uint8Array, text: string): boolean =>
  [...text].every((letter, i) => bytes[i] === letter.charCodeAt(0));

/** libjpeg's order of belief (jdapimin.c): a JFIF marker, then Adobe's transform flag, then the components' names. */
function statedColour(bytes: Uint8Array, markers: JpegMarker[], names: (number | undefined)[]): JpegHeader["colour"] {
  const body = (code: number, label: string): Uint8Array | undefined =>
    markers.filter((marker) => marker.code === code).map(({ start, end }) => bytes.subarray(start, end))
      .map((segment) => segment.subarray(segment.findIndex((byte) => byte !== 0xff) + 3))
      .find((segment) => startsWith(segment, label));
  if (body(0xe0, "JFIF\0")) return "YCbCr";
  const adobe = body(0xee, "Adobe");
  if (adobe && adobe.length >= 12) return adobe[11] === 0 ? "RGB" : "YCbCr";
  const letters = String.fromCharCode(...names.map((name) => name ?? 0));
  return letters === "RGB" ? "RGB" : letters === "\x01\x02\x03" ? "YCbCr" : undefined;
}

/** The stream with Adobe's marker for components that stay RGB put first. */
export function markedAsRgb(bytes: Uint8Array): Uint8Array {
  const marker = [0xff, 0xee, 0, 14, 0x41, 0x64, 0x6f, 0x62, 0x65, 0, 100, 0, 0, 0, 0, 0];
  const out = new Uint8Array(bytes.length + marker.length);
  out.set(bytes.subarray(0, 2));
  out.set(marker, 2);
  out.set(bytes.subarray(2), 2 + marker.length);
  return out;
}

/** Most scans times pixels: each scan of a progressive stream goes over the whole image, however few bytes it has. */
const MAX_SCANNED = 1_000_000_000;

/**
 * Refuses a size that the stream's bytes cannot hold, before anything of that size is allocated.
 *
 * @throws {Error} If a sequential or lossless stream is shorter than its codes can be, or a progressive one is a bomb.
 */
export function checkJpegLength({ width, height, process, scans, scanBytes }: JpegHeader): void {
  const pixels = width * height;
  // A block of 64 takes two bits or more (one for DC, one for the end of the block), one in a progressive stream's first
  // scan; a lossless sample takes one.
  const fewest = process === 0xc3 ? pixels / 8 : process === 0xc2 ? pixels / 512 : process < 0xc2 ? pixels / 256 : 0;
  if (scanBytes < fewest) {
    throw new Error(`its frame header says ${width} x ${height}, ${scanBytes} bytes cannot hold that many pixels`);
  }
  if (scans * pixels > MAX_SCANNED) throw new Error(`${scans} scans over ${width} x ${height} pixels are too many`);
}

/** Every Huffman table that a scan names must come before it: libjpeg would take a standard one instead. */
function checkTables(bytes: Uint8Array, markers: JpegMarker[]): void {
  const defined = new Set<number>();
  for (const { code, start, end } of markers) {
    if (code !== 0xc4 && code !== 0xda) continue;
    let offset = start;
    while (bytes[offset] === 0xff) offset++;
    const body = bytes.subarray(offset + 1, Math.min(end, offset + 1 + (bytes[offset + 1]! << 8 | bytes[offset + 2]!)));
    if (code === 0xc4) {
      for (let i = 2; i + 17 <= body.length;) {
        defined.add(body[i]!);
        i += 17 + body.subarray(i + 1, i + 17).reduce((sum, count) => sum + count, 0);
      }
      continue;
    }
    const count = body[2] ?? 0;
    const [from = 0, to = 0, bits = 0] = body.subarray(3 + 2 * count, 6 + 2 * count);
    for (let i = 0; i < count; i++) {
      const tables = body[4 + 2 * i] ?? 0;
      // A refining scan of DC (Ah above 0) reads plain bits; only scans that reach past DC have AC codes.
      const dc = from === 0 && bits >> 4 === 0 ? [tables >> 4] : [];
      const ac = to > 0 ? [16 | tables & 15] : [];
      for (const table of markers.some((marker) => marker.code === 0xc3) ? [tables >> 4] : [...dc, ...ac]) {
        if (!defined.has(table)) {
          throw new Error(`a scan names Huffman table ${table.toString(16)}, which is not defined`);
        }
      }
    }
  }
}
