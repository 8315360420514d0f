/** Data of dense tasks: training, validation and test cases with masks or boxes. @module */
import { exists } from "../io/files.ts";
import { basename, extname, join } from "@std/path";
import { type BoxesOptions, readMask } from "../data/boxes.ts";
import { hashIds, imageFile, listImages, uniqueIds } from "../data/dataset.ts";
import { loadPairs, type PairsOptions } from "../data/pairs.ts";
import { loadRsna } from "../data/rsna.ts";
import { loadSiim } from "../data/siim.ts";
import { rsnaLike, siimLike } from "../data/synthetic/sets.ts";
import type { Case } from "../data/types.ts";
import { splitByPatient } from "../data/splits.ts";

/** Cases in three parts. */
export interface ThreeParts {
  /** To train on. */
  train: Case[];
  /** To choose the epoch by. */
  validation: Case[];
  /** To report on. */
  test: Case[];
}

/** What a dense task reads. */
export interface DenseData extends ThreeParts {
  /** Name of the data set. */
  name: string;
  /** Classes of the boxes; one for masks. */
  classes: readonly string[];
  /** Whether the images are drawn. */
  synthetic: boolean;
  /** Cases left out, by reason. */
  dropped: Record<string, number>;
}

const PARTS = ["train", "validation", "test"] as const;

/** Options of {@linkcode loadDenseData}. */
export interface DenseDataOptions {
  /** Masks or boxes. */
  task: "segment" | "detect";
  /** "siim" (masks), "rsna" (boxes), "synthetic", or the path of a CSV. */
  dataset: string;
  /** Folder of siim or rsna. */
  root?: string;
  /** Columns of the CSV, with `mask` or `boxes`. */
  columns?: PairsOptions;
  /** Folder of masks that bear the names of the CSV's images, with .png; instead of a column. @default {none} */
  maskFolder?: string;
  /** Name that all boxes get, so that there is one class. @default {each label is a class} */
  oneClass?: string;
  /** Leave out cases without a mask instead of refusing them. @default {false} */
  skipUnlabelled?: boolean;
  /** Column of the CSV that says train, validation (val, valid) or test of a row. @default {drawn by patient} */
  splitColumn?: string;
  /** Parts that must have a case. @default {all three} */
  needed?: readonly (keyof ThreeParts)[];
  /** RSNA's split: MGCA's, or the authors' of patients with boxes. @default {"mgca"} */
  protocol?: "mgca" | "positives";
  /** Masks of an image with several lesions (siim). @default {"union"} */
  lesions?: "union" | "first";
  /** Training cases of the synthetic set; a quarter as many to validate, half as many to test. @default {400} */
  count?: number;
  /** Side of synthetic images, pixels. @default {64} */
  size?: number;
  /** Seed of drawn images and of splits that the data set does not bring. @default {1} */
  seed?: number;
}

/**
 * Reads the cases of a dense task. SIIM's test part is the paper's; a share of 0.15 of its training part validates. RSNA has its
 * own three parts. A CSV is split by patient, 70, 15 and 15 %, unless a column says the part of each row.
 *
 * @throws {RangeError} If the data set has no labels for the task, or a part is empty.
 */
export async function loadDenseData(options: DenseDataOptions): Promise<DenseData> {
  const data = await loadParts(options);
  for (const part of options.needed ?? PARTS) {
    if (data[part].length === 0) {
      throw new RangeError(`Cannot use "${data.name}" as its ${part} part must have a case: it has 0`);
    }
  }
  return data;
}

async function loadParts(options: DenseDataOptions): Promise<DenseData> {
  const { task, dataset, seed = 1, count = 400, size = 64 } = options;
  const wanted = task === "segment" ? "masks" : "boxes";
  if (dataset === "synthetic") {
    const draw = task === "segment" ? siimLike : rsnaLike;
    const part = (n: number, offset: number): Case[] => draw(Math.max(2, n), 3 * seed + offset, { size }).cases;
    return {
      name: task === "segment" ? "synthetic-siim" : "synthetic-rsna",
      classes: [task === "segment" ? "pneumothorax" : "pneumonia"],
      synthetic: true,
      dropped: {},
      train: part(count, 0),
      validation: part(count >> 2, 1),
      test: part(count >> 1, 2),
    };
  }
  if (dataset === "siim" || dataset === "rsna") {
    if ((dataset === "siim") !== (task === "segment")) {
      throw new RangeError(`Cannot ${task} on "${dataset}" as it must have ${wanted}: it has none`);
    }
    if (options.root === undefined) {
      throw new RangeError(`Cannot read "${dataset}" as its folder must be given: it is not`);
    }
    return dataset === "siim" ? await siim(options.root, options) : await rsna(options.root, options);
  }
  return await fromCsv(options);
}

async function siim(root: string, options: DenseDataOptions): Promise<DenseData> {
  const { seed = 1, lesions = "union" } = options;
  const train = await loadSiim(root, { split: "train", lesions });
  const test = await loadSiim(root, { split: "test", lesions });
  const parts = splitByPatient(train.cases, { shares: { validation: 0.15 }, of: "cases", seed });
  return { ...parts, test: test.cases, name: "siim", classes: ["pneumothorax"], synthetic: false, dropped: {} };
}

