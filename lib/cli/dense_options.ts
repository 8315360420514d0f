/** What `segment` and `detect` have in common: options, data, encoder, maps, records. @module */
import type { NamedAdapter } from "../adapters/record.ts";
import { join } from "@std/path";
import { createProgress } from "../display/progress.ts";
import { type MappedCases, mapSource, type MapSourceOptions } from "../dense/maps.ts";
import type { FitHeadOptions } from "../dense/train.ts";
import { imagesAhead } from "../data/pixels/ahead.ts";
import type { DecodePool } from "../data/pixels/decode_pool.ts";
import type { Case } from "../data/types.ts";
import { partRecord } from "../data/splits.ts";
import type { DenseData, DenseDataOptions } from "../dense/data.ts";
import { type DenseEncoder, loadDenseEncoder } from "../dense/encoder.ts";
import type { ClipConfig } from "../clip/config.ts";
import { readClipConfig } from "../clip/load.ts";
import { runFacts } from "../io/run_facts.ts";
import type { BackendInfo } from "../tensor/backend.ts";
import { defined } from "../platform/defined.ts";
import { AMOUNT, type Arguments, COUNT, FRACTION, type OptionSpec, WHOLE } from "./command.ts";
import { COLUMN_OPTIONS, columnsFrom } from "./data_options.ts";
import { WORKERS_OPTION } from "./decode_options.ts";
import { checkPath } from "./paths.ts";
import { adapterFrom, fromModelFiles, MODEL_OPTIONS } from "./model_options.ts";
import { OVERWRITE_OPTION, PLAIN_CSV_OPTION } from "./output.ts";
import { modelFacts, modelNotice } from "./provenance.ts";
import { UNREADABLE_OPTION } from "./unreadable.ts";
import { BACKEND_OPTION } from "./shared.ts";

/** Options of both commands. */
export const DENSE_OPTIONS: Record<string, OptionSpec> = {
  root: { value: "DIR", help: "Folder of the siim or rsna challenge" },
  cases: { value: "N", number: { whole: true, least: 4 }, help: "Training cases of the synthetic set (default: 400)" },
  ...COLUMN_OPTIONS,
  "split-column": {
    value: "NAME",
    help: "Column that says train, validation or test of a row (default: 70, 15 and 15 % of the patients, drawn)",
  },
  "split-seed": {
    value: "N",
    number: WHOLE,
    help: "Seed of drawn images and of splits by patient (default: 1)",
  },
  ...UNREADABLE_OPTION,
  ...WORKERS_OPTION,
  ...MODEL_OPTIONS,
  adapter: { value: "FILE", help: "Adapter whose LoRA part is merged into the encoder (default: none)" },
  head: { value: "FILE", help: "Trained head (evaluate, predict; default: OUT/head.safetensors)" },
  images: { value: "PATH", help: "Folder of images, or one image (predict)" },
  out: { value: "DIR", help: "Folder of what is written" },
  ...OVERWRITE_OPTION,
  ...PLAIN_CSV_OPTION,
  cache: { value: "DIR", help: "Folder of the encoder's maps, computed once (default: OUT/maps)" },
  "no-cache": { help: "Keep the maps in memory only" },
  fraction: {
    value: "X",
    number: FRACTION,
    help: "Share of the training cases, drawn by seed: 0.01, 0.1, 1 (default: 1)",
  },
  seed: {
    value: "N",
    number: WHOLE,
    help: "Seed of weights, orders and the share drawn (default: 1)",
  },
  epochs: { value: "N", number: COUNT, help: "Most passes over the training cases (default: 50)" },
  patience: {
    value: "N",
    number: COUNT,
    help: "Stop after N epochs without a better validation figure (default: 10)",
  },
  "batch-size": {
    value: "N",
    number: { whole: true, least: 2 },
    help: "Images a batch; fewer where a GPU's buffers are small (default: 16)",
  },
  "learning-rate": { value: "X", number: AMOUNT, help: "Highest learning rate (default: 5e-4)" },
  "weight-decay": { value: "X", number: AMOUNT, help: "Decoupled weight decay (default: 0.05)" },
  "warmup-epochs": { value: "X", number: AMOUNT, help: "Epochs of linear warm-up (default: 0)" },
  width: {
    value: "N",
    number: { whole: true, least: 8 },
    help: "Widest decoder stage, or channels of the finest scale (default: by the encoder)",
  },
  pictures: { value: "N", number: WHOLE, help: "Images shown in overlays.html (default: 24)" },
  ...BACKEND_OPTION,
};

