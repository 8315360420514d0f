/** SentencePiece's compiled normalisation: the longest known prefix is replaced, character by character. @module */

/** A compiled map: a double-array trie of UTF-8 bytes, and the replacements it points to. */
export interface CharacterMap {
  /** Units of the trie. */
  trie: Uint32Array;
  /** UTF-8 texts, each ended by a zero byte. */
  replacements: Uint8Array;
}

/**
 * A map from its bytes: the trie's length, the trie, the replacements; undefined where there is none.
 *
 * Source: sentencepiece `Normalizer::DecodePrecompiledCharsMap`.
 *
 * @throws {RangeError} If the lengths do not fit.
 */
export function decodeCharacterMap(bytes: Uint8Array): CharacterMap | undefined {
  if (bytes.length === 0) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = bytes.length < 4 ? Infinity : view.getUint32(0, true);
  if (length % 4 !== 0 || 4 + length > bytes.length) {
    throw new RangeError(
      `Cannot read a character map as its trie must lie within its ${bytes.length} bytes: its length is ${length}`,
    );
  }
  const trie = Uint32Array.from({ length: length / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
  return { trie, replacements: bytes.slice(4 + length) };
}

/** Where a unit's children begin, from its own place. */
function offset(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}

/**
 * The text with each longest known prefix replaced; a character that none begins with stays.
 *
 * Source: Darts-clone `DoubleArray::commonPrefixSearch`; sentencepiece `Normalizer::NormalizePrefix`.
 */
export function mapCharacters({ trie, replacements }: CharacterMap, text: string): string {
  const bytes = new TextEncoder().encode(text);
  const out: number[] = [];
  for (let place = 0; place < bytes.length;) {
    let node = offset(trie[0]!);
    let length = 0, value = 0;
    for (let i = place; i < bytes.length; i++) {
      node ^= bytes[i]!;
      const unit = trie[node];
      if (unit === undefined || (unit & 0x800000ff) >>> 0 !== bytes[i]!) break;
      node ^= offset(unit);
      if ((unit >>> 8) & 1) [length, value] = [i + 1 - place, trie[node]! & 0x7fffffff];
    }
    if (length > 0) {
      for (let i = value; replacements[i]; i++) out.push(replacements[i]!);
    } else {
      length = characterBytes(bytes[place]!);
      out.push(...bytes.subarray(place, place + length));
    }
    place += length;
  }
  return new TextDecoder().decode(Uint8Array.from(out));
}

/** Bytes of the character that begins with this one. */
function characterBytes(first: number): number {
  return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}
