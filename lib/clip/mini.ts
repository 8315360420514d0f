/** The shipped mini models' files, out of data/. @module */
import { basename } from "@std/path";
import { dataUrl, readData } from "../platform/assets.ts";
import { decodeSafetensors } from "../io/safetensors.ts";
import { toFloat32 } from "../io/tensors.ts";
import { type Tokenizer, tokenizerFromVocab } from "../text/tokenizer.ts";
import { BIOMED_CLIP_LAYOUT } from "./checkpoint/layout.ts";
import { loadClipTensors } from "./checkpoint/tensors.ts";
import { MINI } from "./architectures.ts";
import type { ClipParams } from "./params.ts";

/** What every answer of a shipped mini model about a user's own files says. */
export const MINI_NOTICE =
  "The shipped mini model has seen only drawings, never a real image: what it answers about patients means nothing.";

/** Weights of the shipped mini model: what is meant wherever no weights are named, but for the paper's tables. */
export const MINI_WEIGHTS: URL = dataUrl("mini_generalist.safetensors");

/**
 * Weights that the paper's tables adapt at the smaller scales: of the same sizes and vocabulary, with the findings in its patch
 * tokens and not in its CLS token, as a generalist's are (docs/toy_world.md).
 */
export const MINI_JOINT_WEIGHTS: URL = dataUrl("mini_joint.safetensors");

/** Where its vocabulary lies. */
export const MINI_VOCABULARY: URL = dataUrl("mini_vocab.txt");

/** MINI's tokeniser. */
export async function loadMiniTokenizer(): Promise<Tokenizer> {
  const text = new TextDecoder().decode(await readData("mini_vocab.txt"));
  return tokenizerFromVocab(text.split("\n").filter((line) => line !== ""));
}

/**
 * Weights that `deno task pretrain` made from synthetic images. Free them with `disposeParams`.
 *
 * @param weights One of the two that are shipped.
 */
export async function loadMiniParams(weights: URL = MINI_WEIGHTS): Promise<ClipParams> {
  const { tensors } = await decodeSafetensors(await readData(basename(weights.pathname)), weights.pathname);
  return await loadClipTensors(MINI, BIOMED_CLIP_LAYOUT, (name) => {
    const tensor = tensors.get(name);
    if (!tensor) return Promise.reject(new SyntaxError(`Cannot load "${weights}" as "${name}" is missing`));
    return Promise.resolve({ shape: tensor.shape, values: toFloat32(tensor) });
  });
}
