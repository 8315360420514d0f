/** The shipped generalist's files, out of data/. @module */
import { dataUrl, readData } from "../platform/assets.ts";
import { decodeSafetensors } from "../io/safetensors.ts";
import { toFloat32 } from "../io/tensors.ts";
import { type Tokenizer, tokenizerFromVocab } from "../text/tokenizer.ts";
import { BIOMED_CLIP_LAYOUT } from "./checkpoint/layout.ts";
import { loadClipTensors } from "./checkpoint/tensors.ts";
import { MINI } from "./config.ts";
import type { ClipParams } from "./params.ts";

/** What every answer of the shipped generalist about a user's own files says. */
export const MINI_NOTICE =
  "The shipped mini model has seen only drawings, never a real image: what it answers about patients means nothing.";

/** Where the shipped generalist lies. */
export const MINI_WEIGHTS: URL = dataUrl("mini_generalist.safetensors");

/** Where its vocabulary lies. */
export const MINI_VOCABULARY: URL = dataUrl("mini_vocab.txt");

/** MINI's tokeniser. */
export async function loadMiniTokenizer(): Promise<Tokenizer> {
  const text = new TextDecoder().decode(await readData("mini_vocab.txt"));
  return tokenizerFromVocab(text.split("\n").filter((line) => line !== ""));
}

/** The weights, pre-trained on synthetic images by `deno task pretrain`. Free them with `disposeParams`. */
export async function loadMiniParams(): Promise<ClipParams> {
  const { tensors } = await decodeSafetensors(await readData("mini_generalist.safetensors"), MINI_WEIGHTS.pathname);
  return await loadClipTensors(MINI, BIOMED_CLIP_LAYOUT, (name) => {
    const tensor = tensors.get(name);
    if (!tensor) return Promise.reject(new SyntaxError(`Cannot load "${MINI_WEIGHTS}" as "${name}" is missing`));
    return Promise.resolve({ shape: tensor.shape, values: toFloat32(tensor) });
  });
}
