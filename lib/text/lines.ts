/** Texts one a line in, ids one JSON array a line out, as a stream. @module */
import { encodeOne, type EncodeOptions, type Tokenizer } from "./tokenizer.ts";

/** Options of {@linkcode tokenizeLines}. */
export interface TokenizeLinesOptions extends EncodeOptions {
  /** Whether to pad every array to the context length, as open_clip's tokeniser does. @default {true} */
  pad?: boolean;
}

/**
 * The lines of a UTF-8 stream, ended by LF or CRLF; a last line without its end counts, an empty rest does not.
 *
 * @param stream Bytes, in pieces of any size; invalid UTF-8 becomes U+FFFD, a byte-order mark at the start is dropped.
 */
export async function* readLines(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let pieces: string[] = [];
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    const lines = chunk.split("\n");
    for (let i = 0; i < lines.length - 1; i++) {
      pieces.push(lines[i]!);
      yield pieces.join("").replace(/\r$/, "");
      pieces = [];
    }
    pieces.push(lines.at(-1)!);
  }
  const rest = pieces.join("");
  if (rest) yield rest.replace(/\r$/, "");
}

/**
 * The ids of each line of a stream as one line of JSON, without its end: `[2,1982,3,0,...]`.
 *
 * @param tokenizer From `loadTokenizer`.
 * @param stream Text, one a line.
 */
export async function* tokenizeLines(
  tokenizer: Tokenizer,
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  options: TokenizeLinesOptions = {},
): AsyncGenerator<string> {
  const { pad = true, contextLength = 256 } = options;
  for await (const line of readLines(stream)) {
    const ids = encodeOne(tokenizer, line, options);
    while (pad && ids.length < contextLength) ids.push(tokenizer.padId);
    yield JSON.stringify(ids);
  }
}
