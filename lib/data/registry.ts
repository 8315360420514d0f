/** The data sets that are known by name. @module */
import { CHEXPERT_5X200_CLASSES, loadChexpert5x200 } from "./chexpert5x200.ts";
import type { MissingImages } from "./dataset.ts";
import { loadFolder } from "./folder.ts";
import { LC25000_CLASSES, loadLc25000 } from "./lc25000.ts";
import { loadMedmnist } from "./medmnist.ts";
import { loadMhist, MHIST_CLASSES } from "./mhist.ts";
import { loadMimicCxr } from "./mimic_cxr.ts";
import { loadNih, NIH_CLASSES } from "./nih.ts";
import { loadPairs, type PairsOptions } from "./pairs.ts";
import { loadRsna, RSNA_CLASSES } from "./rsna.ts";
import { loadSiim, SIIM_CLASSES } from "./siim.ts";
import { didYouMean } from "../platform/nearest.ts";
import type { Dataset } from "./types.ts";

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

/** Checks the split, and drops undefined options. */
function checked(name: string, splits: readonly string[], load: Loader): DatasetEntry["load"] {
  return (root, options = {}) => {
    const { split } = options;
    if (split !== undefined && !splits.includes(split)) {
      const known = splits.length ? `one of ${splits.join(", ")}` : "left out: there is only the whole";
      return Promise.reject(
        new RangeError(
          `Cannot read ${name} as its split must be ${known}: current value is "${split}"${didYouMean(split, splits)}`,
        ),
      );
    }
    const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
    return load(root, given);
  };
}

const PAPER_PROMPTS = "a chest X-ray image of {c}. | Findings suggesting {c}.";
const NO_PROMPTS = "the paper publishes no prompts for this set: give your own, or the template's with these classes";

function entry(name: string, load: Loader, rest: Omit<DatasetEntry, "load">): [string, DatasetEntry] {
  return [name, { load: checked(name, rest.splits, load), ...rest }];
}

/** Every data set that is known by name. */
export const DATASETS: Readonly<Record<string, DatasetEntry>> = Object.fromEntries([
  entry("mimic-cxr", loadMimicCxr, {
    classes: [],
    splits: ["train", "validate", "test", "all"],
    promptsNote: "trained on reports; not classified by prompts",
    layout: "mimic-cxr-2.0.0-{metadata,split,chexpert}.csv[.gz], files/p10/p10000032/s50414267/*.jpg, and " +
      "mimic_cxr_sectioned.csv or files/p10/p10000032/s50414267.txt",
  }),
  entry("chexpert5x200", loadChexpert5x200, {
    classes: CHEXPERT_5X200_CLASSES,
    splits: [],
    promptsNote: PAPER_PROMPTS,
    layout: "chexpert_5x200.csv (GLoRIA's), CheXpert-v1.0/train/patient00001/study1/view1_frontal.jpg ...",
  }),
  entry("rsna", loadRsna, {
    classes: RSNA_CLASSES,
    splits: [
      ...["test", "train", "all", "mgca-train", "mgca-val", "mgca-test"],
      ...["positives-train", "positives-val", "positives-test"],
    ],
    promptsNote: PAPER_PROMPTS,
    layout: "stage_2_train_labels.csv, stage_2_detailed_class_info.csv (optional), stage_2_train_images/*.dcm",
  }),
  entry("siim", loadSiim, {
    classes: SIIM_CLASSES,
    splits: ["test", "train", "all"],
    promptsNote: PAPER_PROMPTS,
    layout: "stage_2_train.csv or train-rle.csv, dicom-images-train/**/*.dcm or stage_2_images/*.dcm",
  }),
  entry("nih", loadNih, {
    classes: NIH_CLASSES,
    splits: ["validation", "test", "train", "all", "boxes"],
    promptsNote: PAPER_PROMPTS,
    layout: "Data_Entry_2017[_v2020].csv[.gz], test_list.txt, train_val_list.txt, BBox_List_2017.csv (optional), " +
      "images/*.png or images_001/images/*.png ...",
  }),
  entry("lc25000", (root) => loadLc25000(root), {
    classes: LC25000_CLASSES,
    splits: [],
    promptsNote: NO_PROMPTS,
    layout: "lung_n, lung_aca, lung_scc, colon_aca, colon_n, also within lung_image_sets and colon_image_sets",
  }),
  entry("mhist", loadMhist, {
    classes: MHIST_CLASSES,
    splits: ["test", "train", "all"],
    promptsNote: NO_PROMPTS,
    layout: "annotations.csv, images/*.png",
  }),
  entry("medmnist", loadMedmnist, {
    classes: ["normal", "pneumonia"],
    splits: ["test", "train", "val"],
    promptsNote: PAPER_PROMPTS,
    layout: "pneumoniamnist.npz, or the path of any MedMNIST .npz",
  }),
  entry("pairs", (root, { pairs = {}, missing }) => loadPairs(root, { ...(missing && { missing }), ...pairs }), {
    classes: [],
    splits: [],
    promptsNote: PAPER_PROMPTS,
    layout: "any CSV with a column of image paths, and columns of texts, classes, patients or the 14 CheXpert labels",
  }),
  entry("folder", (root) => loadFolder(root), {
    classes: [],
    splits: [],
    promptsNote: PAPER_PROMPTS,
    layout: "a folder for each class, with images at any depth",
  }),
]);
