/** The options that name the data to read. @module */
import { describeDataset, type MissingImages } from "../data/dataset.ts";
import { loadFolder } from "../data/folder.ts";
import { classSeparator } from "../data/classes.ts";
import { loadPairs, type PairsOptions } from "../data/pairs.ts";
import { type DatasetEntry, DATASETS } from "../data/registry.ts";
import { isWebDatasetPath, loadWebDataset, shardPaths } from "../data/webdataset.ts";
import { splitByPatient } from "../data/splits.ts";
import type { Dataset } from "../data/types.ts";
import { defined } from "../platform/defined.ts";
import { errorMessage } from "../platform/error_message.ts";
import { type Arguments, type OptionSpec, quotedWord, UsageError, WHOLE } from "./command.ts";
import { checkPath } from "./paths.ts";
import { withCases } from "./unreadable.ts";

/** Options that say which columns of a CSV mean what. */
export const COLUMN_OPTIONS: Record<string, OptionSpec> = {
  "image-column": { value: "NAME", help: "Column of the image's path (default: path)" },
  "image-root": { value: "DIR", help: "Folder the paths start from (default: the CSV's)" },
  "patient-column": { value: "NAME", help: "Column of the patient" },
  where: { multiple: true, value: "COLUMN=VALUE", help: "Keep only rows with this value; may be repeated" },
};

/** Options of commands that leave out, or take only, a share of a CSV's patients. */
export const HELD_OUT_OPTIONS: Record<string, OptionSpec> = {
  "held-out": {
    value: "FRACTION",
    number: { above: 0, below: 1 },
    help: "Share of the patients held out: train leaves them out, evaluate takes only them (default: no split)",
  },
  "split-seed": { value: "N", number: WHOLE, help: "Seed of that split (default: 0)" },
};

/** Data sets that are one CSV or one folder: the commands read these by `--images` and `--pairs`, too. */
const OWN_FILES = ["pairs", "folder"];

/** What becomes of rows whose image is not there. */
const MISSING_WORDS = ["throw", "drop", "ignore"] as const satisfies readonly MissingImages[];

/** Options that name a published data set. */
export const DATASET_OPTIONS: Record<string, OptionSpec> = {
  dataset: { value: "NAME", help: `A data set in its published layout: ${datasetNames().join(", ")}` },
  root: { value: "DIR", help: "Folder of the data set" },
  split: { value: "NAME", help: "One of its splits (default: the paper's)" },
  missing: {
    value: "WORD",
    words: MISSING_WORDS,
    help: "Rows whose image is not there: throw, drop or ignore (default: the data set's own)",
  },
  reports: { value: "DIR", help: "Folder of the reports (mimic-cxr; default: the root)" },
};

/** Options that name classified images. */
export const CLASSIFIED_OPTIONS: Record<string, OptionSpec> = {
  images: { value: "PATH", help: "CSV of images and classes, or a folder with a folder for each class" },
  ...DATASET_OPTIONS,
};

/** Options that say which classes those images have. */
export const CLASS_OPTIONS: Record<string, OptionSpec> = {
  "class-column": { value: "NAME", help: "Column of the class (default: class)" },
  classes: { value: "LIST", help: "Classes as the data names them, in order (default: all found, sorted)" },
  names: { value: "LIST", help: "Names that prompts use for the classes, in the same order (default: the classes)" },
};

/** The names that prompts use for the classes: those of `--names`, one a class, or else the classes. */
export function namesFrom(args: Arguments, classes: readonly string[]): readonly string[] {
  const names = args.list("names") ?? classes;
  if (names.length === classes.length) return names;
  throw new UsageError(`--names must have one name a class: ${classes.length} classes, ${names.length} names`);
}

function datasetNames(): string[] {
  return Object.keys(DATASETS).filter((name) => !OWN_FILES.includes(name));
}

/** Files and splits of each data set, as paragraphs for the end of a command's help. */
export function datasetNotes(names: readonly string[] = datasetNames()): string {
  const lines = names.map((name) => {
    const { layout, splits } = DATASETS[name]!;
    return `  ${name}\n    splits: ${splits.join(", ") || "only the whole"}\n    files: ${layout}`;
  });
  return ["", "Data sets (the first split is the paper's):", ...lines].join("\n");
}

/** The data set's entry that `--dataset` names, or undefined when it is not given. */
function datasetEntry(args: Arguments): DatasetEntry | undefined {
  const name = args.text("dataset");
  if (name === undefined) return undefined;
  return DATASETS[args.choice("dataset", Object.keys(DATASETS), name)]!;
}

/** The data set that `--dataset` and `--root` name. */
export async function datasetFrom(args: Arguments, pairs: PairsOptions = {}): Promise<Dataset> {
  const entry = datasetEntry(args)!;
  const root = args.required("root");
  await checkPath(root);
  const named = { split: args.text("split"), reports: args.text("reports"), missing: missingFrom(args) };
  return notEmpty(await entry.load(root, { pairs, ...defined({ attributes: pairs.attributes, ...named }) }), root);
}

/** What `--missing` says of rows without their image. */
function missingFrom(args: Arguments): MissingImages | undefined {
  return args.choice("missing", MISSING_WORDS, undefined);
}

function notEmpty(dataset: Dataset, root: string): Dataset {
  if (dataset.cases.length > 0) return dataset;
  throw new RangeError(`Cannot use "${root}" as a data set as a case must be left: ${describeDataset(dataset)}`);
}

/**
 * The data set as a list of cases: where images are not there, they are not looked for.
 *
 * @param note Takes a line when images are not there.
 */
