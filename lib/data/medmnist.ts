/** MedMNIST archives: small images and labels in one .npz file. @module */
import { exists } from "../io/files.ts";
import type { RasterImage } from "../image/raster.ts";
import { findFile, makeDataset } from "./dataset.ts";
import { readNpz } from "./npy.ts";
import { stem } from "./images.ts";
import type { Case, Dataset } from "./types.ts";
import { checkOptions, checkValue, oneOf, type Rules, TEXT, TEXTS } from "../platform/options.ts";

/** Options of {@linkcode loadMedmnist}. */
export interface MedmnistOptions {
  /** The official split. @default {"test"} */
  split?: "train" | "val" | "test";
  /** Name of the archive, when the root is a folder. @default {"pneumoniamnist.npz"} */
  file?: string;
  /** Class names. @default those of PneumoniaMNIST and BreastMNIST, else the label's number */
  classes?: readonly string[];
}

/** What they must be. */
export const MEDMNIST_RULES: Rules<MedmnistOptions> = {
  split: oneOf(["test", "train", "val"]),
  file: TEXT,
  classes: TEXTS,
};

/** Classes by archive, where they are known. */
const CLASSES: Readonly<Record<string, readonly string[]>> = {
  pneumoniamnist: ["normal", "pneumonia"],
  breastmnist: ["malignant", "normal, benign"],
};

/**
 * Reads one split of a MedMNIST archive: `train_images`, `train_labels` and so on. One label a case makes a multi-class
 * set, several a multi-label one. An id is `test/17`.
 *
 * @param root The .npz file, or the folder of `options.file`.
 * @throws {SyntaxError} If an array is missing, damaged, or not what it must be.
 * @throws {RangeError} If a label has no class.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function loadMedmnist(root: string, options: MedmnistOptions = {}): Promise<Dataset> {
  checkOptions("read MedMNIST", options, MEDMNIST_RULES);
  checkValue("read MedMNIST", "root", root, TEXT);
  const { split = "test", file = "pneumoniamnist.npz" } = options;
  const path = root.endsWith(".npz") && await exists(root) ? root : await findFile(root, [file]);
  const arrays = await readNpz(path, [`${split}_images`, `${split}_labels`]);
  const { shape, data } = arrays[`${split}_images`]!;
  const labels = arrays[`${split}_labels`]!;
  const [count, height, width, depth = 1] = shape;
  const columns = labels.shape[1] ?? 1;
  const pixels = data instanceof Uint8Array && height !== undefined && width !== undefined &&
    (depth === 1 || depth === 3);
  if (!pixels || labels.shape[0] !== count) {
    throw new SyntaxError(
      `Cannot read "${path}" as MedMNIST as images must be uint8 [n, h, w] or [n, h, w, 3] with n labels: ` +
        `they are [${shape.join(", ")}] and [${labels.shape.join(", ")}]`,
    );
  }
  let highest = 0;
  for (const label of labels.data) highest = Math.max(highest, label);
  const size = columns > 1 ? columns : highest + 1;
  const known = options.classes ?? CLASSES[stem(path).replace(/_\d+$/, "")];
  const classes = known ?? Array.from({ length: size }, (_, i) => String(i));
  if (classes.length < size) {
    throw new RangeError(
      `Cannot read "${path}" as its labels must be below ${classes.length}: the highest is ${size - 1}`,
    );
  }
  const cases = Array.from({ length: count! }, (_, i): Case => {
    const image = (): Promise<RasterImage> => {
      const samples = data.slice(i * height * width * depth, (i + 1) * height * width * depth);
      return Promise.resolve({ width, height, channels: depth, bitDepth: 8, data: samples });
    };
    const own = Array.from(labels.data.subarray(i * columns, (i + 1) * columns));
    return { id: `${split}/${i}`, image, ...(columns > 1 ? { targets: own } : { target: own[0]! }) };
  });
  const tally = { read: cases.length, dropped: {} };
  const task = columns > 1 ? "multilabel" : "multiclass";
  return await makeDataset({ name: stem(path), classes, task, cases, tally, split });
}
