/**
 * Many small tensors in one buffer and back, by the device's own copies: no dispatch at all.
 *
 * @module
 */
import { output, sizeOf, type WebgpuCall, zeros } from "../../webgpu/call.ts";
import { type BufferCopy, recordCopies } from "../../webgpu/run.ts";
import type { Info1D, TensorInfo } from "../info.ts";

/** AcePack: all inputs one after the other, rounded up to a multiple of four. */
export function pack({ inputs, backend }: WebgpuCall<"AcePack">): Info1D {
  const parts = Object.values(inputs);
  const size = parts.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  if (size === 0) return zeros(backend, [0]);
  const flat = output(backend, [Math.ceil(size / 4) * 4]);
  let to = 0;
  const copies = parts.map((part): BufferCopy => {
    const copy = { from: part, fromAt: 0, to: flat, toAt: to, count: sizeOf(part.shape) };
    to += copy.count;
    return copy;
  });
  recordCopies(backend, copies, [flat]);
  return flat;
}

/** AceUnpack: the reverse. */
export function unpack({ inputs: { flat }, attrs, backend }: WebgpuCall<"AceUnpack">): TensorInfo[] {
  let from = 0;
  const copies: BufferCopy[] = [];
  const parts = attrs.shapes.map((shape): TensorInfo => {
    const count = sizeOf(shape);
    if (count === 0) return zeros(backend, shape);
    const part = output(backend, shape);
    copies.push({ from: flat, fromAt: from, to: part, toAt: 0, count });
    from += count;
    return part;
  });
  recordCopies(backend, copies, parts);
  return parts;
}
