/** A model to work with: what is loaded, and thin methods over the package's functions. @module */
import * as tf from "@tensorflow/tfjs";
import { type AceLoraConfig, aceLoraModel, type AceLoraParams, initAceLora } from "./ace_lora.ts";
import { type Adapted, loadAdapter, saveAdapter } from "./adapters/model.ts";
import type { ModelFiles } from "./clip/find_model_files.ts";
import { LOAD_CLIP_RULES, loadClip, type LoadClipOptions, type LoadedClip } from "./clip/load.ts";
import { encodeImages } from "./clip/zero_shot/scores.ts";
import { tokenise } from "./clip/tokenise.ts";
import { DATASET } from "./data/dataset.ts";
import { loadPairs } from "./data/pairs.ts";
import { fingerprints, type UsedCases } from "./data/seen.ts";
import { imageSource, pairSource } from "./data/sources.ts";
import type { Dataset } from "./data/types.ts";
import {
  type Classification,
  classifyImages,
  type ClassifyOptions,
  imagesAt,
  type NamedImage,
} from "./eval/classify.ts";
import { ACE_LORA_HGNN } from "./hypergraph/ace_hgnn.ts";
import { ACE_LORA_LORA } from "./peft/lora/config.ts";
import { checkOptions, checkValue, RECORD, type Rule, type Rules, TEXT } from "./platform/options.ts";
import { selectBackend } from "./tensor/backend.ts";
import { disposeParams } from "./tensor/params.ts";
import { FIT_RULES, type FitOptions, type FitResult } from "./train/options.ts";
import { fit } from "./train/fit.ts";

/** Options of {@linkcode loadModel}. */
export interface LoadModelOptions extends LoadClipOptions {
  /** An adapter in any layout. @default {none} */
  adapter?: string;
}

/** Options of {@linkcode Model.adapt}: those of `fit`, and what is added to the model. */
export interface AdaptOptions extends FitOptions {
  /** Low-rank updates and hypergraphs. @default {ACE-LoRA with the paper's settings} */
  method?: Partial<Omit<AceLoraConfig, "encoders">>;
}

/** What they must be. */
const LOAD_MODEL_RULES: Rules<LoadModelOptions> = { ...LOAD_CLIP_RULES, adapter: TEXT };

/** What they must be. */
const ADAPT_RULES: Rules<AdaptOptions> = {
  ...FIT_RULES,
  method: { ...RECORD, must: "a record of what is added, such as { lora: ACE_LORA_LORA }" },
};

/** What is learned from. */
const PAIRS: Rule = {
  must: "a data set or the path of a table",
  allows: (pairs) => typeof pairs === "string" || typeof pairs === "object" && DATASET.allows!(pairs),
};

/** A model, adapted or not. Every method encodes with the weights as they are; none changes them. */
export interface Model extends LoadedClip, UsedCases {
  /** Weights, and what an adapter added. */
  params: AceLoraParams;
  /** What an adapter added to `config`. */
  adapter: AceLoraConfig;
  /**
   * Zero-shot answers about images: `classifyImages`.
   *
   * @param images Paths of JPEG, PNG, DICOM and others, or names with the images' own readers.
   * @param labels At least two, all different.
   */
  classify(
    images: readonly (string | NamedImage)[],
    labels: readonly string[],
    options?: ClassifyOptions,
  ): Promise<Classification[]>;
  /** Unit features of images, row-major `[n, E]`: `encodeImages` over `imageSource`. */
  encodeImages(images: readonly (string | NamedImage)[]): Promise<Float32Array>;
  /** Unit features of texts, row-major `[n, E]`: the model's `textFeatures` over `tokenise`. */
  encodeTexts(texts: readonly string[]): Promise<Float32Array>;
  /**
   * A new model, adapted to image-text pairs: `initAceLora`, then `fit`, with the label-guided loss where every pair has a label
   * row. It shares the frozen weights with this one.
   *
   * @param pairs A data set, or the path of a CSV with the columns `path` and `text`.
   * @param options Warnings go to `console.warn` where there is no `onWarning`.
   * @throws {TypeError | RangeError} If an option is unknown or of another kind.
   */
  adapt(pairs: Dataset | string, options?: AdaptOptions): Promise<Model & { fit: FitResult<AceLoraParams> }>;
  /** Writes the adapter as one safetensors file, with the lists of its cases that are known: `saveAdapter`. @throws {RangeError} If nothing was added. */
  save(path: string): Promise<void>;
  /** Frees the weights; those that an adapted model shares with the one it was made from are freed with either. */
  dispose(): void;
}

