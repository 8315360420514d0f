/** The options that name a model's files and an adapter's. @module */
import { join } from "@std/path";
import { adapterFormat, readAdapter } from "../adapters/files.ts";
import { usedCases } from "../adapters/case_lists.ts";
import type { NamedAdapter } from "../adapters/record.ts";
import { judgedNotes } from "../data/seen.ts";
import type { Case } from "../data/types.ts";
import { towerDepths } from "../clip/config.ts";
import { findModelFiles, type ModelFiles } from "../clip/find_model_files.ts";
import { loadClip, type LoadClipOptions, type LoadedClip, modelFiles, readClipConfig } from "../clip/load.ts";
import { exists } from "../io/files.ts";
import { openTensorFile } from "../io/open.ts";
import { defined } from "../platform/defined.ts";
import { type Arguments, type OptionSpec, UsageError } from "./command.ts";
import { checkPath } from "./paths.ts";
import { modelNotice } from "./provenance.ts";

/** Options of commands that load a model. */
export const MODEL_OPTIONS: Record<string, OptionSpec> = {
  model: {
    value: "DIR",
    help: "Folder of a CLIP as the hub gives it: configuration, weights, tokeniser (default: the shipped mini model)",
  },
  weights: { value: "FILE", help: "Weights by themselves, or in place of the folder's" },
  tokenizer: { value: "FILE", help: "tokenizer.json or vocab.txt, likewise" },
};

/** The option of commands that compute with the model's matrices. */
export const NARROW_OPTION: Record<string, OptionSpec> = {
  narrow: {
    help:
      "On webgpu, keep the model's matrices as float16: half the memory; features differ in the third or fourth digit",
  },
};

/** The option of commands that use an adapter of any layout. */
export const ADAPTER_OPTION: Record<string, OptionSpec> = {
  adapter: { value: "PATH", help: "Adapter in any layout: .safetensors, PEFT folder or the authors' .pt" },
};

/** The files that `--model`, `--weights` and `--tokenizer` name; a file named by itself takes the folder's place. */
export async function modelFilesFrom(args: Arguments): Promise<ModelFiles> {
  const folder = args.text("model");
  const weights = args.text("weights");
  const tokenizer = args.text("tokenizer");
  for (const path of [folder, weights, tokenizer]) if (path !== undefined) await checkPath(path);
  const named = defined({ weights, tokenizer });
  if (folder === undefined) return weights === undefined ? named : { ...await modelFiles(weights), ...named };
  if (!(await Deno.stat(folder)).isDirectory) throw new UsageError(`--model must be a folder: "${folder}" is a file`);
  return await findModelFiles(folder, named);
}

/**
 * What is read of the files that the options name.
 *
 * @throws {UsageError} If it cannot be, as the weights are an adapter's.
 */
export async function fromModelFiles<T>(
  args: Arguments,
  read: (files: ModelFiles) => Promise<T>,
  other?: string,
): Promise<T> {
  const files = { ...await modelFilesFrom(args), ...defined({ weights: other }) };
  const { weights } = files;
  return await read(files).catch(async (error: Error) => {
    if (weights === undefined || !await isAdapter(weights)) throw error;
    throw new UsageError(
      `"${weights}" is an adapter, not a model: give it with --adapter, and the model it was made for with --weights`,
    );
  });
}

/**
 * Reads the adapter that `--adapter` names; done before the model is loaded, so that what is wrong with it is told at once.
 *
 * @returns Undefined where none is named.
 * @throws {Error} If there is none, or it cannot be read as one.
 */
export async function adapterFrom(args: Arguments): Promise<NamedAdapter | undefined> {
  const path = args.text("adapter");
  if (path === undefined) return undefined;
  await checkPath(path);
  return { path, file: await readAdapter(path, { depths: towerDepths(await fromModelFiles(args, readClipConfig)) }) };
}

/** {@linkcode judgedNotes}, told. */
export function toldNotes(...asked: Parameters<typeof judgedNotes>): string[] {
  const notes = judgedNotes(...asked);
  for (const note of notes) console.error(`warning: ${note}`);
  return notes;
}

/**
 * What must be known before figures of an adapter on these cases are believed, see {@linkcode judgedNotes}; it is told here, and is
 * to stand in the record.
 *
 * @throws {SeenCasesError} If it was trained on one of them, or on their patients.
 */
export function judgedWarnings(
  adapter: NamedAdapter | undefined,
  cases: readonly Pick<Case, "id" | "patientId">[],
): string[] {
  return adapter ? toldNotes(cases, usedCases(adapter.file), adapter.path) : [];
}

/** Loads the model that `--model`, `--weights` and `--tokenizer` name, or the same with other weights. */
export async function modelFrom(
  args: Arguments,
  other?: string,
  ahead?: LoadClipOptions["ahead"],
): Promise<LoadedClip> {
  const options = {
    note: (text: string) => console.error(text),
    narrow: args.flag("narrow"),
    ...defined({ ahead }),
  };
  const model = await fromModelFiles(args, (files) => loadClip(files, options), other);
  const notice = await modelNotice(args);
  if (notice !== undefined && !told.has(notice)) {
    console.error(notice);
    told.add(notice);
  }
  return model;
}

/** Notices of this run's models: some commands load theirs twice. */
const told = new Set<string>();

async function isAdapter(path: string): Promise<boolean> {
  if (await exists(join(path, "adapter_config.json")) || await exists(join(path, "adapter.safetensors"))) return true;
  try {
    const file = await openTensorFile(path);
    file.close();
    return adapterFormat(file) !== undefined;
  } catch {
    return false;
  }
}
