/**
 * Evaluation: figures and their intervals, classification of images, explanations, features of whole sets.
 *
 * @module
 */
export {
  assess,
  type Assessment,
  type AssessOptions,
  checkClasses,
  ClassCountError,
  type DatasetScores,
  datasetTargets,
  methodResult,
  scoreDataset,
} from "./assess.ts";
export { batchQueue, type BatchQueueOptions, OverloadedError } from "./batch_queue.ts";
export {
  type Classification,
  classificationTable,
  type Classifier,
  classifyImages,
  type ClassifyOptions,
  imagesAt,
  type NamedImage,
} from "./classify.ts";
export { classificationReport } from "./classify_report.ts";
export { explainImages, type Explanation, explanationOverlay, seenPart } from "./explain.ts";
export { headLogits, type HeadTraining, initHead, supervisedModel } from "../supervised.ts";
export { HeadClassError, headScores, headValidation } from "./head.ts";
export { type Hit, nearestItems, type PairFeatures, retrieval, type RetrievalReport } from "./retrieve.ts";
export { type Measure, retrievalValidation, type ValidationOptions, zeroShotValidation } from "./validation.ts";
export { type FeatureContent, featureEncoder, type FeatureEncoderOptions } from "./encode/feature_encoder.ts";
export { findShards, mergeShards } from "./encode/merge.ts";
export {
  type EncodedShard,
  type EncodeJob,
  encodeShard,
  type EncodeShardOptions,
  type FeatureEncoder,
  parseShard,
} from "./encode/shards.ts";
export { type FeatureList, ForeignFileError, type Shard } from "./encode/features_file.ts";
export type { ClassColumn } from "./evaluation/columns.ts";
export { type CompareOptions, comparePredictions, UnpairedRunsError } from "./evaluation/compare.ts";
export type { Drawing } from "./evaluation/estimate.ts";
export { type EvaluateOptions, evaluatePredictions } from "./evaluation/evaluate.ts";
export { type EvaluationPage, evaluationPage } from "./evaluation/page.ts";
export {
  datasetPredictions,
  predictionParts,
  type Predictions,
  predictionsCsv,
  readPredictions,
  type ReadPredictionsOptions,
  selectPredictions,
  withTuningPart,
} from "./evaluation/predictions.ts";
export { type Grouping, subgroupFigures, type SubgroupInput } from "./evaluation/subgroups.ts";
export { type Faithfulness, faithfulness, type FaithfulnessOptions } from "./maps/faithfulness.ts";
export {
  type Pointer,
  pointingGame,
  type PointingGameOptions,
  type PointingReport,
  type PointingShare,
} from "./maps/game.ts";
export { type LabelMaps, labelMaps, MAP_KINDS, type MapKind } from "./maps/maps.ts";
export { type MapModel, openMapModel } from "./maps/model.ts";
export { pointingHit, type SeenBox, seenBox } from "./maps/pointing.ts";
export { faithfulnessFigure } from "./maps/show.ts";
export {
  accuracy,
  type AccuracyOptions,
  correctCases,
  multilabelAccuracy,
  predictedClasses,
} from "./metrics/accuracy.ts";
export {
  type AurocOptions,
  type AurocReport,
  type AurocStatistic,
  aurocStatistic,
  binaryAuroc,
  macroAuroc,
  multilabelAuroc,
  type MultilabelAurocOptions,
} from "./metrics/auroc.ts";
export {
  type BootstrapInterval,
  bootstrapInterval,
  bootstrapIntervals,
  type BootstrapOptions,
  type PairedBootstrap,
  pairedBootstrap,
  type Statistic,
} from "./metrics/bootstrap.ts";
export {
  brierScore,
  expectedCalibrationError,
  fitTemperature,
  type ReliabilityBin,
  reliabilityBins,
  type ReliabilityOptions,
} from "./metrics/calibration.ts";
export { confusionMatrix, type ConfusionOptions } from "./metrics/confusion.ts";
export {
  type DelongInterval,
  delongInterval,
  type DelongOptions,
  type DelongTest,
  delongTest,
} from "./metrics/delong.ts";
export { chooseThreshold, type OperatingPoint, operatingPoint, type ThresholdRule } from "./metrics/operating_point.ts";
export { averagePrecision, type PrecisionRecallCurve, precisionRecallCurve } from "./metrics/precision_recall.ts";
export { type RetrievalFigures, retrievalFigures, type RetrievalOptions, retrievalRanks } from "./metrics/retrieval.ts";
export { type RocCurve, rocCurve, type RocCurveOptions } from "./metrics/roc_curve.ts";
export { type ScoreSummary, summariseScores, type SummaryOptions } from "./metrics/summary.ts";
export {
  aurocOf,
  fewShot,
  type FewShotData,
  type FewShotOptions,
  type FewShotRow,
  type FewShotRun,
  type OtherMethod,
  type Spread,
} from "./probe/few_shot.ts";
export { fitLogistic, type LogisticModel, type LogisticOptions, predictLogistic } from "./probe/logistic.ts";
export { type LoraProbe, loraProbe, type LoraProbeOptions } from "./probe/lora.ts";
export { PROBE_METHODS, type ProbeMethod, type ProbeName } from "./probe/methods.ts";
export {
  type LabelledFeatures,
  nearestNeighbours,
  type NeighbourOptions,
  tipAdapter,
  type TipAdapterOptions,
} from "./probe/neighbours.ts";
export { drawShots, type Shots } from "./probe/shots.ts";
export { type ProbeAnswer, type ProbeTask, shareRight } from "./probe/task.ts";
