/** Which files of a folder make a model, as the hub gives them. @module */
import { join } from "@std/path";
import { IMAGE_TOWER_FILE, OTHER_TOWER_FILES } from "./checkpoint/tower_files.ts";
import { type Rules, TEXT } from "../platform/options.ts";
import { NotFound, system } from "../platform/system.ts";

/** The error for a folder without weights. */
export class MissingWeightsError extends NotFound {
  /** Name shown in stack traces. */
  override name = "MissingWeightsError";
}

/** The files of a model. */
export interface ModelFiles {
  /** Weights in any known layout: .safetensors, .bin, .pt, .pth, .ckpt, .tar, or the index of shards. */
  weights?: string;
  /** open_clip_config.json, or config.json of `transformers`. @default {implied by the weights' names, where they tell} */
  config?: string;
  /**
   * CLIP: tokenizer.json, vocab.json (with merges.txt), merges.txt or bpe_simple_vocab_16e6.txt(.gz); BERT: tokenizer.json
   * or vocab.txt; SigLIP: spiece.model; SigLIP 2: tokenizer.json.
   */
  tokenizer?: string;
  /** The merges of a vocab.json. @default {merges.txt beside it} */
  merges?: string;
  /** preprocessor_config.json. @default {the one beside the configuration, or else the weights, if there is one} */
  preprocessor?: string;
}

/** What they must be. */
export const MODEL_FILE_RULES: Rules<ModelFiles> = {
  weights: TEXT,
  config: TEXT,
  tokenizer: TEXT,
  merges: TEXT,
  preprocessor: TEXT,
};

const CONFIGS = ["open_clip_config.json", "config.json"];
const TOKENIZERS = [
  "spiece.model",
  ...["tokenizer.json", "vocab.json", "vocab.txt"],
  ...["bpe_simple_vocab_16e6.txt.gz", "bpe_simple_vocab_16e6.txt", "merges.txt"],
];
const INDEX = /\.(safetensors|bin)\.index\.json$/;
const WEIGHTS = /\.(safetensors|bin|pt|pth|ckpt|tar)$/;
/**
 * What training leaves beside the weights (RAD-DINO's head, and its weights under DINOv2's own names), shards of an index, adapters,
 * reference features.
 */
const NO_WEIGHTS =
  /^(training_args|optimizer|scheduler|scaler|rng_state|adapter|reference_features|dino_head|backbone_compatible)|-\d{5}-of-\d{5}\./;

/**
 * The files of the model in a folder; links are followed.
 *
 * @param folder As `huggingface-cli download` leaves it, or the same files put together by hand.
 * @param named Files that need not be found.
 * @returns Paths; `config` and `tokenizer` only where they are there.
 * @throws {Deno.errors.NotFound} If there are no weights.
 * @throws {SyntaxError} If there are several.
 */
export async function findModelFiles(
  folder: string,
  named: ModelFiles = {},
): Promise<ModelFiles & { weights: string }> {
  const names: string[] = [];
  for await (const { name } of system.readDir(folder)) names.push(name);
  const present = (wanted: readonly string[]): string | undefined => {
    const name = wanted.find((candidate) => names.includes(candidate));
    return name && join(folder, name);
  };
  const config = named.config ?? present(CONFIGS);
  const tokenizer = named.tokenizer ?? present(TOKENIZERS);
  const weights = named.weights ?? await weightsIn(folder, names, config !== undefined);
  return { ...named, weights, ...(config ? { config } : {}), ...(tokenizer ? { tokenizer } : {}) };
}

async function weightsIn(folder: string, names: readonly string[], hasConfig: boolean): Promise<string> {
  const indices = names.filter((name) => INDEX.test(name));
  const sharded = new Set(indices.map((name) => name.replace(".index.json", "")));
  const parts = new Set(names.includes(IMAGE_TOWER_FILE) ? OTHER_TOWER_FILES : []);
  const single = names.filter((name) =>
    WEIGHTS.test(name) && !NO_WEIGHTS.test(name) && !sharded.has(name) && !parts.has(name)
  );
  const candidates: string[] = [];
  for (const name of [...indices, ...single].sort()) {
    const isFile = await system.stat(join(folder, name)).then((stat) => stat.isFile, () => false);
    if (isFile) candidates.push(name);
  }
  if (candidates.length === 1) return join(folder, candidates[0]!);
  if (candidates.length > 1) {
    throw new SyntaxError(
      `Cannot use "${folder}" as a model as one of its weights must be named: it has ${candidates.join(" and ")}`,
    );
  }
  const has = hasConfig ? "a configuration alone" : names.length === 0 ? "nothing" : `none among ${names.length} files`;
  throw new MissingWeightsError(
    `Cannot use "${folder}" as a model as it must hold weights (.safetensors, .bin, .pt, or shards with their index): ` +
      `it has ${has}`,
  );
}
