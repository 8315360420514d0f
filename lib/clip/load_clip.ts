/** Any CLIP from its configuration, weights and tokeniser files, ready for zero-shot evaluation and LoRA. @module */
import { dirname, join } from "@std/path";
import { loadCheckpoint, openCheckpoint } from "./checkpoint/checkpoint.ts";
import type { ClipParams } from "./params.ts";
import type { ClipConfig } from "./config.ts";
import { colourField, isRecord } from "./config_file/fields.ts";
import { parseClipConfig } from "./config_file/parse.ts";
import { countClip } from "./params.ts";
import type { TokenRows } from "./zero_shot/scores.ts";
import { encodeByteBpe } from "../text/byte_bpe.ts";
import { loadByteBpe } from "../text/byte_bpe_files.ts";
import { loadTokenizer } from "../text/load_tokenizer.ts";
import { encode } from "../text/tokenizer.ts";

/** Which files a CLIP comes from. */
export interface ClipFiles {
  /** open_clip's configuration, or `config.json` of `transformers`. */
  config: string;
  /** Weights of either, safetensors or PyTorch. */
  weights: string;
  /**
   * CLIP: tokenizer.json, vocab.json (with merges.txt), merges.txt or bpe_simple_vocab_16e6.txt(.gz); BERT: tokenizer.json
   * or vocab.txt.
   */
  tokenizer: string;
  /** The merges of a vocab.json. @default {merges.txt beside it} */
  merges?: string;
  /** `preprocessor_config.json` of `transformers`. @default {the one beside the configuration, if there is one} */
  preprocessor?: string;
  /** Takes the table of missing, misshapen and unused tensors, when there are any. */
  note?: (text: string) => void;
}

/** What `toPixels` needs to prepare an image. */
export interface ClipPreprocess {
  /** Side of the square, pixels. */
  size: number;
  /** Of each colour channel, of `[0, 1]`. */
  mean: readonly [number, number, number];
  /** Of each colour channel, of `[0, 1]`. */
  std: readonly [number, number, number];
}

/** A loaded CLIP. */
export interface LoadedClip {
  /** Its weights; free them with `disposeParams`. */
  params: ClipParams;
  /** Its sizes. */
  config: ClipConfig;
  /** Token ids of texts, cleaned, cut and padded as the model was trained. */
  encode(texts: readonly string[]): TokenRows;
  /** How its images are prepared. */
  preprocess: ClipPreprocess;
}

/** What a CLIP is, for tables and logs. */
export interface ClipDescription {
  /** `CLIP ViT-B/32`, or `ViT-B/16 + BERT`. */
  name: string;
  /** How many numbers it has. */
  parameters: number;
  /** Those of the image tower with its projection. */
  imageParameters: number;
  /** Side of an image, pixels. */
  imageSize: number;
  /** Tokens of a text. */
  contextLength: number;
  /** Embedding size E. */
  embedding: number;
  /** One line with all of it. */
  text: string;
}

/** Describes a CLIP by its sizes: name, counts, what goes in. */
export function describeClip(config: ClipConfig): ClipDescription {
  const { vision, text, embedding } = config;
  const letter = { 192: "Ti", 384: "S", 768: "B", 1024: "L", 1280: "H" }[vision.width] ?? `${vision.width}`;
  const tower = `ViT-${letter}/${vision.patchSize}`;
  const isOwn = vision.kind === "clip" && text.kind === "clip";
  const name = isOwn ? `CLIP ${tower}` : `${tower} + ${text.kind === "bert" ? "BERT" : "CLIP text"}`;
  const parameters = countClip(config);
  const imageParameters = countClip(config, (leaf) => leaf.startsWith("vision."));
  const { imageSize } = vision;
  const { contextLength } = text;
  const line = `${name}: ${parameters.toLocaleString("en")} numbers, ${imageSize} px, ${contextLength} tokens, ` +
    `embedding ${embedding}, ${vision.depth} + ${text.depth} layers, ${vision.activation}`;
  return { name, parameters, imageParameters, imageSize, contextLength, embedding, text: line };
}

/**
 * Loads any CLIP: the architecture is read from the configuration, the names' layout from the weights; every expected tensor
 * must be there, finite and of the right shape.
 *
 * @param files Paths.
 * @throws {SyntaxError} If a file is unreadable, or they do not fit each other; the message names file and field.
 * @throws {RangeError} If a number is NaN or infinite.
 */
export async function loadClip(files: ClipFiles): Promise<LoadedClip> {
  const checkpoint = await openCheckpoint(files.weights);
  try {
    const source = { config: files.config, weights: files.weights, sizes: checkpoint.sizes };
    const config = await withPreprocessor(parseClipConfig(await readText(files.config), source), files);
    const encode = await tokenRows(files, config); // before the weights: it is quick to fail
    const params = await loadCheckpoint(checkpoint, config, files.note);
    const { mean, std, vision } = config;
    return { params, config, encode, preprocess: { size: vision.imageSize, mean, std } };
  } finally {
    checkpoint.file.close();
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    throw new SyntaxError(`Cannot read "${path}" as a CLIP configuration: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** The configuration with the mean and deviation of `transformers`' image processor, where there is one. */
async function withPreprocessor(config: ClipConfig, files: ClipFiles): Promise<ClipConfig> {
  const path = files.preprocessor ?? join(dirname(files.config), "preprocessor_config.json");
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (files.preprocessor === undefined && error instanceof Deno.errors.NotFound) return config;
    throw new SyntaxError(`Cannot read "${path}" as an image preprocessor: ${(error as Error).message}`, {
      cause: error,
    });
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new SyntaxError(`Cannot read "${path}" as JSON: ${(error as Error).message.split("\n")[0]}`, {
      cause: error,
    });
  }
  const fields = isRecord(json) ? json : {};
  return {
    ...config,
    mean: colourField({ config: path }, "image_mean", fields.image_mean, config.mean),
    std: colourField({ config: path }, "image_std", fields.image_std, config.std),
  };
}

async function tokenRows(files: ClipFiles, config: ClipConfig): Promise<(texts: readonly string[]) => TokenRows> {
  const { text } = config;
  const { contextLength, vocabularySize } = text;
  const check = (largest: number): void => {
    if (largest < vocabularySize) return;
    throw new SyntaxError(
      `Cannot use "${files.tokenizer}" with "${files.weights}" as its ids must be below ${vocabularySize}: found ${largest}`,
    );
  };
  if (text.kind === "bert") {
    const tokenizer = await loadTokenizer(files.tokenizer);
    check([...tokenizer.model.vocab.values()].reduce((a, b) => Math.max(a, b), 0));
    if (tokenizer.padId !== 0) {
      throw new SyntaxError(`Cannot use "${files.tokenizer}" as the id of [PAD] must be 0: found ${tokenizer.padId}`);
    }
    return (texts) => ({ ids: encode(tokenizer, texts, { contextLength }), contextLength });
  }
  const bpe = await loadByteBpe(files.tokenizer, files.merges === undefined ? {} : { merges: files.merges });
  const largest = [...bpe.vocabulary.values()].reduce((a, b) => Math.max(a, b), 0);
  check(largest);
  const eot = text.eotId ?? largest;
  if (bpe.eotId !== eot) {
    throw new SyntaxError(
      `Cannot use "${files.tokenizer}" with "${files.config}" as its end of text must have the id ${eot}: found ${bpe.eotId}`,
    );
  }
  return (texts) => ({ ids: encodeByteBpe(bpe, texts, { contextLength }), contextLength });
}
