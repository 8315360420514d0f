/** The frozen image tower that dense tasks read, with an adapter folded in. @module */
import { mergeAceLora } from "../ace_lora.ts";
import { weightsHash } from "./maps.ts";
import type { BiomedClipConfig } from "../clip/config.ts";
import type { VitParams } from "../clip/towers/vit.ts";
import { disposeParams } from "../tensor/params.ts";
import { loadAdapter } from "../adapters/model.ts";
import { loadModel, type ModelFiles } from "../clip/load.ts";

/** An image tower ready for dense tasks. */
export interface DenseEncoder {
  /** Its weights; free them with `disposeParams`. */
  trunk: VitParams;
  /** Sizes of the model it came from. */
  config: BiomedClipConfig;
  /** SHA-256 (hex) of the weights. */
  hash: string;
}

/** Where the tower comes from. */
export interface DenseEncoderFiles extends ModelFiles {
  /** Adapter whose LoRA part is merged. @default {none} */
  adapter?: string;
}

/** Loads the image tower and merges the adapter; the text tower and everything after the tokens are freed. */
export async function loadDenseEncoder(files: DenseEncoderFiles = {}): Promise<DenseEncoder> {
  const { adapter, ...rest } = files;
  const { params: base, config } = await loadModel(rest);
  if (adapter === undefined) {
    const trunk = base.vision.trunk;
    disposeParams(base, trunk);
    return { trunk, config, hash: await weightsHash(trunk) };
  }
  const { params } = await loadAdapter(adapter, base, config);
  const merged = mergeAceLora(params);
  const trunk = merged.vision.trunk;
  disposeParams(merged, trunk);
  disposeParams(params, { trunk, merged });
  disposeParams(base, trunk);
  return { trunk, config, hash: await weightsHash(trunk) };
}
