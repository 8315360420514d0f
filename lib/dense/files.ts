/** Trained heads on disk: safetensors whose metadata say what they are. @module */
import { createHash } from "node:crypto";
import * as tf from "@tensorflow/tfjs";
import type { Case } from "../data/types.ts";
import { type DecoderConfig, type DecoderParams, initDecoder } from "./segment/head.ts";
import { type DetectorConfig, type DetectorParams, initDetector } from "./detect/head.ts";
import { readSafetensors, writeSafetensors } from "../io/safetensors.ts";
import { checkFinite, float32Tensor, type TensorData, toFloat32 } from "../io/tensors.ts";
import { disposeParams, mapTensors, namedTensors } from "../tensor/params.ts";

/** A trained segmentation head. */
export interface SegmentationHead {
  /** Discriminant. */
  task: "segment";
  /** Weights; free them with `disposeParams`. */
  params: DecoderParams;
  /** Sizes. */
  config: DecoderConfig;
}

/** A trained detection head. */
export interface DetectionHead {
  /** Discriminant. */
  task: "detect";
  /** Weights; free them with `disposeParams`. */
  params: DetectorParams;
  /** Sizes, classes and anchors. */
  config: DetectorConfig;
}

/** A trained head. */
export type DenseHead = SegmentationHead | DetectionHead;

/** A head with where it comes from. */
export interface StoredHead<H> {
  /** The head. */
  head: H;
  /** Hash of the encoder it was trained on. */
  encoder: string;
  /** Fingerprints of the cases it was trained and chosen on. */
  seen: ReadonlySet<string>;
}

const FORMAT = "ace-lora dense head 1";

/** A case's fingerprint: 12 hex digits of the SHA-256 of its id. */
export function fingerprint(item: Pick<Case, "id">): string {
  return createHash("sha256").update(item.id).digest("hex").slice(0, 12);
}

/** Writes a head, whole or not at all. */
export async function saveHead(
  path: string,
  { head, encoder, seen }: StoredHead<DenseHead>,
): Promise<void> {
  const tensors = new Map<string, TensorData>();
  for (const [name, tensor] of namedTensors(head.params)) {
    tensors.set(name, float32Tensor(tensor.shape, await tensor.data() as Float32Array));
  }
  await writeSafetensors(path, tensors, {
    format: FORMAT,
    task: head.task,
    config: JSON.stringify(head.config),
    encoder,
    seen: [...seen].join(" "),
  });
}

/**
 * Reads a head for a task and an encoder.
 *
 * @throws {SyntaxError} If the file is no head for the task, or a weight is missing or misshapen.
 * @throws {TypeError} If it was trained on another encoder.
 */
export async function loadHead<H extends DenseHead>(
  path: string,
  { task, encoder }: { task: H["task"]; encoder: string },
): Promise<StoredHead<H>> {
  const { tensors, metadata } = await readSafetensors(path);
  if (metadata.format !== FORMAT || metadata.task !== task) {
    const found = metadata.format === FORMAT ? `one to ${metadata.task}` : "no head";
    throw new SyntaxError(`Cannot read "${path}" as it must be a head to ${task}: it is ${found}`);
  }
  if (metadata.encoder !== encoder) {
    throw new TypeError(
      `Cannot use "${path}" as it must be used with the encoder it was trained on, of hash ${
        metadata.encoder?.slice(0, 12)
      } (give the same --weights and --adapter): the current one is ${encoder.slice(0, 12)}`,
    );
  }
  const config = JSON.parse(metadata.config!) as DecoderConfig & DetectorConfig;
  const fresh = task === "segment" ? initDecoder(config, 1) : initDetector(config, 1);
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
    const head = { task, params, config } as unknown as H;
    return { head, encoder, seen: new Set(metadata.seen?.split(" ").filter(Boolean)) };
  } finally {
    disposeParams(fresh);
  }
}

/**
 * Refuses cases that the head has seen in training.
 *
 * @throws {RangeError} Naming how many there are.
 */
export function checkUnseen(cases: readonly Case[], seen: ReadonlySet<string>, path: string): void {
  const known = cases.filter((item) => seen.has(fingerprint(item))).length;
  if (known > 0) {
    throw new RangeError(
      `Cannot evaluate "${path}" as its training must not have seen the test cases: it has seen ${known} of ${cases.length} (give the --split-seed it was trained with)`,
    );
  }
}
