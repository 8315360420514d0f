/** Damage by seed: the same numbers give the same files on every machine. @module */

type Random = () => number;

const whole = (random: Random, below: number): number => Math.floor(random() * below);

/** Words that lengths and counts do not expect. */
const EXTREME = [[0, 0, 0, 0], [255, 255, 255, 255], [255, 255, 255, 127], [0, 0, 0, 128], [1, 0, 0, 0], [0, 0, 0, 1]];

const joined = (...parts: Uint8Array[]): Uint8Array<ArrayBuffer> => {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
};

const some = (random: Random, bytes: Uint8Array): [start: number, end: number] => {
  const start = whole(random, bytes.length);
  return [start, Math.min(bytes.length, start + 1 + whole(random, 64))];
};

/** Ways of damage; each takes a copy. */
const WAYS: readonly ((bytes: Uint8Array, random: Random) => Uint8Array)[] = [
  (bytes, random) => { // bits turned
    for (let n = 1 + whole(random, 8); n > 0; n--) bytes[whole(random, bytes.length)]! ^= 1 << whole(random, 8);
    return bytes;
  },
  (bytes, random) => { // bits turned where headers stand
    const head = Math.min(bytes.length, 512);
    for (let n = 1 + whole(random, 3); n > 0; n--) bytes[whole(random, head)]! ^= 1 << whole(random, 8);
    return bytes;
  },
  (bytes, random) => { // bytes overwritten
    const [start, end] = some(random, bytes);
    for (let i = start; i < end; i++) bytes[i] = whole(random, 256);
    return bytes;
  },
  (bytes, random) => { // a word made extreme
    bytes.set(EXTREME[whole(random, EXTREME.length)]!, whole(random, Math.max(1, bytes.length - 4)));
    return bytes;
  },
  (bytes, random) => bytes.subarray(0, whole(random, bytes.length)), // cut short
  (bytes, random) => { // a piece lost
    const [start, end] = some(random, bytes);
    return joined(bytes.subarray(0, start), bytes.subarray(end));
  },
  (bytes, random) => { // a piece twice
    const [start, end] = some(random, bytes);
    return joined(bytes.subarray(0, end), bytes.subarray(start));
  },
  (bytes, random) => { // noise between
    const at = whole(random, bytes.length);
    return joined(
      bytes.subarray(0, at),
      Uint8Array.from({ length: 1 + whole(random, 32) }, () => whole(random, 256)),
      bytes.subarray(at),
    );
  },
  (bytes, random) => joined(bytes, Uint8Array.from({ length: 1 + whole(random, 600) }, () => whole(random, 256))), // noise after
];

/** A damaged copy. */
export function mutate(bytes: Uint8Array, random: Random): Uint8Array {
  const copy = bytes.slice();
  if (copy.length < 8) return copy;
  return WAYS[whole(random, WAYS.length)]!(copy, random);
}
