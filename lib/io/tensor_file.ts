/** What every weights file looks like once open. @module */
import { checkFinite, type TensorData, type TensorEntry } from "./tensors.ts";
import { quoted } from "./_errors.ts";

/** An open file of named tensors, read one at a time. */
export interface TensorFile {
  /** Path it was opened from. */
  path: string;
  /** Which format its content has. */
  format: "safetensors" | "torch";
  /** Types and shapes by name, in the file's order. */
  entries: Map<string, TensorEntry>;
  /** Values that are not tensors: safetensors' `__metadata__`, or a PyTorch file's other leaves by dotted name. */
  metadata: Record<string, unknown>;
  /** Reads one tensor. @throws {RangeError} If there is none of that name. */
  read(name: string): Promise<TensorData>;
  /** Lets the file go. */
  close(): void;
}

/** Reads every tensor of an open file, in its order. */
export async function readAllTensors(file: TensorFile): Promise<Map<string, TensorData>> {
  const tensors = new Map<string, TensorData>();
  for (const name of file.entries.keys()) tensors.set(name, await file.read(name));
  return tensors;
}

/**
 * Reads one tensor of weights.
 *
 * @throws {RangeError} If a number is NaN or infinite; the message names the file and the tensor.
 */
export async function readFinite(file: TensorFile, name: string): Promise<TensorData> {
  const tensor = await file.read(name);
  checkFinite(tensor, `"${file.path}" (${quoted(name)})`);
  return tensor;
}
