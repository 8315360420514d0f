/** One run: adapt, evaluate, record. @module */
import type { AceLoraConfig } from "../ace_lora.ts";
import type { Dataset } from "../data/types.ts";
import { classifyZeroShot } from "../clip/zero_shot/scores.ts";
import { falseNegativeMask } from "../losses/label_mask.ts";
import type { PeftMethod, PeftParams } from "../peft/method.ts";
import { PEFT_METHODS } from "../peft/methods.ts";
import type { BackendInfo } from "../tensor/backend.ts";
import { countParams, disposeParams } from "../tensor/params.ts";
import { epochBatches } from "../train/batches.ts";
import type { FitOptions, StepReport } from "../train/options.ts";
import { fit } from "../train/fit.ts";
import type { BatchSource } from "../train/source.ts";
import { explainImages } from "../eval/explain.ts";
import { classPrompts, imageSource, pairSource } from "../data/sources.ts";
import { executeClipRun } from "./clip.ts";
import { keepAdapter } from "./kept_adapters.ts";
import { configurationOf, type ReproduceContext, setsOf, templatesOf } from "./context.ts";
import { peakProcessBytes, watchTensorBytes } from "./memory.ts";
import { evaluate } from "./evaluate.ts";
import type { PlannedRun } from "./plan.ts";
import { type ExplainedCase, recordOfRun, type ReproduceRecord } from "./record.ts";

/** Options of {@linkcode executeRun}. */
export interface ExecuteOptions {
  /** Called after each training step. */
  onStep?: (step: StepReport) => void;
  /** Stops the run after the step under way. */
  signal?: AbortSignal;
  /** File for the state of a long training, to go on from. @default {none} */
  statePath?: string;
  /** File for the adapter, for a method whose adapter table 4 asks for. @default {it is not kept} */
  adapterPath?: string;
}

/**
 * Adapts the generalist one way under one seed and evaluates it.
 *
 * @returns The record, or null if `signal` ended the run.
 * @throws {RangeError} If the loss became infinite or NaN.
 */
export async function executeRun(
  context: ReproduceContext,
  backend: BackendInfo,
  run: PlannedRun,
  options: ExecuteOptions = {},
): Promise<ReproduceRecord | null> {
  if (run.clip) return await executeClipRun(context, backend, run);
  const { params: base } = await context.generalist();
  const method = PEFT_METHODS[run.method](context.encoders, run.settings);
  const configuration = await configurationOf(context, run);
  const memory = watchTensorBytes();
  const start = await method.prepare(base, { seed: run.seed });
  let params = start;
  try {
    const training = await train(context, run, { ...options, method, start });
    if (training === null) return null;
    params = training.params;
    if (options.adapterPath !== undefined) await keepAdapter(options.adapterPath, method, params);
    const scored = await scorer(context, run, method, params);
    const sets = await evaluate(context, run, scored);
    const explained = run.explain ? await explain(context, run, method, params) : undefined;
    const trainable = run.method === "none" ? 0 : countParams(params, method.model.isTrainable);
    return {
      ...await recordOfRun(run, configuration, backend),
      trainable,
      total: countParams(base),
      ...training.facts,
      peak_tensor_bytes: memory.end(),
      peak_process_bytes: peakProcessBytes(),
      sets,
      ...(explained === undefined ? {} : { explained }),
    };
  } finally {
    memory.end();
    if (params !== start) disposeParams(start, params);
    disposeParams(params, base);
  }
}

/** What a training came to. */
export interface Training {
  /** The adapted tree. */
  params: PeftParams;
  /** What a record says of it. */
  facts: Pick<ReproduceRecord, "steps" | "seconds" | "timed_steps" | "false_negatives" | "loss">;
}

