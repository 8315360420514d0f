/** Lossless JPEG (process 14, predictors 1 to 7, 2 to 16 bits). ITU-T T.81, annex H. @module */
import { BitReader, huffmanTable, type JpegScan, readScan } from "./_jpeg_huffman.ts";
import type { Frame } from "./_codecs.ts";

/**
 * Decodes one lossless frame.
 *
 * @param bytes The whole stream.
 * @throws {Error} If it is cut short, damaged, or its components are not all of the same size.
 */
export function decodeLosslessJpeg(bytes: Uint8Array): Frame {
  const scan = readScan(bytes);
  const { width, height, precision, components, spectral: [predictor, , shift] } = scan;
  if (predictor < 1 || predictor > 7) throw new Error(`its predictor must be 1 to 7: it is ${predictor}`);
  if (precision < 2 || precision > 16) throw new Error(`its samples must have 2 to 16 bits: they have ${precision}`);
  if (components.some(({ horizontal, vertical }) => horizontal !== 1 || vertical !== 1)) {
    throw new Error("its components must all have the image's size");
  }
  const samples = new Uint16Array(width * height * components.length);
  decodeSamples(scan, samples);
  if (shift > 0) { for (let i = 0; i < samples.length; i++) samples[i] = samples[i]! << shift; }
  const data = precision <= 8 ? Uint8Array.from(samples) : new Uint8Array(samples.buffer);
  return { width, height, bitsPerSample: precision, componentCount: components.length, isSigned: false, data };
}

/** The sample that its neighbours let expect, by one of the standard's predictors 1 to 7 (ITU-T T.81, table H.1). */
function predict(predictor: number, left: number, above: number, corner: number): number {
  switch (predictor) {
    case 1:
      return left;
    case 2:
      return above;
    case 3:
      return corner;
    case 4:
      return left + above - corner;
    case 5:
      return left + (above - corner >> 1);
    case 6:
      return above + (left - corner >> 1);
    default:
      return left + above >> 1;
  }
}

function decodeSamples(scan: JpegScan, out: Uint16Array): void {
  const { width, height, precision, components, restartInterval, spectral: [predictor, , shift] } = scan;
  const count = components.length;
  const tables = components.map(({ dc }) => {
    const codes = scan.huffman.get(dc);
    if (!codes) throw new Error(`its Huffman table ${dc} is missing`);
    return huffmanTable(codes);
  });
  if (restartInterval % width !== 0) throw new Error("its restart interval must be whole lines");
  const restartLines = restartInterval / width;
  const bits = new BitReader(scan.data);
  const line = width * count;
  const initial = 1 << (precision - shift - 1);
  for (let y = 0, position = 0; y < height; y++) {
    const restarted = restartLines > 0 && y > 0 && y % restartLines === 0;
    if (restarted) bits.restart((y / restartLines - 1) & 7);
    const first = y === 0 || restarted;
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < count; c++, position++) {
        const size = bits.symbol(tables[c]!);
        if (size > 16) throw new Error("its data are damaged: a difference has more than 16 bits");
        const difference = size === 16 ? 32768 : bits.difference(size);
        const left = x > 0 ? out[position - count]! : 0;
        let prediction: number;
        if (first) prediction = x === 0 ? initial : left;
        else {
          const above = out[position - line]!;
          prediction = x === 0 ? above : predict(predictor!, left, above, out[position - line - count]!);
        }
        out[position] = prediction + difference;
      }
    }
  }
  bits.finish();
}
