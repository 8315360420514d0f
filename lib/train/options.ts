/** What a training run takes, tells and gives. @module */
import type { Communicator } from "../distributed/communicator.ts";
import {
  AMOUNT,
  CALL,
  COUNT,
  FLAG,
  hasField,
  INTEGER,
  oneOf,
  RECORD,
  type Rule,
  type Rules,
  TEXT,
} from "../platform/options.ts";
import { ADAMW_RULES, type AdamwOptions } from "./adamw.ts";
import { GRADIENT_SUMS, type GradientSum } from "./shared_gradients.ts";
import { type Padding, PADDINGS } from "./padding.ts";
import { TRAINING_LOSSES, type TrainingLoss } from "./source.ts";
import type { ValidationEntry } from "./state.ts";

/** One training step, as reported. */
export interface StepReport {
  /** Step done, from 1. */
  step: number;
  /** Steps of the run. */
  steps: number;
  /** Epoch under way, from 0. */
  epoch: number;
  /** Loss of the batch, nats. */
  loss: number;
  /** Learning rate of the step. */
  learningRate: number;
  /** Samples in the batch. */
  samples: number;
  /** Seconds the step took, saving and validation left out. */
  seconds: number;
  /** Those of them spent waiting for images. */
  waiting: number;
  /** Norm of all gradients before they were clipped; only where `clipNorm` is set. */
  gradientNorm?: number;
}

/** Where a run begins, as reported. */
export interface StartReport {
  /** Steps already taken: above 0 where a run goes on. */
  step: number;
  /** Steps of the run. */
  steps: number;
  /** Loss and learning rate of each step taken. */
  history: readonly { loss: number; learningRate: number }[];
  /** Validations made. */
  validations: readonly ValidationEntry[];
}

/** A figure that tells how good the weights are. */
export interface Validation {
  /** What it is: `auroc`, `recall@5`. */
  name: string;
  /** The figure; higher is better. */
  value: number;
}

/** Options of {@linkcode fit}. */
export interface FitOptions extends AdamwOptions {
  /** Passes over the data. @default {40} */
  epochs?: number;
  /** Samples a batch. @default {64} */
  batchSize?: number;
  /** Samples read and encoded at a time; below the batch, each image is read twice a step. @default {the batch} */
  microBatch?: number;
  /** Compute each block's inside again for the gradient instead of keeping it: less memory, same numbers. @default {false} */
  recompute?: boolean;
  /** Length of a batch's texts; `longest` is faster and departs from the released behaviour with ACE-HGNN. @default {"context"} */
  padding?: Padding;
  /** Highest learning rate. @default {1e-3} */
  learningRate?: number;
  /** Epochs of linear warm-up. @default {1} */
  warmupEpochs?: number;
  /**
   * `label-guided` removes pairs with identical label rows from the denominators; `supervised` hands the model the source's targets
   * in the place of token ids. @default {"label-guided"}
   */
  loss?: TrainingLoss;
  /** Seed of orders and dropout. @default {1} */
  seed?: number;
  /** A new order every epoch. @default {true} */
  shuffle?: boolean;
  /** Leave out a last, smaller batch. @default {false} */
  dropLast?: boolean;
  /** Largest norm of a step's gradients, all leaves together; larger ones are scaled down to it. @default {no limit, as in the paper} */
  clipNorm?: number;
  /**
   * Measures the weights, which it borrows. With `ranks`, rank 0 measures for all. It should end soon, by any error, once the
   * signal aborts: the run then stops, and measures again when it goes on. @default {none: the training loss tells the best epoch}
   */
  validate?: (params: unknown, signal?: AbortSignal) => Promise<Validation>;
  /** Steps from one validation to the next; the last step is always validated. @default {an epoch's} */
  validateEvery?: number;
  /** Ends the run after so many validations in a row that are not the best so far. @default {never} */
  patience?: number;
  /**
   * File the run's state is kept in, after each epoch and on interruption, beside the one before (see
   * {@linkcode previousStatePath}). @default {none}
   */
  statePath?: string;
  /** Steps from one state to the next, besides. @default {none} */
  saveSteps?: number;
  /** Minutes after which the state is kept, besides. @default {none} */
  saveMinutes?: number;
  /** Go on from `statePath` when it is there. @default {false} */
  resume?: boolean;
  /** What the run is made of besides these settings, such as hashes of its data; kept in the state and compared. @default {{}} */
  inputs?: Readonly<Record<string, unknown>>;
  /** Takes a line for each reason for which little can be learned, see {@linkcode checkLearnable}, and for a run that goes on otherwise than it began. @default {nobody is told; `Model.adapt` prints it} */
  onWarning?: (text: string) => void;
  /**
   * Processes that share the run, all with the same settings and data: each encodes its part of every batch, and all come to the
   * same weights. Rank 0 alone writes. A signal to any of them stops all. @default {this process alone}
   */
  ranks?: Communicator;
  /** How `ranks` sum gradients, see {@linkcode GradientSum}. @default {"ordered"} */
  gradientSum?: GradientSum;
  /** Stops the run between micro-batches, or with `ranks` after the step under way; the state of the last finished step is written first. */
  signal?: AbortSignal;
  /** Called once, before the first step. */
  onStart?: (report: StartReport) => void | Promise<void>;
  /** Called after each step. */
  onStep?: (report: StepReport) => void;
  /** Called before each state is written, so that what goes with it is never behind it. */
  onSave?: () => void | Promise<void>;
  /** Takes the error of a state that could not be written: the run goes on, and the next state is tried again. @default {the run ends with it} */
  onSaveError?: (error: unknown) => void;
  /** Called after each validation. */
  onValidation?: (entry: ValidationEntry) => void | Promise<void>;
  /**
   * Called after each validation whose figure is the highest so far; without `validate`, after each epoch whose mean loss,
   * weighted by the samples of each batch, is the lowest so far, as the released script saves. The tree is borrowed.
   *
   * @param score The figure, or the loss.
   */
  onBest?: (params: unknown, epoch: number, score: number) => Promise<void>;
}

