/** Values beside the tensors of a checkpoint. @module */
import type { TensorFile } from "../../io/tensor_file.ts";
import type { ClipConfig } from "../config.ts";

/** Beside the tensors of weights that an adapter was merged into: its scale, of layouts that have no tensor for it. */
export const MERGED_SCALE = "similarity_scale";

/** Reads a file's values by name; `values` holds those that were asked for and are there. */
export function storedValues(
  { metadata, format }: Pick<TensorFile, "metadata" | "format">,
): { value: (name: string) => unknown; values: ReadonlyMap<string, unknown> } {
  const values = new Map<string, unknown>();
  const value = (name: string): unknown => {
    const found = format === "safetensors" ? fromText(metadata[name]) : metadata[name];
    if (found !== undefined) values.set(name, found);
    return found;
  };
  return { value, values };
}

/** A value of safetensors' metadata, which holds text alone: numbers and booleans stand there as in JSON. */
function fromText(value: unknown): unknown {
  if (value === "true" || value === "false") return value === "true";
  return typeof value === "string" && value !== "" && Number.isFinite(Number(value)) ? Number(value) : value;
}

/** A configuration with the scale of merged weights, where its layout has no tensor for one. */
export function withMergedScale(config: ClipConfig, value: (name: string) => unknown): ClipConfig {
  const scale = config.scale === undefined ? undefined : value(MERGED_SCALE);
  return typeof scale === "number" && scale > 0 ? { ...config, scale } : config;
}
