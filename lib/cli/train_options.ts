/** The options of `train`, and what they say of the adapter and of the run. @module */
import type { AceLoraConfig, AceLoraParams, TextAffinity } from "../ace_lora.ts";
import type { ClipConfig } from "../clip/config.ts";
import type { Measure } from "../eval/validation.ts";
import { TARGETS } from "../adapters/config.ts";
import { LORA_POSITIONS } from "../peft/lora/config.ts";
import type { GradientSum } from "../train/shared_gradients.ts";
import type { FitOptions } from "../train/options.ts";
import type { TrainingLoss } from "../train/source.ts";
import { fittingMicroBatch, sampleBytes } from "../train/step_memory.ts";
import { defined } from "../platform/defined.ts";
import { AMOUNT, type Arguments, COUNT, type OptionSpec, UsageError, WHOLE } from "./command.ts";
import { COLUMN_OPTIONS, DATASET_OPTIONS, HELD_OUT_OPTIONS } from "./data_options.ts";
import { DECODE_OPTIONS, EXIF_OPTION } from "./decode_options.ts";
import { HEAD_OPTIONS } from "./head.ts";
import { MODEL_OPTIONS, NARROW_OPTION } from "./model_options.ts";
import { BACKEND_OPTION } from "./shared.ts";
import { CAPTION_OPTIONS } from "./training_pairs.ts";
import { UNREADABLE_OPTION } from "./unreadable.ts";
import { VALIDATION_OPTIONS } from "./validation.ts";

/** Losses on pairs. */
export const LOSSES = ["label-guided", "info-nce"] as const;
const SUMS = ["ordered", "allreduce"] as const satisfies readonly GradientSum[];
const HGNN_WORDS = ["both", "image", "text", "none"] as const;
const AFFINITIES = ["released", "probabilities", "logits"] as const satisfies readonly TextAffinity[];

/** The options. */
export const TRAIN_OPTIONS: Record<string, OptionSpec> = {
  pairs: {
    value: "PATH",
    help: "Image-text pairs: a CSV, a .parquet table, or WebDataset shards (a.tar, {00..41}.tar, *.tar)",
  },
  ...DATASET_OPTIONS,
  ...CAPTION_OPTIONS,
  ...HEAD_OPTIONS,
  "text-column": { value: "NAME", help: "Column of the text (default: text)" },
  ...COLUMN_OPTIONS,
  ...HELD_OUT_OPTIONS,
  ...UNREADABLE_OPTION,
  ...EXIF_OPTION,
  ...DECODE_OPTIONS,
  ...MODEL_OPTIONS,
  ...NARROW_OPTION,
  adapter: { value: "PATH", help: "Adapter to start from, in any layout (default: a new one)" },
  ...VALIDATION_OPTIONS,
  out: { value: "DIR", help: "Folder of adapter, state and log (default: results/train)" },
  resume: { help: "Go on from the state in the folder, to the same numbers; --epochs may be more" },
  overwrite: { help: "Give up the run that the folder holds" },
  "save-steps": {
    value: "N",
    number: COUNT,
    help: "Keep the state every N steps, besides each epoch's (default: no)",
  },
  "save-minutes": { value: "M", number: AMOUNT, help: "Keep the state every M minutes, likewise (default: 15)" },
  epochs: { value: "N", number: COUNT, help: "Passes over the pairs (default: 40)" },
  "batch-size": { value: "N", number: COUNT, help: "Pairs a batch (default: 64)" },
  "micro-batch": {
    value: "N",
    number: COUNT,
    help: "Pairs encoded at a time; bounds memory, not the loss (default: the batch)",
  },
  "gradient-sum": {
    value: "WORD",
    words: SUMS,
    help: "With mpirun: ordered, the same bits on any number of processes, or allreduce, less sent (default: ordered)",
  },
  "learning-rate": { value: "X", number: AMOUNT, help: "Highest learning rate (default: 1e-3)" },
  "weight-decay": { value: "X", number: AMOUNT, help: "Decoupled weight decay (default: 0.01)" },
  "clip-norm": {
    value: "X",
    number: { above: 0 },
    help: "Scale a step's gradients down to this norm (default: no, as the paper)",
  },
  "warmup-epochs": { value: "X", number: AMOUNT, help: "Epochs of linear warm-up (default: 1)" },
  loss: {
    value: "NAME",
    words: LOSSES,
    help:
      "label-guided (needs the 14 CheXpert columns) or info-nce (default: label-guided where the columns are there)",
  },
  seed: { value: "N", number: WHOLE, help: "Seed of new weights, orders and dropout (default: 1)" },
  "no-shuffle": { help: "Read batches in file order, as the released single-GPU script does" },
  rank: { value: "R", number: COUNT, help: "LoRA rank (default: 4)" },
  alpha: { value: "X", number: {}, help: "LoRA alpha; the scaling is alpha / sqrt(rank) (default: 1)" },
  dropout: { value: "X", number: { least: 0, below: 1 }, help: "Dropout on the LoRA path's input (default: 0.1)" },
  targets: { value: "LIST", words: TARGETS, list: true, help: "Projections among q,k,v,o (default: q,k,v)" },
  positions: {
    value: "NAME",
    words: LORA_POSITIONS,
    help:
      "Layers of each tower, however deep: a third (bottom, mid, up), a half (half-bottom, half-up), the last few " +
      "(top1, top2, top3) or all (default: all)",
  },
  hgnn: { value: "NAME", words: HGNN_WORDS, help: "ACE-HGNN on both, image, text or none (default: both)" },
  "top-k": { value: "K", number: COUNT, help: "Members of a hyperedge (default: 5)" },
  "text-affinity": {
    value: "NAME",
    words: AFFINITIES,
    help:
      "Attention ACE-HGNN reads of a text: probabilities, logits or released, which is logits where the last text layer " +
      "has no LoRA (default: released)",
  },
  hidden: {
    value: "N",
    number: COUNT,
    help: "Hidden width of ACE-HGNN (default: a quarter of the embedding)",
  },
  ...BACKEND_OPTION,
};

