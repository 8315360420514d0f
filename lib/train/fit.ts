/** The training loop. @module */
import type { ContrastiveModel } from "../clip/contrastive.ts";
import type { Communicator } from "../distributed/communicator.ts";
import { checkLearnable } from "./learnable.ts";
import type { FitOptions, FitResult } from "./options.ts";
import { checkInputs, ended, isSaveDue, openRun, planOf, type Run, save, weightsOf } from "./run.ts";
import type { BatchSource } from "./source.ts";
import { takeStep } from "./step.ts";
import { sinceBest, validated } from "./validation.ts";

/**
 * Adapts a model to image-text pairs.
 *
 * Source: method section 5; the released single-GPU script does not shuffle.
 *
 * @param model Which leaves are trainable, and the features.
 * @param params Start values; borrowed, not changed.
 * @returns The adapted tree; free it with `disposeParams(result.params, params)`.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
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
 * const { history } = await fit(aceLoraModel(additions), start, pairs, { epochs: 2, batchSize: 4 });
 * assertEquals(history.length, 4);
 * ```
 */
export async function fit<T>(
  model: ContrastiveModel<T>,
  params: T,
  source: BatchSource,
  options: FitOptions = {},
): Promise<FitResult<T>> {
  const { signal, ranks, patience = Infinity } = options;
  checkInputs(model, source, options);
  const plan = planOf(model.name, source.size, options);
  for (const warning of await checkLearnable(source, plan)) options.onWarning?.(warning);
  const run = await openRun(model, params, source, { plan, options });
  const { progress } = run.state;
  const { history, validations } = progress;
  await options.onStart?.({ step: run.state.adamw.step, steps: plan.steps, history, validations });
  let batches = plan.batches(progress.epoch);
  // Each turn does one thing and leaves a state from which a run that goes on does the next.
  while (progress.epoch < plan.epochs) {
    // On wasm every await is already settled, so without a pause no signal would ever be delivered.
    await new Promise((resolve) => setTimeout(resolve, 0));
    if (isAskedToStop(signal, ranks)) {
      await save(run);
      return ended(run, true);
    }
    const isEpochDone = progress.batch >= batches.length;
    if (isValidationDue(run, isEpochDone)) await validate(run);
    else if (sinceBest(validations) >= patience) break;
    else if (isEpochDone) {
      await endEpoch(run, batches);
      if (progress.epoch < plan.epochs) batches = plan.batches(progress.epoch);
    } else {
      if (isSaveDue(run)) await save(run);
      await takeStep(run, batches);
    }
  }
  return ended(run, false);
}

/** Whether this process, or any that shares the run, is to stop: all must take the same steps. */
function isAskedToStop(signal: AbortSignal | undefined, ranks: Communicator | undefined): boolean {
  const own = signal?.aborted ?? false;
  return ranks ? ranks.allGather(Float32Array.of(Number(own))).some((asked) => asked > 0) : own;
}

/** Whether the weights are to be measured before anything else is done. */
function isValidationDue<T>({ options, plan, state }: Run<T>, isEpochDone: boolean): boolean {
  const { validate, validateEvery } = options;
  const { step } = state.adamw;
  const isDue = validateEvery === undefined ? isEpochDone : step % validateEvery === 0 || step === plan.steps;
  return validate !== undefined && step > 0 && isDue && state.progress.validations.at(-1)?.step !== step;
}

/** Measures the weights and keeps the figure; nothing where the signal ended the measuring. */
async function validate<T>(run: Run<T>): Promise<void> {
  const { options, isWriter, state: { adamw: { step }, progress: { epoch, validations } } } = run;
  const { signal, ranks } = options;
  const figure = await validated(() => options.validate!(weightsOf(run), signal), signal, ranks);
  if (figure === undefined) return;
  const entry = { step, ...figure };
  const isBest = validations.every(({ value }) => figure.value > value);
  validations.push(entry);
  await options.onValidation?.(entry);
  if (isBest && isWriter) await options.onBest?.(weightsOf(run), epoch, figure.value);
  await save(run);
}

/** Ends an epoch whose batches are done: tells of its loss, and keeps the state. */
async function endEpoch<T>(run: Run<T>, batches: readonly (readonly number[])[]): Promise<void> {
  const { options, plan, isWriter, state: { progress } } = run;
  const mean = epochLoss(progress.history, batches);
  if (plan.loss !== "supervised" && !run.isWarnedOfChance && isChance(mean, batches)) {
    run.isWarnedOfChance = true;
    options.onWarning?.(
      `the loss of epoch ${progress.epoch + 1} is ${
        mean.toFixed(4)
      }, that of guessing within a batch: nothing is learned yet`,
    );
  }
  if (progress.bestLoss === null || mean < progress.bestLoss) {
    progress.bestLoss = mean;
    if (isWriter && !options.validate) await options.onBest?.(weightsOf(run), progress.epoch, mean);
  }
  progress.epoch++;
  progress.batch = 0;
  await save(run);
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
