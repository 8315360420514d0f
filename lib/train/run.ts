/** What a training run is, and how far it has come. @module */
import * as tf from "@tensorflow/tfjs";
import type { ContrastiveModel } from "../clip/contrastive.ts";
import { checkShared } from "../distributed/shared_settings.ts";
import { namedTensors, withTensors } from "../tensor/params.ts";
import type { Tensor } from "../tensor/types.ts";
import { disposeAdamw, initAdamw } from "./adamw.ts";
import { epochBatches } from "./batches.ts";
import { FIT_COMPANIONS, FIT_RULES, type FitOptions, type FitResult, MODEL } from "./options.ts";
import type { Padding } from "./padding.ts";
import { checkCompanions, checkOptions, checkValue } from "../platform/options.ts";
import { type BatchSource, checkSource, type TrainingLoss } from "./source.ts";
import { hasRunState, readRunState, type RunState, writeRunState } from "./state.ts";

/** What was asked of a run, the defaults filled in; see {@linkcode FitOptions}. */
export interface Plan {
  epochs: number;
  batchSize: number;
  microBatch: number;
  learningRate: number;
  loss: TrainingLoss;
  padding: Padding;
  seed: number;
  dropLast: boolean;
  /** Steps of an epoch. */
  perEpoch: number;
  /** Steps of the run. */
  steps: number;
  /** Steps of linear warm-up. */
  warmupSteps: number;
  /** What a run that goes on must have in common. */
  settings: Readonly<Record<string, unknown>>;
  /** The sample indices of each batch of an epoch. */
  batches(epoch: number): number[][];
}

/** A run under way. */
export interface Run<T> {
  /** What is trained. */
  readonly model: ContrastiveModel<T>;
  /** The tree it began with; the caller's. */
  readonly params: T;
  /** Its data. */
  readonly source: BatchSource;
  /** As the caller gave them. */
  readonly options: FitOptions;
  /** The same with defaults. */
  readonly plan: Plan;
  /** The trainable leaves of `params`; the caller's. */
  readonly start: ReadonlyMap<string, Tensor>;
  /** Whether this process writes files. */
  readonly isWriter: boolean;
  /** Weights, optimiser and progress. */
  state: RunState;
  /** When the state was last kept. */
  saved: { step: number; time: number };
  /** Whether it was said that nothing is learned yet. */
  isWarnedOfChance: boolean;
  /** Whether the programs of a step were compiled. */
  isCompiled: boolean;
}

/** Refuses an option that there is none of, what is no model, or no source of batches. */
export function checkInputs(model: unknown, source: BatchSource, options: FitOptions): void {
  checkOptions("train", options, FIT_RULES);
  checkCompanions("train", options, FIT_COMPANIONS);
  checkValue("train", "the model", model, MODEL);
  checkSource("train", source);
}

/**
 * The plan of a run over so many samples.
 *
 * @param name The model's.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 * @throws {RangeError} If a batch cannot be shared among the processes, or an epoch has none.
 */
export function planOf(name: string, samples: number, options: FitOptions): Plan {
  const { epochs = 40, batchSize = 64, learningRate = 1e-3, warmupEpochs = 1, loss = "label-guided", seed = 1 } =
    options;
  const { shuffle = true, dropLast = false, microBatch = batchSize, padding = "context", ranks } = options;
  const parts = Math.ceil(batchSize / microBatch);
  if (ranks && parts < ranks.size) {
    throw new RangeError(
      `Cannot share a batch among ${ranks.size} processes as it must have a micro-batch for each: batches of ${batchSize} in micro-batches of ${microBatch} have ${parts}`,
    );
  }
  const order = { batchSize, shuffle, dropLast, seed };
  const batches = (epoch: number): number[][] => epochBatches(samples, epoch, order);
  const perEpoch = batches(0).length;
  if (perEpoch === 0) {
    throw new RangeError(
      `Cannot train as an epoch must have a whole batch of ${batchSize} when smaller ones are left out: there are ${samples} pairs`,
    );
  }
  const settings = {
    model: name,
    samples,
    ...{ epochs, learningRate, warmupEpochs, loss },
    ...order, // before what its batch size decides: the first difference is the one that a resumed run is refused for
    ...{ microBatch, padding },
    weightDecay: options.weightDecay ?? 0.01,
    clipNorm: options.clipNorm ?? null,
    validateEvery: options.validate ? options.validateEvery ?? "epoch" : null,
    ...options.inputs,
  };
  return {
    ...{ epochs, batchSize, microBatch, learningRate, loss, padding, seed, dropLast, perEpoch, settings, batches },
    steps: perEpoch * epochs,
    warmupSteps: perEpoch * warmupEpochs,
  };
}

