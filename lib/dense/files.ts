/** Trained heads on disk: safetensors whose metadata say what they are. @module */
import { createHash } from "node:crypto";
import * as tf from "@tensorflow/tfjs";
import type { Case } from "../data/types.ts";
import { jsonField } from "../io/json_field.ts";
import { readSafetensors, writeSafetensors } from "../io/safetensors.ts";
import { checkFinite, elementCount, float32Tensor, type TensorData, toFloat32 } from "../io/tensors.ts";
import { disposeParams, mapTensors, namedTensors } from "../tensor/params.ts";

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

  /**
   * An error about a head's encoder.
   *
   * @param path The head's file.
   * @param trained Hash of the encoder it was trained on.
   * @param current Hash of the one at hand.
   */
  constructor(path: string, readonly trained: string, readonly current: string) {
    super(
      `Cannot use "${path}" as it must be used with the encoder it was trained on, of hash ${
        trained.slice(0, 12)
      }: the current one is ${current.slice(0, 12)}`,
    );
  }
}

/** The error for test cases that a head was trained or chosen on. */
export class SeenCasesError extends RangeError {
  /** Name shown in stack traces. */
  override name = "SeenCasesError";

  /**
   * An error about test cases.
   *
   * @param path The head's file.
   * @param seen How many of the cases it has seen.
   * @param total How many there are.
   */
  constructor(path: string, readonly seen: number, total: number) {
    super(
      `Cannot evaluate "${path}" as its training must not have seen the test cases: it has seen ${seen} of ${total}`,
    );
  }
}

/** A case's fingerprint: 12 hex digits of the SHA-256 of its id. */
export function fingerprint(item: Pick<Case, "id">): string {
  return createHash("sha256").update(item.id).digest("hex").slice(0, 12);
}

/** Writes a head, whole or not at all. */
export async function saveHead(path: string, { head, encoder, seen }: StoredHead<DenseHead>): Promise<void> {
  const tensors = new Map<string, TensorData>();
  for (const [name, tensor] of namedTensors(head.params)) {
    tensors.set(name, float32Tensor(tensor.shape, await tensor.data() as Float32Array));
  }
  await writeSafetensors(path, tensors, {
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
  /** Hash of the encoder it is to be used with. */
  encoder: string;
  /** The config in the file's metadata, once it is known to be one that so many weights can have; an Error says what is not. */
  checkConfig(config: unknown, weights: number): H["config"];
  /** Makes a tree of the weights' names and shapes. */
  init(config: H["config"], seed: number): H["params"];
}

/**
 * Reads a head for a task and an encoder.
 *
 * @throws {SyntaxError} If the file is no head for the task, or a weight is missing or misshapen.
 * @throws {OtherEncoderError} If it was trained on another encoder.
 */
export async function loadHead<H extends DenseHead>(path: string, options: LoadHeadOptions<H>): Promise<StoredHead<H>> {
  const { task, encoder, init, checkConfig } = options;
  const { tensors, metadata } = await readSafetensors(path);
  if (metadata.format !== FORMAT || metadata.task !== task) {
    const current = metadata.format === FORMAT ? `one to ${metadata.task}` : "no head";
    throw new SyntaxError(`Cannot read "${path}" as it must be a head to ${task}: it is ${current}`);
  }
  if (metadata.encoder !== encoder) throw new OtherEncoderError(path, metadata.encoder ?? "none", encoder);
  const stated = jsonField(metadata, { path, field: "config" });
  const weights = [...tensors.values()].reduce((sum, { shape }) => sum + elementCount(shape), 0);
  let config: H["config"];
  try {
    config = checkConfig(stated, weights);
  } catch (error) {
    throw new SyntaxError(`Cannot read "${path}" as ${(error as Error).message}`, { cause: error });
  }
  const fresh = init(config, 1);
  try {
    const params = mapTensors(fresh, (tensor, name) => {
      const stored = tensors.get(name);
      if (!stored || stored.shape.join() !== tensor.shape.join()) {
        throw new SyntaxError(
          `Cannot read "${path}" as "${name}" must have shape [${tensor.shape}]: ${
            stored ? `it has [${stored.shape}]` : "it is missing"
          }`,
        );
      }
      checkFinite(stored, `"${path}" (${name})`);
      return tf.tensor(toFloat32(stored), stored.shape);
    });
    const head = { task, params, config } as H;
    return { head, encoder, ...(metadata.seen ? { seen: new Set(metadata.seen.split(" ").filter(Boolean)) } : {}) };
  } finally {
    disposeParams(fresh);
  }
}

/** Refuses cases that the head has seen in training. @throws {SeenCasesError} If it has seen one. */
export function checkUnseen(cases: readonly Case[], seen: ReadonlySet<string>, path: string): void {
  const known = cases.filter((item) => seen.has(fingerprint(item))).length;
  if (known > 0) throw new SeenCasesError(path, known, cases.length);
}
