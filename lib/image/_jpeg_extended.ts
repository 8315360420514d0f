/**
 * Extended sequential JPEG of 12 bits (process 4), grey. ITU-T T.81, annex F; the inverse transform is the exact integer
 * one of libjpeg (`jidctint.c`, 12-bit build: CONST_BITS 13, PASS1_BITS 1), after Loeffler, Ligtenberg and Moschytz 1989.
 *
 * @module
 */
import { BitReader, type HuffmanTable, readScan } from "./_jpeg_huffman.ts";
import type { Frame } from "./_codecs.ts";

const ZIGZAG = Uint8Array.of(
  ...[0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21],
  ...[28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61],
  ...[54, 47, 55, 62, 63],
);

const CONST_BITS = 13, PASS1_BITS = 1;

/** One dimension of the inverse transform: eight values `step` apart, scaled down by `shift` with rounding. */
function transform(v: Int32Array, start: number, step: number, shift: number): void {
  const at = (k: number): number => v[start + k * step]!;
  // Even part.
  const z1 = (at(2) + at(6)) * 4433;
  const even2 = z1 - at(6) * 15137;
  const even3 = z1 + at(2) * 6270;
  const even0 = (at(0) + at(4)) * 8192;
  const even1 = (at(0) - at(4)) * 8192;
  const t10 = even0 + even3, t13 = even0 - even3, t11 = even1 + even2, t12 = even1 - even2;
  // Odd part.
  const [o0, o1, o2, o3] = [at(7), at(5), at(3), at(1)];
  const z5 = (o0 + o2 + o1 + o3) * 9633;
  const y1 = -(o0 + o3) * 7373, y2 = -(o1 + o2) * 20995;
  const y3 = -(o0 + o2) * 16069 + z5, y4 = -(o1 + o3) * 3196 + z5;
  const p0 = o0 * 2446 + y1 + y3, p1 = o1 * 16819 + y2 + y4;
  const p2 = o2 * 25172 + y2 + y3, p3 = o3 * 12299 + y1 + y4;
  const scale = 2 ** shift, half = scale / 2;
  const put = (k: number, value: number): void => {
    v[start + k * step] = Math.floor((value + half) / scale);
  };
  put(0, t10 + p3);
  put(7, t10 - p3);
  put(1, t11 + p2);
  put(6, t11 - p2);
  put(2, t12 + p1);
  put(5, t12 - p1);
  put(3, t13 + p0);
  put(4, t13 - p0);
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
  const dc = scan.huffman.get(component.dc), ac = scan.huffman.get(16 | component.ac);
  const quantisation = scan.quantisation.get(component.quantisation);
  if (!dc || !ac || !quantisation) throw new Error("a table that its scan names is missing");
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
    for (let i = 0; i < 8; i++) transform(block, i, 8, CONST_BITS - PASS1_BITS);
    for (let i = 0; i < 8; i++) transform(block, 8 * i, 1, CONST_BITS + PASS1_BITS + 3);
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
