/** Features that a command reads again instead of computing them: the file that `encode` writes. @module */
import { aceLoraModel } from "../ace_lora.ts";
import { imageStamps } from "../data/stamps.ts";
import type { Classifier, NamedImage } from "../eval/classify.ts";
import type { FeatureList } from "../eval/encode/features_file.ts";
import { encodeShard } from "../eval/encode/shards.ts";
import { featureEncoder } from "../eval/encode/feature_encoder.ts";
import { readSafetensors } from "../io/safetensors.ts";
import { toFloat32 } from "../io/tensors.ts";
import type { Arguments } from "./command.ts";
import { isExifApplied, readerFrom } from "./decode_options.ts";
import { settingsOf, withProgress } from "./encode.ts";
import { printable } from "./printable.ts";
import { backendText } from "./shared.ts";
import type { BackendInfo } from "../tensor/backend.ts";

/** What is encoded. */
export interface FeatureItems {
  /** Images under their ids. */
  images: readonly NamedImage[];
  /** Texts, in order; their ids are their numbers. @default {none} */
  texts?: readonly string[];
  /** What computes. */
  backend: BackendInfo;
  /** Loads the model; the encoder frees it. */
  open(): Promise<Classifier>;
}

/** Features of {@linkcode FeatureItems}. */
export interface KeptFeatures {
  /** Unit rows, row-major `[n, E]`. */
  image: Float32Array;
  /** Likewise; empty without texts. */
  text: Float32Array;
  /** E. */
  width: number;
}

/**
 * The features of images and texts, from `path` where it holds them, made by the same files; else computed and kept there.
 *
 * @returns The features, or the exit code of a request to stop.
 */
export async function keptFeatures(
  args: Arguments,
  path: string,
  { images, texts = [], backend, open }: FeatureItems,
): Promise<KeptFeatures | number> {
  const lists: FeatureList[] = [
    { name: "image", ids: images.map(({ name }) => name), stamps: await imageStamps(images) },
    ...(texts.length > 0 ? [{ name: "text" as const, ids: texts.map((_, i) => String(i + 1)) }] : []),
  ];
  const settings = { ...(isExifApplied(args) ? { exif: "apply" } : {}), ...await settingsOf(args, texts) };
  const reader = readerFrom(args);
  const job = {
    lists,
    settings,
    open: async () => {
      const classifier = await open();
      return featureEncoder(aceLoraModel(classifier.config), classifier, { images, texts }, {
        batchSize: args.number("batch-size", 16),
        reader,
        backend: backendText(backend),
      });
    },
  };
  const result = await withProgress((signal, onProgress) =>
    encodeShard(path, job, { signal, onProgress, onStale: (text) => console.error(printable(text)) })
  ).finally(() => reader.close());
  if (result.interrupted) {
    console.error(`interrupted: ${result.computed + result.reused} features are kept; the same command goes on`);
    return result.exitCode;
  }
  const { tensors } = await readSafetensors(path);
  const of = (name: string): Float32Array => {
    const tensor = tensors.get(`${name}_features`);
    return tensor ? toFloat32(tensor) : new Float32Array(0);
  };
  return { image: of("image"), text: of("text"), width: tensors.get("image_features")!.shape[1]! };
}
