/**
 * A decoded image in memory: what every reader returns and every transform takes.
 *
 * @module
 */

/** Row-major, interleaved samples: `data[(y * width + x) * channels + c]`. */
export interface RasterImage {
  /** Columns, pixels. */
  width: number;
  /** Rows, pixels. */
  height: number;
  /** 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha. */
  channels: 1 | 2 | 3 | 4;
  /** Bits of one sample: 8 goes with `Uint8Array`, 16 with `Uint16Array`. */
  bitDepth: 8 | 16;
  /** `width * height * channels` samples. */
  data: Uint8Array | Uint16Array;
}
