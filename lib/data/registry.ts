/** The data sets that are known by name. @module */
import { CHEXPERT_5X200_CLASSES, CHEXPERT_5X200_RULES, loadChexpert5x200 } from "./chexpert5x200.ts";
import { MISSING, type MissingImages } from "./dataset.ts";
import { loadFolder } from "./folder.ts";
import { LC25000_CLASSES, loadLc25000 } from "./lc25000.ts";
import { loadMedmnist, MEDMNIST_RULES } from "./medmnist.ts";
import { loadMhist, MHIST_CLASSES, MHIST_RULES } from "./mhist.ts";
import { loadMimicCxr, MIMIC_CXR_RULES } from "./mimic_cxr.ts";
import { loadNih, NIH_CLASSES, NIH_RULES } from "./nih.ts";
import { loadPairs, type PairsOptions } from "./pairs.ts";
import { loadRsna, RSNA_CLASSES, RSNA_RULES, RSNA_SPLITS } from "./rsna.ts";
import { loadSiim, SIIM_CLASSES, SIIM_RULES } from "./siim.ts";
import { didYouMean } from "../platform/nearest.ts";
import type { Dataset } from "./types.ts";
import { checkOptions, RECORD, type Rules, TEXT, TEXTS } from "../platform/options.ts";

/** Options any data set of the registry takes; those that do not concern it are passed over. */
export interface DatasetOptions {
  /** One of the entry's splits. @default the entry's first */
  split?: string;
  /** What to do when an image is not there; "ignore" lists cases without any image. @default the data set's own */
  missing?: MissingImages;
  /** Folder of the reports (mimic-cxr). @default the root */
  reports?: string;
  /** Further columns of its table that are kept with each case; sets without such a table have none. @default {[]} */
  attributes?: readonly string[];
  /** Columns of the CSV (pairs). */
  pairs?: PairsOptions;
}

/** What they must be. */
const DATASET_RULES: Rules<DatasetOptions> = {
  split: TEXT,
  missing: MISSING,
  reports: TEXT,
  attributes: TEXTS,
  pairs: RECORD,
};

/** A data set by name. */
export interface DatasetEntry {
  /** Reads it. Throws a RangeError for a split it does not have, and the data set's own errors. */
  load: (root: string, options?: DatasetOptions) => Promise<Dataset>;
  /** Class names, as prompts use them; empty where they come with the data. */
  classes: readonly string[];
  /** Its splits; the first is the paper's, and the default. Empty where there is only the whole. */
  splits: readonly string[];
  /** How the paper prompts it. */
  promptsNote: string;
  /** The files it is read from, in words. */
  layout: string;
}

/** A loader whose split is known to be one of its own by the time it is called, whatever its name for the type. */
type Loader = (root: string, options: DatasetOptions & { split?: never }) => Promise<Dataset>;

/** Checks the options, and gives the loader those that it has. */
function checked(
  name: string,
  splits: readonly string[],
  [load, rules]: readonly [Loader, Readonly<Record<string, unknown>>],
): DatasetEntry["load"] {
  return async (root, options = {}) => {
    checkOptions(`read ${name}`, options, DATASET_RULES);
    const { split } = options;
    if (split !== undefined && !splits.includes(split)) {
      const known = splits.length ? `one of ${splits.join(", ")}` : "left out: there is only the whole";
      throw new RangeError(
        `Cannot read ${name} as its split must be ${known}: current value is "${split}"${didYouMean(split, splits)}`,
      );
    }
    const given = Object.entries(options).filter(([name, value]) => value !== undefined && Object.hasOwn(rules, name));
    return await load(root, Object.fromEntries(given));
  };
}

const PAPER_PROMPTS = "a chest X-ray image of {c}. | Findings suggesting {c}.";
const NO_PROMPTS = "the paper publishes no prompts for this set: give your own, or the template's with these classes";

