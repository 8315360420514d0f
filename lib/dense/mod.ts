/**
 * Segmentation and detection on the frozen image encoder.
 *
 * @module
 */
export {
  type DenseData,
  type DenseDataOptions,
  imagesToPredict,
  labelFraction,
  type LabelFractionOptions,
} from "./data.ts";
export { partRecord, SPLIT_WORDS, statedParts, type ThreeParts } from "../data/splits.ts";
export { type DenseEncoder, type DenseEncoderOptions, loadDenseEncoder, weightsHash } from "./encoder.ts";
export {
  type DenseHead,
  loadHead,
  type LoadHeadOptions,
  OtherEncoderError,
  saveHead,
  type StoredHead,
} from "./files.ts";
export { type MappedCases, type MapSource, mapSource, type MapSourceOptions } from "./maps.ts";
export { type AnswerOptions, type Marks, type PictureBox, pictureOverlay } from "./pictures.ts";
export { fitHead, type FitHeadOptions, type FitHeadResult, type HeadEpoch, type HeadTask } from "./train.ts";
export { type AnchorOptions, type Anchors, type BoxShape, kMeansAnchors } from "./detect/anchors.ts";
export { boxIou, type Detection, type Rectangle, type UnitBox } from "./detect/boxes.ts";
export { boxColumns, boxedFraction, type DetectionDataOptions, loadDetectionData } from "./detect/data.ts";
export {
  decodeBoxes,
  type DecodeBoxesOptions,
  type RawScale,
  suppress,
  type SuppressOptions,
} from "./detect/decode.ts";
export {
  checkDetectorConfig,
  checkGrid,
  type DetectionHead,
  detectMaps,
  type DetectMapsOptions,
  type DetectorConfig,
  type DetectorParams,
  initDetector,
  type ScaleParams,
} from "./detect/head.ts";
export { detectionLoss, type DetectionLossOptions, type ScaleTargetTensors } from "./detect/loss.ts";
export {
  averagePrecision,
  type AveragePrecisionOptions,
  type DetectedImage,
  type DetectionFigures,
  detectionFigures,
  type Froc,
  froc,
  type FrocOptions,
  meanAveragePrecision,
  type MeanAveragePrecisionOptions,
} from "./detect/metrics.ts";
export {
  boxesOfCase,
  constantBoxFigures,
  detectAll,
  type DetectAllOptions,
  evaluateDetection,
  trainDetection,
  type TrainDetectionOptions,
} from "./detect/run.ts";
export { type ImageBoxes, rsnaSubmission, writeBoxes, type WriteBoxesOptions } from "./detect/submission.ts";
export type { TargetOptions } from "./detect/targets.ts";
export { loadSegmentationData, type SegmentationDataOptions, UnlabelledCasesError } from "./segment/data.ts";
export {
  checkDecoderConfig,
  decodeMaps,
  type DecodeMapsOptions,
  type DecoderConfig,
  decoderConfig,
  type DecoderParams,
  initDecoder,
  type SegmentationHead,
} from "./segment/head.ts";
export { focalLoss, segmentationLoss, type SegmentationLossOptions, softDice } from "./segment/loss.ts";
export { maskOfCase } from "./segment/masks.ts";
export { type MaskOverlap, maskOverlap, type SegmentationFigures, segmentationFigures } from "./segment/metrics.ts";
export {
  constantMaskFigures,
  evaluateSegmentation,
  type EvaluateSegmentationOptions,
  predictMasks,
  sideOf,
  trainSegmentation,
  type TrainSegmentationOptions,
} from "./segment/run.ts";
export { type MaskWriter, maskWriter, siimSubmission } from "./segment/submission.ts";
