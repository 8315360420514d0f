/** The training loop. @module */
import * as tf from "@tensorflow/tfjs";
import type { ContrastiveModel } from "../clip/contrastive.ts";
import type { Communicator } from "../distributed/communicator.ts";
import { namedTensors, withTensors } from "../tensor/params.ts";
import { deriveSeed } from "../tensor/random.ts";
import type { Tensor, Tensor1D } from "../tensor/types.ts";
import { adamw, type AdamwOptions, disposeAdamw, initAdamw } from "./adamw.ts";
import { epochBatches } from "./batches.ts";
import { packedGradients, samplesRead } from "./gradients.ts";
import { checkLearnable } from "./learnable.ts";
import type { Padding } from "./padding.ts";
import { warmupCosine } from "./schedule.ts";
import { type BatchSource, openBatch } from "./source.ts";
import { readRunState, type RunState, writeRunState } from "./state.ts";
import { exists } from "../io/files.ts";

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
  /** `label-guided` removes pairs with identical label rows from the denominators. @default {"label-guided"} */
  loss?: "label-guided" | "info-nce";
  /** Seed of orders and dropout. @default {1} */
  seed?: number;
  /** A new order every epoch. @default {true} */
  shuffle?: boolean;
  /** Leave out a last, smaller batch. @default {false} */
  dropLast?: boolean;
  /** File the run's state is kept in, after each epoch and on interruption. @default {none} */
  statePath?: string;
  /** Go on from `statePath` when it is there. @default {false} */
  resume?: boolean;
  /** What the run is made of besides these settings, such as hashes of its data; kept in the state and compared. @default {{}} */
  inputs?: Readonly<Record<string, unknown>>;
  /** Takes a line for each reason for which little can be learned; see {@linkcode checkLearnable}. */
  onWarning?: (text: string) => void;
  /**
   * Processes that share the run, all with the same settings and data: each encodes its part of every batch, and all come to the
   * same weights. Rank 0 alone writes. A signal to any of them stops all. @default {this process alone}
   */
  ranks?: Communicator;
  /** Stops the run after the step under way; the state is written first. */
  signal?: AbortSignal;
  /** Called after each step. */
  onStep?: (report: StepReport) => void;
  /**
   * Called after each epoch whose mean loss, weighted by the samples of each batch, is the lowest so far, as the released
   * script saves; the tree is borrowed.
   */
  onBest?: (params: unknown, epoch: number, loss: number) => Promise<void>;
}

/** What {@linkcode fit} returns. */
export interface FitResult<T> {
  /** The adapted tree; it shares the frozen leaves with the tree given. */
  params: T;
  /** Loss and learning rate of each step, earlier parts of a resumed run included. */
  history: { loss: number; learningRate: number }[];
  /** Whether `signal` ended the run before its last step. */
  interrupted: boolean;
}

/**
 * Adapts a model to image-text pairs.
 *
 * Source: method section 5; the released single-GPU script does not shuffle.
 *
 * @param model Which leaves are trainable, and the features.
 * @param params Start values; borrowed, not changed.
 * @returns The adapted tree; free it with `disposeParams(result.params, params)`.
 * @throws {NothingToLearnError} If nothing can be learned from the pairs.
 * @throws {RangeError} If a loss is not finite; the message names step and samples, and nothing is written.
 * @throws {StateDifferenceError} If `resume` finds the state of a run made of something else.
 */
