/** WebP files, lossless ones bit for bit as Pillow reads them (the same libwebp, compiled to WebAssembly). @module */
import { wasmModule } from "../platform/assets.ts";
import { errorMessage } from "../platform/error_message.ts";
import { checkImageSize, type RasterImage } from "./raster.ts";

/** Whether the bytes begin as a WebP does. */
export function isWebp(bytes: Uint8Array): boolean {
  return fourCc(bytes, 0) === "RIFF" && fourCc(bytes, 8) === "WEBP";
}

function fourCc(bytes: Uint8Array, offset: number): string {
  return String.fromCharCode(...bytes.subarray(offset, offset + 4));
}

/** What the first chunk says of the picture; it lies in the file's first 30 bytes. RFC 9649, section 2. */
export function webpPicture(bytes: Uint8Array): { width: number; height: number; hasAlpha: boolean } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kind = fourCc(bytes, 12);
  if (kind === "VP8 ") {
    return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff, hasAlpha: false };
  }
  if (kind === "VP8L") {
    const bits = view.getUint32(21, true);
    return { width: (bits & 0x3fff) + 1, height: (bits >>> 14 & 0x3fff) + 1, hasAlpha: (bits >>> 28 & 1) === 1 };
  }
  if (kind !== "VP8X") throw new Error(`its first chunk must be VP8, VP8L or VP8X: it is ${JSON.stringify(kind)}`);
  const side = (offset: number): number => (view.getUint16(offset, true) | bytes[offset + 2]! << 16) + 1;
  return { width: side(24), height: side(27), hasAlpha: (bytes[20]! & 16) !== 0 };
}

/** What the first chunk says, where the others are as they must be. */
function readHeader(bytes: Uint8Array): ReturnType<typeof webpPicture> & { size: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 30) throw new Error(`it is cut short: it has ${bytes.length} bytes`);
  const size = view.getUint32(4, true) + 8;
  if (size > bytes.length) throw new Error(`it is cut short: its header says ${size} bytes, it has ${bytes.length}`);
  if (fourCc(bytes, 12) === "VP8X" && bytes[20]! & 2) throw new Error("an animation is not read: save one frame of it");
  checkChunks(bytes.subarray(0, size));
  return { ...webpPicture(bytes), size };
}

/** Chunks must fill the file, with one picture among them. */
function checkChunks(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let pictures = 0;
  for (let offset = 12; offset < bytes.length;) {
    const end = offset + 8 <= bytes.length ? offset + 8 + view.getUint32(offset + 4, true) : Infinity;
    if (end > bytes.length) throw new Error(`its chunk at byte ${offset} must end within its ${bytes.length} bytes`);
    const kind = fourCc(bytes, offset);
    if (kind === "VP8 " || kind === "VP8L") pictures++;
    offset = end + end % 2;
  }
  if (pictures !== 1) throw new Error(`it must hold one picture: it holds ${pictures}`);
}

interface Decoder {
  decode(bytes: Uint8Array): { data: Uint8ClampedArray; width: number; height: number } | null;
}

let decoder: Promise<Decoder> | undefined;

/** The codec's own module; its glue has no types for this. */
async function load(): Promise<Decoder> {
  const [{ default: factory }, wasm] = await Promise.all([
    import("@jsquash/webp/codec/dec/webp_dec.js"),
    wasmModule("webp"),
  ]);
  return await factory({
    noInitialRun: true,
    print: () => {},
    printErr: () => {},
    instantiateWasm: (imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance) => void) => {
      WebAssembly.instantiate(wasm, imports).then(done);
      return {};
    },
  });
}

/**
 * Reads a still WebP: 3 channels, or 4 where the file says that it has alpha.
 *
 * @param bytes The whole file.
 * @param name The file's name, for messages.
 * @throws {SyntaxError} If the file is cut short, damaged, animated, or above the size limits.
 */
export async function decodeWebp(bytes: Uint8Array, name: string): Promise<RasterImage> {
  const fail = (reason: string): never => {
    throw new SyntaxError(`Cannot read "${name}" as WebP: ${reason}`);
  };
  let header: ReturnType<typeof readHeader>;
  try {
    header = readHeader(bytes);
  } catch (error) {
    return fail(errorMessage(error));
  }
  const { width, height, hasAlpha, size } = header;
  checkImageSize(header, name);
  if (width * height > 2 ** 24 && bytes.length * 2000 < width * height) {
    fail(`${bytes.length} bytes for ${width} x ${height} pixels are taken for a bomb`);
  }
  let decoded: ReturnType<Decoder["decode"]>;
  try {
    decoded = (await (decoder ??= load())).decode(bytes.subarray(0, size));
  } catch {
    decoder = undefined; // after an exception the instance may have leaked
    return fail("libwebp found its data cut short or damaged");
  }
  if (!decoded || decoded.width !== width || decoded.height !== height) {
    return fail("libwebp found its data cut short or damaged");
  }
  const { data } = decoded;
  if (hasAlpha) return { width, height, channels: 4, bitDepth: 8, data: new Uint8Array(data) };
  const rgb = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; to < rgb.length; from += 4) for (let c = 0; c < 3; c++) rgb[to++] = data[from + c]!;
  return { width, height, channels: 3, bitDepth: 8, data: rgb };
}