/**
 * Loads a model: `selectBackend` if no backend runs yet, `loadClip`, then `loadAdapter`.
 *
 * @param from A folder as the hub gives it, a file of weights, or the files by name. @default {the shipped mini model}
 * @param options Notes about the files go to `console.warn` where there is no `note`.
 * @throws As `loadClip` and `loadAdapter` do.
 *
 * @example Two lines
 * ```ts
 * import { loadModel } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 *
 * const model = await loadModel(); // or "biomedclip/"
 * const features = await model.encodeTexts(["pneumonia", "no finding"]);
 * assertEquals(features.length, 2 * model.config.embedding);
 * ```
 */
export async function loadModel(from: string | ModelFiles = {}, options: LoadModelOptions = {}): Promise<Model> {
  checkOptions("load a model", options, LOAD_MODEL_RULES);
  const { adapter, note = (text) => console.warn(text), ...rest } = options;
  if (!tf.getBackend()) await selectBackend();
  const clip = await loadClip(from, { ...rest, note });
  if (adapter === undefined) {
    return modelOf(clip, { params: clip.params, config: { encoders: clip.config, learnScale: false } });
  }
  try {
    return modelOf(clip, await loadAdapter(adapter, clip.params, clip.config));
  } catch (error) {
    disposeParams(clip.params);
    throw error;
  }
}

function modelOf(clip: LoadedClip, { params, config: adapter, ...cases }: Adapted): Model {
  const { config, tokenizer } = clip;
  const model = aceLoraModel(adapter);
  const merged = async <T>(use: (tree: AceLoraParams) => Promise<T>): Promise<T> => {
    const tree = model.forEvaluation(params);
    return await use(tree).finally(() => disposeParams(tree, params));
  };
  return {
    ...clip,
    ...cases,
    params,
    adapter,
    classify: (images, labels, options) =>
      classifyImages({ params, config: adapter, tokenizer }, imagesAt(images), labels, options),
    encodeImages: (images) => {
      const cases = imagesAt(images).map(({ name, image }) => ({ id: name, image }));
      return merged((tree) => encodeImages(model, tree, imageSource(cases, config)));
    },
    encodeTexts: (texts) =>
      merged(async (tree) => {
        const { ids, contextLength } = tokenise(tokenizer, texts, config);
        const rows = tf.tensor2d(ids, [texts.length, contextLength], "int32");
        const features = model.textFeatures(tree, rows);
        const values = await features.data<"float32">();
        tf.dispose([rows, features]);
        return values;
      }),
    adapt: async (pairs, options = {}) => {
      checkOptions("adapt a model", options, ADAPT_RULES);
      checkValue("adapt a model", "pairs", pairs, PAIRS);
      const { method, onWarning = (text: string) => console.warn(`warning: ${text}`), ...fitOptions } = options;
      const dataset = typeof pairs === "string" ? await loadPairs(pairs, { text: "text" }) : pairs;
      const hgnn = { ...ACE_LORA_HGNN, hidden: Math.max(1, Math.round(config.embedding / 4)) };
      const added: AceLoraConfig = { lora: ACE_LORA_LORA, hgnn, ...method, encoders: config };
      const { seed = 1 } = fitOptions;
      const start = await initAceLora(clip.params, added, { seed });
      const source = pairSource(dataset, config, tokenizer);
      const loss = source.labels ? "label-guided" : "info-nce";
      const result = await fit(aceLoraModel(added), start, source, { loss, onWarning, ...fitOptions });
      disposeParams(start, { base: clip.params, result: result.params });
      const seen = fingerprints(dataset.cases);
      const isChosen = fitOptions.validate !== undefined && fitOptions.patience !== undefined; // by cases not known here
      const cases = { seen, ...(isChosen ? {} : { chose: new Set<string>() }) };
      return { ...modelOf(clip, { params: result.params, config: added, ...cases }), fit: result };
    },
    save: (path) => saveAdapter(path, params, adapter, cases),
    dispose: () => disposeParams(params),
  };
}