export async function datasetListFrom(args: Arguments, note: (text: string) => void): Promise<Dataset> {
  const entry = datasetEntry(args)!;
  try {
    return await datasetFrom(args);
  } catch (error) {
    const isAboutImages = error instanceof Deno.errors.NotFound || error instanceof RangeError;
    if (!isAboutImages || args.text("missing") !== undefined) throw error;
    const named = defined({ split: args.text("split"), reports: args.text("reports") });
    const listed = await entry.load(args.required("root"), { ...named, missing: "ignore" });
    if (listed.cases.length === 0) throw error;
    note(`images are not all there, so the list is made without them: ${errorMessage(error)}`);
    return listed;
  }
}

/** The column options as `loadPairs` takes them. */
export function columnsFrom(args: Arguments): PairsOptions {
  const where = Object.fromEntries(
    args.all("where").map((pair) => {
      const equals = pair.indexOf("=");
      if (equals < 1) throw new UsageError(`--where must be COLUMN=VALUE: current value is "${pair}"`);
      return [pair.slice(0, equals), pair.slice(equals + 1)];
    }),
  );
  const named = {
    image: args.text("image-column"),
    images: args.text("image-root"),
    patient: args.text("patient-column"),
  };
  return { where, ...defined({ missing: missingFrom(args), ...named }) };
}

/** Image-text pairs of the CSV that `--pairs` names, or of the data set that `--dataset` names. */
export async function pairsFrom(args: Arguments): Promise<Dataset> {
  const columns = { ...columnsFrom(args), text: args.text("text-column") ?? "text" };
  if (isDatasetGiven(args, "pairs")) {
    const dataset = await datasetFrom(args, columns);
    if (dataset.cases.some((item) => item.text === undefined)) {
      throw new RangeError(`Cannot train on ${dataset.name} as its cases must have texts: they have none`);
    }
    return dataset;
  }
  const path = args.required("pairs");
  if (isWebDatasetPath(path)) return await patientPart(args, await shardsFrom(args, path), "train");
  await checkPath(path);
  return await patientPart(args, await loadPairs(path, columns), "train");
}

/**
 * Classified images of the CSV or the folder of class folders that `--images` names, or of `--dataset`.
 *
 * @param attributes Columns of the CSV, or of the data set's own table, that are kept with each case.
 */
export async function imagesFrom(args: Arguments, attributes: readonly string[] = []): Promise<Dataset> {
  const options = defined({ classes: args.list("classes") });
  const columns: PairsOptions = {
    ...columnsFrom(args),
    ...options,
    label: args.text("class-column") ?? "class",
    chexpert: false,
    attributes,
    ...defined({ separator: args.text("separator") }),
  };
  if (isDatasetGiven(args, "images")) return checkColumns(await datasetFrom(args, columns), attributes);
  const path = args.required("images");
  if ((await checkPath(path)).isDirectory) return checkColumns(await loadFolder(path, options), attributes);
  return await patientPart(args, await loadPairs(path, columns), "test");
}

/** Refuses groups by columns that a data set does not carry; one with a table has refused those it lacks. */
function checkColumns(dataset: Dataset, attributes: readonly string[]): Dataset {
  if (attributes.length === 0 || dataset.cases.some((item) => item.attributes)) return dataset;
  throw new UsageError(
    `--by needs a table with the column "${attributes[0]}", as --images CSV has: ${dataset.name} carries no such table`,
  );
}

/** Image-text pairs of WebDataset shards: columns are fields of the samples' JSON. */
async function shardsFrom(args: Arguments, pattern: string): Promise<Dataset> {
  for (const path of await shardPaths(pattern)) await checkPath(path);
  for (const name of ["image-column", "image-root"]) {
    if (args.text(name) !== undefined) throw new UsageError(`--${name} is for tables: "${pattern}" names tar shards`);
  }
  const { where = {}, patient } = columnsFrom(args);
  return await loadWebDataset(pattern, { where, ...defined({ text: args.text("text-column"), patient }) });
}

/** The part of a set that `--held-out` leaves for training or evaluation; the whole set without it. */
export async function patientPart(args: Arguments, dataset: Dataset, part: "train" | "test"): Promise<Dataset> {
  if (args.text("held-out") === undefined) return dataset;
  if (args.text("patient-column") === undefined) throw new UsageError("--held-out needs --patient-column");
  const fraction = args.number("held-out", 0);
  const seed = args.number("split-seed", 0);
  const cases = splitByPatient(dataset.cases, { shares: { test: fraction }, seed })[part];
  return await withCases(dataset, cases, "other patients", `${part} by patient`);
}

/** Whether `--dataset` is given; it excludes the option of the user's own files. */
export function isDatasetGiven(args: Arguments, own: "images" | "pairs"): boolean {
  const given = args.text("dataset") !== undefined;
  if (given && args.text(own) !== undefined) throw new UsageError(`--dataset and --${own} exclude each other`);
  if (!given && args.text("root") !== undefined) throw new UsageError("--root needs --dataset");
  return given;
}

/** Prints what was read, kept and dropped, on stderr, and that a class seems to name several. */
export function announce(dataset: Dataset): void {
  console.error(describeDataset(dataset));
  const joint = dataset.task === "multiclass" ? dataset.classes.find(classSeparator) : undefined;
  if (joint === undefined) return;
  console.error(
    `note: ${JSON.stringify(joint)} is taken for one class; if a cell lists several, --separator ${
      quotedWord(classSeparator(joint)!)
    } makes each a label of its image`,
  );
}