async function rsna(root: string, { protocol = "mgca" }: DenseDataOptions): Promise<DenseData> {
  const part = async (name: "train" | "val" | "test"): Promise<Case[]> =>
    (await loadRsna(root, { split: `${protocol}-${name}` })).cases;
  return {
    train: await part("train"),
    validation: await part("val"),
    test: await part("test"),
    name: `rsna-${protocol}`,
    classes: ["pneumonia"],
    synthetic: false,
    dropped: {},
  };
}

async function fromCsv(options: DenseDataOptions): Promise<DenseData> {
  const { task, dataset, columns = {}, oneClass, skipUnlabelled = false, splitColumn, seed = 1 } = options;
  if (task === "segment" && columns.mask === undefined && options.maskFolder === undefined) {
    throw new RangeError(`Cannot segment "${dataset}" as the column or the folder of masks must be given: it is not`);
  }
  if (task === "detect" && columns.boxes === undefined) {
    throw new RangeError(`Cannot detect on "${dataset}" as the CSV of boxes must be given: it is not`);
  }
  const name = basename(dataset, extname(dataset));
  const read = await loadPairs(dataset, {
    chexpert: false,
    name,
    uniqueImages: true,
    ...(splitColumn === undefined ? {} : { label: splitColumn, classes: Object.keys(SPLIT_WORDS) }),
    ...columns,
  });
  const dropped = { ...read.summary.dropped };
  let cases = read.cases;
  if (options.maskFolder !== undefined) cases = await withMasks(cases, options.maskFolder);
  if (task === "segment") {
    const masked = cases.filter((item) => item.mask);
    if (masked.length < cases.length && !skipUnlabelled) {
      const first = cases.find((item) => !item.mask)!.id;
      throw new RangeError(
        `Cannot segment "${dataset}" as every case must have a mask (--skip-unlabelled leaves out those without): ${
          cases.length - masked.length
        } of ${cases.length} have none, "${first}" is the first`,
      );
    }
    if (masked.length < cases.length) dropped["no mask"] = cases.length - masked.length;
    cases = masked;
  } else if (oneClass !== undefined) {
    cases = cases.map((item) => ({ ...item, boxes: item.boxes!.map((box) => ({ ...box, label: oneClass })) }));
  }
  const labels = new Set(cases.flatMap((item) => (item.boxes ?? []).map(({ label }) => label)));
  if (task === "detect" && labels.size === 0) {
    throw new RangeError(`Cannot detect on "${dataset}" as an image must have a box: none has`);
  }
  return {
    ...(splitColumn === undefined
      ? splitByPatient(cases, { shares: { test: 0.15, validation: 0.15 }, of: "cases", seed })
      : splitAsSaid(cases)),
    name: read.name,
    classes: task === "segment" ? ["mask"] : [...labels].sort(),
    synthetic: false,
    dropped,
  };
}

const SPLIT_WORDS: Readonly<Record<string, keyof ThreeParts>> = {
  train: "train",
  validation: "validation",
  valid: "validation",
  val: "validation",
  test: "test",
};

/**
 * The parts that the cases' targets name.
 *
 * @throws {RangeError} If a patient is in two of them.
 */
function splitAsSaid(cases: readonly Case[]): ThreeParts {
  const parts: ThreeParts = { train: [], validation: [], test: [] };
  const places = new Map<string, keyof ThreeParts>();
  for (const item of cases) {
    const part = Object.values(SPLIT_WORDS)[item.target!]!;
    if (item.patientId !== undefined) {
      const other = places.get(item.patientId) ?? part;
      places.set(item.patientId, other);
      if (other !== part) {
        throw new RangeError(
          `Cannot split as a patient must be in one part: patient "${item.patientId}" is in ${other} and in ${part}`,
        );
      }
    }
    parts[part].push(item);
  }
  return parts;
}

/** The cases with the masks of a folder, those without one as they were. */
async function withMasks(cases: readonly Case[], folder: string): Promise<Case[]> {
  return await Promise.all(cases.map(async (item) => {
    const path = join(folder, `${basename(item.id, extname(item.id))}.png`);
    return await exists(path) ? { ...item, mask: () => readMask(path) } : item;
  }));
}

/** Which columns of a CSV of boxes mean what, from one text: `x,y,w,h`. */
export function boxColumns(text: string): NonNullable<BoxesOptions["columns"]> {
  const names = text.split(",").map((name) => name.trim());
  if (names.length !== 4 || names.includes("")) {
    throw new RangeError(
      `Cannot read boxes as there must be four columns, left, top, width and height: current value is "${text}"`,
    );
  }
  return names as [string, string, string, string];
}

/** Name, size and hash of a part. */
export async function partRecord(
  name: string,
  cases: readonly Case[],
): Promise<{ name: string; size: number; hash: string }> {
  return { name, size: cases.length, hash: await hashIds(cases.map(({ id }) => id)) };
}

/**
 * Images to predict on: a folder (at any depth), or one file. Ids are the names without extension, as the challenges have them.
 *
 * @throws {RangeError} If the folder holds no image.
 */
export async function imagesToPredict(path: string): Promise<Case[]> {
  const { isDirectory } = await Deno.stat(path).catch(() => {
    throw new Error(`Cannot read "${path}": no such file or folder`);
  });
  const paths = isDirectory ? await listImages(path) : [path];
  if (paths.length === 0) throw new RangeError(`Cannot predict on "${path}" as it must hold an image: it holds none`);
  return uniqueIds(paths.map((file) => ({ id: basename(file, extname(file)), ...imageFile(file) })));
}
