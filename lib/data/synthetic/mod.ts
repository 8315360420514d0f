/**
 * Synthetic chest radiographs with reports, labels, boxes and masks, three other modalities, and the sets and the
 * vocabulary made of them. Everything follows from seeds; nothing is a patient's.
 *
 * @module
 */
export type { RasterImage } from "../../image/raster.ts";
export type { BinaryMask, Box, Case, Dataset, LabelValue } from "../types.ts";
export * from "./captions.ts";
export * from "./chest.ts";
export * from "./corpus.ts";
export * from "./findings.ts";
export * from "./mini_vocabulary.ts";
export * from "./modalities.ts";
export * from "./pretraining_pairs.ts";
export * from "./report.ts";
export * from "./seeds.ts";
export * from "./sets.ts";
export * from "./text_pairs.ts";
export * from "./vocabulary.ts";
