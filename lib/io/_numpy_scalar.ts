/** NumPy's scalars in a pickle, as the numbers they are: read from their bytes, nothing is called. @module */
import { Opaque, type PickleGlobal, type Stateful } from "./_pickle_machine.ts";

/** A NumPy type: `f8` and its byte order. */
class NumpyType implements Stateful {
  isLittle = true;
  readonly code: unknown;

  constructor(code: unknown) {
    this.code = code;
  }

  /** `(version, byte order, ...)`; source: NumPy's `dtype.__reduce__`. */
  setState(state: unknown): void {
    const order = Array.isArray(state) ? state[1] : undefined;
    if (typeof order !== "string") throw new Error("a NumPy type's state must be a tuple with its byte order");
    this.isLittle = order !== ">";
  }
}

const READERS: Readonly<Record<string, (view: DataView, isLittle: boolean) => number | bigint | boolean>> = {
  b1: (view) => view.getUint8(0) !== 0,
  i1: (view) => view.getInt8(0),
  i2: (view, isLittle) => view.getInt16(0, isLittle),
  i4: (view, isLittle) => view.getInt32(0, isLittle),
  i8: (view, isLittle) => safe(view.getBigInt64(0, isLittle)),
  u1: (view) => view.getUint8(0),
  u2: (view, isLittle) => view.getUint16(0, isLittle),
  u4: (view, isLittle) => view.getUint32(0, isLittle),
  u8: (view, isLittle) => safe(view.getBigUint64(0, isLittle)),
  f4: (view, isLittle) => view.getFloat32(0, isLittle),
  f8: (view, isLittle) => view.getFloat64(0, isLittle),
};

const safe = (value: bigint): number | bigint => Number.isSafeInteger(Number(value)) ? Number(value) : value;

/** `scalar(type, bytes)`: a number, or read past where the type is none of the plain ones. */
function scalar(args: readonly unknown[]): unknown {
  const [type, bytes] = args;
  const code = type instanceof NumpyType && typeof type.code === "string" ? type.code : "";
  const read = Object.hasOwn(READERS, code) ? READERS[code] : undefined;
  if (!read || !(type instanceof NumpyType) || !(bytes instanceof Uint8Array)) return new Opaque("numpy.generic");
  if (bytes.length !== Number(code[1])) throw new Error(`a NumPy scalar of type ${code} has ${bytes.length} bytes`);
  return read(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), type.isLittle);
}

/** `_codecs.encode(text, "latin1")`, which stands for bytes in pickles of protocol 2. */
function encodeLatin1(args: readonly unknown[]): unknown {
  const [text, codec] = args;
  if (typeof text !== "string" || codec !== "latin1") throw new Error("bytes must be written as Latin-1");
  const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
  if (bytes.some((byte, i) => byte !== text.charCodeAt(i))) throw new Error("bytes must be written as Latin-1");
  return bytes;
}

const FUNCTIONS: Readonly<Record<string, (args: readonly unknown[]) => unknown>> = {
  "numpy.dtype": (args) => new NumpyType(args[0]),
  "numpy.core.multiarray.scalar": scalar,
  "numpy._core.multiarray.scalar": scalar,
  "_codecs.encode": encodeLatin1,
};

/** The global of a NumPy scalar's parts, or undefined. */
export function findNumpyGlobal(dotted: string): PickleGlobal | undefined {
  return Object.hasOwn(FUNCTIONS, dotted) ? { global: dotted, call: FUNCTIONS[dotted]! } : undefined;
}
