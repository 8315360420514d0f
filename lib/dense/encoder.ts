/** The frozen image tower that dense tasks read, with an adapter folded in. @module */
import { mergeAceLora } from "../ace_lora.ts";
import type { ClipConfig } from "../clip/config.ts";
import type { ImageTrunk } from "../clip/towers/image.ts";
import { disposeParams, namedTensors } from "../tensor/params.ts";
import type { NamedAdapter } from "../adapters/record.ts";
import { loadAdapter } from "../adapters/model.ts";
import { LOAD_CLIP_RULES, loadClip, type LoadClipOptions } from "../clip/load.ts";
import type { ModelFiles } from "../clip/find_model_files.ts";
import { newSha256 } from "../platform/sha256.ts";
import { checkOptions, type Rules } from "../platform/options.ts";

/** An image tower ready for dense tasks. */
export interface DenseEncoder {
  /** Its weights; free them with `disposeParams`. */
  trunk: ImageTrunk;
  /** Sizes of the model it came from. */
  config: ClipConfig;
  /** SHA-256 (hex) of the weights. */
  hash: string;
}

/** Options of {@linkcode loadDenseEncoder}. */
export interface DenseEncoderOptions extends LoadClipOptions {
  /** Adapter whose LoRA part is merged. @default {none} */
  adapter?: string | NamedAdapter;
}

/** What they must be. */
const DENSE_ENCODER_RULES: Rules<DenseEncoderOptions> = {
  ...LOAD_CLIP_RULES,
  adapter: {
    must: "a path, or an adapter that was read",
    allows: (adapter) => typeof adapter === "string" || typeof adapter === "object",
  },
};

/** SHA-256 (hex) of a tree's weights, names and shapes: what tells one encoder from another. */
export async function weightsHash(tree: unknown): Promise<string> {
  const hash = newSha256();
  for (const [name, tensor] of namedTensors(tree)) {
    const values = await tensor.data();
    hash.update(`${name} ${tensor.shape}`);
    hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  return hash.digest("hex");
}

/**
 * Loads the image tower and merges the adapter; the text tower and everything after the tokens are freed.
 *
 * @param from As `loadClip` takes it. @default {the shipped mini model}
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function loadDenseEncoder(
  from: string | ModelFiles = {},
  options: DenseEncoderOptions = {},
): Promise<DenseEncoder> {
  checkOptions("load an encoder", options, DENSE_ENCODER_RULES);
  const { adapter, ...rest } = options;
  const { params: base, config } = await loadClip(from, rest);
  const params = adapter === undefined ? base : (await loadAdapter(adapter, base, config)).params;
  const merged = mergeAceLora(params);
  const { trunk } = merged.vision;
  for (const tree of [merged, params, base]) disposeParams(tree, trunk);
  return { trunk, config, hash: await weightsHash(trunk) };
}
