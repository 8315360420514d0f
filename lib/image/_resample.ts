/** The two passes of the resize over 8-bit samples, in WebAssembly (_resample.c); a strip of lines goes through its memory at a time. @module */
import { RESAMPLE } from "./_resample_binary.ts";
import { placed, SPARE, type WasmProgram, wasmProgram } from "./_wasm.ts";

/** For each output position of one axis: where its window begins, how long it is, and its weights (`taps` apart), in 1 / 2^22. */
export interface FixedWindows {
  first: Int32Array;
  length: Int32Array;
  weights: Int32Array;
  taps: number;
}

interface Resample extends WasmProgram {
  across(...args: number[]): void;
  down(...args: number[]): void;
}

/** Bytes of lines in memory at a time: few enough to stay near the processor. */
const STRIP = 1 << 20;

const resample = wasmProgram<Resample>(RESAMPLE);

/** Each position's weights as two lists of 16-bit numbers, the upper parts and the lower 11 bits, `taps` of each, padded with 0. */
function halves({ weights, length, taps }: FixedWindows, padded: number): Int16Array {
  const out = new Int16Array(2 * padded * length.length);
  for (const [i, count] of length.entries()) {
    for (let k = 0, to = 2 * padded * i; k < count; k++, to++) {
      const weight = weights[i * taps + k]!;
      out[to] = weight >> 11;
      out[to + padded] = weight & 2047;
    }
  }
  return out;
}

/**
 * Resamples along the lines.
 *
 * @param input `[lines, along, channels]`, 1 or 3 channels.
 * @returns `[lines, windows, channels]`.
 */
export function resampleAcross(
  input: Uint8Array,
  shape: { lines: number; along: number; channels: 1 | 3 },
  windows: FixedWindows,
): Uint8Array {
  const { lines, along, channels } = shape;
  const count = windows.first.length;
  const out = new Uint8Array(lines * count * channels);
  const taps = Math.ceil(windows.taps / 8) * 8;
  const line = along * channels, made = count * channels, stride = along + SPARE;
  const strip = Math.min(lines, Math.max(1, Math.floor(STRIP / line)));
  const wasm = resample();
  const [first, steps, weights, plane, to, from] = placed(wasm, [
    4 * count,
    4 * count,
    4 * taps * count,
    channels === 3 ? 3 * stride : 0,
    strip * made,
    strip * line,
  ]);
  const bytes = new Uint8Array(wasm.memory.buffer);
  new Int32Array(wasm.memory.buffer, first, count).set(windows.first);
  new Int32Array(wasm.memory.buffer, steps, count).set(windows.length.map((length) => Math.ceil(length / 8)));
  new Int16Array(wasm.memory.buffer, weights, 2 * taps * count).set(halves(windows, taps));
  for (let y = 0; y < lines; y += strip) {
    const some = Math.min(strip, lines - y);
    bytes.set(input.subarray(y * line, (y + some) * line), from);
    wasm.across(from, some, along, channels, first, steps, weights, taps, count, plane, stride, to);
    out.set(bytes.subarray(to, to + some * made), y * made);
  }
  return out;
}

/**
 * Resamples over the lines.
 *
 * @param input `[lines, inner]`.
 * @returns `[windows, inner]`.
 */
export function resampleDown(input: Uint8Array, inner: number, windows: FixedWindows): Uint8Array {
  const { first, length } = windows;
  const count = first.length;
  const out = new Uint8Array(count * inner);
  const taps = Math.ceil(windows.taps / 2) * 2;
  const most = length.reduce((a, b) => Math.max(a, b), 0);
  const room = Math.max(most, Math.floor(STRIP / inner)); // lines
  const wasm = resample();
  const [weights, to, from] = placed(wasm, [4 * taps * count, inner, room * inner]);
  const bytes = new Uint8Array(wasm.memory.buffer);
  new Int16Array(wasm.memory.buffer, weights, 2 * taps * count).set(halves(windows, taps));
  for (let i = 0, begin = 0, end = 0; i < count; i++) {
    const start = first[i]!;
    if (start < begin || start + length[i]! > end) { // the lines of this window and of those that fit beside it
      [begin, end] = [start, Math.min(start + room, input.length / inner)];
      bytes.set(input.subarray(begin * inner, end * inner), from);
    }
    wasm.down(from + (start - begin) * inner, length[i]!, inner, weights + 4 * taps * i, taps, to);
    out.set(bytes.subarray(to, to + inner), i * inner);
  }
  return out;
}
