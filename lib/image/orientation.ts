/** Turning a picture as its EXIF orientation says. @module */
import type { RasterImage } from "./raster.ts";

/**
 * The picture as it is meant to be seen: `orientation` says which sides the file's first row and column are.
 *
 * Source: Exif 2.3, Orientation (tag 274); 1 leaves it as it is, 5 to 8 exchange width and height.
 *
 * @param image Not changed.
 * @param orientation 1 to 8.
 */
export function oriented(image: RasterImage, orientation: number): RasterImage {
  if (orientation === 1) return image;
  const { width, height, channels, data } = image;
  const isTurned = orientation >= 5;
  // Rows and columns of the file, counted from the other end where the picture is seen mirrored.
  const isRowReversed = [3, 4, 7, 8].includes(orientation), isColumnReversed = [2, 3, 6, 7].includes(orientation);
  const wide = isTurned ? height : width, high = isTurned ? width : height;
  const out = data instanceof Uint8Array ? new Uint8Array(data.length) : new Uint16Array(data.length);
  for (let y = 0, to = 0; y < high; y++) {
    for (let x = 0; x < wide; x++) {
      const [row, column] = isTurned
        ? [isColumnReversed ? height - 1 - x : x, isRowReversed ? width - 1 - y : y]
        : [isRowReversed ? height - 1 - y : y, isColumnReversed ? width - 1 - x : x];
      const from = (row * width + column) * channels;
      for (let c = 0; c < channels; c++) out[to++] = data[from + c]!;
    }
  }
  const { orientation: _, ...rest } = image;
  return { ...rest, width: wide, height: high, data: out };
}
