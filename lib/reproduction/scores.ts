/** Class probabilities and classes of many cases as short text in JSON. @module */

/** Probabilities as float32, little-endian, in base64. */
export function packScores(values: ArrayLike<number>): string {
  const view = new DataView(new ArrayBuffer(values.length * 4));
  for (let i = 0; i < values.length; i++) view.setFloat32(4 * i, values[i]!, true);
  return new Uint8Array(view.buffer).toBase64();
}

/**
 * The inverse of {@linkcode packScores}.
 *
 * @throws {SyntaxError} If the text is not base64 of whole float32 numbers.
 */
export function unpackScores(text: string): Float32Array {
  const bytes = Uint8Array.fromBase64(text);
  if (bytes.length % 4 !== 0) {
    throw new SyntaxError(
      `Cannot read scores as they must be whole float32 numbers: current length is ${bytes.length}`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
}

/** Class indices, one byte each, in base64. */
export function packTargets(targets: ArrayLike<number>): string {
  return Uint8Array.from(targets).toBase64();
}

/** The inverse of {@linkcode packTargets}. */
export function unpackTargets(text: string): number[] {
  return [...Uint8Array.fromBase64(text)];
}