/** Trains a method on the context's pairs; null if the signal ended it. */
export async function train(
  context: ReproduceContext,
  run: PlannedRun,
  options: ExecuteOptions & { method: PeftMethod; start: PeftParams },
): Promise<Training | null> {
  const { method, start, onStep, signal, statePath } = options;
  const none = { pairs: 0, identical: 0 };
  if (run.method === "none") {
    const facts = { steps: 0, seconds: 0, timed_steps: 0, false_negatives: none, loss: { steps: [], values: [] } };
    return { params: start, facts };
  }
  const { scale, encoders } = context;
  const { tokenizer } = await context.generalist();
  const source = await trainingSource(context, () => context.data.train(), { encoders, tokenizer });
  let timed = 0;
  const began = performance.now();
  const { epochs, batchSize, microBatch, warmupEpochs } = scale;
  const settings: FitOptions = {
    epochs,
    batchSize,
    microBatch,
    warmupEpochs,
    learningRate: scale.learningRate * (run.rateFactor ?? 1),
    loss: run.loss ?? "label-guided",
    seed: run.seed,
    onStep: (step) => {
      timed++;
      onStep?.(step);
    },
    ...(signal ? { signal } : {}),
    ...(statePath === undefined ? {} : { statePath, resume: true, saveMinutes: 15 }),
  };
  const result = await fit(method.model, start, source, settings);
  if (result.interrupted) {
    disposeParams(result.params, start);
    return null;
  }
  const facts = {
    steps: result.history.length,
    seconds: (performance.now() - began) / 1000,
    timed_steps: timed,
    false_negatives: await falseNegatives(source, { epochs, batchSize, seed: run.seed }),
    loss: thinned(result.history.map((step) => step.loss)),
  };
  return { params: result.params, facts };
}

/** The pairs as training reads them; kept with the context, so that a set is drawn once. */
const SOURCES = new WeakMap<ReproduceContext, Promise<BatchSource>>();

function trainingSource(
  context: ReproduceContext,
  read: () => ReturnType<ReproduceContext["data"]["train"]>,
  { encoders, tokenizer }: { encoders: ReproduceContext["encoders"]; tokenizer: Parameters<typeof pairSource>[2] },
): Promise<BatchSource> {
  const known = SOURCES.get(context) ??
    read().then((set) => pairSource(set, encoders, tokenizer, context.reader ? { reader: context.reader } : {}));
  SOURCES.set(context, known);
  return known;
}

/** The ordered pairs of different samples in the batches of a run, and those of identical labels, whichever the loss. */
async function falseNegatives(
  source: BatchSource,
  { epochs, batchSize, seed }: { epochs: number; batchSize: number; seed: number },
): Promise<ReproduceRecord["false_negatives"]> {
  const counts = { pairs: 0, identical: 0 };
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (const indices of epochBatches(source.size, epoch, { batchSize, seed })) {
      counts.pairs += indices.length * (indices.length - 1);
      const labels = await source.labels?.(indices);
      if (labels) { for (const kept of falseNegativeMask(labels)) if (kept === 0) counts.identical++; }
    }
  }
  return counts;
}

/** At most 400 losses, evenly spaced, the last among them. */
function thinned(losses: readonly number[]): ReproduceRecord["loss"] {
  const stride = Math.max(1, Math.ceil(losses.length / 400));
  const steps = losses.map((_, i) => i + 1).filter((step) => (losses.length - step) % stride === 0);
  return { steps, values: steps.map((step) => Number(losses[step - 1]!.toPrecision(6))) };
}

/** Class probabilities of a set by the adapted model. */
async function scorer(
  context: ReproduceContext,
  run: PlannedRun,
  method: PeftMethod,
  params: PeftParams,
): Promise<(dataset: Dataset) => Promise<Float32Array>> {
  const { encoders } = context;
  const { tokenizer } = await context.generalist();
  const templates = templatesOf(run);
  return (dataset) => {
    const prompts = classPrompts(dataset.classes, encoders, tokenizer, templates);
    const images = imageSource(dataset.cases, encoders, context.reader ? { reader: context.reader } : {});
    return classifyZeroShot(method.model, params, images, prompts);
  };
}

/** Attention and hyperedges of the first case of each class of each synthetic set, without those where nothing is there. */
async function explain(
  context: ReproduceContext,
  run: PlannedRun,
  method: PeftMethod,
  params: PeftParams,
): Promise<ExplainedCase[]> {
  const config: AceLoraConfig = { encoders: context.encoders, ...method.settings };
  const out: ExplainedCase[] = [];
  for (const [set, { dataset, synthetic }] of Object.entries(await setsOf(context, run))) {
    for (const [target, label] of dataset.classes.entries()) {
      const index = dataset.cases.findIndex((item) => item.target === target);
      if (!synthetic || index < 0 || label === "No Finding") continue;
      const [explanation] = await explainImages(params, [await dataset.cases[index]!.image()], config);
      const hyperedges = explanation!.hyperedges.map(({ source, members, weights }) => ({
        source,
        members: [...members],
        weights: weights.map(short),
      }));
      out.push({ set, index, label, attention: Array.from(explanation!.attention, short), hyperedges });
    }
  }
  return out;
}

function short(value: number): number {
  return Number(value.toPrecision(4));
}
