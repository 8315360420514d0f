/**
 * Data sets from their published layouts, exact splits, CSV files and masks.
 *
 * @module
 */
export { type BoxesOptions, readBoxes, readMask } from "./boxes.ts";
export { balancedWeights, type LabelTargets, labelTargets, targetSource, type TargetSourceOptions } from "./targets.ts";
export { captioned, type CaptionTemplates, CHEST_CAPTIONS, fewShot, parseCaptions } from "./captions.ts";
export { type Chexpert5x200Options, CHEXPERT_5X200_CLASSES, loadChexpert5x200 } from "./chexpert5x200.ts";
export { ColumnError, type CsvDescription, describeCsv, readCsv, rowNumber, type Table } from "./csv.ts";
export { csvCell, type CsvCellOptions } from "./csv_cell.ts";
export {
  ClassError,
  describeDataset,
  hashIds,
  imageFile,
  listImages,
  MissingFileError,
  MissingImageError,
  type MissingImages,
  uniqueIds,
} from "./dataset.ts";
export { type FolderOptions, loadFolder } from "./folder.ts";
export { LC25000_CLASSES, type Lc25000Options, loadLc25000 } from "./lc25000.ts";
export { loadMedmnist, type MedmnistOptions } from "./medmnist.ts";
export { loadMhist, MHIST_CLASSES, type MhistOptions } from "./mhist.ts";
export { loadMimicCxr, type MimicCxrOptions } from "./mimic_cxr.ts";
export { loadNih, NIH_CLASSES, type NihOptions } from "./nih.ts";
export { type NpyArray, readNpy, readNpz } from "./npy.ts";
export { JointClassError } from "./classes.ts";
export { loadPairs, NoRowError, type PairsOptions } from "./pairs.ts";
export { readParquet } from "./parquet.ts";
export { readProtocol } from "./protocol.ts";
export { type DatasetEntry, type DatasetOptions, DATASETS } from "./registry.ts";
export { reportSections } from "./reports.ts";
export { decodeRle, encodeRle, type MaskSize, type RleOptions } from "./rle.ts";
export { loadRsna, RSNA_CLASSES, type RsnaOptions, type RsnaSplit } from "./rsna.ts";
export {
  checkUnseen,
  fingerprint,
  fingerprints,
  judgedNotes,
  seenCases,
  SeenCasesError,
  type UsedCases,
} from "./seen.ts";
export { loadSiim, SIIM_CLASSES, type SiimOptions } from "./siim.ts";
export { classPrompts, imageSource, type ImageSourceOptions, pairSource, squareTransform } from "./sources.ts";
export {
  type PatientSplitOptions,
  splitByPatient,
  type TrainTestSplit,
  trainTestSplit,
  type TrainTestSplitOptions,
} from "./splits.ts";
export { imageStamps } from "./stamps.ts";
export { type BinaryMask, type Box, type Case, CHEXPERT_LABELS, type Dataset, type LabelValue } from "./types.ts";
export { findUnreadable, type FindUnreadableOptions, type UnreadableImage } from "./unreadable.ts";
export { loadWebDataset, shardPaths, type WebDatasetOptions } from "./webdataset.ts";
export type { RasterImage } from "../image/raster.ts";
export type { PixelCacheOptions } from "./pixels/cache.ts";
export type { Square, SquareTransform } from "./pixels/decode.ts";
export type { DecodePoolOptions } from "./pixels/decode_pool.ts";
export { type FilledCache, fillPixelCache, type FillPixelCacheOptions } from "./pixels/fill.ts";
export type { ImageLocation, ImagePart } from "./pixels/location.ts";
export { type ImageReader, type ImageReaderOptions, openImageReader } from "./pixels/reader.ts";
export type { CoarseCaptionOptions } from "./synthetic/captions.ts";
export {
  type SyntheticChest,
  syntheticChest,
  type SyntheticChestOptions,
  type SyntheticFilm,
  type SyntheticStudy,
  syntheticStudy,
} from "./synthetic/chest.ts";
export type { DeviceKind, Finding, FindingName, FindingSpec, Severity, Side, Zone } from "./synthetic/findings.ts";
export type { OtherModality } from "./synthetic/modalities.ts";
export {
  contentLabels,
  type Contents,
  type PretrainingPairOptions,
  type PretrainingPlan,
  pretrainingPlan,
} from "./synthetic/pretraining_pairs.ts";
export {
  chexpert5xN,
  heldOutChestSets,
  histopathologyLike,
  rsnaLike,
  siimLike,
  type SyntheticSetOptions,
  trainingSet,
} from "./synthetic/sets.ts";
export { type TextPair, textPair, type TextPairOptions } from "./synthetic/text_pairs.ts";
export { NotFound } from "../platform/system.ts";
export type { FileErrorClass } from "../platform/files.ts";
