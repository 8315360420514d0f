/** Images from file to pixels: JPEG, PNG and DICOM, and Pillow's resize, with no Python. @module */
export { MAX_PIXELS, MAX_SIDE, type RasterImage } from "./raster.ts";
export { decodeImage, readImage } from "./read.ts";
export { describeImage, type ImageDescription, isImage } from "./describe.ts";
export { decodeJpeg } from "./jpeg.ts";
export { decodePng, encodePng } from "./png.ts";
export { decodeDicom, type DicomImage, type DicomLut, type DicomWindow, isDicom, storedPixelSha256 } from "./dicom.ts";
export { type DicomRasterOptions, dicomToRaster } from "./dicom_raster.ts";
export { resize, type ResizeFilter, type ResizeOptions } from "./resize.ts";
export {
  cropResize8,
  OPENAI_MEAN,
  OPENAI_STD,
  type PreprocessOptions,
  toPixels,
  type ToPixelsOptions,
  toRgb,
} from "./preprocess.ts";
export { thumbnailDataUrl } from "./thumbnail.ts";
