/** The pairs a model is adapted to: as they are, or captions of classes. @module */
import { captioned, CHEST_CAPTIONS, fewShot, parseCaptions } from "../data/captions.ts";
import { loadPairs, pairsOf, type PairsOptions, readTable } from "../data/pairs.ts";
import { CHEXPERT_LABELS, type Dataset } from "../data/types.ts";
import { datasetTargets } from "../eval/assess.ts";
import { drawShots } from "../eval/probe/shots.ts";
import { type Arguments, type OptionSpec, UsageError } from "./command.ts";
import { columnsFrom, datasetFrom, isDatasetGiven, pairsFrom, patientPart } from "./data_options.ts";
import { headTraining } from "./head.ts";
import { checkPath } from "./paths.ts";
import { withCases } from "./unreadable.ts";

/** The options of training without reports. */
export const CAPTION_OPTIONS: Record<string, OptionSpec> = {
  captions: {
    type: "string",
    value: "FILE",
    help:
      "Train without reports, on captions of the classes: templates one a line, with {c} for the classes, without for images of " +
      'none; "chest" takes those for radiographs',
  },
  "class-column": { type: "string", value: "NAME", help: "Column of the class (default: class)" },
  separator: { type: "string", value: "TEXT", help: 'What separates the classes of a cell, such as "|"' },
  shots: { type: "string", value: "N", help: "Train on N cases a class, drawn by --seed (default: all)" },
};

/** The pairs that `--pairs` or `--dataset` names; with `--captions` their texts are made of their classes, with `--head` they need none. */
export async function trainingPairs(args: Arguments): Promise<Dataset> {
  const captions = args.text("captions");
  if (headTraining(args) !== undefined) return await labelled(args);
  if (captions === undefined) {
    for (const name of ["separator", "shots"]) {
      if (args.text(name) !== undefined) throw new UsageError(`--${name} needs --captions or --head`);
    }
    return await pairsFrom(args);
  }
  const templates = captions === "chest" ? CHEST_CAPTIONS : await captionsAt(captions);
  const dataset = await classified(args);
  return captioned(dataset, { templates, seed: args.integer("seed", 1) });
}

/** Images with classes, or with the 14 CheXpert labels where no column of classes is named and they are there. */
async function labelled(args: Arguments): Promise<Dataset> {
  const hasLabels = (names: readonly string[]): boolean => CHEXPERT_LABELS.every((label) => names.includes(label));
  if (args.text("class-column") !== undefined) return await classified(args);
  if (args.text("dataset") !== undefined) {
    const dataset = await datasetFrom(args);
    if (dataset.classes.length > 0 || dataset.cases.every(({ labels }) => labels !== undefined)) return dataset;
    throw new UsageError(`--head needs labels: ${dataset.name} has none`);
  }
  const path = args.required("pairs");
  await checkPath(path);
  const table = await readTable(path);
  const columns = hasLabels(table.columns) ? columnsFrom(args) : classColumns(args);
  return await patientPart(args, await pairsOf(table, columns), "train");
}

async function captionsAt(path: string): Promise<ReturnType<typeof parseCaptions>> {
  await checkPath(path);
  return parseCaptions(await Deno.readTextFile(path), path);
}

function classColumns(args: Arguments): PairsOptions {
  const separator = args.text("separator");
  return {
    ...columnsFrom(args),
    label: args.text("class-column") ?? "class",
    chexpert: false,
    ...(separator === undefined ? {} : { separator }),
  };
}

async function classified(args: Arguments): Promise<Dataset> {
  const columns = classColumns(args);
  if (isDatasetGiven(args, "pairs")) {
    const dataset = await datasetFrom(args, columns);
    if (dataset.classes.length > 0) return dataset;
    throw new UsageError(`--captions and --head need classes: ${dataset.name} has none`);
  }
  const path = args.required("pairs");
  await checkPath(path);
  return await patientPart(args, await loadPairs(path, columns), "train");
}

/** The few cases a class, drawn as `probe` draws them where a case has one class, that `--shots` asks for; all without it. */
export async function withShots(args: Arguments, dataset: Dataset): Promise<Dataset> {
  if (args.text("shots") === undefined) return dataset;
  const [shots, seed] = [args.integer("shots", 1, 1), args.integer("seed", 1)];
  const cases = dataset.task === "multilabel"
    ? fewShot(dataset, shots, seed)
    : drawShots(datasetTargets(dataset), [], { shots, seed }).train.sort((a, b) => a - b).map((i) => dataset.cases[i]!);
  return await withCases(dataset, cases, "not among the shots", `${dataset.split.name}, ${args.text("shots")} shots`);
}
