/** The pairs a model is adapted to: as they are, or captions of classes. @module */
import { captioned, CHEST_CAPTIONS, chexpertClasses, fewShot, parseCaptions } from "../data/captions.ts";
import { pairsOf, type PairsOptions, readTable } from "../data/pairs.ts";
import { type Case, CHEXPERT_LABELS, type Dataset } from "../data/types.ts";
import { datasetTargets } from "../eval/assess.ts";
import { drawShots } from "../eval/probe/shots.ts";
import { type Arguments, COUNT, type OptionSpec, UsageError } from "./command.ts";
import { columnsFrom, datasetFrom, isDatasetGiven, pairsFrom, patientPart } from "./data_options.ts";
import { tellFewCases } from "./few_cases.ts";
import { headTraining } from "./head.ts";
import { checkPath } from "./paths.ts";
import { withCases } from "./unreadable.ts";

/** The options of training without reports. */
export const CAPTION_OPTIONS: Record<string, OptionSpec> = {
  captions: {
    value: "FILE",
    help:
      "Train without reports, on captions of the classes or the 14 CheXpert labels: templates one a line, with {c} for the classes, without for images of " +
      'none; "chest" takes those for radiographs',
  },
  "class-column": { value: "NAME", help: "Column of the class (default: class)" },
  separator: { value: "TEXT", help: 'What separates the classes of a cell, such as "|"' },
  shots: {
    value: "N",
    number: COUNT,
    help: "Train on N cases a class, drawn by --seed (default: all)",
  },
};

/** The pairs that `--pairs` or `--dataset` names; with `--captions` their texts are made of their classes, with `--head` they need none. */
export async function trainingPairs(args: Arguments): Promise<Dataset> {
  const captions = args.text("captions");
  if (headTraining(args) !== undefined) return await labelled(args, "head");
  if (captions === undefined) {
    for (const name of ["separator", "shots"]) {
      if (args.text(name) !== undefined) throw new UsageError(`--${name} needs --captions or --head`);
    }
    return await pairsFrom(args);
  }
  const templates = captions === "chest" ? CHEST_CAPTIONS : await captionsAt(captions);
  const dataset = await labelled(args, "captions");
  return captioned(dataset.classes.length > 0 ? dataset : chexpertClasses(dataset), {
    templates,
    seed: args.number("seed", 1),
  });
}

/**
 * Images with classes, or with the 14 CheXpert labels where these are there and no column of classes is named; a table that has
 * both lends a head the labels, and captions its column "class".
 */
async function labelled(args: Arguments, use: "captions" | "head"): Promise<Dataset> {
  const columns = classColumns(args);
  const isNamed = args.text("class-column") !== undefined;
  if (isDatasetGiven(args, "pairs")) {
    const dataset = await datasetFrom(args, use === "head" && !isNamed ? {} : columns);
    const hasLabels = !isNamed && dataset.cases.every(({ labels }) => labels !== undefined);
    if (dataset.classes.length > 0 || hasLabels) return dataset;
    throw new UsageError(`--${use} needs ${isNamed ? "classes" : "labels"}: ${dataset.name} has none`);
  }
  const path = args.required("pairs");
  await checkPath(path);
  const table = await readTable(path);
  const hasLabels = CHEXPERT_LABELS.every((label) => table.columns.includes(label));
  const isClassified = isNamed || !hasLabels || (use === "captions" && table.columns.includes(columns.label));
  return await patientPart(args, await pairsOf(table, isClassified ? columns : columnsFrom(args)), "train");
}

async function captionsAt(path: string): Promise<ReturnType<typeof parseCaptions>> {
  await checkPath(path);
  return parseCaptions(await Deno.readTextFile(path), path);
}

function classColumns(args: Arguments): PairsOptions & { label: string } {
  const separator = args.text("separator");
  return {
    ...columnsFrom(args),
    label: args.text("class-column") ?? "class",
    chexpert: false,
    ...(separator === undefined ? {} : { separator }),
  };
}

/** The few cases a class, drawn as `probe` draws them where a case has one class, that `--shots` asks for; all without it. */
export async function withShots(args: Arguments, dataset: Dataset): Promise<Dataset> {
  if (args.text("shots") === undefined) return dataset;
  const [shots, seed] = [args.number("shots", 1), args.number("seed", 1)];
  const isOf = ({ target, targets }: Case, c: number): boolean => targets ? targets[c] === 1 : target === c;
  tellFewCases(dataset.classes, (c) => dataset.cases.filter((item) => isOf(item, c)).length, shots);
  const cases = dataset.task === "multilabel"
    ? fewShot(dataset, shots, seed)
    : drawShots(datasetTargets(dataset), [], { shots, seed }).train.sort((a, b) => a - b).map((i) => dataset.cases[i]!);
  return await withCases(dataset, cases, "not among the shots", `${dataset.split.name}, ${args.text("shots")} shots`);
}