/** An entry by its loader and the rules of the loader's options. */
function entry(
  name: string,
  loader: readonly [Loader, Readonly<Record<string, unknown>>],
  rest: Omit<DatasetEntry, "load">,
): [string, DatasetEntry] {
  return [name, { load: checked(name, rest.splits, loader), ...rest }];
}

const readPairs: Loader = (root, { pairs = {}, missing }) => loadPairs(root, { ...(missing && { missing }), ...pairs });

/** Every data set that is known by name. */
export const DATASETS: Readonly<Record<string, DatasetEntry>> = Object.fromEntries([
  entry("mimic-cxr", [loadMimicCxr, MIMIC_CXR_RULES], {
    classes: [],
    splits: ["train", "validate", "test", "all"],
    promptsNote: "trained on reports; not classified by prompts",
    layout: "mimic-cxr-2.0.0-{metadata,split,chexpert}.csv[.gz], files/p10/p10000032/s50414267/*.jpg, and " +
      "mimic_cxr_sectioned.csv or files/p10/p10000032/s50414267.txt",
  }),
  entry("chexpert5x200", [loadChexpert5x200, CHEXPERT_5X200_RULES], {
    classes: CHEXPERT_5X200_CLASSES,
    splits: [],
    promptsNote: PAPER_PROMPTS,
    layout: "chexpert_5x200.csv (GLoRIA's), CheXpert-v1.0/train/patient00001/study1/view1_frontal.jpg ...",
  }),
  entry("rsna", [loadRsna, RSNA_RULES], {
    classes: RSNA_CLASSES,
    splits: RSNA_SPLITS,
    promptsNote: PAPER_PROMPTS,
    layout: "stage_2_train_labels.csv, stage_2_detailed_class_info.csv (optional), stage_2_train_images/*.dcm",
  }),
  entry("siim", [loadSiim, SIIM_RULES], {
    classes: SIIM_CLASSES,
    splits: ["test", "train", "all"],
    promptsNote: PAPER_PROMPTS,
    layout: "stage_2_train.csv or train-rle.csv, dicom-images-train/**/*.dcm or stage_2_images/*.dcm",
  }),
  entry("nih", [loadNih, NIH_RULES], {
    classes: NIH_CLASSES,
    splits: ["validation", "test", "train", "all", "boxes"],
    promptsNote: PAPER_PROMPTS,
    layout: "Data_Entry_2017[_v2020].csv[.gz], test_list.txt, train_val_list.txt, BBox_List_2017.csv (optional), " +
      "images/*.png or images_001/images/*.png ...",
  }),
  entry("lc25000", [(root) => loadLc25000(root), {}], {
    classes: LC25000_CLASSES,
    splits: [],
    promptsNote: NO_PROMPTS,
    layout: "lung_n, lung_aca, lung_scc, colon_aca, colon_n, also within lung_image_sets and colon_image_sets",
  }),
  entry("mhist", [loadMhist, MHIST_RULES], {
    classes: MHIST_CLASSES,
    splits: ["test", "train", "all"],
    promptsNote: NO_PROMPTS,
    layout: "annotations.csv, images/*.png",
  }),
  entry("medmnist", [loadMedmnist, MEDMNIST_RULES], {
    classes: ["normal", "pneumonia"],
    splits: ["test", "train", "val"],
    promptsNote: PAPER_PROMPTS,
    layout: "pneumoniamnist.npz, or the path of any MedMNIST .npz",
  }),
  entry("pairs", [readPairs, DATASET_RULES], {
    classes: [],
    splits: [],
    promptsNote: PAPER_PROMPTS,
    layout: "any CSV with a column of image paths, and columns of texts, classes, patients or the 14 CheXpert labels",
  }),
  entry("folder", [(root) => loadFolder(root), {}], {
    classes: [],
    splits: [],
    promptsNote: PAPER_PROMPTS,
    layout: "a folder for each class, with images at any depth",
  }),
]);
