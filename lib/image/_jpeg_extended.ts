/**
 * Extended sequential JPEG of 12 bits (process 4), grey. ITU-T T.81, annex F; the inverse transform rounds as libjpeg's
 * accurate integer one does (after Loeffler, Ligtenberg and Moschytz 1989), so that samples are the same.
 *
 * @module
 */
import { BitReader, type HuffmanTable, huffmanTable, readScan } from "./_jpeg_huffman.ts";
import type { Frame } from "./_codecs.ts";

const ZIGZAG = Uint8Array.of(
  ...[0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21],
  ...[28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61],
  ...[54, 47, 55, 62, 63],
);

/** Fraction bits of the basis below, and those kept between the two passes. */
const BASIS_BITS = 13, PASS_BITS = 1;

/**
 * The basis of the inverse transform, `2^13 √2 c(u) cos((2x + 1) u π / 16)` (T.81, A.3.3), as whole numbers: `u` down, `x` from
 * 0 to 3 across; an even `u` has the same values at `7 - x`, an odd one the same with the other sign.
 *
 * libjpeg factors the transform into twelve products with constants of 13 bits and rounds once, at the end of each pass. Nothing
 * is lost between, so a pass is the product with what those constants add up to, and that is what stands here: eight of the
 * numbers (6437, -2259, -11362, 2261, 10704 and their like) are one off the nearest whole number, as theirs are.
 */
const BASIS = [
  [8192, 8192, 8192, 8192],
  [11363, 9633, 6437, 2260],
  [10703, 4433, -4433, -10703],
  [9633, -2259, -11362, -6436],
  [8192, -8192, -8192, 8192],
  [6437, -11362, 2261, 9633],
  [4433, -10704, 10704, -4433],
  [2260, -6436, 9633, -11363],
] as const;

/**
 * One dimension of the inverse transform: eight values `step` apart, in place, divided by `2^shift` and rounded to the nearest
 * (halves up). Sums stay below 2^53, so they are exact.
 */
function transform(v: Int32Array, start: number, step: number, shift: number): void {
  const scale = 2 ** shift;
  const even = [0, 0, 0, 0], odd = [0, 0, 0, 0];
  for (let u = 0; u < 8; u++) {
    const value = v[start + u * step]!;
    if (value === 0) continue;
    const sums = u % 2 ? odd : even, row = BASIS[u]!;
    for (let x = 0; x < 4; x++) sums[x]! += value * row[x]!;
  }
  for (let x = 0; x < 4; x++) {
    v[start + x * step] = Math.floor((even[x]! + odd[x]!) / scale + 0.5);
    v[start + (7 - x) * step] = Math.floor((even[x]! - odd[x]!) / scale + 0.5);
  }
}

/** Reads one block, dequantised, in natural order; returns the new DC. */
function readBlock(
  bits: BitReader,
  block: Int32Array,
  by: { dc: HuffmanTable; ac: HuffmanTable; quantisation: Uint16Array; previous: number },
): number {
  block.fill(0);
  const size = bits.symbol(by.dc);
  if (size > 15) throw new Error("its data are damaged: a DC difference has more than 15 bits");
  const dc = by.previous + bits.difference(size);
  block[0] = dc * by.quantisation[0]!;
  for (let k = 1; k < 64; k++) {
    const symbol = bits.symbol(by.ac);
    const run = symbol >> 4, length = symbol & 15;
    if (length === 0) {
      if (run < 15) break;
      k += 15;
      continue;
    }
    k += run;
    if (k > 63) throw new Error("its data are damaged: a block has more than 64 coefficients");
    block[ZIGZAG[k]!] = bits.difference(length) * by.quantisation[k]!;
  }
  return dc;
}

/**
 * Decodes one grey frame of 12 bits.
 *
 * @param bytes The whole stream.
 * @throws {Error} If it is cut short or damaged, or has colour.
 */
export function decodeExtendedJpeg(bytes: Uint8Array): Frame {
  const scan = readScan(bytes);
  const { width, height, precision, restartInterval } = scan;
  const component = scan.components[0];
  if (!component || scan.components.length !== 1) throw new Error("12-bit colour is not read");
  const dcCodes = scan.huffman.get(component.dc), acCodes = scan.huffman.get(16 | component.ac);
  const quantisation = scan.quantisation.get(component.quantisation);
  if (!dcCodes || !acCodes || !quantisation) throw new Error("a table that its scan names is missing");
  const dc = huffmanTable(dcCodes), ac = huffmanTable(acCodes);
  const samples = new Uint16Array(width * height);
  const bits = new BitReader(scan.data);
  const block = new Int32Array(64);
  const across = Math.ceil(width / 8), down = Math.ceil(height / 8);
  const centre = 1 << (precision - 1), most = (1 << precision) - 1;
  let previous = 0;
  for (let n = 0; n < across * down; n++) {
    if (restartInterval > 0 && n > 0 && n % restartInterval === 0) {
      bits.restart((n / restartInterval - 1) & 7);
      previous = 0;
    }
    previous = readBlock(bits, block, { dc, ac, quantisation, previous });
    for (let i = 0; i < 8; i++) transform(block, i, 8, BASIS_BITS - PASS_BITS);
    for (let i = 0; i < 8; i++) transform(block, 8 * i, 1, BASIS_BITS + PASS_BITS + 3);
    const left = n % across * 8, top = Math.floor(n / across) * 8;
    for (let y = 0; y < 8 && top + y < height; y++) {
      for (let x = 0; x < 8 && left + x < width; x++) {
        samples[(top + y) * width + left + x] = Math.min(Math.max(block[8 * y + x]! + centre, 0), most);
      }
    }
  }
  bits.finish();
  const data = new Uint8Array(samples.buffer);
  return { width, height, bitsPerSample: precision, componentCount: 1, isSigned: false, data };
}
