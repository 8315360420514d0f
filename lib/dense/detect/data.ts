/** Images with boxes: RSNA, a CSV of images beside one of boxes, or drawn ones. @module */
import type { BoxesOptions } from "../../data/boxes.ts";
import { loadRsna } from "../../data/rsna.ts";
import { rsnaLike } from "../../data/synthetic/sets.ts";
import type { Case } from "../../data/types.ts";
import {
  checkParts,
  DENSE_DATA_RULES,
  type DenseData,
  type DenseDataOptions,
  labelFraction,
  type LabelFractionOptions,
  NotGivenError,
  partsOf,
  readCases,
  rootOf,
  syntheticParts,
} from "../data.ts";
import { checkOptions, oneOf, type Rules, TEXT } from "../../platform/options.ts";

/** Options of {@linkcode loadDetectionData}; a CSV needs `columns.boxes`. */
export interface DetectionDataOptions extends DenseDataOptions {
  /** Name that all boxes get, so that there is one class. @default {each label is a class} */
  oneClass?: string;
  /** RSNA's split: MGCA's, or the authors' of patients with boxes. @default {"mgca"} */
  protocol?: "mgca" | "positives";
}

/** What they must be. */
const DETECTION_DATA_RULES: Rules<DetectionDataOptions> = {
  ...DENSE_DATA_RULES,
  oneClass: TEXT,
  protocol: oneOf(["mgca", "positives"]),
};

/**
 * Reads the cases of a detection. RSNA has its own three parts. A CSV is split by patient, 70, 15 and 15 %, unless a column
 * says the part of each row.
 *
 * @param dataset "rsna", "synthetic", or the path of a CSV.
 * @throws {RangeError} If the data set has no boxes, or a part is empty.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function loadDetectionData(dataset: string, options: DetectionDataOptions = {}): Promise<DenseData> {
  checkOptions("read boxes", options, DETECTION_DATA_RULES);
  return checkParts(await load(dataset, options), options);
}

async function load(dataset: string, options: DetectionDataOptions): Promise<DenseData> {
  const { protocol = "mgca" } = options;
  const pneumonia = { classes: ["pneumonia"], dropped: {} };
  if (dataset === "synthetic") {
    return { ...syntheticParts(rsnaLike, options), ...pneumonia, name: "synthetic-rsna", synthetic: true };
  }
  if (dataset === "siim") throw new RangeError(`Cannot detect on "siim" as it must have boxes: it has none`);
  if (dataset !== "rsna") return await fromCsv(dataset, options);
  const root = rootOf(dataset, options);
  const part = async (name: "train" | "val" | "test"): Promise<Case[]> =>
    (await loadRsna(root, { split: `${protocol}-${name}` })).cases;
  return {
    train: await part("train"),
    validation: await part("val"),
    test: await part("test"),
    ...pneumonia,
    name: `rsna-${protocol}`,
    synthetic: false,
  };
}

async function fromCsv(dataset: string, options: DetectionDataOptions): Promise<DenseData> {
  const { columns, oneClass } = options;
  if (columns?.boxes === undefined) throw new NotGivenError(dataset, "boxes");
  const { name, cases: listed, dropped } = await readCases(dataset, options);
  const cases = oneClass === undefined
    ? listed
    : listed.map((item) => ({ ...item, boxes: item.boxes!.map((box) => ({ ...box, label: oneClass })) }));
  const labels = new Set(cases.flatMap((item) => (item.boxes ?? []).map(({ label }) => label)));
  if (labels.size === 0) throw new RangeError(`Cannot detect on "${dataset}" as an image must have a box: none has`);
  return { ...partsOf(cases, options), name, classes: [...labels].sort(), synthetic: false, dropped };
}

/**
 * As {@linkcode labelFraction}, with a box in it where the cases have one: anchors need it. The first case of the share then
 * makes room for the first with a box.
 */
export function boxedFraction(cases: readonly Case[], options: LabelFractionOptions): Case[] {
  const drawn = labelFraction(cases, options);
  const hasBox = ({ boxes }: Case): boolean => (boxes?.length ?? 0) > 0;
  const boxed = cases.find(hasBox);
  return drawn.some(hasBox) || !boxed ? drawn : [...drawn.slice(1), boxed];
}

/** Which columns of a CSV of boxes mean what, from one text: `x,y,w,h`. */
export function boxColumns(text: string): NonNullable<BoxesOptions["columns"]> {
  const names = text.split(",").map((name) => name.trim());
  const [left = "", top = "", width = "", height = ""] = names;
  if (names.length !== 4 || names.includes("")) {
    throw new RangeError(
      `Cannot read boxes as there must be four columns, left, top, width and height: current value is "${text}"`,
    );
  }
  return [left, top, width, height];
}
