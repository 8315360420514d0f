/**
 * The records every data set is read into: one {@linkcode Case} an image, one {@linkcode Dataset} a set.
 *
 * @module
 */
import type { ZeroShotScore } from "../clip/zero_shot/scores.ts";
import type { RasterImage } from "../image/raster.ts";
import type { ImagePart } from "./pixels/location.ts";

/** A CheXpert label: 1 positive, 0 negative, -1 uncertain, null blank (not mentioned). */
export type LabelValue = 1 | 0 | -1 | null;

/** The 14 CheXpert observations, in MIMIC-CXR-JPG's column order. */
export const CHEXPERT_LABELS: readonly string[] = [
  "Atelectasis",
  "Cardiomegaly",
  "Consolidation",
  "Edema",
  "Enlarged Cardiomediastinum",
  "Fracture",
  "Lung Lesion",
  "Lung Opacity",
  "No Finding",
  "Pleural Effusion",
  "Pleural Other",
  "Pneumonia",
  "Pneumothorax",
  "Support Devices",
];

/** One rectangle of an object detection set, in pixels of the image. */
export interface Box {
  /** Left edge. */
  x: number;
  /** Top edge. */
  y: number;
  /** Width. */
  width: number;
  /** Height. */
  height: number;
  /** What the box holds, such as "Pneumonia". */
  label: string;
}

/** A segmentation mask: row-major, one byte a pixel, 0 or 1. */
export interface BinaryMask {
  /** Pixels a row. */
  width: number;
  /** Rows. */
  height: number;
  /** `width * height` bytes, each 0 or 1. */
  data: Uint8Array;
}

/** One image of a data set with whatever is known of it. Pixels are read when asked for. */
export interface Case {
  /** Unique within its set, and stable between runs. */
  id: string;
  /** Groups cases that must stay in one split. */
  patientId?: string;
  /** Reads and decodes the image. */
  image: () => Promise<RasterImage>;
  /** The image's file, where it is one of its own. */
  path?: string;
  /** Where the image lies, where it is within an archive. */
  part?: ImagePart;
  /** Report, note or caption. */
  text?: string;
  /** The 14 CheXpert labels, in the order of {@linkcode CHEXPERT_LABELS}. */
  labels?: readonly LabelValue[];
  /** Index into {@linkcode Dataset.classes}. */
  target?: number;
  /** Multi-label targets: one 0 or 1 a class. */
  targets?: readonly number[];
  /** Boxes, in pixels of the image. */
  boxes?: readonly Box[];
  /** Further columns of its row, such as sex and age, by name. */
  attributes?: Readonly<Record<string, string>>;
  /** Decodes the segmentation mask. */
  mask?: () => Promise<BinaryMask>;
  /** Files of the mask, where it lies in some. */
  maskPaths?: readonly string[];
  /** Sides of the mask, pixels, where they are known before it is decoded. */
  maskSize?: { width: number; height: number };
}

/** A data set: its cases in order, and how they were chosen. */
export interface Dataset {
  /** Name, as in the registry. */
  name: string;
  /** Class names; targets index them. Empty for image-text pairs. */
  classes: readonly string[];
  /** The cases, in a fixed order. */
  cases: Case[];
  /** What the targets mean. */
  task: "multiclass" | "multilabel" | "pairs";
  /** How the authors score the set's images, where it is not the softmax. @default {"softmax"} */
  score?: ZeroShotScore;
  /** Rows read, kept, and dropped by reason; where other tables' rows were merged, how many. */
  summary: { read: number; kept: number; dropped: Record<string, number>; merged?: Record<string, number> };
  /** Name and size of the split, and the SHA-256 (hex) of its case ids joined by newlines. */
  split: { name: string; size: number; hash: string };
}
