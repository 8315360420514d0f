/**
 * The library where there are no paths to read: in a page, in a worker, and on Node and Bun. A bundler takes it as it is.
 *
 * A browser fetches the wasm files and the shipped model from the folder that {@linkcode setAssets} names. Elsewhere in this
 * package a file is named by its path: here it is one that {@linkcode mountFiles} was given, read by slices, or else one of the
 * origin's private file system, to which states and adapters are written.
 *
 * @example A page's own file
 * ```ts
 * import { decodeImage, loadModel } from "@ace-lora/ace-lora/browser";
 * import { assertEquals } from "@std/assert";
 *
 * const file = new File([await Deno.readFile("data/demo_report.png")], "film.png"); // of an <input type="file">
 * const model = await loadModel();
 * const film = { name: file.name, image: async () => decodeImage(new Uint8Array(await file.arrayBuffer()), file.name) };
 * const [answer] = await model.classify([film], ["pneumonia", "no finding"]);
 * assertEquals(Object.keys(answer!.scores), ["pneumonia", "no finding"]);
 * ```
 *
 * @module
 */
export { ASSETS, setAssets } from "../platform/assets.ts";
export { mountFiles, StorageFullError, unmountFiles } from "../platform/web_system.ts";
export { decodeImage, type DecodeImageOptions } from "../image/read.ts";

export { type AdaptOptions, loadModel, type LoadModelOptions, type Model } from "../model.ts";
export { type BackendInfo, selectBackend, type SelectBackendOptions } from "../tensor/backend.ts";
export { countParams, disposeParams, namedTensors } from "../tensor/params.ts";
export {
  type AceLoraConfig,
  aceLoraModel,
  type AceLoraParams,
  countTrainable,
  initAceLora,
  mergeAceLora,
} from "../ace_lora.ts";
export { ACE_LORA_LORA, type LoraConfig } from "../peft/lora/config.ts";
export { ACE_LORA_HGNN, type AceHgnnConfig } from "../hypergraph/ace_hgnn.ts";
export { BIOMED_CLIP, MINI } from "../clip/architectures.ts";
export type { ClipConfig } from "../clip/config.ts";
export type { ModelFiles } from "../clip/find_model_files.ts";
export { loadClip, type LoadClipOptions, type LoadedClip } from "../clip/load.ts";
export { CHEST_TEMPLATES } from "../clip/zero_shot/prompts.ts";
export { type Adapted, loadAdapter, saveAdapter, type SaveAdapterOptions } from "../adapters/model.ts";
export type { AdapterFormat } from "../adapters/files.ts";
export type { FitOptions, FitResult, StepReport } from "../train/options.ts";
export { fit } from "../train/fit.ts";
export type { Case, Dataset } from "../data/types.ts";
export { loadFolder } from "../data/folder.ts";
export { loadPairs } from "../data/pairs.ts";
export { classPrompts, imageSource, pairSource } from "../data/sources.ts";
export { rsnaLike, trainingSet } from "../data/synthetic/sets.ts";
export type { RasterImage } from "../image/raster.ts";
export { assess, type Assessment, type AssessOptions } from "../eval/assess.ts";
export { type Classification, classifyImages, type ClassifyOptions, type NamedImage } from "../eval/classify.ts";
export { explainImages, type Explanation, explanationOverlay } from "../eval/explain.ts";
export { overlaySvg } from "../display/overlay.ts";
