/** Numbers of a file before they become tensors: a type, a shape and little-endian bytes. @module */

/** Element types of the files this package reads, under safetensors' names. */
export type TensorDtype = "F32" | "F16" | "BF16" | "F64" | "I64" | "I32" | "I16" | "I8" | "U8" | "BOOL";

/** One tensor as stored. */
export interface TensorData {
  /** Element type. */
  dtype: TensorDtype;
  /** Sizes, outermost first; `[]` is a scalar. */
  shape: number[];
  /** Row-major (contiguous) elements, little-endian. */
  data: Uint8Array;
}

/** Type and shape of a tensor that has not been read. */
export interface TensorEntry {
  /** Element type. */
  dtype: TensorDtype;
  /** Sizes, outermost first; `[]` is a scalar. */
  shape: number[];
}

/** Bytes per element of each type. */
export const DTYPE_BYTES: Readonly<Record<TensorDtype, number>> = {
  F64: 8,
  I64: 8,
  F32: 4,
  I32: 4,
  F16: 2,
  BF16: 2,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
};

/** Number of elements of `shape`: the product of its sizes, 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** A float32 tensor over `data`, which is shared, not copied, where it can be. @throws {TypeError} If the lengths differ. */
export function float32Tensor(shape: readonly number[], data: Float32Array | readonly number[]): TensorData {
  const values = data instanceof Float32Array ? data : Float32Array.from(data);
  if (values.length !== elementCount(shape)) {
    throw new TypeError(
      `Cannot build a float32 tensor as [${shape}] needs ${
        elementCount(shape)
      } numbers: current value is ${values.length}`,
    );
  }
  return { dtype: "F32", shape: [...shape], data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
}

/** The float16 (IEEE 754 binary16) of `bits` as a number. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

let halfTable: Float32Array | undefined;

function halves(): Float32Array {
  return halfTable ??= Float32Array.from({ length: 65536 }, (_, bits) => halfToNumber(bits));
}

/** `bytes` from an offset that typed arrays accept: itself when aligned to `size`, else a copy. */
function aligned(bytes: Uint8Array, size: number): Uint8Array {
  return bytes.byteOffset % size === 0 ? bytes : bytes.slice();
}

function readers(view: DataView): Partial<Record<TensorDtype, (i: number) => number>> {
  return {
    F64: (i) => view.getFloat64(i * 8, true),
    I64: (i) => Number(view.getBigInt64(i * 8, true)),
    I32: (i) => view.getInt32(i * 4, true),
    I16: (i) => view.getInt16(i * 2, true),
    I8: (i) => view.getInt8(i),
    U8: (i) => view.getUint8(i),
    BOOL: (i) => view.getUint8(i) ? 1 : 0,
  };
}

/**
 * The tensor's numbers as float32: exact for float16, bfloat16, small integers and booleans; rounded for float64 and integers
 * beyond 2^24. A float32 tensor's result shares its memory when it is aligned.
 *
 * @throws {TypeError} If the bytes do not fit the type and shape.
 */
export function toFloat32(t: TensorData): Float32Array {
  const n = elementCount(t.shape);
  const bytes = t.data;
  if (bytes.byteLength !== n * DTYPE_BYTES[t.dtype]) {
    throw new TypeError(
      `Cannot read numbers as ${t.dtype} [${t.shape}] needs ${
        n * DTYPE_BYTES[t.dtype]
      } bytes: current value is ${bytes.byteLength}`,
    );
  }
  if (t.dtype === "F32") {
    const source = aligned(bytes, 4);
    return new Float32Array(source.buffer, source.byteOffset, n);
  }
  const out = new Float32Array(n);
  if (t.dtype === "F16" || t.dtype === "BF16") {
    const source = aligned(bytes, 2);
    const words = new Uint16Array(source.buffer, source.byteOffset, n);
    if (t.dtype === "BF16") {
      const bits = new Uint32Array(out.buffer);
      for (let i = 0; i < n; i++) bits[i] = words[i]! << 16;
    } else {
      const table = halves();
      for (let i = 0; i < n; i++) out[i] = table[words[i]!]!;
    }
    return out;
  }
  const read = readers(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength))[t.dtype]!;
  for (let i = 0; i < n; i++) out[i] = read(i);
  return out;
}

/** Bits of the exponent, which are all ones in NaN and the infinities. */
const EXPONENTS: Partial<Record<TensorDtype, number>> = { F32: 0x7f800000, F16: 0x7c00, BF16: 0x7f80 };

/** The first element that is NaN, infinite or (float64) beyond float32, or -1. */
function firstNonFinite(t: TensorData): number {
  const mask = EXPONENTS[t.dtype];
  if (mask !== undefined) {
    const size = DTYPE_BYTES[t.dtype];
    const source = aligned(t.data, size) as Uint8Array<ArrayBuffer>;
    const Words = size === 2 ? Uint16Array : Uint32Array;
    const bits = new Words(source.buffer, source.byteOffset, source.byteLength / size);
    for (let i = 0; i < bits.length; i++) if ((bits[i]! & mask) === mask) return i;
  } else if (t.dtype === "F64") {
    const view = new DataView(t.data.buffer, t.data.byteOffset, t.data.byteLength);
    const n = t.data.byteLength / 8;
    for (let i = 0; i < n; i++) if (!Number.isFinite(Math.fround(view.getFloat64(i * 8, true)))) return i;
  }
  return -1;
}

/**
 * Refuses numbers that are not finite in float32.
 *
 * @param t Tensor to look at; integer types pass at once.
 * @param label What the message calls it: file and name.
 * @throws {RangeError} If one number is NaN or infinite; the message names it and its position.
 */
export function checkFinite(t: TensorData, label: string): void {
  const index = firstNonFinite(t);
  if (index < 0) return;
  const size = DTYPE_BYTES[t.dtype];
  const [value] = toFloat32({ dtype: t.dtype, shape: [1], data: t.data.slice(index * size, (index + 1) * size) });
  throw new RangeError(`Cannot load ${label} as every number must be finite: element ${index} is ${value}`);
}

/** Rows and columns of a matrix. @throws {TypeError} If it is none. */
export function matrixShape({ shape }: Pick<TensorData, "shape">): [rows: number, columns: number] {
  const [rows, columns] = shape;
  if (rows !== undefined && columns !== undefined && shape.length === 2) return [rows, columns];
  throw new TypeError(`Cannot use a tensor as it must be a matrix: current shape is [${shape}]`);
}
