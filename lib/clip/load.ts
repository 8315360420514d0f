/** A model and its tokeniser from files, or the shipped mini model. @module */
import { configFromCheckpoint, expectedCheckpoint, loadBiomedClip } from "./checkpoint/biomed_clip.ts";
import { type BertConfig, BIOMED_CLIP, type ClipConfig, MINI } from "./config.ts";
import { bareName } from "../io/key_report.ts";
import { openTensorFile } from "../io/open.ts";
import { loadTokenizer } from "../text/load_tokenizer.ts";
import { type Generalist, loadMini, loadMiniTokenizer } from "./mini.ts";
import { weightsReader } from "./checkpoint/weights_reader.ts";

/** Which files a model comes from. */
export interface ModelFiles {
  /** `open_clip_pytorch_model.bin` or the same as safetensors. @default {the shipped mini model} */
  weights?: string;
  /** tokenizer.json or vocab.txt. @default {the mini model's, which fits no other} */
  tokenizer?: string;
  /** Takes the table of missing, misshapen and unused tensors, when there are any. */
  note?: (text: string) => void;
}

/** The error for weights that are given without their tokeniser. */
export class MissingTokenizerError extends TypeError {
  /** Name shown in stack traces. */
  override name = "MissingTokenizerError";

  /**
   * An error about a model's files.
   *
   * @param weights The weights' file.
   */
  constructor(readonly weights: string) {
    super(
      `Cannot use "${weights}" without a tokeniser as its tokenizer.json or vocab.txt must be given: there is none`,
    );
  }
}

/**
 * Loads a model: sizes are read from the file, every expected tensor must be there, finite and of the right shape.
 *
 * @returns Weights (free them with `disposeParams`), sizes, tokeniser.
 * @throws {SyntaxError} If the file is unreadable or tensors are missing or misshapen; the message holds the table.
 * @throws {TypeError} If the weights are given without a tokeniser.
 */
export async function loadModel(files: ModelFiles = {}): Promise<Generalist> {
  if (files.weights === undefined) {
    const mini = await loadMini();
    return files.tokenizer === undefined ? mini : { ...mini, tokenizer: await loadTokenizer(files.tokenizer) };
  }
  const file = await openTensorFile(files.weights);
  try {
    const shapes = new Map([...file.entries].map(([name, { shape }]) => [bareName(name), shape]));
    const head = shapes.get("visual.head.proj.weight"); // missing, it stands in the report
    const isMini = (head === undefined || head[0] === MINI.embedding) &&
      shapes.get("visual.trunk.cls_token")?.[2] === MINI.vision.width;
    if (files.tokenizer === undefined && !isMini) {
      throw new MissingTokenizerError(files.weights);
    }
    const config = sizesIn(shapes, isMini ? MINI : BIOMED_CLIP);
    const read = weightsReader(file, expectedCheckpoint(config), files.note);
    const params = await loadBiomedClip(config, read);
    const tokenizer = files.tokenizer === undefined ? await loadMiniTokenizer() : await loadTokenizer(files.tokenizer);
    return { params, config, tokenizer };
  } finally {
    await file.close();
  }
}

/** The sizes that the file's shapes tell, or `base`'s when one that tells is missing: the key report then names it. */
function sizesIn(shapes: ReadonlyMap<string, readonly number[]>, base: ClipConfig & { text: BertConfig }): ClipConfig {
  try {
    return configFromCheckpoint(shapes, base);
  } catch (error) {
    if (error instanceof RangeError) return base;
    throw error;
  }
}