/** What is trained. */
export const MODEL: Rule = {
  must: "one to train, as aceLoraModel() gives it",
  type: "object",
  allows: (model) => hasField(model, "isTrainable"),
};

/** What they must be. */
export const FIT_RULES: Rules<FitOptions> = {
  ...ADAMW_RULES,
  epochs: COUNT,
  batchSize: COUNT,
  microBatch: COUNT,
  recompute: FLAG,
  padding: oneOf(PADDINGS),
  learningRate: AMOUNT,
  warmupEpochs: AMOUNT,
  loss: oneOf(TRAINING_LOSSES),
  seed: INTEGER,
  shuffle: FLAG,
  dropLast: FLAG,
  clipNorm: AMOUNT,
  validate: CALL,
  validateEvery: COUNT,
  patience: AMOUNT,
  statePath: TEXT,
  saveSteps: AMOUNT,
  saveMinutes: AMOUNT,
  resume: FLAG,
  inputs: RECORD,
  onWarning: CALL,
  ranks: RECORD,
  gradientSum: oneOf(GRADIENT_SUMS),
  signal: RECORD,
  onStart: CALL,
  onStep: CALL,
  onSave: CALL,
  onSaveError: CALL,
  onValidation: CALL,
  onBest: CALL,
};

/** Those that mean nothing without another one. */
export const FIT_COMPANIONS: Readonly<Partial<Record<keyof FitOptions, keyof FitOptions>>> = {
  validateEvery: "validate",
  patience: "validate",
  saveSteps: "statePath",
  saveMinutes: "statePath",
  resume: "statePath",
  gradientSum: "ranks",
};

/** What {@linkcode fit} returns. */
export interface FitResult<T> {
  /** The adapted tree; it shares the frozen leaves with the tree given. */
  params: T;
  /** Loss and learning rate of each step, earlier parts of a resumed run included. */
  history: { loss: number; learningRate: number }[];
  /** Validations, earlier parts of a resumed run included. */
  validations: ValidationEntry[];
  /** Whether `signal` ended the run before its last step. */
  interrupted: boolean;
}
