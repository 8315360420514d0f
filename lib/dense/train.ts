/** Training of a head on frozen maps. @module */
import * as tf from "@tensorflow/tfjs";
import { disposeParams, mapTensors, namedTensors, withTensors } from "../tensor/params.ts";
import { deriveSeed, mulberry32, shuffled } from "../tensor/random.ts";
import type { Scalar, Tensor } from "../tensor/types.ts";
import { adamw, disposeAdamw, initAdamw } from "../train/adamw.ts";
import { valueAndGradients } from "../tensor/gradients.ts";
import { warmupCosine } from "../train/schedule.ts";
import { type BatchStatistics, isTrainedLeaf, runningStatistics } from "../nn/batch_norm.ts";

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
 */
export async function fitHead<T, B>(
  start: T,
  task: HeadTask<T, B>,
  options: FitHeadOptions = {},
): Promise<FitHeadResult<T>> {
  const { epochs = 50, batchSize = 16, learningRate = 5e-4, weightDecay = 0.05, warmupEpochs = 0 } = options;
  const { patience = 10, validateEvery = 1, seed = 1, onStep, onEpoch, signal } = options;
  if (task.size < 1) throw new RangeError("Cannot train as there must be a training image: there are 0");
  const perEpoch = Math.max(1, Math.ceil(task.size / batchSize) - (task.size % batchSize === 1 ? 1 : 0));
  const steps = epochs * perEpoch;
  const names = [...namedTensors(start).keys()].filter(isTrainedLeaf);
  let params = mapTensors(start, (tensor) => tf.clone(tensor));
  let best = mapTensors(start, (tensor) => tf.clone(tensor));
  let state = initAdamw(pick(params, names));
  const history: HeadEpoch[] = [];
  let bestEpoch = 0, bestFigure = -Infinity, bestLoss = Infinity, step = 0;
  let ended: FitHeadResult<T>["ended"] = "all epochs";
  try {
    for (let epoch = 1; epoch <= epochs; epoch++) {
      const all = Array.from({ length: task.size }, (_, i) => i);
      const order = shuffled(all, mulberry32(deriveSeed(seed, `order ${epoch}`)));
      let sum = 0;
      for (let batch = 0; batch < perEpoch; batch++, step++) {
        // On wasm every await is already settled, so without a pause no signal would ever be delivered.
        await new Promise((resolve) => setTimeout(resolve, 0));
        const indices = order.slice(batch * batchSize, (batch + 1) * batchSize);
        const data = await task.load(indices);
        const statistics: BatchStatistics = new Map();
        const { value, gradients } = valueAndGradients(params, names, () => task.loss(params, data, statistics));
        disposeParams(data);
        const loss = (await value.data())[0]!;
        value.dispose();
        const rate = warmupCosine(step, {
          learningRate,
          warmupSteps: Math.round(warmupEpochs * perEpoch),
          totalSteps: steps,
        });
        const running = runningStatistics(params, statistics);
        const next = adamw(state, pick(params, names), gradients, rate, { weightDecay });
        tf.dispose([...gradients.values()]);
        disposeAdamw(state);
        state = next.state;
        const updated = withTensors(params, new Map([...next.tensors, ...running]));
        disposeParams(params, updated);
        params = updated;
        if (!Number.isFinite(loss)) {
          throw new RangeError(`Cannot go on training as the loss must be finite: at step ${step} it is ${loss}`);
        }
        sum += loss;
        onStep?.({ step: step + 1, steps, loss, learningRate: rate });
        if (signal?.aborted) break;
      }
      if (signal?.aborted) {
        ended = "interrupted";
        break;
      }
      const loss = sum / perEpoch;
      const due = epoch % validateEvery === 0 || epoch === epochs;
      const figure = !due ? null : task.validate ? await task.validate(params) : -loss;
      history.push({ epoch, loss, figure });
      onEpoch?.(history.at(-1)!);
      if (figure === null) continue;
      if (figure > bestFigure || (figure === bestFigure && loss < bestLoss)) {
        disposeParams(best);
        best = mapTensors(params, (tensor) => tf.clone(tensor));
        bestFigure = figure;
        bestLoss = loss;
        bestEpoch = epoch;
      } else if (epoch - bestEpoch >= patience) {
        ended = "no better figure";
        break;
      }
    }
  } catch (error) {
    disposeParams(best);
    throw error;
  } finally {
    disposeParams(params);
    disposeAdamw(state);
  }
  return { params: best, bestEpoch, bestFigure, history, ended };
}

function pick(tree: unknown, names: readonly string[]): Map<string, Tensor> {
  const named = namedTensors(tree);
  return new Map(names.map((name) => [name, named.get(name)!]));
}
