/** A method's trained leaves as one safetensors file that says what they belong to. @module */
import * as tf from "@tensorflow/tfjs";
import type { ClipParams } from "../clip/params.ts";
import type { ClipConfig } from "../clip/config.ts";
import { quoted } from "../io/_errors.ts";
import { readSafetensors, writeSafetensors } from "../io/safetensors.ts";
import { checkFinite, float32Tensor, type TensorData, toFloat32 } from "../io/tensors.ts";
import { disposeParams, namedTensors, withTensors } from "../tensor/params.ts";
import type { Tensor } from "../tensor/types.ts";
import type { PeftMethod, PeftParams } from "./method.ts";
import { PEFT_METHODS, type PeftName } from "./methods.ts";

const FORMAT = "ace-lora fine-tuning 1";

/** The leaves a method trains, by name, in the tree's order; borrowed. */
export function trainableLeaves(method: PeftMethod, params: PeftParams): Map<string, Tensor> {
  return new Map([...namedTensors(params)].filter(([name]) => method.model.isTrainable(name)));
}

/**
 * Writes the leaves that training changes, whole or not at all; method, settings and sizes go into the metadata.
 *
 * @param params A tree of the method's, not merged.
 * @throws {Error} If the file cannot be written; the message names it.
 */
export async function savePeft(path: string, method: PeftMethod, params: PeftParams): Promise<void> {
  const tensors = new Map<string, TensorData>();
  for (const [name, tensor] of trainableLeaves(method, params)) {
    tensors.set(name, float32Tensor(tensor.shape, await tensor.data() as Float32Array));
  }
  await writeSafetensors(path, tensors, {
    format: FORMAT,
    method: method.name,
    settings: JSON.stringify(method.settings),
    encoders: JSON.stringify(method.encoders),
  });
}

/** What {@linkcode loadPeft} returns. */
export interface LoadedPeft {
  /** The method, with the file's settings. */
  method: PeftMethod;
  /** Its tree: frozen leaves shared with the base; free it with `disposeParams(params, base)`. */
  params: PeftParams;
}

/**
 * Reads what {@linkcode savePeft} wrote, onto the model it was trained on.
 *
 * @param base Frozen weights.
 * @param encoders Their sizes.
 * @throws {SyntaxError} If the file is not one of these, or a leaf is missing, misshapen or unknown.
 * @throws {RangeError} If it was written for a model of other sizes, or a number is not finite.
 */
export async function loadPeft(path: string, base: ClipParams, encoders: ClipConfig): Promise<LoadedPeft> {
  const { tensors, metadata } = await readSafetensors(path);
  const fail = (reason: string): SyntaxError =>
    new SyntaxError(`Cannot read "${path}" as a fine-tuned method: ${reason}`);
  if (metadata["format"] !== FORMAT) {
    throw fail(`its format must be "${FORMAT}": found ${quoted(metadata["format"] ?? "none")}`);
  }
  const name = metadata["method"] ?? "";
  if (!Object.hasOwn(PEFT_METHODS, name)) {
    throw fail(`its method must be one of ${Object.keys(PEFT_METHODS).join(", ")}: found "${name}"`);
  }
  const record = (key: string): Record<string, unknown> => {
    try {
      return JSON.parse(metadata[key] ?? "") as Record<string, unknown>;
    } catch {
      throw fail(`its ${key} must be JSON: found ${quoted(metadata[key] ?? "nothing")}`);
    }
  };
  checkSizes(path, record("encoders"), encoders);
  const method = PEFT_METHODS[name as PeftName](encoders, record("settings"));
  const fresh = await method.prepare(base);
  const leaves = trainableLeaves(method, fresh);
  const made = new Map<string, Tensor>();
  try {
    for (const [leaf, { shape }] of leaves) {
      const found = tensors.get(leaf);
      if (found?.shape.join() !== shape.join()) {
        throw fail(`"${leaf}" must have shape [${shape}]: found ${found ? `[${found.shape}]` : "no such tensor"}`);
      }
      checkFinite(found, `"${leaf}" of "${path}"`);
      made.set(leaf, tf.tensor(toFloat32(found), shape));
    }
    const unknown = [...tensors.keys()].find((leaf) => !leaves.has(leaf));
    if (unknown !== undefined) throw fail(`"${unknown}" is no leaf that ${method.label} trains`);
  } catch (error) {
    tf.dispose([...made.values()]);
    disposeParams(fresh, base);
    throw error;
  }
  const params = withTensors(fresh, made);
  tf.dispose([...leaves.values()]);
  return { method, params };
}

function checkSizes(path: string, then: Record<string, unknown>, encoders: ClipConfig): void {
  for (const key of ["vision", "text", "embedding"] as const) {
    const now = JSON.stringify(encoders[key]);
    const before = JSON.stringify(then[key]);
    if (!agrees(encoders[key], then[key])) {
      throw new RangeError(
        `Cannot load "${path}" as ${key} must be as it was trained on, ${before}: current value is ${now}`,
      );
    }
  }
}

/** Whether a part of the sizes says what the file recorded of it; files of version 0.1.0 recorded fewer fields. */
function agrees(now: unknown, before: unknown): boolean {
  if (typeof before !== "object" || before === null) return now === before;
  const fields = now as Record<string, unknown>;
  return Object.entries(before).every(([field, value]) => fields[field] === value);
}
