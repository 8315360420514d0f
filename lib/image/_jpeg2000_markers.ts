/** JPEG 2000's main header and tile-parts, walked before the codec: it would fill in what is missing. ISO 15444-1, annex A. @module */

/** What SIZ says. */
export interface Jpeg2000Header {
  width: number;
  height: number;
  components: number;
  /** Whether the samples are signed. */
  signed: boolean;
}

/** Where SIZ describes the first component's sample (sign and bits), counted from its marker; the others follow every 3 bytes. */
const SAMPLE_DEPTH = 40;

/** The contiguous codestream of a JP2 file (box `jp2c`), or the bytes as they are. */
function findCodestream(bytes: Uint8Array): Uint8Array {
  if (bytes[0] === 0xff && bytes[1] === 0x4f) return bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let offset = 0; offset + 8 <= bytes.length;) {
    const length = view.getUint32(offset);
    const type = String.fromCharCode(...bytes.subarray(offset + 4, offset + 8));
    const end = length === 0 ? bytes.length : offset + length;
    if ((length !== 0 && length < 8) || end > bytes.length) break;
    if (type === "jp2c") return bytes.subarray(offset + 8, end);
    offset = end;
  }
  throw new Error("it must begin with JPEG 2000's start of codestream ff 4f");
}

/**
 * Checks that a codestream is whole: every marker segment and tile-part has its length, and the end marker follows.
 *
 * @throws {Error} If a length runs past the end or the end of codestream is missing.
 */
export function checkCodestream(bytes: Uint8Array): { codestream: Uint8Array; header: Jpeg2000Header } {
  const stream = findCodestream(bytes);
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
  const need = (offset: number, count: number, what: string): void => {
    if (offset + count > stream.length) throw new Error(`its codestream is cut short: ${what} at byte ${offset}`);
  };
  let header: Jpeg2000Header | undefined;
  let start = 2;
  for (;;) {
    need(start, 2, "a marker");
    const marker = view.getUint16(start);
    if (marker === 0xffd9) break;
    need(start, 4, "a segment");
    const length = view.getUint16(start + 2);
    need(start + 2, length, `segment ${marker.toString(16)}`);
    if (marker < 0xff00 || length < 2) throw new Error(`its codestream is damaged: no marker at byte ${start}`);
    if (marker === 0xff51) {
      if (header || length < 41) throw new Error("its codestream is damaged: SIZ must come once, 41 bytes or more");
      const [right = 0, bottom = 0, left = 0, top = 0] = [6, 10, 14, 18].map((offset) =>
        view.getUint32(start + offset)
      );
      const components = view.getUint16(start + 38);
      const depth = stream[start + SAMPLE_DEPTH]!;
      const precision = (depth & 0x7f) + 1;
      if (precision > 16) throw new Error(`JPEG 2000 of ${precision} bits is not read`);
      if (length !== 38 + 3 * components) {
        throw new Error("its codestream is damaged: SIZ must describe each component");
      }
      for (let c = 1; c < components; c++) {
        if (stream[start + SAMPLE_DEPTH + 3 * c] !== depth) throw new Error("its components must be alike");
      }
      header = { width: right - left, height: bottom - top, components, signed: depth > 0x7f };
    }
    if (marker !== 0xff90) {
      start += 2 + length;
      continue;
    }
    const tilePart = view.getUint32(start + 6);
    if (tilePart === 0) {
      start = endOfLastTile(stream, start);
      break;
    }
    need(start, tilePart, "a tile-part");
    if (tilePart < 14) throw new Error(`its codestream is damaged: a tile-part says ${tilePart} bytes`);
    start += tilePart;
  }
  if (!header) throw new Error("its codestream has no size (SIZ)");
  return { codestream: stream.subarray(0, start + 2), header };
}

/** A last tile-part may leave its length open: it ends with the codestream. */
function endOfLastTile(stream: Uint8Array, from: number): number {
  let end = stream.length;
  while (end > from && stream[end - 1] === 0) end--;
  if (stream[end - 2] !== 0xff || stream[end - 1] !== 0xd9) {
    throw new Error("its codestream is cut short: the end marker ff d9 is missing");
  }
  return end - 2;
}

/** A copy of a checked codestream whose samples are called unsigned. */
export function withoutSign(codestream: Uint8Array): Uint8Array {
  const out = codestream.slice();
  const view = new DataView(out.buffer, out.byteOffset, out.byteLength);
  let offset = 2;
  while (view.getUint16(offset) !== 0xff51) offset += 2 + view.getUint16(offset + 2);
  const components = view.getUint16(offset + 38);
  for (let c = 0; c < components; c++) out[offset + SAMPLE_DEPTH + 3 * c]! &= 0x7f;
  return out;
}
