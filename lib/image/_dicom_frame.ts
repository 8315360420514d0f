/** The pixels of a DICOM file's one frame, decompressed. PS3.5, section 8 and annex A.4. @module */
import { decodeFrame, type Frame } from "./_codecs.ts";
import { decodeRle } from "./_dicom_rle.ts";
import { decodeExtendedJpeg } from "./_jpeg_extended.ts";
import { decodeHuffmanJpeg } from "./_jpeg_grey.ts";
import { decodeLosslessJpeg } from "./_jpeg_lossless.ts";
import { checkJpegLength, markedAsRgb, readJpegHeader } from "./_jpeg_markers.ts";
import { checkCodestream, withoutSign } from "./_jpeg2000_markers.ts";

/** The transfer syntaxes whose pixels are compressed, by how they are read. */
export const COMPRESSED: Readonly<Record<string, { kind: "rle" | "jpeg" | "jpegls" | "jpeg2000"; lossy: boolean }>> = {
  "1.2.840.10008.1.2.5": { kind: "rle", lossy: false },
  "1.2.840.10008.1.2.4.50": { kind: "jpeg", lossy: true },
  "1.2.840.10008.1.2.4.51": { kind: "jpeg", lossy: true },
  "1.2.840.10008.1.2.4.57": { kind: "jpeg", lossy: false },
  "1.2.840.10008.1.2.4.70": { kind: "jpeg", lossy: false },
  "1.2.840.10008.1.2.4.80": { kind: "jpegls", lossy: false },
  "1.2.840.10008.1.2.4.81": { kind: "jpegls", lossy: true },
  "1.2.840.10008.1.2.4.90": { kind: "jpeg2000", lossy: false },
  "1.2.840.10008.1.2.4.91": { kind: "jpeg2000", lossy: true },
};

/** What the data set says of the pixels. */
export interface FrameShape {
  rows: number;
  columns: number;
  samples: number;
  bitsAllocated: 8 | 16;
  signed: boolean;
  photometric: string;
}

/**
 * Decompresses one frame into interleaved little-endian samples of `bitsAllocated` bits.
 *
 * @param bytes The frame's fragments, joined.
 * @param shape What the data set says; the stream must agree.
 * @returns The bytes, whether a colour transform was undone on the way (the samples are RGB then), and the stream's own bits a
 * sample, which RLE does not state.
 * @throws {Error} If the stream is damaged or contradicts the data set.
 */
export async function decodeCompressed(
  bytes: Uint8Array,
  shape: FrameShape & { transferSyntax: string },
): Promise<{ bytes: Uint8Array; rgb: boolean; bits?: number }> {
  const { rows, columns, samples, bitsAllocated } = shape;
  const kind = COMPRESSED[shape.transferSyntax]!.kind;
  const bytesPerSample = bitsAllocated / 8;
  if (kind === "rle") {
    return { bytes: decodeRle(bytes, { pixels: rows * columns, samples, bytesPerSample }), rgb: false };
  }
  const { decode, stated, rgb } = kind === "jpeg2000" ? jpeg2000(bytes, shape) : jpeg(bytes, shape);
  if (stated.width !== columns || stated.height !== rows || stated.components !== samples) {
    throw new Error(
      `its data set says ${columns} x ${rows} x ${samples}, its compressed stream ` +
        `${stated.width} x ${stated.height} x ${stated.components}`,
    );
  }
  // JPEG-LS and JPEG 2000 have no fewest bytes; a large image in next to none is a bomb.
  if (rows * columns > 2 ** 24 && bytes.length * 2000 < rows * columns) {
    throw new Error(`${bytes.length} compressed bytes for ${columns} x ${rows} pixels are taken for a bomb`);
  }
  const frame = await decode();
  const count = rows * columns * samples;
  const width = frame.bitsPerSample > 8 ? 2 : 1;
  if (frame.data.length !== count * width) {
    throw new Error(`its stream must give ${count * width} bytes, it gave ${frame.data.length}`);
  }
  if (width > bytesPerSample) {
    throw new Error(`its stream has ${frame.bitsPerSample} bits a sample, its data set allocates ${bitsAllocated}`);
  }
  return { bytes: toWords(frame, shape), rgb: rgb && samples === 3, bits: frame.bitsPerSample };
}

