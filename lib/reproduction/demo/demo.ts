/** The demo: one generalist, three ways to adapt it, three held-out synthetic sets. @module */
import { type AceLoraConfig, aceLoraModel, type AceLoraParams, initAceLora } from "../../ace_lora.ts";
import { heldOutChestSets, trainingSet } from "../../data/synthetic/sets.ts";
import type { Dataset } from "../../data/types.ts";
import { METRICS_SCHEMA, type RunRecord } from "../../display/results.ts";
import type { ClipConfig } from "../../clip/config.ts";
import type { ContrastiveModel } from "../../clip/contrastive.ts";
import { ACE_LORA_HGNN } from "../../hypergraph/ace_hgnn.ts";
import { ACE_LORA_LORA } from "../../peft/lora/config.ts";
import type { BackendInfo } from "../../tensor/backend.ts";
import { disposeParams } from "../../tensor/params.ts";
import { deriveSeed } from "../../tensor/random.ts";
import type { FitOptions } from "../../train/options.ts";
import { fit } from "../../train/fit.ts";
import type { BatchSource } from "../../train/source.ts";
import { assess, type Assessment } from "../../eval/assess.ts";
import type { LoadedClip } from "../../clip/load.ts";
import { runFacts } from "../../io/run_facts.ts";
import { pairSource } from "../../data/sources.ts";

/** Sizes and settings of a demo run. */
export interface DemoSettings {
  /** Seed of data, new weights, orders, dropout and bootstrap. */
  seed: number;
  /** Synthetic image-report pairs to adapt to. */
  pairs: number;
  /** Passes over them. */
  epochs: number;
  /** Pairs a batch. */
  batchSize: number;
  /** Highest learning rate. */
  learningRate: number;
  /** Held-out images of each of the five classes; the binary sets have five times as many. */
  perClass: number;
}

/** The demo's defaults. */
export const DEMO: DemoSettings = {
  seed: 1,
  pairs: 1600,
  epochs: 3,
  batchSize: 32,
  learningRate: 3e-3,
  perClass: 60,
};

/** A few seconds' worth, for tests. */
export const DEMO_SMOKE: DemoSettings = { ...DEMO, pairs: 64, epochs: 1, batchSize: 32, perClass: 4 };

/** One way to adapt the generalist. */
export interface DemoMethod {
  /** Name in tables. */
  name: string;
  /** What is added. */
  config: AceLoraConfig;
}

/** The three ways: nothing, LoRA, LoRA with ACE-HGNN. */
export function demoMethods(encoders: ClipConfig): DemoMethod[] {
  // MINI's embedding is an eighth of BiomedCLIP's, so its bottleneck keeps the paper's ratio of a quarter.
  const hgnn = { ...ACE_LORA_HGNN, hidden: encoders.embedding / 4 };
  return [
    { name: "zero-shot", config: { encoders, learnScale: false } },
    { name: "LoRA", config: { encoders, lora: ACE_LORA_LORA } },
    { name: "ACE-LoRA", config: { encoders, lora: ACE_LORA_LORA, hgnn } },
  ];
}

/** What one method came to. */
export interface DemoRun {
  /** The method. */
  method: DemoMethod;
  /** Its adapted weights; they share the frozen ones with the generalist. */
  params: AceLoraParams;
  /** Loss of each step. */
  loss: number[];
  /** Seconds of training. */
  seconds: number;
  /** Figures by set. */
  sets: Record<string, Assessment>;
}

/** What {@linkcode runDemo} returns. */
export interface DemoResult {
  /** metrics.json. */
  record: RunRecord;
  /** By method. */
  runs: DemoRun[];
  /** The held-out sets. */
  sets: Record<string, Dataset>;
}

/** What {@linkcode runDemo} reports as it goes. */
export interface DemoHooks {
  /** Called before each method with the training callbacks to use. */
  watch?: (label: string) => { hooks: Pick<FitOptions, "onStep" | "signal">; end(): void };
  /** Takes a line when a method is done. */
  note?: (text: string) => void;
}

/** Trains one way's numbers; undefined if it was interrupted. */
async function adapt(
  model: ContrastiveModel<AceLoraParams>,
  start: AceLoraParams,
  source: BatchSource,
  { epochs, batchSize, learningRate, seed }: DemoSettings,
  watch: ReturnType<NonNullable<DemoHooks["watch"]>> | undefined,
): Promise<Pick<DemoRun, "params" | "loss"> | undefined> {
  const settings = { epochs, batchSize, learningRate, warmupEpochs: 0.5, seed };
  const { params, history, interrupted } = await fit(model, start, source, { ...settings, ...watch?.hooks });
  watch?.end();
  if (interrupted) return undefined;
  disposeParams(start, params);
  return { params, loss: history.map((step) => step.loss) };
}

/**
 * Adapts and evaluates the generalist each way, under one seed.
 *
 * @param generalist Frozen weights, sizes, tokeniser.
 * @returns Undefined if it was interrupted, else record, runs and sets; free each run's params with `disposeParams(run.params, generalist.params)`.
 */
export async function runDemo(
  generalist: LoadedClip,
  backend: BackendInfo,
  settings: DemoSettings,
  hooks: DemoHooks = {},
): Promise<DemoResult | undefined> {
  const began = performance.now();
  const facts = await runFacts(backend);
  const { params: base, config: encoders, tokenizer } = generalist;
  const { seed, pairs } = settings;
  const source = pairSource(trainingSet(pairs, deriveSeed(seed, "training")), encoders, tokenizer);
  const sets = heldOutChestSets(settings.perClass, seed);
  const runs: DemoRun[] = [];
  for (const method of demoMethods(encoders)) {
    const model = aceLoraModel(method.config, method.name);
    const start = await initAceLora(base, method.config, { seed });
    const from = performance.now();
    const adapted = method.config.lora
      ? await adapt(model, start, source, settings, hooks.watch?.(`train ${method.name}`))
      : { params: start, loss: [] };
    if (!adapted) return undefined;
    const { params, loss } = adapted;
    const seconds = (performance.now() - from) / 1000;
    const figures: Record<string, Assessment> = {};
    for (const [name, set] of Object.entries(sets)) {
      figures[name] = await assess(model, params, set, { config: encoders, tokenizer, seed });
      figures[name].result.seconds = seconds;
    }
    hooks.note?.(`${method.name}: done`);
    runs.push({ method, params, loss, seconds, sets: figures });
  }
  const record: RunRecord = {
    schema: METRICS_SCHEMA,
    command: "demo",
    seed,
    ...facts,
    seconds: (performance.now() - began) / 1000,
    sets: Object.fromEntries(
      Object.keys(sets).map((name) => {
        const results = runs.map(({ method, sets }) => [method.name, sets[name]!.result]);
        return [name, Object.fromEntries(results)];
      }),
    ),
    synthetic: true,
    splits: Object.fromEntries(Object.entries(sets).map(([name, set]) => [name, set.split])),
    configuration: { ...settings },
  };
  return { record, runs, sets };
}
