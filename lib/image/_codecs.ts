/** The three WebAssembly codecs behind one call; each is loaded when first needed. @module */
import { codecGlue, wasmModule } from "../platform/assets.ts";

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

interface CodecOptions {
  print(line: string): void;
  printErr(line: string): void;
  /** Called in place of fetching and compiling the codec's wasm file. */
  instantiateWasm(imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance) => void): Record<string, never>;
}

type CodecFactory = (options: CodecOptions) => Promise<CodecModule>;

/** The names of the codecs. */
export type CodecName = "libjpeg-turbo" | "openjpeg" | "charls";

const loaded = new Map<CodecName, Promise<CodecModule>>();

function load(name: CodecName, messages: string[]): Promise<CodecModule> {
  let module = loaded.get(name);
  if (!module) {
    const note = (line: string): void => {
      if (messages.length < 8) messages.push(line);
    };
    module = Promise.all([codecGlue(name), wasmModule(name)]).then(([factory, wasm]) =>
      (factory as CodecFactory)({
        print: note,
        printErr: note,
        instantiateWasm: (imports, done) => {
          WebAssembly.instantiate(wasm, imports).then(done);
          return {};
        },
      })
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
