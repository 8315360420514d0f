/** The options that name a model's files, the data to read and how. @module */
import { describeDataset } from "../data/dataset.ts";
import { loadFolder } from "../data/folder.ts";
import { loadPairs, type PairsOptions } from "../data/pairs.ts";
import type { Dataset } from "../data/types.ts";
import type { Generalist } from "../tasks/mini.ts";
import { loadModel } from "../tasks/model_files.ts";
import { type Arguments, type OptionSpec, UsageError } from "./command.ts";

/** Options of commands that load a model. */
export const MODEL_OPTIONS: Record<string, OptionSpec> = {
  weights: { type: "string", value: "FILE", help: "open_clip .bin or safetensors (default: the shipped mini model)" },
  tokenizer: { type: "string", value: "FILE", help: "tokenizer.json or vocab.txt of the weights" },
};

/** Options that say which columns of a CSV mean what. */
export const COLUMN_OPTIONS: Record<string, OptionSpec> = {
  "image-column": { type: "string", value: "NAME", help: "Column of the image's path (default: path)" },
  "image-root": { type: "string", value: "DIR", help: "Folder the paths start from (default: the CSV's)" },
  "patient-column": { type: "string", value: "NAME", help: "Column of the patient" },
  where: {
    type: "string",
    multiple: true,
    value: "COLUMN=VALUE",
    help: "Keep only rows with this value; may be repeated",
  },
};

/** Loads the model that `--weights` and `--tokenizer` name. */
export async function modelFrom(args: Arguments): Promise<Generalist> {
  const weights = args.text("weights");
  const tokenizer = args.text("tokenizer");
  return await loadModel({
    ...(weights === undefined ? {} : { weights }),
    ...(tokenizer === undefined ? {} : { tokenizer }),
    note: (text) => console.error(text),
  });
}

/** The column options as `loadPairs` takes them. */
export function columnsFrom(args: Arguments): PairsOptions {
  const where = Object.fromEntries(
    args.all("where").map((pair) => {
      const at = pair.indexOf("=");
      if (at < 1) throw new UsageError(`--where must be COLUMN=VALUE: current value is "${pair}"`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
  const image = args.text("image-column");
  const images = args.text("image-root");
  const patient = args.text("patient-column");
  return {
    where,
    ...(image === undefined ? {} : { image }),
    ...(images === undefined ? {} : { images }),
    ...(patient === undefined ? {} : { patient }),
  };
}

/** Image-text pairs of the CSV that `--pairs` names. */
export async function pairsFrom(args: Arguments): Promise<Dataset> {
  return await loadPairs(args.required("pairs"), { ...columnsFrom(args), text: args.text("text-column") ?? "text" });
}

/** Classified images of the CSV, or the folder of class folders, that `--images` names. */
export async function imagesFrom(args: Arguments): Promise<Dataset> {
  const path = args.required("images");
  const classes = args.list("classes");
  const options = classes ? { classes } : {};
  if (await isFolder(path)) return await loadFolder(path, options);
  return await loadPairs(path, {
    ...columnsFrom(args),
    ...options,
    label: args.text("class-column") ?? "class",
    chexpert: false,
  });
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new Error(`Cannot read "${path}": no such file or folder`);
    throw error;
  }
}

/** Prints what was read, kept and dropped, on stderr. */
export function announce(dataset: Dataset): void {
  console.error(describeDataset(dataset));
}
