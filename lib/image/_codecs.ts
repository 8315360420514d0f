/** The three WebAssembly codecs behind one call; each is loaded when first needed. @module */

/** What a codec found in its stream's header. */
export interface FrameInfo {
  width: number;
  height: number;
  bitsPerSample: number;
  componentCount: number;
  isSigned: boolean;
}

/** One decoded frame: samples interleaved, little-endian when above 8 bits. */
export interface Frame extends FrameInfo {
  data: Uint8Array;
}

interface Decoder {
  getEncodedBuffer(length: number): Uint8Array;
  decode(): void;
  getDecodedBuffer(): Uint8Array;
  getFrameInfo(): FrameInfo;
  delete(): void;
}

interface CodecModule {
  JPEGDecoder?: new () => Decoder;
  J2KDecoder?: new () => Decoder;
  JpegLSDecoder?: new () => Decoder;
}

type CodecFactory = (
  options: { print: (line: string) => void; printErr: (line: string) => void },
) => Promise<CodecModule>;

/** The names of the codecs. */
export type CodecName = "libjpeg-turbo" | "openjpeg" | "charls";

// The packages' "decode" builds carry the WebAssembly inside their JavaScript: nothing is read from disk at run time, so
// no permission is asked. They have no types.
const importers: Record<CodecName, () => Promise<unknown>> = {
  "libjpeg-turbo": () => import("@cornerstonejs/codec-libjpeg-turbo-8bit/decode"),
  openjpeg: () => import("@cornerstonejs/codec-openjpeg/decode"),
  charls: () => import("@cornerstonejs/codec-charls/decode"),
};

const loaded = new Map<CodecName, Promise<CodecModule>>();

function load(name: CodecName, messages: string[]): Promise<CodecModule> {
  let module = loaded.get(name);
  if (!module) {
    const note = (line: string): void => {
      if (messages.length < 8) messages.push(line);
    };
    module = importers[name]().then((imported) =>
      (imported as { default: CodecFactory }).default({ print: note, printErr: note })
    );
    loaded.set(name, module);
  }
  return module;
}

const messages: Record<CodecName, string[]> = { "libjpeg-turbo": [], openjpeg: [], charls: [] };

/**
 * Decodes one frame.
 *
 * @param name Which codec.
 * @param bytes The whole compressed stream.
 * @throws {Error} With the codec's own words, if it refuses the stream (a warning counts: no filler is an answer).
 */
export async function decodeFrame(name: CodecName, bytes: Uint8Array): Promise<Frame> {
  const said = messages[name];
  const module = await load(name, said);
  said.length = 0;
  const Decoder = module.JPEGDecoder ?? module.J2KDecoder ?? module.JpegLSDecoder;
  const decoder = new Decoder!();
  try {
    decoder.getEncodedBuffer(bytes.length).set(bytes);
    decoder.decode();
    const { width, height, bitsPerSample, componentCount, isSigned } = decoder.getFrameInfo();
    // A copy, out of the codec's memory; some codecs hand out clamped arrays.
    const data = new Uint8Array(decoder.getDecodedBuffer());
    return { width, height, bitsPerSample, componentCount, isSigned, data };
  } catch (error) {
    // A C++ exception arrives as a bare pointer; after it the instance may have leaked, so the next call takes a new one.
    loaded.delete(name);
    const detail = [...said, ...(error instanceof Error ? [error.message] : [])].join("; ").replaceAll(/\s+/g, " ");
    throw new Error(`${name} found its data cut short or damaged${detail ? ` (${detail})` : ""}`);
  } finally {
    try {
      decoder.delete();
    } catch { /* the instance is given up anyway */ }
  }
}