export async function fit<T>(
  model: ContrastiveModel<T>,
  params: T,
  source: BatchSource,
  options: FitOptions = {},
): Promise<FitResult<T>> {
  const { epochs = 40, batchSize = 64, learningRate = 1e-3, warmupEpochs = 1, loss = "label-guided", seed = 1 } =
    options;
  const { shuffle = true, dropLast = false, microBatch = batchSize, padding = "context", statePath, signal } = options;
  const { ranks } = options;
  const isWriter = ranks === undefined || ranks.rank === 0;
  const parts = Math.ceil(batchSize / microBatch);
  if (ranks && parts < ranks.size) {
    throw new RangeError(
      `Cannot share a batch among ${ranks.size} processes as it must have a micro-batch for each: batches of ${batchSize} in micro-batches of ${microBatch} have ${parts}`,
    );
  }
  const plan = { batchSize, shuffle, dropLast, seed };
  const perEpoch = epochBatches(source.size, 0, plan).length;
  const steps = perEpoch * epochs;
  const settings = {
    model: model.name,
    samples: source.size,
    epochs,
    learningRate,
    warmupEpochs,
    loss,
    microBatch,
    padding,
    weightDecay: options.weightDecay ?? 0.01,
    ...plan,
    ...options.inputs,
  };
  if (perEpoch === 0) {
    throw new RangeError(
      `Cannot train as an epoch must have a whole batch of ${batchSize} when smaller ones are left out: there are ${source.size} pairs`,
    );
  }
  for (const warning of await checkLearnable(source, { batchSize, loss })) options.onWarning?.(warning);
  let isWarnedOfChance = false;
  const start = new Map([...namedTensors(params)].filter(([name]) => model.isTrainable(name)));
  let state = await startState(start, statePath, options.resume ?? false, settings);
  const save = async (): Promise<void> => {
    if (statePath && isWriter) await writeRunState(statePath, state, settings);
  };
  for (; state.progress.epoch < epochs; nextEpoch(state)) {
    const { epoch } = state.progress;
    const batches = epochBatches(source.size, epoch, plan);
    while (state.progress.batch < batches.length) {
      // On wasm every await is already settled, so without a pause no signal would ever be delivered.
      await new Promise((resolve) => setTimeout(resolve, 0));
      if (isAskedToStop(signal, ranks)) {
        await save();
        return { params: adopt(params, state, start), history: state.progress.history, interrupted: true };
      }
      const indices = batches[state.progress.batch]!;
      const rate = warmupCosine(state.adamw.step, {
        learningRate,
        warmupSteps: perEpoch * warmupEpochs,
        totalSteps: steps,
      });
      const following = batches[state.progress.batch + 1] ??
        (epoch + 1 < epochs ? epochBatches(source.size, epoch + 1, plan)[0]! : []);
      for (const some of [indices, following]) {
        source.prefetch?.(samplesRead(some, { microBatch, ...(ranks ? { ranks } : {}) }));
      }
      const batch = await openBatch(source, indices, { loss, padding });
      const found = await packedGradients(model, withTensors(params, state.tensors), batch, {
        layout: state.adamw.layout,
        microBatch,
        ...(ranks ? { ranks } : {}),
        recompute: options.recompute ?? false,
        seed: deriveSeed(seed, `step ${state.adamw.step}`),
      }).finally(() => batch.pairMask?.dispose());
      const value = (await found.value.data())[0]!;
      found.value.dispose();
      if (!Number.isFinite(value)) {
        tf.dispose(found.gradients);
        throw new RangeError(
          `Cannot train on as the loss must be finite: current value is ${value} at step ${
            state.adamw.step + 1
          }, samples ${indices.slice(0, 4).join(", ")}...`,
        );
      }
      state = update(state, found.gradients, rate, options, start);
      state.progress.batch++;
      state.progress.history.push({ loss: value, learningRate: rate });
      options.onStep?.({
        step: state.adamw.step,
        steps,
        epoch,
        loss: value,
        learningRate: rate,
        samples: indices.length,
      });
    }
    const mean = epochLoss(state.progress.history, batches);
    if (!isWarnedOfChance && isChance(mean, batches)) {
      isWarnedOfChance = true;
      options.onWarning?.(
        `the loss of epoch ${epoch + 1} is ${mean.toFixed(4)}, that of guessing within a batch: nothing is learned yet`,
      );
    }
    if (state.progress.bestLoss === null || mean < state.progress.bestLoss) {
      state.progress.bestLoss = mean;
      if (isWriter) await options.onBest?.(withTensors(params, state.tensors), epoch, mean);
    }
    await save();
  }
  return { params: adopt(params, state, start), history: state.progress.history, interrupted: false };
}

/** Whether this process, or any that shares the run, is to stop: all must take the same steps. */
function isAskedToStop(signal: AbortSignal | undefined, ranks: Communicator | undefined): boolean {
  const own = signal?.aborted ?? false;
  return ranks ? ranks.allGather(Float32Array.of(Number(own))).some((asked) => asked > 0) : own;
}

/** The last epoch's mean loss, each batch weighing as many samples as it holds: the last one may be short. */
function epochLoss(history: FitResult<unknown>["history"], batches: readonly (readonly number[])[]): number {
  const steps = history.slice(-batches.length);
  const sum = batches.reduce((sum, { length }, i) => sum + steps[i]!.loss * length, 0);
  return sum / batches.reduce((samples, { length }) => samples + length, 0);
}

/** Whether a mean loss is that of guessing, ln B for a batch of B. */
function isChance(loss: number, batches: readonly (readonly number[])[]): boolean {
  const guesses = batches.map(({ length }) => ({ loss: Math.log(length), learningRate: 0 }));
  const chance = epochLoss(guesses, batches);
  return Math.abs(loss - chance) < 0.005 * chance;
}

/** The tree with the run's tensors in it; the moments are freed. Tensors the run never changed are copied, so that the result owns all of its own. */
function adopt<T>(params: T, state: RunState, start: ReadonlyMap<string, Tensor>): T {
  disposeAdamw(state.adamw);
  return withTensors(
    params,
    new Map([...state.tensors].map(([name, x]) => [name, x === start.get(name) ? tf.clone(x) : x])),
  );
}

async function startState(
  start: ReadonlyMap<string, Tensor>,
  path: string | undefined,
  resume: boolean,
  settings: Record<string, unknown>,
): Promise<RunState> {
  if (resume && path && await exists(path)) return await readRunState(path, settings, start);
  const progress = { epoch: 0, batch: 0, bestLoss: null, history: [] };
  return { tensors: new Map(start), adamw: initAdamw(start), progress };
}

function nextEpoch(state: RunState): void {
  state.progress.epoch++;
  state.progress.batch = 0;
}

/** Takes one AdamW step and frees what it replaces; the start values stay the caller's. */
function update(
  state: RunState,
  gradients: readonly Tensor1D[],
  rate: number,
  options: AdamwOptions,
  start: ReadonlyMap<string, Tensor>,
): RunState {
  const next = adamw(state.adamw, state.tensors, gradients, rate, options);
  disposeAdamw(state.adamw);
  tf.dispose([...gradients]);
  for (const [name, tensor] of state.tensors) if (tensor !== start.get(name)) tensor.dispose();
  return { tensors: next.tensors, adamw: next.state, progress: state.progress };
}
