/** A method's trained leaves as one safetensors file that says what they belong to. @module */
import type { ClipParams } from "../clip/params.ts";
import type { ClipConfig } from "../clip/config.ts";
import { checkedField, word } from "../io/fields.ts";
import { loadTree, openTree, recordField, saveTree, textField } from "../io/tree.ts";
import { disposeParams, namedTensors } from "../tensor/params.ts";
import type { PeftMethod, PeftParams } from "./method.ts";
import { PEFT_METHODS, PEFT_NAMES } from "./methods.ts";

const FORMAT = "ace-lora fine-tuning 1";

/**
 * Writes the leaves that training changes, whole or not at all; method, settings and sizes go into the metadata.
 *
 * @param params A tree of the method's, not merged.
 * @throws {Error} If the file cannot be written; the message names it.
 */
export async function savePeft(path: string, method: PeftMethod, params: PeftParams): Promise<void> {
  await saveTree(path, Object.fromEntries(namedTensors(params, method.model.isTrainable)), {
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
  const file = await openTree(path, { noun: "a fine-tuned method", format: FORMAT });
  const name = checkedField(path, "method", textField(file, "method"), word(PEFT_NAMES));
  checkSizes(path, recordField(file, "encoders"), encoders);
  const method = PEFT_METHODS[name](encoders, recordField(file, "settings"));
  const fresh = await method.prepare(base);
  try {
    const params = loadTree(file, fresh, { wanted: method.model.isTrainable });
    disposeParams(fresh, params);
    return { method, params };
  } catch (error) {
    disposeParams(fresh, base);
    throw error;
  }
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
  if (typeof now !== "object" || now === null) return false;
  return Object.entries(before).every(([field, value]) => Reflect.get(now, field) === value);
}
