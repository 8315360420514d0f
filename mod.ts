/**
 * ACE-LoRA: parameter-efficient adaptation of medical vision-language models, on Deno.
 *
 * A frozen image-text model gets LoRA in its attention and ACE-HGNN over its tokens, and learns from image-report pairs with
 * the label-guided InfoNCE loss. Every block is a pure function over plain records of tensors: it borrows what it is given
 * and returns new tensors that the caller owns. What is named here is the package in short; all else has its sub-path, such
 * as `@ace-lora/ace-lora/display`.
 *
 * Letters in shapes: B batch, N tokens, D width (768), E embedding (512), H heads, R rank, K members of a hyperedge,
 * C classes, P prompts, S image side in pixels.
 *
 * @example Adapt the shipped mini model, and ask it
 * ```ts
 * import { loadModel, trainingSet } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 *
 * const model = await loadModel(); // or "biomedclip/"
 * const adapted = await model.adapt(trainingSet(4, 1), { epochs: 3, batchSize: 4 }); // synthetic radiographs and reports
 * const features = await adapted.encodeTexts(["pneumonia", "no finding"]);
 * assertEquals(features.length, 2 * adapted.config.embedding);
 * ```
 *
 * @module
 */

// A model with methods, and the backend it runs on.
export { type AdaptOptions, loadModel, type LoadModelOptions, type Model } from "./lib/model.ts";
export { type BackendInfo, selectBackend, type SelectBackendOptions } from "./lib/tensor/backend.ts";
export { countParams, disposeParams, namedTensors } from "./lib/tensor/params.ts";

// The paper.
export {
  type AceLoraConfig,
  aceLoraModel,
  type AceLoraParams,
  contrastiveLoss,
  countTrainable,
  imageFeatures,
  initAceLora,
  mergeAceLora,
  type PairTensors,
  textFeatures,
} from "./lib/ace_lora.ts";
export { ACE_LORA_LORA, type LoraConfig } from "./lib/peft/lora/config.ts";
export { injectLora } from "./lib/peft/lora/inject.ts";
export {
  ACE_LORA_HGNN,
  aceHgnn,
  type AceHgnnConfig,
  type AceHgnnParams,
  initAceHgnn,
} from "./lib/hypergraph/ace_hgnn.ts";
export { infoNce } from "./lib/losses/info_nce.ts";
export { falseNegativeMask, type Label } from "./lib/losses/label_mask.ts";
export type { PeftMethod } from "./lib/peft/method.ts";
export { PEFT_METHODS, type PeftName } from "./lib/peft/methods.ts";

// The model it adapts.
export { BIOMED_CLIP, MINI } from "./lib/clip/architectures.ts";
export type { ClipConfig } from "./lib/clip/config.ts";
export type { ClipParams } from "./lib/clip/params.ts";
export type { ContrastiveModel } from "./lib/clip/contrastive.ts";
export { encodeImage } from "./lib/clip/towers/image.ts";
export { encodeText } from "./lib/clip/towers/text.ts";
export type { ModelFiles } from "./lib/clip/find_model_files.ts";
export { loadClip, type LoadClipOptions, type LoadedClip } from "./lib/clip/load.ts";
export { type ClipTokenizer, tokenise } from "./lib/clip/tokenise.ts";
export { CHEST_TEMPLATES } from "./lib/clip/zero_shot/prompts.ts";
export { classifyZeroShot, type ClassPrompts, type ImageSource } from "./lib/clip/zero_shot/scores.ts";

// Adapters in every layout.
export { type Adapted, loadAdapter, saveAdapter } from "./lib/adapters/model.ts";

// Training.
export type { GradientSum } from "./lib/train/shared_gradients.ts";
export type { FitOptions, FitResult } from "./lib/train/options.ts";
export { fit } from "./lib/train/fit.ts";
export type { BatchSource } from "./lib/train/source.ts";

// Data.
export type { Case, Dataset } from "./lib/data/types.ts";
export { loadFolder } from "./lib/data/folder.ts";
export { loadPairs } from "./lib/data/pairs.ts";
export { classPrompts, imageSource, pairSource } from "./lib/data/sources.ts";
export { rsnaLike, trainingSet } from "./lib/data/synthetic/sets.ts";
export type { RasterImage } from "./lib/image/raster.ts";
export { readImage } from "./lib/image/read.ts";
export { toPixels } from "./lib/image/preprocess.ts";

// Evaluation.
export { assess, type Assessment, type AssessOptions } from "./lib/eval/assess.ts";
export { type Classification, classifyImages, type ClassifyOptions, imagesAt } from "./lib/eval/classify.ts";
export { explainImages, type Explanation, explanationOverlay } from "./lib/eval/explain.ts";
export { formatTable } from "./lib/display/table.ts";
export { show } from "./lib/display/show.ts";
