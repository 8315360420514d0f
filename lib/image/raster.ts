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
  /**
   * Set when the file held palette indices or one-bit pixels (Pillow's modes `P` and `1`), already expanded here:
   * Pillow resizes those by the nearest neighbour, whatever filter is asked for, and so does `cropResize8`.
   */
  indexed?: true;
  /** The file's EXIF orientation, 2 to 8, when it has one that is not applied. */
  orientation?: number;
  /** What its reader found worth saying, a line each: the picture may not be what was meant. */
  notes?: readonly string[];
}

/** Widest and highest image read, pixels. */
export const MAX_SIDE = 20_000;

/** Most pixels read: ten times a large radiograph. */
export const MAX_PIXELS = 100_000_000;

/**
 * Refuses a size before anything of that size is allocated.
 *
 * @param size Width and height as the file's header states them.
 * @param name The file's name, for the message.
 * @throws {SyntaxError} If a side is 0 or above {@linkcode MAX_SIDE}, or the area is above {@linkcode MAX_PIXELS}.
 */
export function checkImageSize(size: { width: number; height: number }, name: string): void {
  const { width, height } = size;
  const whole = Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0;
  if (!whole || width > MAX_SIDE || height > MAX_SIDE || width * height > MAX_PIXELS) {
    throw new SyntaxError(
      `Cannot read "${name}" as sides must be 1 to ${MAX_SIDE} and pixels at most ${MAX_PIXELS}: ` +
        `its header says ${width} x ${height}`,
    );
  }
}
