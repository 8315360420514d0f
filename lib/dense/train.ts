/** Training of a head on frozen maps. @module */
import * as tf from "@tensorflow/tfjs";
import { disposeParams, mapTensors, namedTensors, withTensors } from "../tensor/params.ts";
import { deriveSeed, mulberry32, shuffled } from "../tensor/random.ts";
import type { Scalar, Tensor } from "../tensor/types.ts";
import { adamw, type AdamwState, disposeAdamw, initAdamw } from "../train/adamw.ts";
import { valueAndGradients } from "../tensor/gradients.ts";
import { warmupCosine } from "../train/schedule.ts";
import { type BatchStatistics, isTrainedLeaf, runningStatistics } from "../nn/batch_norm.ts";
import { AMOUNT, CALL, checkOptions, COUNT, INTEGER, RECORD, type Rules } from "../platform/options.ts";

/** What is trained. */
export interface HeadTask<T, B> {
  /** Number of training images. */
  size: number;
  /** Tensors of the images asked for; freed after the step. */
  load(indices: readonly number[]): Promise<B>;
  /** The batch's loss in a training pass, which fills `statistics`. */
  loss(params: T, batch: B, statistics: BatchStatistics): Scalar;
  /** The figure that decides which epoch is kept, higher is better. @default {the training loss, negated} */
  validate?(params: T): Promise<number>;
}

/** Settings of a run; the defaults are the protocol's. */
export interface FitHeadOptions {
  /** Passes over the images. @default {50} */
  epochs?: number;
  /** Images a batch. @default {16} */
  batchSize?: number;
  /** Highest learning rate. @default {5e-4} */
  learningRate?: number;
  /** Decoupled weight decay. @default {0.05} */
  weightDecay?: number;
  /** Epochs of linear warm-up before the cosine. @default {0} */
  warmupEpochs?: number;
  /** Stop after this many epochs without a better figure. @default {10} */
  patience?: number;
  /** Epochs between two validations; the last epoch is always validated. @default {1} */
  validateEvery?: number;
  /** Seed of the orders. @default {1} */
  seed?: number;
  /** Called after each step. */
  onStep?: (step: { step: number; steps: number; loss: number; learningRate: number }) => void;
  /** Called after each epoch. */
  onEpoch?: (epoch: HeadEpoch) => void;
  /** Stops after the step under way; the best epoch so far is returned. */
  signal?: AbortSignal;
}

/** What they must be. */
export const FIT_HEAD_RULES: Rules<FitHeadOptions> = {
  epochs: COUNT,
  batchSize: COUNT,
  learningRate: AMOUNT,
  weightDecay: AMOUNT,
  warmupEpochs: AMOUNT,
  patience: AMOUNT,
  validateEvery: COUNT,
  seed: INTEGER,
  onStep: CALL,
  onEpoch: CALL,
  signal: RECORD,
};

/** One epoch of the log. */
export interface HeadEpoch {
  /** From 1. */
  epoch: number;
  /** Mean loss of its steps. */
  loss: number;
  /** The figure of `validate`; null for an epoch that was not validated. */
  figure: number | null;
}

/** What {@linkcode fitHead} returns. */
export interface FitHeadResult<T> {
  /** Weights of the best epoch; free them with `disposeParams`. */
  params: T;
  /** The best epoch, from 1. */
  bestEpoch: number;
  /** Its figure. */
  bestFigure: number;
  /** All epochs. */
  history: HeadEpoch[];
  /** Why it ended. */
  ended: "all epochs" | "no better figure" | "interrupted";
}

