/** Protocol buffers, as far as they are written here: fields of a message, one after the other. @module */

/** A field's bytes, in pieces that are not copied. */
export type Field = Uint8Array[];

/** A whole number of up to 53 bits in base 128, the low digits first. */
export function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push(value % 128 + 128);
  return Uint8Array.of(...bytes, value);
}

const VARINT = 0, FIXED_64 = 1, LENGTH = 2, FIXED_32 = 5;

function tag(field: number, type: number): Uint8Array {
  return varint(field * 8 + type);
}

/** Bytes of all pieces. */
function fieldLength(pieces: Field): number {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}

/** A whole number, not negative. */
export function integerField(field: number, value: number): Field {
  return [tag(field, VARINT), varint(value)];
}

/** A double. */
export function doubleField(field: number, value: number): Field {
  return [tag(field, FIXED_64), new Uint8Array(Float64Array.of(value).buffer)];
}

/** A float. */
export function floatField(field: number, value: number): Field {
  return [tag(field, FIXED_32), new Uint8Array(Float32Array.of(value).buffer)];
}

/** Text. */
export function textField(field: number, value: string): Field {
  return messageField(field, [new TextEncoder().encode(value)]);
}

/** Bytes, or a message made of its fields. */
export function messageField(field: number, pieces: Field): Field {
  return [tag(field, LENGTH), varint(fieldLength(pieces)), ...pieces];
}

/** All pieces in one array. */
export function joinPieces(pieces: Field): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(fieldLength(pieces));
  let place = 0;
  for (const piece of pieces) {
    out.set(piece, place);
    place += piece.length;
  }
  return out;
}
