/** The training loop. @module */
import * as tf from "@tensorflow/tfjs";
import type { ContrastiveModel } from "../clip/contrastive.ts";
import type { Communicator } from "../distributed/communicator.ts";
import { namedTensors, withTensors } from "../tensor/params.ts";
import { deriveSeed } from "../tensor/random.ts";
import type { Tensor, Tensor1D } from "../tensor/types.ts";
import { watchedBatch } from "./batch.ts";
import { adamw, type AdamwOptions, disposeAdamw, initAdamw } from "./adamw.ts";
import { epochBatches } from "./batches.ts";
import { compileStep } from "./compile_step.ts";
import { packedGradients } from "./gradients.ts";
import type { PackedGradients } from "./micro_batch.ts";
import { samplesRead } from "./shared_gradients.ts";
import { checkShared } from "./shared_settings.ts";
import { checkLearnable } from "./learnable.ts";
import { warmupCosine } from "./schedule.ts";
import { type BatchSource, openBatch } from "./source.ts";
import { hasRunState, readRunState, type RunState, writeRunState } from "./state.ts";
import { clipGradients } from "./clip_gradients.ts";
import type { FitOptions, FitResult } from "./options.ts";
import { sinceBest, validated } from "./validation.ts";

/**
 * Adapts a model to image-text pairs.
 *
 * Source: method section 5; the released single-GPU script does not shuffle.
 *
 * @param model Which leaves are trainable, and the features.
 * @param params Start values; borrowed, not changed.
 * @returns The adapted tree; free it with `disposeParams(result.params, params)`.
 * @throws {NothingToLearnError} If nothing can be learned from the pairs.
 * @throws {RangeError} If a loss is not finite (the message names step and samples, and nothing is written) or `ranks` are at other runs.
 * @throws {StateDifferenceError} If `resume` finds the state of a run made of something else.
 *
 * @example Two steps on synthetic pairs
 * ```ts
 * import { ACE_LORA_LORA, aceLoraModel, fit, initAceLora, loadClip, pairSource, selectBackend, trainingSet } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 *
 * await selectBackend({ backend: "wasm" });
 * const { params, config, tokenizer } = await loadClip(); // the shipped mini model
 * const additions = { encoders: config, lora: ACE_LORA_LORA };
 * const start = await initAceLora(params, additions);
 * const pairs = pairSource(trainingSet(8, 1), config, tokenizer);
 * const { history } = await fit(aceLoraModel(additions), start, pairs, { epochs: 1, batchSize: 4 });
 * assertEquals(history.length, 2);
 * ```
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
  const {
    ranks,
    clipNorm,
    validate,
    validateEvery,
    patience = Infinity,
    saveSteps = Infinity,
    saveMinutes = Infinity,
  } = options;
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
    ...plan, // before what its batch size decides: the first difference is the one that a resumed run is refused for
    microBatch,
    padding,
    weightDecay: options.weightDecay ?? 0.01,
    clipNorm: clipNorm ?? null,
    validateEvery: validate ? validateEvery ?? "epoch" : null,
    ...options.inputs,
  };
  if (perEpoch === 0) {
    throw new RangeError(
      `Cannot train as an epoch must have a whole batch of ${batchSize} when smaller ones are left out: there are ${source.size} pairs`,
    );
  }
  for (const warning of await checkLearnable(source, { batchSize, loss, dropLast })) options.onWarning?.(warning);
  let [isWarnedOfChance, isCompiled] = [false, false];
  const start = new Map([...namedTensors(params)].filter(([name]) => model.isTrainable(name)));
  let state = await startState(start, settings, options);
  if (ranks) checkShared({ ...settings, step: state.adamw.step }, ranks);
  const { progress } = state;
  let saved = { step: state.adamw.step, time: performance.now() };
  const save = async (): Promise<void> => {
    if (statePath && isWriter) {
      await options.onSave?.();
      await writeRunState(statePath, state, settings).catch((error: unknown) => {
        if (!options.onSaveError) throw error;
        options.onSaveError(error);
      });
    }
    saved = { step: state.adamw.step, time: performance.now() };
  };
  const weights = (): T => withTensors(params, state.tensors);
  const end = (interrupted: boolean): FitResult<T> => ({
    params: adopt(params, state, start),
    history: progress.history,
    validations: progress.validations,
    interrupted,
  });
  await options.onStart?.({
    step: state.adamw.step,
    steps,
    history: progress.history,
    validations: progress.validations,
  });
  // Each turn does one thing and leaves a state from which a run that goes on does the next.
  let batches = epochBatches(source.size, progress.epoch, plan);
  while (progress.epoch < epochs) {
    // On wasm every await is already settled, so without a pause no signal would ever be delivered.
    await new Promise((resolve) => setTimeout(resolve, 0));
    if (isAskedToStop(signal, ranks)) {
      await save();
      return end(true);
    }
    const { step } = state.adamw;
    const isEpochDone = progress.batch >= batches.length;
    const isDue = validateEvery === undefined ? isEpochDone : step % validateEvery === 0 || step === steps;
    if (validate && step > 0 && isDue && progress.validations.at(-1)?.step !== step) {
      const figure = await validated(() => validate(weights(), signal), signal, ranks);
      if (figure === undefined) continue; // the signal ended it
      const entry = { step, ...figure };
      const isBest = progress.validations.every(({ value }) => figure.value > value);
      progress.validations.push(entry);
      await options.onValidation?.(entry);
      if (isBest && isWriter) await options.onBest?.(weights(), progress.epoch, figure.value);
      await save();
      continue;
    }
    if (sinceBest(progress.validations) >= patience) break;
    if (isEpochDone) {
      const mean = epochLoss(progress.history, batches);
      if (loss !== "supervised" && !isWarnedOfChance && isChance(mean, batches)) {
        isWarnedOfChance = true;
        options.onWarning?.(
          `the loss of epoch ${progress.epoch + 1} is ${
            mean.toFixed(4)
          }, that of guessing within a batch: nothing is learned yet`,
        );
      }
      if (progress.bestLoss === null || mean < progress.bestLoss) {
        progress.bestLoss = mean;
        if (isWriter && !validate) await options.onBest?.(weights(), progress.epoch, mean);
      }
      progress.epoch++;
      progress.batch = 0;
      await save();
      if (progress.epoch < epochs) batches = epochBatches(source.size, progress.epoch, plan);
      continue;
    }
    if (step - saved.step >= saveSteps || performance.now() - saved.time >= 60_000 * saveMinutes) await save();
    const began = performance.now();
    const indices = batches[progress.batch]!;
    const rate = warmupCosine(step, { learningRate, warmupSteps: perEpoch * warmupEpochs, totalSteps: steps });
    const following = batches[progress.batch + 1] ??
      (progress.epoch + 1 < epochs ? epochBatches(source.size, progress.epoch + 1, plan)[0]! : []);
    for (const some of [indices, following]) {
      source.prefetch?.(samplesRead(some, { microBatch, ...(ranks ? { ranks } : {}) }));
    }
    if (!isCompiled) {
      isCompiled = true;
      const { tensors, adamw } = state;
      const isMasked = loss === "label-guided";
      const how = { size: indices.length, microBatch, isMasked, recompute: options.recompute ?? false, tensors, adamw };
      await compileStep(model, weights(), source, how);
    }
    const batch = watchedBatch(await openBatch(source, indices, { loss, padding }), ranks ? undefined : signal);
    let gradients: PackedGradients;
    try {
      gradients = await packedGradients(model, weights(), batch, {
        layout: state.adamw.layout,
        microBatch,
        ...(ranks ? { ranks, gradientSum: options.gradientSum ?? "ordered" } : {}),
        recompute: options.recompute ?? false,
        seed: deriveSeed(seed, `step ${step}`),
      });
    } catch (error) {
      if (signal?.aborted && error === signal.reason) continue;
      throw error;
    } finally {
      batch.pairMask?.dispose();
    }
    const value = (await gradients.value.data())[0]!;
    gradients.value.dispose();
    if (!Number.isFinite(value)) {
      tf.dispose(gradients.gradients);
      throw new RangeError(
        `Cannot train on as the loss must be finite: current value is ${value} at step ${step + 1}, samples ${
          indices.slice(0, 4).join(", ")
        }...`,
      );
    }
    const clipped = clipNorm === undefined ? undefined : await clippedTo(clipNorm, gradients.gradients);
    state = update(state, clipped?.gradients ?? gradients.gradients, rate, options, start);
    progress.batch++;
    progress.history.push({ loss: value, learningRate: rate });
    options.onStep?.({
      step: state.adamw.step,
      steps,
      epoch: progress.epoch,
      loss: value,
      learningRate: rate,
      samples: indices.length,
      seconds: (performance.now() - began) / 1000,
      waiting: batch.waited() / 1000,
      ...(clipped ? { gradientNorm: clipped.norm } : {}),
    });
  }
  return end(false);
}

/** The gradients scaled down to a norm, and the norm they had; those given are freed. */
async function clippedTo(
  maxNorm: number,
  gradients: Tensor1D[],
): Promise<{ gradients: Tensor1D[]; norm: number }> {
  const clipped = clipGradients(gradients, maxNorm);
  tf.dispose(gradients);
  const [norm] = await clipped.norm.data();
  clipped.norm.dispose();
  return { gradients: clipped.gradients, norm: norm! };
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
  settings: Record<string, unknown>,
  { statePath, resume = false, onWarning }: FitOptions,
): Promise<RunState> {
  if (resume && statePath && await hasRunState(statePath)) {
    return await readRunState(statePath, settings, start, onWarning ? { onNote: onWarning } : {});
  }
  const progress = { epoch: 0, batch: 0, bestLoss: null, history: [], validations: [] };
  return { tensors: new Map(start), adamw: initAdamw(start), progress };
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
