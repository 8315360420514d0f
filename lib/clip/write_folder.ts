/** A model's folder as open_clip or `transformers` reads it. @module */
import { basename, join } from "@std/path";
import { writeFileAtomic } from "../io/files.ts";
import { writeSafetensors } from "../io/safetensors.ts";
import type { TensorData } from "../io/tensors.ts";
import { selectBackend } from "../tensor/backend.ts";
import type { Checkpoint } from "./checkpoint/checkpoint.ts";
import { type ClipFamily, familyOf, NoCounterpartError, toFamily } from "./checkpoint/family.ts";
import { layoutLabel } from "./checkpoint/find_layout.ts";
import { familyConfig, hasOwnTowers, preprocessorConfig } from "./config_file/write.ts";
import type { ModelFiles } from "./find_model_files.ts";
import { clipConfigOf } from "./load.ts";

export type { ClipFamily };

const NAMES: Readonly<Record<ClipFamily, { weights: string; config: string }>> = {
  open_clip: { weights: "open_clip_model.safetensors", config: "open_clip_config.json" },
  hf: { weights: "model.safetensors", config: "config.json" },
};

/** What {@linkcode writeClipFolder} writes. */
export interface ClipFolderSource {
  /** Where the tensors came from. */
  checkpoint: Checkpoint;
  /** Its files. */
  files: ModelFiles;
  /** The tensors by its layout's names, merged or not. */
  tensors: Map<string, TensorData>;
  /** Library that is to read them. */
  family: ClipFamily;
}

/**
 * Writes weights, configuration, preprocessor and tokeniser into a folder that a library reads.
 *
 * CLIP's own towers go from either library to the other; others stay in the library they are of, with the configuration they
 * came with.
 *
 * @param note Takes what was assumed of a checkpoint without a configuration.
 * @returns Paths of the files written.
 * @throws {NoCounterpartError} If the library has no such towers, or their configuration is not there; then nothing is written.
 */
export async function writeClipFolder(
  folder: string,
  { checkpoint, files, tensors, family }: ClipFolderSource,
  note?: (text: string) => void,
): Promise<string[]> {
  const { file: { path }, layout } = checkpoint;
  const config = await clipConfigOf(checkpoint, files, note);
  const isOwn = familyOf(layout) === family;
  if (!isOwn) await selectBackend({ backend: "cpu" }); // nothing is computed
  const written = isOwn ? tensors : await toFamily(tensors, { layout, config, path }, family);
  const isPlain = hasOwnTowers(config);
  if (!isPlain && files.config === undefined) {
    throw new NoCounterpartError(
      `Cannot write "${path}" (${layoutLabel(layout)}) with its configuration as ${
        NAMES[family].config
      } must be beside ` +
        "it: there is none",
    );
  }
  const json = (value: unknown): string => JSON.stringify(value, null, 2) + "\n";
  const configuration = isPlain ? json(familyConfig(config, family)) : await Deno.readTextFile(files.config!);
  const pathOf = (name: string): string => join(folder, name);
  const { weights, config: name } = NAMES[family];
  await writeSafetensors(pathOf(weights), written, { format: "pt" });
  await writeFileAtomic(pathOf(name), configuration);
  // transformers' file cannot say that images are padded; open_clip's configuration has said it.
  const preprocessors = config.resizeMode === "longest" ? [] : ["preprocessor_config.json"];
  for (const file of preprocessors) await writeFileAtomic(pathOf(file), json(preprocessorConfig(config)));
  const copied = [files.tokenizer, files.merges].filter((file) => file !== undefined);
  for (const file of copied) await Deno.copyFile(file, pathOf(basename(file)));
  return [weights, name, ...preprocessors, ...copied.map((file) => basename(file))].map(pathOf);
}
