/** One run: adapt, evaluate, record. @module */
import type { AceLoraConfig } from "../../ace_lora.ts";
import { falseNegativeMask } from "../../losses/label_mask.ts";
import type { PeftMethod, PeftParams } from "../../peft/method.ts";
import { PEFT_METHODS } from "../../peft/methods.ts";
import type { BackendInfo } from "../../tensor/backend.ts";
import { countParams, disposeParams } from "../../tensor/params.ts";
import { type BatchSource, fit, type FitOptions, type StepReport } from "../../train/fit.ts";
import { assess } from "../assess.ts";
import { explainImages } from "../explain.ts";
import { gitRevision, versions } from "../run_facts.ts";
import { pairSource } from "../sources.ts";
import { packScores, packTargets } from "./base64.ts";
import { configurationOf, type ReproduceContext, setsOf, templatesOf } from "./context.ts";
import { peakProcessBytes, watchTensorBytes } from "./memory.ts";
import { type ExplainedCase, type PlannedRun, RECORD_KIND, type ReproduceRecord, type SetFigures } from "./types.ts";

/** Options of {@linkcode executeRun}. */
export interface ExecuteOptions {
  /** Called after each training step. */
  onStep?: (step: StepReport) => void;
  /** Stops the run after the step under way. */
  signal?: AbortSignal;
  /** File for the state of a long training, to go on from. @default {none} */
  statePath?: string;
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
    const sets = await evaluate(context, run, method, params);
    const explained = run.explain ? await explain(context, run, method, params) : undefined;
    const trainable = run.method === "none" ? 0 : countParams(params, method.model.isTrainable);
    return {
      kind: RECORD_KIND,
      table: run.table,
      id: run.id,
      label: run.label,
      ...(run.group === undefined ? {} : { group: run.group }),
      place: run.place,
      seed: run.seed,
      configuration,
      backend: backend.name,
      adapter: backend.adapter,
      versions: versions(),
      revision: await gitRevision(),
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

interface Training {
  params: PeftParams;
  facts: Pick<ReproduceRecord, "steps" | "seconds" | "timed_steps" | "false_negatives" | "loss">;
}

async function train(
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
  const { source, counts } = counted(
    await trainingSource(context, () => context.data.train(), { encoders, tokenizer }),
  );
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
    ...(statePath === undefined ? {} : { statePath, resume: true }),
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
    false_negatives: counts,
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
  const known = SOURCES.get(context) ?? read().then((set) => pairSource(set, encoders, tokenizer));
  SOURCES.set(context, known);
  return known;
}

/** Counts the pairs of identical labels, and lets timers and signals in before each batch. */
function counted(source: BatchSource): { source: BatchSource; counts: { pairs: number; identical: number } } {
  const counts = { pairs: 0, identical: 0 };
  const load: BatchSource["load"] = async (indices) => {
    await new Promise((resolve) => setTimeout(resolve, 0));
    const batch = await source.load(indices);
    counts.pairs += indices.length * (indices.length - 1);
    if (batch.labels) {
      for (const kept of falseNegativeMask(batch.labels)) if (kept === 0) counts.identical++;
    }
    return batch;
  };
  return { source: { ...source, load }, counts };
}

/** At most 400 losses, evenly spaced, the last among them. */
function thinned(losses: readonly number[]): ReproduceRecord["loss"] {
  const stride = Math.max(1, Math.ceil(losses.length / 400));
  const steps = losses.map((_, i) => i + 1).filter((step) => (losses.length - step) % stride === 0);
  return { steps, values: steps.map((step) => Number(losses[step - 1]!.toPrecision(6))) };
}

async function evaluate(
  context: ReproduceContext,
  run: PlannedRun,
  method: PeftMethod,
  params: PeftParams,
): Promise<Record<string, SetFigures>> {
  const { encoders: config, scale } = context;
  const { tokenizer } = await context.generalist();
  const out: Record<string, SetFigures> = {};
  for (const [name, { dataset, synthetic }] of Object.entries(await setsOf(context, run))) {
    // The bootstrap's seed is the data's: the intervals of all runs rest on the same resamples.
    const { result, scores, targets } = await assess(method.model, params, dataset, {
      config,
      tokenizer,
      templates: templatesOf(run),
      resamples: scale.resamples,
      seed: scale.dataSeed,
    });
    const { accuracy, accuracy_ci, auroc, auroc_ci } = result;
    const binary = dataset.classes.length === 2;
    out[name] = {
      accuracy,
      accuracy_ci,
      auroc,
      auroc_ci,
      classes: dataset.classes,
      split: dataset.split,
      synthetic,
      scores: packScores(binary ? scores.filter((_, i) => i % 2 === 1) : scores),
      targets: packTargets(targets),
    };
  }
  return out;
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
      const index = dataset.cases.findIndex((one) => one.target === target);
      if (!synthetic || index < 0 || label === "No Finding") continue;
      const [found] = await explainImages(params, [await dataset.cases[index]!.image()], config);
      const hyperedges = found!.hyperedges.map(({ source, members, weights }) => ({
        source,
        members: [...members],
        weights: weights.map(short),
      }));
      out.push({ set, index, label, attention: Array.from(found!.attention, short), hyperedges });
    }
  }
  return out;
}

function short(value: number): number {
  return Number(value.toPrecision(4));
}
