/** Trained heads on disk: safetensors whose metadata say what they are. @module */
import { seenCases } from "../data/seen.ts";
import { elementCount } from "../io/tensors.ts";
import { jsonField, loadTree, openTree, saveTree, textField } from "../io/tree.ts";
import { disposeParams } from "../tensor/params.ts";
import { errorMessage } from "../platform/error_message.ts";
import { CALL, checkOptions, needed, type Rules, TEXT } from "../platform/options.ts";

/** A trained head, whatever its task. */
export interface DenseHead {
  /** The task's name. */
  task: string;
  /** Weights; free them with `disposeParams`. */
  params: unknown;
  /** All else that it is made of, as JSON. */
  config: unknown;
}

/** A head with where it comes from. */
export interface StoredHead<H extends DenseHead> {
  /** The head. */
  head: H;
  /** Hash of the encoder it was trained on. */
  encoder: string;
  /** Fingerprints of the cases it was trained and chosen on; absent when the file does not list them. */
  seen?: ReadonlySet<string>;
}

const FORMAT = "ace-lora dense head 1";

/** The error for a head that another encoder was trained with. */
export class OtherEncoderError extends TypeError {
  /** Name shown in stack traces. */
  override name = "OtherEncoderError";
  /** Hash of the encoder it was trained on. */
  readonly trained: string;
  /** Hash of the one at hand. */
  readonly current: string;

  /**
   * An error about a head's encoder.
   *
   * @param path The head's file.
   * @param trained Hash of the encoder it was trained on.
   * @param current Hash of the one at hand.
   */
  constructor(path: string, trained: string, current: string) {
    super(
      `Cannot use "${path}" as it must be used with the encoder it was trained on, of hash ${
        trained.slice(0, 12)
      }: the current one is ${current.slice(0, 12)}`,
    );
    this.trained = trained;
    this.current = current;
  }
}

/** Writes a head, whole or not at all. */
export async function saveHead(path: string, { head, encoder, seen }: StoredHead<DenseHead>): Promise<void> {
  await saveTree(path, head.params, {
    format: FORMAT,
    task: head.task,
    config: JSON.stringify(head.config),
    encoder,
    ...(seen ? { seen: [...seen].join(" ") } : {}),
  });
}

/** What {@linkcode loadHead} must know. */
export interface LoadHeadOptions<H extends DenseHead> {
  /** The task the head must be of. */
  task: H["task"];
  /** Hash of the encoder it is to be used with. @default {any: `encoder` of what is returned tells which it was trained on} */
  encoder?: string;
  /** The config in the file's metadata, once it is known to be one that so many weights can have; an Error says what is not. */
  checkConfig(config: unknown, weights: number): H["config"];
  /** Makes a tree of the weights' names and shapes. */
  init(config: H["config"], seed: number): H["params"];
}

/** What they must be. */
const LOAD_HEAD_RULES: Rules<LoadHeadOptions<DenseHead>> = {
  task: needed(TEXT),
  encoder: TEXT,
  checkConfig: needed(CALL),
  init: needed(CALL),
};

/**
 * Reads a head for a task and an encoder.
 *
 * @throws {TypeError} If an option is unknown or of another kind.
 * @throws {SyntaxError} If the file is no head for the task, or a weight is missing or misshapen.
 * @throws {OtherEncoderError} If it was trained on another encoder.
 */
export async function loadHead<H extends DenseHead>(path: string, options: LoadHeadOptions<H>): Promise<StoredHead<H>> {
  checkOptions("load a head", options, LOAD_HEAD_RULES);
  const { task, encoder, init, checkConfig } = options;
  const file = await openTree(path, { noun: "a head", format: FORMAT });
  const stated = textField(file, "task");
  if (stated !== task) {
    throw new SyntaxError(`Cannot read "${path}" as it must be a head to ${task}: it is one to ${stated}`);
  }
  const trained = textField(file, "encoder");
  if (encoder !== undefined && trained !== encoder) throw new OtherEncoderError(path, trained, encoder);
  const weights = [...file.tensors.values()].reduce((sum, { shape }) => sum + elementCount(shape), 0);
  const field = jsonField(file, "config");
  let config: H["config"];
  try {
    config = checkConfig(field, weights);
  } catch (error) {
    throw new SyntaxError(`Cannot read "${path}" as ${errorMessage(error)}`, { cause: error });
  }
  const fresh = init(config, 1);
  try {
    const head = { task, params: loadTree(file, fresh), config } as H;
    const seen = seenCases(file.fields["seen"], path);
    return { head, encoder: trained, ...(seen ? { seen } : {}) };
  } finally {
    disposeParams(fresh);
  }
}
