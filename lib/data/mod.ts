/**
 * Data sets from their published layouts, exact splits, CSV files and masks.
 *
 * @module
 */
export type { RasterImage } from "../image/raster.ts";
export * from "./boxes.ts";
export * from "./captions.ts";
export * from "./chexpert5x200.ts";
export * from "./coco_rle.ts";
export * from "./csv.ts";
export * from "./csv_cell.ts";
export * from "./dataset.ts";
export * from "./folder.ts";
export * from "./images.ts";
export * from "./labels.ts";
export * from "./lc25000.ts";
export * from "./medmnist.ts";
export * from "./mhist.ts";
export * from "./mimic_cxr.ts";
export * from "./nih.ts";
export * from "./npy.ts";
export * from "./numpy_random.ts";
export * from "./pairs.ts";
export { type PixelCacheOptions } from "./pixels/cache.ts";
export { type Square, type SquareTransform } from "./pixels/decode.ts";
export { type DecodePoolOptions } from "./pixels/decode_pool.ts";
export * from "./pixels/fill.ts";
export * from "./pixels/reader.ts";
export { readParquet } from "./parquet.ts";
export * from "./registry.ts";
export * from "./reports.ts";
export * from "./seen.ts";
export * from "./rle.ts";
export * from "./rsna.ts";
export * from "./siim.ts";
export * from "./sources.ts";
export * from "./splits.ts";
export * from "./stamps.ts";
export * from "./unreadable.ts";
export * from "./synthetic/mod.ts";
export * from "./types.ts";
export { loadWebDataset, shardPaths, type WebDatasetOptions } from "./webdataset.ts";
