/** A CLIP from its files: weights, sizes, preprocessing and tokeniser together. @module */
import { dirname, join } from "@std/path";
import * as tf from "@tensorflow/tfjs";
import { type Checkpoint, loadCheckpoint, openCheckpoint } from "./checkpoint/checkpoint.ts";
import { MINI } from "./architectures.ts";
import type { ClipConfig } from "./config.ts";
import { impliedConfig, isMini } from "./config_file/implied.ts";
import { publishedModel } from "./config_file/published.ts";
import { parseClipConfig } from "./config_file/parse.ts";
import { withPreprocessor } from "./config_file/preprocessor.ts";
import { findModelFiles, MODEL_FILE_RULES, type ModelFiles } from "./find_model_files.ts";
import { loadMiniParams, loadMiniTokenizer } from "./mini.ts";
import { narrowWeights } from "../nn/narrow_weights.ts";
import { beginCompiling, type Compiling } from "../tensor/webgpu/compile_ahead.ts";
import { buildClip, type ClipParams, countClip } from "./params.ts";
import { checkTokenizer, type ClipTokenizer, loadClipTokenizer } from "./tokenise.ts";
import { NotFound, system } from "../platform/system.ts";
import { CALL, checkOptions, FLAG, type Rules } from "../platform/options.ts";
import { errorMessage } from "../platform/error_message.ts";

/** A loaded model. */
export interface LoadedClip {
  /** Its weights; free them with `disposeParams`. */
  params: ClipParams;
  /** What it is: sizes, and how its images are prepared. */
  config: ClipConfig;
  /** Its tokeniser, for `tokenise`. */
  tokenizer: ClipTokenizer;
  /** Where it came from; the shipped mini model has no files of its own. */
  files: ModelFiles;
}

/** Options of {@linkcode loadClip}. */
export interface LoadClipOptions {
  /** Takes the table of missing, misshapen and unused tensors, and what was assumed, when there is any. */
  note?: (text: string) => void;
  /**
   * Whether the matrices take two bytes a number on webgpu: rounded to float16, summed in float32. Half the memory and half the
   * bytes read; features differ in the third or fourth digit. Elsewhere nothing changes. @default {false}
   */
  narrow?: boolean;
  /**
   * What will be done with the model. On webgpu it is done once with weights that have no numbers, and the programs it comes to are
   * compiled while the weights are read. @default {nothing}
   */
  ahead?: (params: ClipParams, config: ClipConfig) => void | Promise<void>;
}

/** What they must be. */
export const LOAD_CLIP_RULES: Rules<LoadClipOptions> = { note: CALL, narrow: FLAG, ahead: CALL };

/** The error for weights that are given without their tokeniser. */
export class MissingTokenizerError extends TypeError {
  /** Name shown in stack traces. */
  override name = "MissingTokenizerError";
  /** The weights' file. */
  readonly weights: string;

  /**
   * An error about a model's files.
   *
   * @param weights The weights' file.
   */
  constructor(weights: string) {
    super(
      `Cannot use "${weights}" without a tokeniser as its tokenizer.json or vocab.txt must be given: there is none`,
    );
    this.weights = weights;
  }
}

/**
 * Loads a model: the architecture is read from the configuration (or implied by the weights' names), the sizes are checked
 * against the weights, every expected tensor must be there, finite and of the right shape.
 *
 * @param from A folder as the hub gives it, a file of weights, or the files by name. @default {the shipped mini model}
 * @throws {Deno.errors.NotFound} If a file is not there; the message names it.
 * @throws {SyntaxError} If a file is unreadable, or they do not fit each other; the message names file and field.
 * @throws {RangeError} If the tokeniser is another model's, a number is NaN or infinite, or the weights exceed what the wasm
 * backend holds.
 * @throws {MissingTokenizerError} If there is no tokeniser.
 * @throws {TypeError | RangeError} If an option, or a kind of file, is unknown.
 *
 * @example The shipped mini model
 * ```ts
 * import { loadClip, selectBackend } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 *
 * await selectBackend({ backend: "wasm" });
 * const { config } = await loadClip(); // or "biomedclip/"
 * assertEquals(config.text.kind, "bert");
 * ```
 */
export async function loadClip(from: string | ModelFiles = {}, options: LoadClipOptions = {}): Promise<LoadedClip> {
  checkOptions("load a model", options, LOAD_CLIP_RULES);
  const model = await loadWide(from, options);
  return options.narrow ? { ...model, params: await narrowWeights(model.params) } : model;
}

async function loadWide(from: string | ModelFiles, options: LoadClipOptions): Promise<LoadedClip> {
  const files = await modelFiles(from);
  const { weights } = files;
  if (weights === undefined) return await loadMini(files, options);
  const checkpoint = await openCheckpoint(weights);
  try {
    const config = await clipConfigOf(checkpoint, files, options.note);
    checkMemory(config, weights);
    const tokenizer = await tokenizerOf(checkpoint, config, files); // before the weights: it is quick to fail
    const { compiled } = await beginAhead(config, options);
    const params = await loadCheckpoint(checkpoint, config, options.note);
    await compiled;
    return { params, config, tokenizer, files };
  } finally {
    checkpoint.file.close();
  }
}

