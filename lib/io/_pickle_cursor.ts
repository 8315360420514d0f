/** The bytes of a pickle, read as its opcodes ask. @module */

/** Longest pickled integer, in bytes. */
const MAX_INTEGER_BYTES = 255;

/** A place in a pickle that goes on with what is read. */
export class Cursor {
  position = 0;
  #bytes: Uint8Array;
  #view: DataView;
  #text: TextDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  take(length: number): Uint8Array {
    const begin = this.position;
    if (length > this.#bytes.length - begin) {
      throw new Error(`the pickle must go on for ${length} bytes at ${begin}: it ends at ${this.#bytes.length}`);
    }
    this.position += length;
    return this.#bytes.subarray(begin, begin + length);
  }

  u8(): number {
    return this.take(1)[0]!;
  }

  #advance(length: number): number {
    this.take(length);
    return this.position - length;
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  i32(): number {
    return this.#view.getInt32(this.#advance(4), true);
  }

  u64(): number {
    return Number(this.#view.getBigUint64(this.#advance(8), true));
  }

  f64(): number {
    return this.#view.getFloat64(this.#advance(8), false);
  }

  string(length: number): string {
    const bytes = this.take(length);
    try {
      return this.#text.decode(bytes);
    } catch {
      throw new Error(`a string at ${this.position - length} must be UTF-8`);
    }
  }

  line(): string {
    const end = this.#bytes.indexOf(10, this.position);
    if (end < 0) throw new Error("a name in the pickle must end with a line feed");
    const text = this.string(end - this.position);
    this.position++;
    return text;
  }

  integer(length: number): number | bigint {
    if (length > MAX_INTEGER_BYTES) {
      throw new Error(`an integer must have at most ${MAX_INTEGER_BYTES} bytes: it has ${length}`);
    }
    let value = 0n;
    for (const byte of this.take(length).toReversed()) value = (value << 8n) | BigInt(byte);
    const signed = BigInt.asIntN(length * 8, value);
    return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed;
  }
}
