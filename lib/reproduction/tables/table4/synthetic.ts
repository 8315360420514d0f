/** Table 4 on drawn images: adapters trained on synthetic pairs, heads on the synthetic sets. @module */
import { aceLoraModel, initAceLora, mergeAceLora } from "../../../ace_lora.ts";
import type { LoadedClip } from "../../../clip/load.ts";
import { pairSource } from "../../../data/sources.ts";
import { trainingSet } from "../../../data/synthetic/sets.ts";
import { type DenseEncoder, weightsHash } from "../../../dense/encoder.ts";
import type { FitHeadOptions } from "../../../dense/train.ts";
import type { BackendInfo } from "../../../tensor/backend.ts";
import { disposeParams } from "../../../tensor/params.ts";
import { deriveSeed } from "../../../tensor/random.ts";
import { fit } from "../../../train/fit.ts";
import type { ReproduceContext } from "../../context.ts";
import { type DemoMethod, demoMethods } from "../../demo/demo.ts";
import { SCALES } from "../../scale.ts";
import { drawnDenseData, type Table4Example } from "./examples.ts";
import { measureTable4, type OpenedEncoder, rowNote, type Table4Inputs, table4Splits } from "./measure.ts";
import { runEnd, TABLE4_KIND, type Table4Result, type Table4Run, type Table4Settings } from "./run.ts";

/** The table's defaults: the protocol's three shares. */
export const TABLE4_SETTINGS: Table4Settings = {
  seed: 1,
  pairs: 1024,
  adaptEpochs: 3,
  adaptRate: SCALES.demo.learningRate,
  cases: 200,
  fractions: [0.01, 0.1, 1],
  epochs: 15,
  learningRate: 2e-3,
};

/** A few seconds' worth, for tests. */
export const TABLE4_SMOKE_SETTINGS: Table4Settings = {
  ...TABLE4_SETTINGS,
  pairs: 32,
  adaptEpochs: 1,
  cases: 8,
  fractions: [1],
  epochs: 1,
};

/**
 * Trains the adapters on synthetic pairs, then a segmentation and a detection head on each frozen tower at every label share.
 *
 * @param generalist Frozen weights, sizes, tokeniser; borrowed.
 * @param note Takes one line a step.
 */
export async function runTable4(
  generalist: LoadedClip,
  backend: BackendInfo,
  settings: Table4Settings = TABLE4_SETTINGS,
  note: (text: string) => void = () => {},
): Promise<Table4Result> {
  const began = performance.now();
  const { seed, fractions } = settings;
  const { vision } = generalist.config;
  const examples: Table4Example[] = [];
  const inputs: Table4Inputs = {
    ...await drawnDenseData(settings, vision.imageSize),
    examples,
    adapters: demoMethods(generalist.config).map((method) => [
      method.config.lora ? method.name : "none",
      () => adaptedEncoder(generalist, method, settings),
    ]),
    vision,
    fractions,
    seed,
    head: (labelled) => headOptions(settings, labelled),
    onRow: (row) => note(rowNote(row)),
  };
  const measured = (await measureTable4(inputs))!;
  return {
    settings,
    ...measured,
    examples,
    splits: await table4Splits(inputs),
    synthetic: true,
    ...await runEnd(began, backend),
  };
}

function headOptions(settings: Table4Settings, labelled: number): FitHeadOptions {
  const { cases, epochs, learningRate, seed } = settings;
  const more = Math.min(10, Math.max(1, Math.floor(cases / Math.max(labelled, 16))));
  return {
    epochs: epochs * more,
    validateEvery: more,
    patience: Math.max(5, Math.ceil(epochs * more / 3)),
    learningRate,
    seed,
  };
}

/** The image tower after the method's training, LoRA merged. */
async function adaptedEncoder(
  { params: base, config, tokenizer }: LoadedClip,
  method: DemoMethod,
  settings: Table4Settings,
): Promise<OpenedEncoder> {
  const encoderOf = async ({ vision: { trunk } }: LoadedClip["params"]): Promise<DenseEncoder> => ({
    trunk,
    config,
    hash: await weightsHash(trunk),
  });
  if (!method.config.lora) return { encoder: await encoderOf(base), free: () => {} };
  const { seed, pairs, adaptEpochs: epochs, adaptRate: learningRate } = settings;
  const start = await initAceLora(base, method.config, { seed });
  const source = pairSource(trainingSet(pairs, deriveSeed(seed, "training")), config, tokenizer);
  const batchSize = Math.min(64, pairs >> 1);
  const { params } = await fit(aceLoraModel(method.config, method.name), start, source, {
    epochs,
    batchSize,
    learningRate,
    warmupEpochs: 0.5,
    seed,
  });
  disposeParams(start, params);
  const merged = mergeAceLora(params);
  return {
    encoder: await encoderOf(merged),
    free: () => {
      disposeParams(merged, { base, params });
      disposeParams(params, base);
    },
  };
}

function settingsOf({ scale }: ReproduceContext): Table4Settings {
  const settings = scale.name === "smoke" ? TABLE4_SMOKE_SETTINGS : TABLE4_SETTINGS;
  return { ...settings, adaptRate: scale.learningRate };
}

/** All that decides the figures besides seed and code. */
export function table4Configuration(context: ReproduceContext): Table4Run["configuration"] {
  const { seed: _, ...settings } = settingsOf(context);
  return { scale: context.scale.name, model: context.model, settings };
}

/** Runs table 4 under one seed. */
export async function executeTable4(
  context: ReproduceContext,
  backend: BackendInfo,
  seed: number,
): Promise<Table4Run> {
  const result = await runTable4(await context.generalist(), backend, { ...settingsOf(context), seed });
  return { kind: TABLE4_KIND, table: "table4", id: "dense", seed, configuration: table4Configuration(context), result };
}