/**
 * A run at its first step, or where its state says that it goes on.
 *
 * @throws {StateDifferenceError} If the state is that of a run made of something else.
 * @throws {RangeError} If `ranks` are at other runs.
 */
export async function openRun<T>(
  model: ContrastiveModel<T>,
  params: T,
  source: BatchSource,
  { plan, options }: { plan: Plan; options: FitOptions },
): Promise<Run<T>> {
  const start = namedTensors(params, model.isTrainable);
  if (start.size === 0) {
    throw new TypeError(
      `Cannot train ${model.name} as some of its weights must be trained ones, as initAceLora() adds them: none is`,
    );
  }
  const state = await startState(start, plan.settings, options);
  if (options.ranks) {
    const { gradientSum = "ordered", patience = null } = options; // which processes that differ would wait for each other
    checkShared({ ...plan.settings, gradientSum, patience, step: state.adamw.step }, options.ranks);
  }
  return {
    ...{ model, params, source, options, plan, start, state },
    isWriter: options.ranks === undefined || options.ranks.rank === 0,
    saved: { step: state.adamw.step, time: performance.now() },
    isWarnedOfChance: false,
    isCompiled: false,
  };
}

async function startState(
  start: ReadonlyMap<string, Tensor>,
  settings: Readonly<Record<string, unknown>>,
  { statePath, resume = false, onWarning }: FitOptions,
): Promise<RunState> {
  if (resume && statePath && await hasRunState(statePath)) {
    return await readRunState(statePath, settings, start, onWarning ? { onNote: onWarning } : {});
  }
  const progress = { epoch: 0, batch: 0, bestLoss: null, history: [], validations: [] };
  return { tensors: new Map(start), adamw: initAdamw(start), progress };
}

/** The tree with the weights the run has now; both are borrowed. */
export function weightsOf<T>({ params, state }: Run<T>): T {
  return withTensors(params, state.tensors);
}

/** Keeps the state, where it is to be kept. */
export async function save<T>(run: Run<T>): Promise<void> {
  const { options: { statePath, onSave, onSaveError }, plan, state } = run;
  if (statePath && run.isWriter) {
    await onSave?.();
    await writeRunState(statePath, state, plan.settings).catch((error: unknown) => {
      if (!onSaveError) throw error;
      onSaveError(error);
    });
  }
  run.saved = { step: state.adamw.step, time: performance.now() };
}

/** Whether a state is due within an epoch. */
export function isSaveDue<T>({ options, state, saved }: Run<T>): boolean {
  const { saveSteps = Infinity, saveMinutes = Infinity } = options;
  return state.adamw.step - saved.step >= saveSteps || performance.now() - saved.time >= 60_000 * saveMinutes;
}

/**
 * What the run has come to; the moments are freed. Tensors the run never changed are copied, so that the result owns all of
 * its own.
 */
export function ended<T>({ params, state, start }: Run<T>, interrupted: boolean): FitResult<T> {
  disposeAdamw(state.adamw);
  const own = [...state.tensors].map(([name, x]) => [name, x === start.get(name) ? tf.clone(x) : x] as const);
  const { history, validations } = state.progress;
  return { params: withTensors(params, new Map(own)), history, validations, interrupted };
}
