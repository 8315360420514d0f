/** SHA-256 in pieces, as FIPS 180-4 describes it, for browsers. @module */

/** A hash under way. */
export interface Hash {
  /** Adds bytes, or a text's UTF-8. */
  update(data: Uint8Array | string): Hash;
  /** The digest of all that was added; the hash is then used up. */
  digest(encoding: "hex"): string;
}

/** The first 32 bits of the fractions of `root(p)` for the first primes `p`, computed with integers. */
function fractions(count: number, root: 2 | 3): Uint32Array {
  const out = new Uint32Array(count);
  for (let p = 2, primes = 0; primes < count; p++) {
    let isPrime = true;
    for (let d = 2; d * d <= p; d++) if (p % d === 0) isPrime = false;
    if (!isPrime) continue;
    const power = BigInt(p) << BigInt(32 * root);
    let low = 0n, high = 1n << 40n;
    while (high - low > 1n) {
      const middle = (low + high) >> 1n;
      if (middle ** BigInt(root) <= power) low = middle;
      else high = middle;
    }
    out[primes++] = Number(low & 0xffffffffn);
  }
  return out;
}

const rotate = (x: number, n: number): number => (x >>> n) | (x << (32 - n));

/** What a hash computes with. */
interface Working {
  constants: Uint32Array;
  state: Uint32Array;
  /** The block of 64 bytes, as numbers. */
  view: DataView;
  /** The message schedule. */
  words: Int32Array;
}

/** Adds a whole block to the state. */
function compress({ constants, state, view, words }: Working): void {
  for (let t = 0; t < 16; t++) words[t] = view.getInt32(4 * t);
  for (let t = 16; t < 64; t++) {
    const [x, y] = [words[t - 15]!, words[t - 2]!];
    const s0 = rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3);
    const s1 = rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10);
    words[t] = words[t - 16]! + s0 + words[t - 7]! + s1;
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let t = 0; t < 64; t++) {
    const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const first = (h + s1 + ((e & f) ^ (~e & g)) + constants[t]! + words[t]!) | 0;
    const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const second = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0];
  }
  for (const [i, value] of [a, b, c, d, e, f, g, h].entries()) state[i] = state[i]! + value;
}

/** The hash for browsers, whose own works on whole inputs alone. */
export function portableSha256(): Hash {
  const block = new Uint8Array(64);
  const state = fractions(8, 2);
  const working: Working = {
    constants: fractions(64, 3),
    state,
    view: new DataView(block.buffer),
    words: new Int32Array(64),
  };
  let length = 0;

  const hash: Hash = {
    update(data) {
      const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
      for (let offset = 0; offset < bytes.length;) {
        const room = 64 - length % 64;
        const piece = bytes.subarray(offset, offset + room);
        block.set(piece, length % 64);
        offset += piece.length;
        length += piece.length;
        if (length % 64 === 0) compress(working);
      }
      return hash;
    },
    digest() {
      const bits = BigInt(length) * 8n;
      const end = new Uint8Array((length % 64 < 56 ? 64 : 128) - length % 64);
      end[0] = 0x80;
      new DataView(end.buffer).setBigUint64(end.length - 8, bits);
      hash.update(end);
      return [...state].map((word) => word.toString(16).padStart(8, "0")).join("");
    },
  };
  return hash;
}
