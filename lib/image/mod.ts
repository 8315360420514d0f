/**
 * Images from file to pixels: JPEG, PNG, TIFF, WebP and DICOM, and Pillow's resize, with no Python.
 *
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { decodeImage, encodePng, toPixels } from "@ace-lora/ace-lora/image";
 *
 * const bytes = encodePng({ width: 2, height: 1, channels: 1, bitDepth: 8, data: Uint8Array.of(0, 255) });
 * const image = await decodeImage(bytes, "two.png"); // or: await readImage("chest.dcm")
 * const pixels = toPixels(image); // [224, 224, 3], resized and normalised for BiomedCLIP
 * assertEquals(pixels.length, 224 * 224 * 3);
 * ```
 *
 * Nothing but read permission for the images is asked. Not read, and refused by name: GIF, BMP; CMYK, arithmetic-coded and 12-bit
 * colour JPEG; TIFF in JPEG, fax or PackBits compression; animated WebP; multi-frame, palette, 32-bit and uncompressed 4:2:2 DICOM; HTJ2K and video transfer syntaxes.
 *
 * @module
 */
export { MAX_PIXELS, MAX_SIDE, type RasterImage } from "./raster.ts";
export { decodeImage, type DecodeImageOptions, ImageError, readImage } from "./read.ts";
export { describeImage, type ImageDescription, isImage } from "./describe.ts";
export { decodeJpeg, type DecodeJpegOptions } from "./jpeg.ts";
export { oriented } from "./orientation.ts";
export { decodeTiff } from "./tiff.ts";
export { decodeWebp } from "./webp.ts";
export { decodePng, encodePng } from "./png.ts";
export {
  decodeDicom,
  type DicomDisplay,
  type DicomImage,
  type DicomLut,
  type DicomWindow,
  isDicom,
  storedPixelSha256,
} from "./dicom.ts";
export { type DicomRasterOptions, dicomToRaster } from "./dicom_raster.ts";
export { resize, type ResizeFilter, type ResizeOptions } from "./resize.ts";
export {
  cropResize8,
  normalise8,
  type NormaliseOptions,
  OPENAI_MEAN,
  OPENAI_STD,
  type PreprocessOptions,
  type ResizeMode,
  toPixels,
  type ToPixelsOptions,
  toRgb,
} from "./preprocess.ts";
export { thumbnailDataUrl } from "./thumbnail.ts";