/**
 * Trains with AdamW and a cosine to zero, stepped per batch, in an order drawn anew each epoch; keeps the epoch with the best
 * figure (of equal ones that of the lower loss) and stops early. A last batch of one image is left out: it has no statistics of its own.
 *
 * Source: method section 7.
 *
 * @param start Weights to begin with; borrowed.
 * @throws {RangeError} If there is no image, or the loss is not finite; the message names the step.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function fitHead<T, B>(
  start: T,
  task: HeadTask<T, B>,
  options: FitHeadOptions = {},
): Promise<FitHeadResult<T>> {
  checkOptions("train a head", options, FIT_HEAD_RULES);
  const { epochs = 50, patience = 10, validateEvery = 1, onEpoch, signal } = options;
  if (task.size < 1) throw new RangeError("Cannot train as there must be a training image: there are 0");
  const names = [...namedTensors(start).keys()].filter(isTrainedLeaf);
  const run: Run<T> = { names, params: copied(start), adamw: initAdamw(pick(start, names)), step: 0 };
  let best = { params: copied(start), epoch: 0, figure: -Infinity, loss: Infinity };
  const history: HeadEpoch[] = [];
  let ended: FitHeadResult<T>["ended"] = "all epochs";
  try {
    for (let epoch = 1; epoch <= epochs; epoch++) {
      const loss = await trainEpoch(run, task, epoch, { ...options, epochs });
      if (signal?.aborted) {
        ended = "interrupted";
        break;
      }
      const isDue = epoch % validateEvery === 0 || epoch === epochs;
      const figure = !isDue ? null : task.validate ? await task.validate(run.params) : -loss;
      history.push({ epoch, loss, figure });
      onEpoch?.(history.at(-1)!);
      if (figure === null) continue;
      if (figure > best.figure || (figure === best.figure && loss < best.loss)) {
        disposeParams(best.params);
        best = { params: copied(run.params), epoch, figure, loss };
      } else if (epoch - best.epoch >= patience) {
        ended = "no better figure";
        break;
      }
    }
  } catch (error) {
    disposeParams(best.params);
    throw error;
  } finally {
    disposeParams(run.params);
    disposeAdamw(run.adamw);
  }
  return { params: best.params, bestEpoch: best.epoch, bestFigure: best.figure, history, ended };
}

/** A run under way; its tensors are its own. */
interface Run<T> {
  /** The leaves that are trained. */
  readonly names: readonly string[];
  params: T;
  adamw: AdamwState;
  /** Steps taken. */
  step: number;
}

/** Takes the steps of an epoch, or those until the signal; returns the mean of their losses. */
async function trainEpoch<T, B>(
  run: Run<T>,
  task: HeadTask<T, B>,
  epoch: number,
  options: FitHeadOptions & { epochs: number },
): Promise<number> {
  const { epochs, batchSize = 16, learningRate = 5e-4, weightDecay = 0.05, warmupEpochs = 0, seed = 1 } = options;
  const all = Array.from({ length: task.size }, (_, i) => i);
  const order = shuffled(all, mulberry32(deriveSeed(seed, `order ${epoch}`)));
  const perEpoch = Math.max(1, Math.ceil(task.size / batchSize) - (task.size % batchSize === 1 ? 1 : 0));
  const steps = epochs * perEpoch;
  const schedule = { learningRate, warmupSteps: Math.round(warmupEpochs * perEpoch), totalSteps: steps };
  let sum = 0;
  for (let batch = 0; batch < perEpoch; batch++) {
    // On wasm every await is already settled, so without a pause no signal would ever be delivered.
    await new Promise((resolve) => setTimeout(resolve, 0));
    const rate = warmupCosine(run.step, schedule);
    const loss = await takeStep(run, task, order.slice(batch * batchSize, (batch + 1) * batchSize), {
      rate,
      weightDecay,
    });
    sum += loss;
    options.onStep?.({ step: run.step, steps, loss, learningRate: rate });
    if (options.signal?.aborted) break;
  }
  return sum / perEpoch;
}

/** Takes a step on these images, and returns their loss. */
async function takeStep<T, B>(
  run: Run<T>,
  task: HeadTask<T, B>,
  indices: readonly number[],
  { rate, weightDecay }: { rate: number; weightDecay: number },
): Promise<number> {
  const { params, names } = run;
  const data = await task.load(indices);
  const statistics: BatchStatistics = new Map();
  const { value, gradients } = valueAndGradients(params, names, () => task.loss(params, data, statistics));
  disposeParams(data);
  const loss = (await value.data())[0]!;
  value.dispose();
  const running = runningStatistics(params, statistics);
  const next = adamw(run.adamw, pick(params, names), gradients, rate, { weightDecay });
  tf.dispose([...gradients.values()]);
  disposeAdamw(run.adamw);
  run.adamw = next.state;
  run.params = withTensors(params, new Map([...next.tensors, ...running]));
  disposeParams(params, run.params);
  if (!Number.isFinite(loss)) {
    throw new RangeError(`Cannot go on training as the loss must be finite: at step ${run.step} it is ${loss}`);
  }
  run.step++;
  return loss;
}

function copied<T>(tree: T): T {
  return mapTensors(tree, (tensor) => tf.clone(tensor));
}

function pick(tree: unknown, names: readonly string[]): Map<string, Tensor> {
  const named = namedTensors(tree);
  return new Map(names.map((name) => [name, named.get(name)!]));
}
