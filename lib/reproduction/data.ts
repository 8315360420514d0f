/** What a reproduction trains on and is evaluated on: synthetic sets, or the real ones from a folder. @module */
import { exists } from "../io/files.ts";
import { join } from "@std/path";
import { hashIds } from "../data/dataset.ts";
import { DATASETS } from "../data/registry.ts";
import { heldOutChestSets, histopathologyLike, trainingSet } from "../data/synthetic/sets.ts";
import type { Dataset } from "../data/types.ts";
import { deriveSeed } from "../tensor/random.ts";
import type { Scale } from "./scale.ts";

/** A set with whether its images are generated. */
export interface NamedSet {
  /** The cases. */
  dataset: Dataset;
  /** Whether the images are generated. */
  synthetic: boolean;
}

/** The sets of a reproduction by name, made when asked for. */
export interface ReproduceData {
  /** Image-report pairs to adapt to. */
  train(): Promise<Dataset>;
  /** Held-out sets. */
  sets(kind: "chest" | "histopathology"): Promise<Record<string, NamedSet>>;
}

/** The real sets each kind of evaluation reads, as folders of the data folder. */
export const REAL_SETS: Readonly<Record<"chest" | "histopathology", readonly string[]>> = {
  chest: ["chexpert5x200", "rsna", "siim"],
  histopathology: ["lc25000", "mhist"],
};

/**
 * The sets of a scale.
 *
 * @param root Folder with the real sets, each in a folder of its registry name. At demo scale only histopathology is read from it,
 * where it is there.
 */
export function reproduceData(scale: Scale, root?: string): ReproduceData {
  const real = scale.name === "paper";
  const once = <T>(make: () => Promise<T>): () => Promise<T> => {
    let made: Promise<T> | undefined;
    return () => made ??= make();
  };
  const kinds = {
    chest: once(() => real ? realSets(root!, REAL_SETS.chest) : Promise.resolve(syntheticChestSets(scale))),
    histopathology: once(async () => ({
      ...(real ? {} : syntheticHistopathology(scale)),
      ...(root === undefined ? {} : await realSets(root, REAL_SETS.histopathology)),
    })),
  };
  const train = once(async () =>
    real
      ? await firstOf(await DATASETS["mimic-cxr"]!.load(join(root!, "mimic-cxr"), { split: "train" }), scale.pairs)
      : trainingSet(scale.pairs!, deriveSeed(scale.dataSeed, "training"))
  );
  return { train, sets: (kind) => kinds[kind]() };
}

/** The set, or its first cases. */
async function firstOf(dataset: Dataset, count: number | null): Promise<Dataset> {
  if (count === null || count >= dataset.cases.length) return dataset;
  const cases = dataset.cases.slice(0, count);
  const { summary, split } = dataset;
  return {
    ...dataset,
    cases,
    summary: {
      ...summary,
      kept: count,
      dropped: { ...summary.dropped, "beyond the pairs asked for": dataset.cases.length - count },
    },
    split: { name: `${split.name}, the first ${count}`, size: count, hash: await hashIds(cases.map(({ id }) => id)) },
  };
}

/** Synthetic held-out sets, in the form of the paper's three; their seed is apart from the training pairs'. */
export function syntheticChestSets(scale: Pick<Scale, "perClass" | "dataSeed">): Record<string, NamedSet> {
  return synthetic(heldOutChestSets(scale.perClass, scale.dataSeed));
}

function syntheticHistopathology(scale: Scale): Record<string, NamedSet> {
  const seed = deriveSeed(scale.dataSeed, "held out");
  return synthetic({ "Histopathology (synthetic)": histopathologyLike(5 * scale.perClass, seed) });
}

function synthetic(sets: Record<string, Dataset>): Record<string, NamedSet> {
  return Object.fromEntries(
    Object.entries(sets).map(([name, dataset]) => [name, { dataset: remembered(dataset), synthetic: true }]),
  );
}

/** The set with each image drawn once, not once a run. */
function remembered(dataset: Dataset): Dataset {
  const cases = dataset.cases.map(({ id, image, target }) => {
    let drawn: ReturnType<typeof image> | undefined;
    return { id, image: () => drawn ??= image(), ...(target === undefined ? {} : { target }) };
  });
  return { ...dataset, cases };
}

async function realSets(root: string, names: readonly string[]): Promise<Record<string, NamedSet>> {
  const sets: Record<string, NamedSet> = {};
  for (const name of names) {
    const folder = join(root, name);
    if (await exists(folder)) sets[name] = { dataset: await DATASETS[name]!.load(folder), synthetic: false };
  }
  return sets;
}
