/**
 * Contrastive image-text models: towers, configurations, checkpoints, loading, zero-shot classification.
 *
 * @module
 */
export { BIOMED_CLIP, CLIP_VIT_B_16, CLIP_VIT_B_32, MED_SIGLIP_448, MINI } from "./architectures.ts";
export type {
  BertConfig,
  CausalTextConfig,
  ClipConfig,
  HeadKind,
  ImageTowerConfig,
  NoTextConfig,
  ResnetConfig,
  SiglipTextConfig,
  SwinConfig,
  TextTransformerConfig,
  TransformerConfig,
  VisionConfig,
  VitConfig,
} from "./config.ts";
export type { ContrastiveModel, FeatureOptions, LocalParts, PromptOptions } from "./contrastive.ts";
export { findModelFiles, type ModelFiles } from "./find_model_files.ts";
export {
  loadClip,
  type LoadClipOptions,
  type LoadedClip,
  MissingTokenizerError,
  modelFiles,
  readClipConfig,
} from "./load.ts";
export { loadMiniTokenizer, MINI_NOTICE, MINI_VOCABULARY, MINI_WEIGHTS } from "./mini.ts";
export { type ClipParams, clipShapes, countClip, initClip } from "./params.ts";
export { NoTextTowerError } from "./no_text.ts";
export { type ClipTokenizer, type NoTokenizer, tokenise } from "./tokenise.ts";
export { type Checkpoint, openCheckpoint } from "./checkpoint/checkpoint.ts";
export { findLayout, type FoundLayout, layoutLabel, TEXT_SIGNS, VISION_SIGNS } from "./checkpoint/find_layout.ts";
export { BIOMED_CLIP_LAYOUT, type ClipLayout, clipPlace } from "./checkpoint/layout.ts";
export { type CheckpointTensor, toClipTensors } from "./checkpoint/tensors.ts";
export { TEXT_NAMES, type TextNaming } from "./checkpoint/text_names.ts";
export type { ClipPlace, TowerNames } from "./checkpoint/tower_names.ts";
export type { ResnetNaming } from "./checkpoint/resnet_names.ts";
export type { SwinNaming } from "./checkpoint/swin_names.ts";
export { VISION_NAMES, type VisionNaming } from "./checkpoint/vision_names.ts";
export { type ClipSource, type JsonRecord } from "./config_file/fields.ts";
export { parseClipConfig } from "./config_file/parse.ts";
export type { ClipSizes } from "./config_file/sizes.ts";
export type { EncodeOptions, EncoderResult, ImageTower } from "./towers/encoder.ts";
export type { HeadParams, MlpHead } from "./towers/head.ts";
export {
  attentionHeads,
  encodeImage,
  gridSide,
  imageTower,
  type ImageTowerParams,
  type ImageTrunk,
  squareSide,
} from "./towers/image.ts";
export type { BlockExtras, LeafRole, Parts, TypedLeaf } from "./towers/parts.ts";
export type { MeanQueryParams, ResidualParams, ResnetTrunk } from "./towers/resnet.ts";
export type { PatchMerging, SwinTrunk } from "./towers/swin.ts";
export type { VitTrunk } from "./towers/vit.ts";
export { encodeText, textTower, type TextTowerParams, type TextTrunk } from "./towers/text.ts";
export { classifyByProtocol, type ProtocolTask } from "./zero_shot/ask.ts";
export { PROTOCOLS } from "./zero_shot/presets.ts";
export { CHEST_TEMPLATES, HISTOPATHOLOGY_TEMPLATES, promptTexts } from "./zero_shot/prompts.ts";
export {
  type ClassQuestion,
  type ClassTexts,
  isProbability,
  PROMPT_POOLS,
  type Protocol,
  PROTOCOL_SCORES,
  protocolQuestions,
} from "./zero_shot/protocol.ts";
export {
  averageScores,
  type ClassFeatures,
  type LocalScores,
  protocolScores,
  type Similarity,
} from "./zero_shot/protocol_scores.ts";
export {
  checkFeatures,
  classifyZeroShot,
  type ClassifyZeroShotOptions,
  type ClassPrompts,
  encodeClasses,
  encodeImages,
  type EncodeImagesOptions,
  FeatureError,
  type ImageSource,
  minMaxScores,
  sigmoidScores,
  type TokenRows,
  type ZeroShotScore,
  zeroShotScores,
} from "./zero_shot/scores.ts";
