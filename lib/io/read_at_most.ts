/** Streams from strangers, which may be of any length. @module */

/** The error for a stream that is longer than was allowed. */
export class TooLongError extends RangeError {
  /** Name shown in stack traces. */
  override name = "TooLongError";
}

/**
 * The bytes of a stream, such as a request's body; a longer one is left off where it goes beyond.
 *
 * @param stream Null has no bytes.
 * @param most Most bytes.
 * @throws {TooLongError} If there are more.
 *
 * @example A request's body
 * ```ts
 * import { readAtMost } from "@ace-lora/ace-lora/io";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * assertEquals((await readAtMost(new Response("four").body, 4)).length, 4);
 * await assertRejects(() => readAtMost(new Response("fives").body, 4), RangeError, "at most 4 bytes");
 * ```
 */
export async function readAtMost(
  stream: ReadableStream<Uint8Array<ArrayBuffer>> | null,
  most: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const part of stream ?? []) {
    if ((size += part.length) > most) {
      throw new TooLongError(`Cannot read a stream as it may have at most ${most} bytes`);
    }
    parts.push(part);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}
