/**
 * JPEG of 8 bits, Huffman coded. Radiographs are grey and of one scan: those are decoded here, in WebAssembly SIMD (_jpeg_grey.c),
 * to the samples that libjpeg-turbo gives. Everything else is libjpeg-turbo's: colour, progressive streams, and all that an
 * encoder does not write, so that what is refused and what it is told is one decoder's word.
 *
 * @module
 */
import { decodeFrame, type Frame } from "./_codecs.ts";
import { type HuffmanCodes, type JpegScan, readScan } from "./_jpeg_huffman.ts";
import type { JpegHeader } from "./_jpeg_markers.ts";
import { JPEG_GREY } from "./_jpeg_grey_binary.ts";
import { placed, type WasmProgram, wasmProgram } from "./_wasm.ts";

interface JpegGrey extends WasmProgram {
  begin(...args: number[]): number;
  rows(...args: number[]): number;
  is_over(): number;
}

/** Most bytes of a scan: far more than the largest image has. */
const MOST_BYTES = 2 ** 28;

/** Bytes of decoded lines in memory at a time: few enough to stay near the processor. */
const STRIP = 1 << 18;

const jpegGrey = wasmProgram<JpegGrey>(JPEG_GREY);

/**
 * Decodes a stream.
 *
 * @param bytes The whole stream.
 * @param header Its header: baseline, extended or progressive, of 8 bits.
 * @throws {Error} With libjpeg-turbo's words, if it is damaged.
 */
export async function decodeHuffmanJpeg(bytes: Uint8Array, header: JpegHeader): Promise<Frame> {
  const data = decodeGreyJpeg(bytes, header);
  if (!data) return await decodeFrame("libjpeg-turbo", bytes);
  const { width, height } = header;
  return { width, height, bitsPerSample: 8, componentCount: 1, isSigned: false, data };
}

/** The samples of a stream that is decoded here; undefined where libjpeg-turbo has the word. */
export function decodeGreyJpeg(bytes: Uint8Array, header: JpegHeader): Uint8Array | undefined {
  const scan = greyScan(bytes, header);
  return scan && decodeScan(scan);
}

/** The one scan of a grey stream, with the tables it names; undefined if anything in the stream is out of the ordinary. */
function greyScan(bytes: Uint8Array, { process, precision, components, markers }: JpegHeader): JpegScan | undefined {
  if (process > 0xc1 || precision !== 8 || components !== 1) return undefined;
  if (markers.at(-2)?.code !== 0xda || markers.at(-1)?.code !== 0xd9) return undefined;
  let end = 0;
  for (const { code, start, end: next } of markers) {
    const isKnown = (code >= 0xe0 && code <= 0xef) ||
      [0xfe, 0xdb, 0xc4, 0xdd, process, 0xda, 0xd9, 0xd8].includes(code);
    if (!isKnown || start !== end || bytes[start + 1] !== code) return undefined;
    if (code === 0xdd && next - start !== 6) return undefined;
    if (code === 0xe0 && !isFirstJfif(bytes.subarray(start + 4, next))) return undefined;
    end = next;
  }
  let scan: JpegScan;
  try {
    scan = readScan(bytes, markers);
  } catch {
    return undefined;
  }
  const { horizontal, vertical } = scan.components[0]!;
  const isSampled = Math.min(horizontal, vertical) >= 1 && Math.max(horizontal, vertical) <= 4;
  const areTables =
    [...scan.huffman].every(([key, { symbols }]) =>
      (key & ~0x13) === 0 && symbols.length <= 256 && (key > 15 || symbols.every((size) => size <= 15))
    ) && [...scan.quantisation.keys()].every((key) => key < 4);
  const [from, to] = scan.spectral;
  const bits = bytes[scan.data.byteOffset - bytes.byteOffset - 1];
  return isSampled && areTables && from === 0 && to === 63 && bits === 0 ? scan : undefined;
}

/** Whether the body of an APP0 segment is of another kind than JFIF, or of its version 1. */
function isFirstJfif(body: Uint8Array): boolean {
  return new TextDecoder().decode(body.subarray(0, 5)) !== "JFIF\0" || body[5] === 1;
}

/** The samples, row by row; undefined if the stream is not as an encoder writes it. */
function decodeScan(scan: JpegScan): Uint8Array | undefined {
  const { width, height, data, restartInterval, components: [component] } = scan;
  const dc = scan.huffman.get(component!.dc), ac = scan.huffman.get(16 | component!.ac);
  const quantisation = scan.quantisation.get(component!.quantisation);
  if (!dc || !ac || !quantisation || data.length > MOST_BYTES) return undefined;
  const across = Math.ceil(width / 8), down = Math.ceil(height / 8);
  const strip = Math.min(down, Math.max(1, Math.floor(STRIP / (64 * across))));
  const wasm = jpegGrey();
  const [dcAt, acAt, factors, from, clean, to] = placed(wasm, [
    272,
    272,
    128,
    data.length,
    data.length + 576,
    64 * across * strip,
  ]);
  const memory = new Uint8Array(wasm.memory.buffer);
  const put = ({ counts, symbols }: HuffmanCodes, at: number): void => {
    memory.set(counts, at);
    memory.set(symbols, at + 16);
  };
  put(dc, dcAt);
  put(ac, acAt);
  new Uint16Array(memory.buffer, factors, 64).set(quantisation);
  memory.set(data, from);
  if (!wasm.begin(from, data.length, dcAt, acAt, factors, restartInterval, clean)) return undefined;
  const out = new Uint8Array(width * height);
  const stride = 8 * across;
  for (let row = 0; row < down; row += strip) {
    const count = Math.min(strip, down - row);
    if (!wasm.rows(count, across, to)) return undefined;
    const lines = Math.min(8 * count, height - 8 * row);
    for (let y = 0; y < lines; y++) {
      out.set(memory.subarray(to + y * stride, to + y * stride + width), (8 * row + y) * width);
    }
  }
  return wasm.is_over() ? out : undefined;
}
