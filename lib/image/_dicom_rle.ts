/** DICOM's RLE (PackBits, one segment a byte plane, the most significant first). PS3.5, annex G. @module */

/**
 * Decodes one frame to interleaved little-endian samples.
 *
 * @param bytes The frame: a header of 64 bytes, then the segments.
 * @param shape Pixels, samples a pixel and bytes a sample.
 * @throws {Error} If the header does not fit the shape or a segment is too short.
 */
export function decodeRle(
  bytes: Uint8Array,
  shape: { pixels: number; samples: number; bytesPerSample: number },
): Uint8Array {
  const { pixels, samples, bytesPerSample } = shape;
  if (bytes.length < 64) throw new Error(`an RLE header has 64 bytes, found ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint32(0, true);
  const step = samples * bytesPerSample;
  if (count !== step) throw new Error(`RLE must have ${step} segments, its header says ${count}`);
  const offsets = Array.from({ length: count }, (_, i) => view.getUint32(4 + 4 * i, true));
  offsets.forEach((offset, i) => {
    const next = offsets[i + 1] ?? bytes.length;
    if (offset < 64 || offset >= next || next > bytes.length) {
      throw new Error(`RLE segment ${i} at ${offset} must lie between the header and byte ${next} of ${bytes.length}`);
    }
    // PackBits gives at most 128 bytes for 2: a segment too small for the image costs no allocation.
    if ((next - offset) * 64 < pixels) {
      throw new Error(`RLE segment ${i} has ${next - offset} bytes, ${pixels} pixels cannot be in it`);
    }
  });
  const out = new Uint8Array(pixels * step);
  offsets.forEach((offset, i) => {
    const sample = Math.trunc(i / bytesPerSample);
    const byte = bytesPerSample - 1 - i % bytesPerSample;
    const segment = bytes.subarray(offset, offsets[i + 1] ?? bytes.length);
    unpack(segment, { out, start: sample * bytesPerSample + byte, step, pixels, segment: i });
  });
  return out;
}

function unpack(
  from: Uint8Array,
  to: { out: Uint8Array; start: number; step: number; pixels: number; segment: number },
): void {
  const { out, start, step, pixels, segment } = to;
  const end = start + pixels * step;
  let target = start;
  for (let offset = 0; target < end;) {
    const head = from[offset++];
    if (head === 128) continue;
    const run = head === undefined ? 0 : head < 128 ? head + 1 : 257 - head;
    const taken = head !== undefined && head < 128 ? run : 1;
    if (head === undefined || offset + taken > from.length || target + run * step - step >= end) {
      const count = Math.trunc((target - start) / step);
      throw new Error(`RLE segment ${segment} must hold ${pixels} bytes: it breaks off or runs over after ${count}`);
    }
    if (head < 128) { for (let k = 0; k < run; k++, target += step) out[target] = from[offset + k]!; }
    else for (let k = 0; k < run; k++, target += step) out[target] = from[offset]!;
    offset += taken;
  }
}
