/** `--validate`: what a training run is measured on as it goes. @module */
import { basename, dirname, join, resolve } from "@std/path";
import { readCsv } from "../data/csv.ts";
import { loadFolder } from "../data/folder.ts";
import { loadPairs } from "../data/pairs.ts";
import { DATASETS } from "../data/registry.ts";
import { splitByPatient } from "../data/splits.ts";
import type { Case, Dataset } from "../data/types.ts";
import type { ContrastiveModel } from "../clip/contrastive.ts";
import { type Measure, retrievalValidation, type ValidationOptions, zeroShotValidation } from "../eval/validation.ts";
import { type Arguments, COUNT, type OptionSpec, UsageError } from "./command.ts";
import { columnsFrom } from "./data_options.ts";
import { checkPath } from "./paths.ts";
import { withCases } from "./unreadable.ts";

/** The options of a run that is validated. */
export const VALIDATION_OPTIONS: Record<string, OptionSpec> = {
  validate: {
    value: "SPEC",
    help:
      "Measure on a share of the patients held out (0.1), a data set (nih:DIR, the paper's protocol; rsna/mgca-val:DIR), or a CSV " +
      "or folder of classes: zero-shot AUROC, or recall@5 of pairs without classes; best.safetensors follows it",
  },
  "validate-every": {
    value: "N",
    number: COUNT,
    help: "Steps from one validation to the next (default: an epoch)",
  },
  patience: {
    value: "N",
    number: COUNT,
    help: "End after N validations without a better one (default: never)",
  },
};

/** The training cases and those held out or read to validate on; without `--validate` only the former. */
export async function splitValidation(
  args: Arguments,
  training: Dataset,
): Promise<{ training: Dataset; validation?: Dataset }> {
  const spec = args.text("validate");
  if (spec === undefined) {
    for (const name of ["validate-every", "patience"]) {
      if (args.text(name) !== undefined) throw new UsageError(`--${name} needs --validate`);
    }
    return { training };
  }
  if (/^\d*\.?\d+$/.test(spec)) return await heldOut(args, training);
  const validation = await setOf(args, spec);
  const place = realPlaces();
  const places = new Set(await Promise.all(training.cases.map(place)));
  const own = await Promise.all(validation.cases.map(place));
  const shared = own.filter((path) => path !== undefined && places.has(path)).length;
  if (shared === 0) return { training, validation };
  throw new RangeError(
    `Cannot validate on "${spec}" as training must not see its images: it trains on ${shared} of ${validation.cases.length}; --validate 0.1 holds out a share of the patients instead`,
  );
}

/** Where a case's file lies, whether it is named from here or from the root, or by way of a link to its folder. */
function realPlaces(): (item: Pick<Case, "path">) => Promise<string | undefined> {
  const folders = new Map<string, Promise<string>>();
  return async ({ path }) => {
    if (path === undefined) return undefined;
    const named = dirname(resolve(path));
    const folder = folders.get(named) ?? Deno.realPath(named).catch(() => named);
    folders.set(named, folder);
    return join(await folder, basename(path));
  };
}

async function heldOut(args: Arguments, training: Dataset): Promise<{ training: Dataset; validation: Dataset }> {
  const share = args.number("validate", 0);
  if (training.cases.every(({ patientId }) => patientId === undefined)) {
    throw new UsageError(`--validate ${share} holds out patients: --patient-column names their column`);
  }
  const parts = splitByPatient(training.cases, {
    shares: { validation: share },
    seed: args.number("split-seed", 0),
  });
  const { name } = training.split;
  return {
    training: await withCases(training, parts.train, "validation", `${name}, train by patient`),
    validation: await withCases(training, parts.validation, "training", `${name}, validation by patient`),
  };
}

/** The data set, folder or CSV that a SPEC names. */
async function setOf(args: Arguments, spec: string): Promise<Dataset> {
  const [, name, split, root] = /^([\w-]+)(?:\/([\w-]+))?:(.+)$/.exec(spec) ?? [];
  if (name !== undefined && Object.hasOwn(DATASETS, name)) {
    await checkPath(root!);
    return await DATASETS[name]!.load(root!, split === undefined ? {} : { split });
  }
  if ((await checkPath(spec)).isDirectory) return await loadFolder(spec);
  const column = args.text("class-column") ?? "class";
  const isClassified = (await readCsv(spec)).columns.includes(column);
  const separator = args.text("separator");
  return await loadPairs(spec, {
    ...columnsFrom(args),
    where: {},
    ...(isClassified ? { label: column, chexpert: false } : { text: args.text("text-column") ?? "text" }),
    ...(isClassified && separator !== undefined ? { separator } : {}),
  });
}

/** What measures on a set: zero-shot AUROC where its cases have classes, else recall of its pairs. */
export function measureOn<T>(
  model: ContrastiveModel<T>,
  set: Dataset,
  options: ValidationOptions,
): Measure<T> {
  return set.classes.length > 0 ? zeroShotValidation(model, set, options) : retrievalValidation(model, set, options);
}