/** Settings of training. */
export function fitOptionsOf(
  args: Arguments,
): Required<Omit<FitHeadOptions, "onStep" | "onEpoch" | "signal" | "validateEvery">> {
  return {
    epochs: args.number("epochs", 50),
    patience: args.number("patience", 10),
    batchSize: args.number("batch-size", 16),
    learningRate: args.number("learning-rate", 5e-4),
    weightDecay: args.number("weight-decay", 0.05),
    warmupEpochs: args.number("warmup-epochs", 0),
    seed: args.number("seed", 1),
  };
}

/** What the encoder that `--model` and `--weights` name is, of which the weights are not read. */
export async function encoderConfigOf(args: Arguments): Promise<ClipConfig> {
  return await fromModelFiles(args, readClipConfig);
}

/**
 * The encoder that `--model`, `--weights` and `--adapter` name.
 *
 * @param adapter The adapter, where it was read. @default {that of `--adapter`, read here}
 */
export async function encoderOf(args: Arguments, adapter?: NamedAdapter): Promise<DenseEncoder> {
  const given = adapter ?? await adapterFrom(args);
  const encoder = await fromModelFiles(
    args,
    (files) => loadDenseEncoder(files, { ...defined({ adapter: given }), note: (text) => console.error(text) }),
  );
  const notice = args.text("dataset") === "synthetic" ? undefined : await modelNotice(args);
  if (notice !== undefined) console.error(notice);
  return encoder;
}

/** What both tasks' loaders take, from the command line; the files named must be there. */
export async function dataOptionsOf(args: Arguments): Promise<DenseDataOptions> {
  const dataset = args.required("dataset");
  const isCsv = !["siim", "rsna", "synthetic"].includes(dataset);
  for (const path of [isCsv ? dataset : undefined, args.text("root")]) {
    if (path !== undefined) await checkPath(path);
  }
  return {
    ...defined({ root: args.text("root"), splitColumn: args.text("split-column") }),
    columns: columnsFrom(args),
    count: args.number("cases", 400),
    seed: args.number("split-seed", 1),
  };
}

/** Options of {@linkcode mappedOf}. */
export interface MappedOptions extends Pick<MapSourceOptions, "check" | "onCacheError"> {
  /** The command line. */
  args: Arguments;
  /** The frozen tower. */
  encoder: DenseEncoder;
  /** Folder of the run; the cache lies in it. */
  out: string;
  /** Decodes the images. */
  pool: DecodePool;
  /** What the cases are, for the progress line. */
  label: string;
}

/** Cases with their maps, from the cache where they are there. */
export async function mappedOf(
  cases: readonly Case[],
  { args, encoder, out, pool, label, check, onCacheError }: MappedOptions,
): Promise<MappedCases> {
  const bar = createProgress(cases.length, { label: `encode ${label}`, unit: "images" });
  const maps = await mapSource(imagesAhead(cases, pool), encoder, {
    ...(args.flag("no-cache") ? {} : { cache: args.text("cache") ?? join(out, "maps") }),
    onBatch: (done) => bar.update(done),
    ...defined({ check, onCacheError }),
  }).finally(() => bar.finish());
  if (maps.computed < maps.size) {
    console.error(`${label}: ${maps.size - maps.computed} of ${maps.size} maps read from the cache`);
  }
  return { cases, maps };
}

/** What every record holds. */
export async function recordOf(
  args: Arguments,
  facts: { encoder: DenseEncoder; backend: BackendInfo; began: number; data: DenseData; used: readonly Case[] },
): Promise<Record<string, unknown>> {
  const { encoder, backend, began, data, used } = facts;
  return {
    data: {
      name: data.name,
      source: args.text("dataset") ?? null,
      ...defined({ root: args.text("root") }),
      synthetic: data.synthetic,
      dropped: data.dropped,
      splits: {
        train: await partRecord("train", used),
        validation: await partRecord("validation", data.validation),
        test: await partRecord("test", data.test),
      },
    },
    encoder: { hash: encoder.hash, weights: args.text("weights") ?? "mini", adapter: args.text("adapter") ?? null },
    model: await modelFacts(args),
    seconds: (performance.now() - began) / 1000,
    ...await runFacts(backend),
  };
}
