/** What `segment` and `detect` differ in: the driver of dense.ts runs either. @module */
import type { Arguments, OptionSpec } from "./command.ts";
import type { Case } from "../data/types.ts";
import type { DenseData, DenseDataOptions, LabelFractionOptions } from "../dense/data.ts";
import type { DenseEncoder } from "../dense/encoder.ts";
import type { DenseHead } from "../dense/files.ts";
import type { MappedCases } from "../dense/maps.ts";
import type { AnswerOptions } from "../dense/pictures.ts";
import type { FitHeadOptions, FitHeadResult } from "../dense/train.ts";
import type { Overlay } from "../display/overlay.ts";
import type { TableCell } from "../display/table.ts";
/** A trained head and its log. */
export interface TrainedHead<H> {
  /** The head. */
  head: H;
  /** Settings of its own, for `training.json`. */
  settings?: Record<string, unknown>;
  /** What else `training.json` tells. */
  facts: Record<string, unknown>;
  /** The log. */
  fit: Omit<FitHeadResult<unknown>, "params">;
}

/** How answers are written, with the command line. */
export interface Answering extends AnswerOptions {
  /** The command line. */
  args: Arguments;
}

/** A head's figures on test cases, with its first answers drawn beside the truth. */
export interface Assessed<F> {
  /** The figures. */
  figures: F;
  /** For `metrics.json`, after all else. */
  facts: Record<string, unknown>;
  /** Pictures. */
  overlays: Overlay[];
}

/** What a dense command has of its own. */
export interface DenseTask<H extends DenseHead, F> {
  /** Its name. */
  name: H["task"];
  /** Its options. */
  options: Record<string, OptionSpec>;
  /** One line. */
  summary: string;
  /** A line that works. */
  example: string;
  /** What pages call the work ("Segmentation"), the head ("decoder") and the answers ("masks"), and what of them is counted. */
  words: { title: string; head: string; answers: string; counted: string };
  /** What the epoch is chosen by. */
  validated: string;
  /** The baseline: its name in tables, its key in records. */
  baseline: { name: string; key: string };
  /** Titles of the table's columns, the cells of a row, and what must be known to read them. */
  table: { titles: string[]; cells(figures: F): TableCell[]; note: string };
  /** One line under the pictures, without and with truth. */
  captions: { predicted: string; truth: string };
  /** A head of fresh weights. */
  init(config: H["config"], seed: number): H["params"];
  /** Checks a config out of a file of so many weights. */
  checkConfig(config: unknown, weights: number): H["config"];
  /** Reads the data set that the command line names. */
  load(dataset: string, args: Arguments, options: DenseDataOptions): Promise<DenseData>;
  /** Refuses cases whose truth does not fit their images, as far as that is seen from files that are not decoded. */
  checkFiles(cases: readonly Case[]): Promise<void>;
  /** Draws the share of the training cases that is used. @default {labelFraction} */
  draw?(cases: readonly Case[], options: LabelFractionOptions): Case[];
  /** Refuses an encoder that no head fits, before images are encoded. */
  checkEncoder(vision: DenseEncoder["config"]["vision"]): void;
  /** Refuses cases whose truth is of a class that a head does not know. @default {there is one class} */
  checkClasses?(cases: readonly Case[], classes: readonly string[]): void;
  /** Refuses a case whose truth does not fit its image, of the width and height given. */
  check(item: Case, size: readonly [number, number], classes: readonly string[]): void | Promise<void>;
  /** What is written besides the page and `metrics.json`. */
  files: string;
  /** Trains a head. */
  train(
    mapped: { train: MappedCases; validation: MappedCases },
    options: FitHeadOptions & { args: Arguments; data: DenseData; encoder: DenseEncoder },
  ): Promise<TrainedHead<H>>;
  /** Figures on test cases; writes the answers. */
  assess(head: H, test: MappedCases, options: Answering): Promise<Assessed<F>>;
  /** Figures of one answer for every case. */
  constant(head: H, mapped: { train: MappedCases; test: MappedCases }): Promise<F>;
  /** Writes answers to cases without truth, and draws the first. */
  answer(head: H, mapped: MappedCases, options: Answering): Promise<Overlay[]>;
}
