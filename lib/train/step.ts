/** One step of a training run. @module */
import { defined } from "../platform/defined.ts";
import * as tf from "@tensorflow/tfjs";
import { deriveSeed } from "../tensor/random.ts";
import type { Tensor1D } from "../tensor/types.ts";
import { adamw, disposeAdamw } from "./adamw.ts";
import { watchedBatch } from "./batch.ts";
import { clipGradients } from "./clip_gradients.ts";
import { compileStep } from "./compile_step.ts";
import { packedGradients } from "./gradients.ts";
import { type Run, weightsOf } from "./run.ts";
import { warmupCosine } from "./schedule.ts";
import { samplesRead } from "./shared_gradients.ts";
import { openBatch } from "./source.ts";

/**
 * Takes the next step of an epoch; nothing where the signal ended the reading of its images.
 *
 * @param batches The epoch's.
 * @throws {RangeError} If the loss is not finite; the message names step and samples.
 */
export async function takeStep<T>(run: Run<T>, batches: readonly (readonly number[])[]): Promise<void> {
  const { model, source, plan, options, state: { adamw: { step, layout }, progress } } = run;
  const { ranks, signal, recompute = false, clipNorm } = options;
  const { microBatch, loss, padding, learningRate, warmupSteps, steps } = plan;
  const began = performance.now();
  const indices = batches[progress.batch]!;
  prefetch(run, batches);
  await compiled(run, indices.length);
  const batch = watchedBatch(await openBatch(source, indices, { loss, padding }), ranks ? undefined : signal);
  const packed = await packedGradients(model, weightsOf(run), batch, {
    ...{ layout, microBatch, recompute },
    ...(ranks ? { ranks, gradientSum: options.gradientSum ?? "ordered" } : {}),
    seed: deriveSeed(plan.seed, `step ${step}`),
  }).catch((error) => {
    if (signal?.aborted && error === signal.reason) return undefined;
    throw error;
  }).finally(() => batch.pairMask?.dispose());
  if (!packed) return;
  const value = (await packed.value.data())[0]!;
  packed.value.dispose();
  if (!Number.isFinite(value)) {
    tf.dispose(packed.gradients);
    throw new RangeError(
      `Cannot train on as the loss must be finite: current value is ${value} at step ${step + 1}, samples ${
        indices.slice(0, 4).join(", ")
      }...`,
    );
  }
  const clipped = clipNorm === undefined ? undefined : await clippedTo(clipNorm, packed.gradients);
  const rate = warmupCosine(step, { learningRate, warmupSteps, totalSteps: steps });
  update(run, clipped?.gradients ?? packed.gradients, rate);
  progress.batch++;
  progress.history.push({ loss: value, learningRate: rate });
  options.onStep?.({
    step: step + 1,
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

/** Begins to read the images of this step and of the one that follows. */
function prefetch<T>(
  { source, plan, options: { ranks }, state }: Run<T>,
  batches: readonly (readonly number[])[],
): void {
  const { epoch, batch } = state.progress;
  const following = batches[batch + 1] ?? (epoch + 1 < plan.epochs ? plan.batches(epoch + 1)[0]! : []);
  for (const indices of [batches[batch]!, following]) {
    source.prefetch?.(samplesRead(indices, { microBatch: plan.microBatch, ...(ranks ? { ranks } : {}) }));
  }
}

/** Compiles the programs of a step, once. */
async function compiled<T>(run: Run<T>, size: number): Promise<void> {
  if (run.isCompiled) return;
  run.isCompiled = true;
  const { model, source, plan, options, state: { tensors, adamw } } = run;
  await compileStep(model, weightsOf(run), source, {
    ...{ size, tensors, adamw, microBatch: plan.microBatch, recompute: options.recompute ?? false },
    isMasked: plan.loss === "label-guided",
  });
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

/** Takes one AdamW step and frees what it replaces, the gradients too; the start values stay the caller's. */
function update<T>(run: Run<T>, gradients: readonly Tensor1D[], rate: number): void {
  const { state, options, start } = run;
  const { beta1, beta2, epsilon, weightDecay } = options;
  const own = defined({ beta1, beta2, epsilon, weightDecay });
  const next = adamw(state.adamw, state.tensors, gradients, rate, own);
  disposeAdamw(state.adamw);
  tf.dispose([...gradients]);
  for (const [name, tensor] of state.tensors) if (tensor !== start.get(name)) tensor.dispose();
  run.state = { tensors: next.tensors, adamw: next.state, progress: state.progress };
}