/** The configuration that the options describe; the defaults are the paper's. */
export function adaptation(args: Arguments, encoders: ClipConfig): AceLoraConfig {
  const modules = args.choice("hgnn", HGNN_WORDS, "both");
  const targets = args.choices("targets", TARGETS) ?? ["q", "k", "v"];
  const positions = args.choice("positions", LORA_POSITIONS, "all");
  return {
    encoders,
    lora: {
      rank: args.number("rank", 4),
      alpha: args.number("alpha", 1),
      rankStabilised: true,
      dropout: args.number("dropout", 0.1),
      targets,
      positions,
      encoders: ["image", "text"],
    },
    ...(modules === "none" ? {} : {
      hgnn: {
        topK: args.number("top-k", 5),
        hidden: args.number("hidden", encoders.embedding / 4),
        encoders: modules === "both" ? ["image", "text"] as const : [modules],
      },
      textAffinity: args.choice("text-affinity", AFFINITIES, "released"),
    }),
  };
}

/** What an adapter decides by itself. */
export const ADAPTER_DECIDES = [
  "rank",
  "alpha",
  "dropout",
  "targets",
  "positions",
  "hgnn",
  "top-k",
  "hidden",
  "text-affinity",
];

/** `fit`'s settings. */
export function fitSettings(args: Arguments) {
  const batchSize = args.number("batch-size", 64);
  return {
    epochs: args.number("epochs", 40),
    batchSize,
    microBatch: args.number("micro-batch", batchSize),
    learningRate: args.number("learning-rate", 1e-3),
    weightDecay: args.number("weight-decay", 0.01),
    warmupEpochs: args.number("warmup-epochs", 1),
    seed: args.number("seed", 1),
    shuffle: !args.flag("no-shuffle"),
    ...defined({ clipNorm: args.number("clip-norm", undefined) }),
  };
}

/** How far an estimate may be above what a step takes: fewer targets or no ACE-HGNN take less, and it counts on a part of the memory. */
const ESTIMATE_MARGIN = 1.6;

/**
 * Refuses a micro-batch that cannot fit in the backend's memory, and warns of one that may not.
 *
 * @throws {UsageError} If it is far too large; the message names one that fits.
 */
export function checkStepMemory(config: ClipConfig, microBatch: number, loss: TrainingLoss): void {
  const towers = loss === "supervised" ? ["image"] as const : ["image", "text"] as const;
  const fitting = fittingMicroBatch(config, { towers });
  if (microBatch <= fitting) return;
  const taken = `a training step of ${microBatch} ${loss === "supervised" ? "images" : "pairs"} at a time takes about ${
    (microBatch * sampleBytes(config, towers) / 2 ** 30).toFixed(1)
  } GiB beside the model, and wasm has 4 GiB for all`;
  const remedy = fitting < 1
    ? "this model needs a GPU to be trained: --backend webgpu"
    : `--micro-batch ${fitting} fits and keeps the loss of the whole batch`;
  if (microBatch > ESTIMATE_MARGIN * Math.max(1, fitting)) throw new UsageError(`${taken}; ${remedy}`);
  console.error(`warning: ${taken}: if it fails, ${remedy}`);
}

/** `fit`'s options of a run that is measured. */
export function measuring(
  args: Arguments,
  measure: Measure<AceLoraParams>,
): Pick<FitOptions, "validate" | "validateEvery" | "patience"> {
  return {
    validate: (params, signal) => measure(params as AceLoraParams, signal),
    ...defined({
      validateEvery: args.number("validate-every", undefined),
      patience: args.number("patience", undefined),
    }),
  };
}

/** How processes sum gradients; refused where there is but one. */
export function gradientSumFrom(args: Arguments, isShared: boolean): GradientSum {
  const sum = args.choice("gradient-sum", SUMS, "ordered");
  if (isShared || args.text("gradient-sum") === undefined) return sum;
  throw new UsageError("--gradient-sum is for several processes: mpirun -n 4 deno task mpi train ...");
}
