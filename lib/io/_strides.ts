/** Strided views of flat storage, made contiguous. @module */
import { elementCount } from "./tensors.ts";

/** Row-major strides of `shape`, in elements. */
export function contiguousStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let d = shape.length - 2; d >= 0; d--) strides[d] = strides[d + 1]! * Math.max(1, shape[d + 1]!);
  return strides;
}

/** Elements of storage from a view's first to its last, inclusive; 0 for an empty view. */
export function viewSpan(shape: readonly number[], strides: readonly number[]): number {
  if (shape.includes(0)) return 0;
  return 1 + shape.reduce((last, size, d) => last + (size - 1) * strides[d]!, 0);
}

/** Whether a view's elements lie in row-major order with no gaps; strides of sizes 0 and 1 do not matter. */
export function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  const expected = contiguousStrides(shape);
  return shape.includes(0) || shape.every((size, d) => size === 1 || strides[d] === expected[d]);
}

type Words = Uint8Array | Uint16Array | Uint32Array | BigUint64Array;

function words(bytes: Uint8Array, size: number): Words {
  const source = (bytes.byteOffset % size === 0 ? bytes : bytes.slice()) as Uint8Array<ArrayBuffer>;
  const Kind = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array, 8: BigUint64Array }[size]!;
  return new Kind(source.buffer, source.byteOffset, source.byteLength / size);
}

/**
 * Copies a strided view into row-major order.
 *
 * @param bytes Storage from the view's first element on.
 * @param view Sizes and strides in elements, and bytes per element (1, 2, 4 or 8).
 */
export function gatherView(
  bytes: Uint8Array,
  view: { shape: readonly number[]; strides: readonly number[]; elementBytes: number },
): Uint8Array {
  const { shape, strides, elementBytes } = view;
  const n = elementCount(shape);
  const out = new Uint8Array(n * elementBytes);
  const source = words(bytes, elementBytes);
  const target = words(out, elementBytes);
  const index = new Array<number>(shape.length).fill(0);
  const rank = shape.length;
  for (let i = 0, offset = 0; i < n; i++) {
    target[i] = source[offset]!;
    for (let d = rank - 1; d >= 0; d--) { // the odometer's next reading
      offset += strides[d]!;
      if (++index[d]! < shape[d]!) break;
      offset -= strides[d]! * shape[d]!;
      index[d] = 0;
    }
  }
  return out;
}