interface Stream {
  decode: () => Frame | Promise<Frame>;
  stated: { width: number; height: number; components: number };
  rgb: boolean;
}

function jpeg(bytes: Uint8Array, shape: FrameShape & { transferSyntax: string }): Stream {
  const header = readJpegHeader(bytes);
  checkJpegLength(header);
  const { process, precision, components, colour } = header;
  const isLs = COMPRESSED[shape.transferSyntax]!.kind === "jpegls";
  if (isLs !== (process === 0xf7)) {
    throw new Error(
      `its transfer syntax is ${shape.transferSyntax}, its stream is of process ff ${process.toString(16)}`,
    );
  }
  if (isLs) return { decode: () => decodeFrame("charls", bytes), stated: header, rgb: false };
  if (process === 0xc3) return { decode: () => decodeLosslessJpeg(bytes), stated: header, rgb: false };
  if (process === 0xc1 && precision === 12) {
    return { decode: () => decodeExtendedJpeg(bytes), stated: header, rgb: false };
  }
  if (process > 0xc2 || precision !== 8) {
    throw new Error(`JPEG of process ff ${process.toString(16)} with ${precision} bits is not read`);
  }
  const isRgb = shape.photometric === "RGB";
  if (components === 3 && colour !== undefined && isRgb !== (colour === "RGB")) {
    throw new Error(`its photometric interpretation is ${shape.photometric}, its JPEG stream says ${colour}`);
  }
  const decode = (): Promise<Frame> =>
    components === 3 && isRgb ? decodeFrame("libjpeg-turbo", markedAsRgb(bytes)) : decodeHuffmanJpeg(bytes, header);
  return { decode, stated: header, rgb: true };
}

function jpeg2000(bytes: Uint8Array, shape: FrameShape): Stream {
  const { codestream, header } = checkCodestream(bytes);
  // OpenJPEG undoes the stream's own component transform and no other.
  const rgb = /^(RGB|YBR_RCT|YBR_ICT)$/.test(shape.photometric);
  if (!header.signed) return { decode: () => decodeFrame("openjpeg", codestream), stated: header, rgb };
  // The codec cuts negative samples of 8 bits off at 0. Told that they are unsigned, it adds half the range to all.
  const decode = async (): Promise<Frame> => {
    const frame = await decodeFrame("openjpeg", withoutSign(codestream));
    const half = 1 << (frame.bitsPerSample - 1);
    const { data } = frame;
    const samples = frame.bitsPerSample > 8 ? new Uint16Array(data.buffer, data.byteOffset, data.length >> 1) : data;
    for (let i = 0; i < samples.length; i++) samples[i] = samples[i]! ^ half;
    return frame;
  };
  return { decode, stated: header, rgb };
}

/**
 * The frame's samples as words of the data set. A stream keeps only its own bits: a signed data set's words get their sign
 * from the highest of them, as GDCM and pydicom do it. (JPEG and JPEG-LS know no sign, and some JPEG 2000 streams state none.)
 */
function toWords({ data, bitsPerSample }: Frame, { bitsAllocated, signed }: FrameShape): Uint8Array {
  const samples = bitsPerSample > 8 ? new Uint16Array(data.buffer, data.byteOffset, data.length >> 1) : data;
  const isPlain = samples.BYTES_PER_ELEMENT * 8 === bitsAllocated;
  if (isPlain && (!signed || bitsPerSample === bitsAllocated)) return data;
  const words = bitsAllocated === 8 ? new Uint8Array(samples.length) : new Uint16Array(samples.length);
  const spare = signed ? 32 - bitsPerSample : 0;
  for (let i = 0; i < words.length; i++) words[i] = samples[i]! << spare >> spare;
  return new Uint8Array(words.buffer);
}
