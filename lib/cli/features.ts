/** Features that a command computes or reads again: the file that `encode` writes. @module */
import { aceLoraModel } from "../ace_lora.ts";
import type { ImageReader } from "../data/pixels/reader.ts";
import { imageStamps } from "../data/stamps.ts";
import { createProgress, type Progress } from "../display/progress.ts";
import type { Classifier, NamedImage } from "../eval/classify.ts";
import type { FeatureList } from "../eval/encode/features_file.ts";
import { type EncodedShard, encodeShard, type FeatureEncoder } from "../eval/encode/shards.ts";
import { type FeatureContent, featureEncoder } from "../eval/encode/feature_encoder.ts";
import { readSafetensors } from "../io/safetensors.ts";
import { toFloat32 } from "../io/tensors.ts";
import { defined } from "../platform/defined.ts";
import type { BackendInfo } from "../tensor/backend.ts";
import type { Arguments } from "./command.ts";
import { isExifApplied, readerFrom } from "./decode_options.ts";
import { catchInterrupts } from "./interrupt.ts";
import { checkPath } from "./paths.ts";
import { printable } from "./printable.ts";
import { modelFacts } from "./provenance.ts";
import { backendText } from "./shared.ts";

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
  const reader = readerFrom(args);
  const job = {
    lists,
    settings: await settingsOf(args, texts),
    open: async () => encoderOf(args, await open(), { images, texts }, { reader, backend }),
  };
  const result = await withProgress((signal, onProgress) =>
    encodeShard(path, job, { signal, onProgress, onStale: (text) => console.error(printable(text)) })
  ).finally(() => reader.close());
  if (result.isAskedToStop) { // also where the last part was under way: what follows may take longer
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

/** The model as an encoder of these images and texts, whose weights it frees. */
export function encoderOf(
  args: Arguments,
  classifier: Classifier,
  content: FeatureContent,
  { reader, backend }: { reader: ImageReader; backend: BackendInfo },
): FeatureEncoder {
  return featureEncoder(aceLoraModel(classifier.config), classifier, content, {
    batchSize: args.number("batch-size", 16),
    reader,
    backend: backendText(backend),
  });
}

/** What the numbers depend on: the contents of the files, not their names. */
export async function settingsOf(args: Arguments, texts: readonly string[]): Promise<Record<string, string>> {
  for (const name of ["model", "weights", "adapter", "tokenizer"]) {
    const path = args.text(name);
    if (path !== undefined) await checkPath(path);
  }
  const { weights_sha256, adapter_sha256, tokenizer_sha256, notice } = await modelFacts(args);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(texts))));
  return {
    ...(isExifApplied(args) ? { exif: "apply" } : {}),
    weights_sha256,
    ...defined({ adapter_sha256 }),
    ...(texts.length > 0 ? { ...(tokenizer_sha256 ? { tokenizer_sha256 } : {}), texts_sha256: hash.toHex() } : {}),
    ...defined({ notice }),
  };
}

/** Runs the work with a bar on stderr; the first Ctrl-C or SIGTERM asks it to stop. */
export async function withProgress(
  work: (signal: AbortSignal, onProgress: (done: number, total: number) => void) => Promise<EncodedShard>,
  isQuiet = false,
): Promise<EncodedShard & { exitCode: number; isAskedToStop: boolean }> {
  const interruption = catchInterrupts();
  let bar: Progress | undefined;
  try {
    const result = await work(interruption.signal, (done, total) => {
      if (isQuiet) return;
      bar ??= createProgress(total, { label: "encode", unit: "items" });
      bar.update(done);
    });
    return { ...result, exitCode: interruption.exitCode(), isAskedToStop: interruption.signal.aborted };
  } finally {
    bar?.finish();
    interruption.end();
  }
}
