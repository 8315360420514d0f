/** PNG's scanlines: reversing the five filters and Adam7's seven passes. W3C PNG, sections 8.2 and 9. @module */

/** What the scanlines depend on. */
export interface ScanlineLayout {
  width: number;
  height: number;
  /** Samples of a pixel: 1 grey or index, 2, 3 or 4. */
  samples: number;
  /** Bits of a sample: 1, 2, 4, 8 or 16. */
  depth: number;
  interlaced: boolean;
}

interface Pass {
  x: number;
  y: number;
  stepX: number;
  stepY: number;
  width: number;
  height: number;
}

const ADAM7 = [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]];

function passesOf({ width, height, interlaced }: ScanlineLayout): Pass[] {
  const grids = interlaced ? ADAM7 : [[0, 0, 1, 1]];
  return grids.map(([x = 0, y = 0, stepX = 1, stepY = 1]) => ({
    x,
    y,
    stepX,
    stepY,
    width: Math.ceil((width - x) / stepX),
    height: Math.ceil((height - y) / stepY),
  })).filter((pass) => pass.width > 0 && pass.height > 0);
}

function lineBytes(pass: Pass, layout: ScanlineLayout): number {
  return Math.ceil(pass.width * layout.samples * layout.depth / 8);
}

/** How many bytes the inflated image data must have, filter bytes included. */
export function inflatedBytes(layout: ScanlineLayout): number {
  return passesOf(layout).reduce((sum, pass) => sum + pass.height * (1 + lineBytes(pass, layout)), 0);
}

/** Unfilters one line in place; `previous` is the unfiltered line above, absent for the first. */
function unfilter(filter: number, line: Uint8Array, previous: Uint8Array | undefined, step: number): void {
  const n = line.length;
  switch (filter) {
    case 0:
      return;
    case 1:
      for (let i = step; i < n; i++) line[i] = line[i]! + line[i - step]!;
      return;
    case 2:
      if (previous) { for (let i = 0; i < n; i++) line[i] = line[i]! + previous[i]!; }
      return;
    case 3:
      for (let i = 0; i < n; i++) {
        line[i] = line[i]! + (((i < step ? 0 : line[i - step]!) + (previous ? previous[i]! : 0)) >> 1);
      }
      return;
    case 4:
      for (let i = 0; i < n; i++) {
        const left = i < step ? 0 : line[i - step]!;
        const up = previous ? previous[i]! : 0;
        const corner = i < step || !previous ? 0 : previous[i - step]!;
        const toLeft = Math.abs(up - corner), toUp = Math.abs(left - corner);
        const toCorner = Math.abs(left + up - 2 * corner);
        line[i] = line[i]! + (toLeft <= toUp && toLeft <= toCorner ? left : toUp <= toCorner ? up : corner);
      }
      return;
    default:
      throw new Error(`a line's filter is ${filter}, PNG knows 0 to 4`);
  }
}

/**
 * Samples in row-major order, unscaled (a one-bit grey pixel is 0 or 1).
 *
 * @param inflated Exactly {@linkcode inflatedBytes} bytes; overwritten.
 * @throws {Error} If a line names a filter that does not exist.
 */
export function readScanlines(inflated: Uint8Array, layout: ScanlineLayout): Uint8Array | Uint16Array {
  const { width, height, samples, depth } = layout;
  const count = width * height * samples;
  const out = depth === 16 ? new Uint16Array(count) : new Uint8Array(count);
  const step = Math.max(1, samples * depth >> 3);
  let offset = 0;
  for (const pass of passesOf(layout)) {
    const bytes = lineBytes(pass, layout);
    let previous: Uint8Array | undefined;
    for (let row = 0; row < pass.height; row++) {
      const line = inflated.subarray(offset + 1, offset + 1 + bytes);
      unfilter(inflated[offset]!, line, previous, step);
      const start = (pass.y + row * pass.stepY) * width + pass.x;
      placeLine(line, { out, start, pass, samples, depth });
      previous = line;
      offset += 1 + bytes;
    }
  }
  return out;
}

function placeLine(
  line: Uint8Array,
  to: { out: Uint8Array | Uint16Array; start: number; pass: Pass; samples: number; depth: number },
): void {
  const { out, start, pass, samples, depth } = to;
  if (depth === 8 && pass.stepX === 1) {
    out.set(line, start * samples);
    return;
  }
  const mask = (1 << depth) - 1;
  for (let x = 0, sample = 0; x < pass.width; x++) {
    const pixel = (start + x * pass.stepX) * samples;
    for (let c = 0; c < samples; c++, sample++) {
      if (depth === 8) out[pixel + c] = line[sample]!;
      else if (depth === 16) out[pixel + c] = line[2 * sample]! << 8 | line[2 * sample + 1]!;
      else {
        const bit = sample * depth;
        out[pixel + c] = line[bit >> 3]! >> (8 - depth - (bit & 7)) & mask;
      }
    }
  }
}