/**
 * A model's configuration alone, as {@linkcode loadClip} reads it; of the weights only the names and shapes are.
 *
 * @param from As {@linkcode loadClip} takes it.
 * @throws {Error} As {@linkcode loadClip} does.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function readClipConfig(
  from: string | ModelFiles = {},
  options: LoadClipOptions = {},
): Promise<ClipConfig> {
  checkOptions("read a configuration", options, LOAD_CLIP_RULES);
  const files = await modelFiles(from);
  if (files.weights === undefined) return MINI;
  const checkpoint = await openCheckpoint(files.weights);
  try {
    return await clipConfigOf(checkpoint, files, options.note);
  } finally {
    checkpoint.file.close();
  }
}

/** The files that a folder, a file of weights or a record names. @throws {Deno.errors.NotFound} If there is nothing. */
export async function modelFiles(from: string | ModelFiles): Promise<ModelFiles> {
  if (typeof from !== "string") {
    checkOptions("load a model", from, MODEL_FILE_RULES, "file");
    return from;
  }
  const stat = await system.stat(from).catch((error) => {
    if (!(error instanceof NotFound)) throw error;
    throw new NotFound(`Cannot read "${from}" as it must be a model's folder or weights: there is none`);
  });
  return stat.isDirectory ? await findModelFiles(from) : { weights: from };
}

/** Begins to compile what will be done with a model. */
async function beginAhead(config: ClipConfig, { ahead, narrow = false }: LoadClipOptions): Promise<Compiling> {
  return await beginCompiling(async () => {
    if (!ahead) return;
    const params = buildClip(config, (_, shape) => tf.fill(shape, 0));
    await ahead(narrow ? await narrowWeights(params) : params, config);
  });
}

async function loadMini(files: ModelFiles, options: LoadClipOptions): Promise<LoadedClip> {
  if (files.config !== undefined) {
    throw new TypeError(`Cannot use "${files.config}" as a model as weights must be given with it: there are none`);
  }
  const tokenizer = files.tokenizer === undefined
    ? await loadMiniTokenizer()
    : await loadClipTokenizer(files.tokenizer, MINI, { weights: "the shipped mini model" });
  const { compiled } = await beginAhead(MINI, options);
  const params = await loadMiniParams();
  await compiled;
  return { params, config: MINI, tokenizer, files };
}

/** What a checkpoint's model is: its configuration and preprocessor, or what its names imply. @throws {SyntaxError} If they do not fit. */
export async function clipConfigOf(
  checkpoint: Checkpoint,
  files: ModelFiles,
  note?: LoadClipOptions["note"],
): Promise<ClipConfig> {
  const { config: path } = files;
  const weights = files.weights!;
  const published = path === undefined ? undefined : publishedModel(checkpoint);
  if (published) {
    throw new SyntaxError(
      `Cannot use "${path}" with "${weights}" as ${published.name} must come without a configuration: its layout says all`,
    );
  }
  const config = path === undefined
    ? impliedConfig(checkpoint, note)
    : parseClipConfig(await readText(path, "a CLIP configuration"), { config: path, weights, sizes: checkpoint.sizes });
  const beside = join(dirname(path ?? weights), "preprocessor_config.json");
  const preprocessor = files.preprocessor ??
    (await system.stat(beside).then(() => beside, () => undefined));
  if (preprocessor === undefined) return config;
  return withPreprocessor(await readText(preprocessor, "an image preprocessor"), config, preprocessor);
}

async function readText(path: string, what: string): Promise<string> {
  try {
    return await system.readTextFile(path);
  } catch (error) {
    throw new SyntaxError(`Cannot read "${path}" as ${what}: ${errorMessage(error)}`, { cause: error });
  }
}

async function tokenizerOf(checkpoint: Checkpoint, config: ClipConfig, files: ModelFiles): Promise<ClipTokenizer> {
  const weights = files.weights!;
  if (config.text.kind === "none") return { kind: "none" };
  if (files.tokenizer !== undefined) {
    return await loadClipTokenizer(files.tokenizer, config, { weights, merges: files.merges });
  }
  if (!isMini(checkpoint)) throw new MissingTokenizerError(weights);
  const tokenizer = await loadMiniTokenizer();
  checkTokenizer(tokenizer, config, { tokenizer: "the mini model's tokeniser", weights });
  return tokenizer;
}

/** WebAssembly's memory, bytes. */
const WASM_BYTES = 2 ** 32;

function checkMemory(config: ClipConfig, weights: string): void {
  const bytes = 4 * countClip(config);
  if (tf.getBackend() !== "wasm" || bytes < WASM_BYTES) return;
  throw new RangeError(
    `Cannot load "${weights}" on the wasm backend as its numbers must fit 4 GB of memory: they are ${
      (bytes / 1e9).toFixed(1)
    } GB in float32`,
  );
}
