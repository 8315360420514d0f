/** Images with masks: SIIM, a CSV with a column or a folder of masks, or drawn ones. @module */
import { basename, extname, join } from "@std/path";
import { readMask } from "../../data/boxes.ts";
import { loadSiim } from "../../data/siim.ts";
import { splitByPatient } from "../../data/splits.ts";
import { siimLike } from "../../data/synthetic/sets.ts";
import type { Case } from "../../data/types.ts";
import { exists } from "../../io/files.ts";
import {
  checkParts,
  DENSE_DATA_RULES,
  type DenseData,
  type DenseDataOptions,
  NotGivenError,
  partsOf,
  readCases,
  rootOf,
  syntheticParts,
} from "../data.ts";
import { checkOptions, FLAG, oneOf, type Rules, TEXT } from "../../platform/options.ts";

/** Options of {@linkcode loadSegmentationData}; a CSV needs `columns.mask` or `maskFolder`. */
export interface SegmentationDataOptions extends DenseDataOptions {
  /** Folder of masks that bear the names of a CSV's images, with .png; instead of a column. @default {none} */
  maskFolder?: string;
  /** Leave out cases without a mask instead of refusing them. @default {false} */
  skipUnlabelled?: boolean;
  /** Masks of an image with several lesions (siim). @default {"union"} */
  lesions?: "union" | "first";
}

/** What they must be. */
const SEGMENTATION_DATA_RULES: Rules<SegmentationDataOptions> = {
  ...DENSE_DATA_RULES,
  maskFolder: TEXT,
  skipUnlabelled: FLAG,
  lesions: oneOf(["union", "first"]),
};

/** The error for a set in which some cases have no mask. */
export class UnlabelledCasesError extends RangeError {
  /** Name shown in stack traces. */
  override name = "UnlabelledCasesError";
  /** Ids of the cases without one. */
  readonly unlabelled: readonly string[];

  /**
   * An error about cases without a mask.
   *
   * @param dataset The set.
   * @param unlabelled Ids of the cases without one.
   * @param total How many cases there are.
   */
  constructor(dataset: string, unlabelled: readonly string[], total: number) {
    super(
      `Cannot segment "${dataset}" as every case must have a mask: ${unlabelled.length} of ${total} have none, ` +
        `"${unlabelled[0]}" is the first`,
    );
    this.unlabelled = unlabelled;
  }
}

/**
 * Reads the cases of a segmentation. SIIM's test part is the paper's; a share of 0.15 of its training part validates. A CSV is
 * split by patient, 70, 15 and 15 %, unless a column says the part of each row.
 *
 * @param dataset "siim", "synthetic", or the path of a CSV.
 * @throws {RangeError} If the data set has no masks, or a part is empty.
 * @throws {UnlabelledCasesError} If a case has no mask and is not to be skipped.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function loadSegmentationData(
  dataset: string,
  options: SegmentationDataOptions = {},
): Promise<DenseData> {
  checkOptions("read masks", options, SEGMENTATION_DATA_RULES);
  return checkParts(await load(dataset, options), options);
}

async function load(dataset: string, options: SegmentationDataOptions): Promise<DenseData> {
  const { seed = 1, lesions = "union" } = options;
  const pneumothorax = { classes: ["pneumothorax"], dropped: {} };
  if (dataset === "synthetic") {
    return { ...syntheticParts(siimLike, options), ...pneumothorax, name: "synthetic-siim", synthetic: true };
  }
  if (dataset === "rsna") throw new RangeError(`Cannot segment on "rsna" as it must have masks: it has none`);
  if (dataset !== "siim") return await fromCsv(dataset, options);
  const root = rootOf(dataset, options);
  const { cases } = await loadSiim(root, { split: "train", lesions });
  const { cases: test } = await loadSiim(root, { split: "test", lesions });
  const parts = splitByPatient(cases, { shares: { validation: 0.15 }, of: "cases", seed });
  return { ...parts, test, ...pneumothorax, name: "siim", synthetic: false };
}

async function fromCsv(dataset: string, options: SegmentationDataOptions): Promise<DenseData> {
  const { columns, maskFolder, skipUnlabelled = false } = options;
  if (columns?.mask === undefined && maskFolder === undefined) throw new NotGivenError(dataset, "masks");
  const { name, cases: listed, dropped } = await readCases(dataset, options);
  const cases = maskFolder === undefined ? listed : await withMasks(listed, maskFolder);
  const masked = cases.filter((item) => item.mask);
  if (masked.length < cases.length) {
    if (!skipUnlabelled) {
      const unlabelled = cases.filter((item) => !item.mask).map(({ id }) => id);
      throw new UnlabelledCasesError(dataset, unlabelled, cases.length);
    }
    dropped["no mask"] = cases.length - masked.length;
  }
  return { ...partsOf(masked, options), name, classes: ["mask"], synthetic: false, dropped };
}

/** The cases with the masks of a folder, those without one as they were. */
async function withMasks(cases: readonly Case[], folder: string): Promise<Case[]> {
  return await Promise.all(cases.map(async (item) => {
    const path = join(folder, `${basename(item.id, extname(item.id))}.png`);
    return await exists(path) ? { ...item, mask: () => readMask(path), maskPaths: [path] } : item;
  }));
}
