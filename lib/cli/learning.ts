/** What a training run learns from: image-text pairs, or labels by a head. @module */
import * as tf from "@tensorflow/tfjs";
import { type AceLoraConfig, aceLoraModel, type AceLoraParams, initAceLora } from "../ace_lora.ts";
import { type Adapted, loadAdapter } from "../adapters/model.ts";
import type { NamedAdapter } from "../adapters/record.ts";
import type { ContrastiveModel } from "../clip/contrastive.ts";
import type { LoadedClip } from "../clip/load.ts";
import { hashIds } from "../data/dataset.ts";
import type { ImageReader } from "../data/pixels/reader.ts";
import { pairSource } from "../data/sources.ts";
import { balancedWeights, type LabelTargets, labelTargets, targetSource } from "../data/targets.ts";
import type { Dataset } from "../data/types.ts";
import { headValidation } from "../eval/head.ts";
import type { Measure } from "../eval/validation.ts";
import { type HeadTraining, initHead, supervisedModel } from "../supervised.ts";
import { namedTensors } from "../tensor/params.ts";
import { initAdamw } from "../train/adamw.ts";
import { stepOnNothing } from "../train/compile_step.ts";
import type { BatchSource, TrainingLoss } from "../train/source.ts";
import { type Arguments, UsageError } from "./command.ts";
import { headTraining } from "./head.ts";
import { adapterFrom } from "./model_options.ts";
import { adaptation, ADAPTER_DECIDES, fitSettings, LOSSES } from "./train_options.ts";
import { measureOn } from "./validation.ts";

/** A run's model, start values and data. */
export interface Learning {
  /** What is trained. */
  model: ContrastiveModel<AceLoraParams>;
  /** What was added to the frozen model. */
  config: AceLoraConfig;
  /** Start values. */
  start: AceLoraParams;
  /** Its data. */
  source: BatchSource;
  /** What is minimised. */
  loss: TrainingLoss;
  /** What measures weights on the validation set. */
  measure?: Measure<AceLoraParams>;
  /** What a run that goes on must have in common, besides. */
  inputs: Record<string, unknown>;
}

/** What {@linkcode learningFrom} reads. */
export interface LearningParts {
  /** Training cases. */
  dataset: Dataset;
  /** Validation cases. */
  validation?: Dataset;
  /** The frozen model. */
  clip: LoadedClip;
  /** The adapter to start from. */
  earlier?: Adapted;
  /** Reads the images. */
  reader: ImageReader;
}

/**
 * Refuses cases, or an adapter, from which what the options ask cannot be learned, before the model is loaded.
 *
 * @returns The adapter to start from, undefined for a new one.
 */
export async function checkLearning(args: Arguments, dataset: Dataset): Promise<NamedAdapter | undefined> {
  if (headTraining(args) === undefined) pairLoss(args, dataset);
  else labelTargets(dataset);
  const other = ADAPTER_DECIDES.find((name) => args.text(name) !== undefined);
  if (other !== undefined && args.text("adapter") !== undefined) {
    throw new UsageError(`--adapter and --${other} exclude each other: the adapter has its own`);
  }
  return await adapterFrom(args);
}

/** What the options ask a run to learn. */
export async function learningFrom(args: Arguments, parts: LearningParts): Promise<Learning> {
  const { dataset, validation, clip, earlier, reader } = parts;
  const task = await taskFrom(args, dataset, clip, earlier);
  const { model, config, targets } = task;
  const { config: encoders, tokenizer } = clip;
  if (targets) {
    return {
      ...task,
      source: targetSource(dataset, encoders, { reader, targets }),
      ...(validation ? { measure: headValidation(validation, config, { reader }) } : {}),
    };
  }
  return {
    ...task,
    source: pairSource(dataset, encoders, tokenizer, { reader }),
    ...(validation ? { measure: measureOn(model, validation, { config: encoders, tokenizer, reader }) } : {}),
  };
}

/**
 * A step of training, done on nothing: for the option `ahead` of `loadClip`.
 *
 * @param clip The frozen model, its weights without numbers.
 */
export async function learnNothing(
  args: Arguments,
  { dataset, adapter }: { dataset: Dataset; adapter: NamedAdapter | undefined },
  { params, config: encoders }: Frozen,
): Promise<void> {
  const frozen = { params: { ...params, logitScale: tf.scalar(0) }, config: encoders }; // the one number that is read
  const earlier = await startFrom(adapter, frozen);
  const { model, start, loss, targets } = await taskFrom(args, dataset, frozen, earlier);
  const { batchSize, microBatch } = fitSettings(args);
  const tensors = namedTensors(start, model.isTrainable);
  const contextLength = targets ? targets.classes.length : encoders.text.contextLength;
  await stepOnNothing(model, start, { imageSize: encoders.vision.imageSize, contextLength }, {
    size: Math.min(batchSize, dataset.cases.length),
    microBatch,
    recompute: false,
    tensors,
    adamw: initAdamw(tensors),
    isMasked: loss === "label-guided",
  });
}

/** The adapter to start from, on the model. */
export async function startFrom(
  adapter: NamedAdapter | undefined,
  { params, config }: Frozen,
): Promise<Adapted | undefined> {
  return adapter && await loadAdapter(adapter, params, config);
}

/** What a run learns, its images aside. */
interface LearningTask extends Omit<Learning, "source" | "measure"> {
  /** Labels to learn from, where it is not pairs. */
  targets?: LabelTargets;
}

type Frozen = Pick<LoadedClip, "params" | "config">;

async function taskFrom(
  args: Arguments,
  dataset: Dataset,
  frozen: Frozen,
  earlier: Adapted | undefined,
): Promise<LearningTask> {
  const training = headTraining(args);
  if (training) return await labelsTask(args, { targets: labelTargets(dataset), training }, frozen, earlier);
  const config = earlier?.config ?? adaptation(args, frozen.config);
  return {
    model: aceLoraModel(config, "ACE-LoRA"),
    config,
    start: earlier?.params ?? await initAceLora(frozen.params, config, { seed: args.number("seed", 1) }),
    loss: pairLoss(args, dataset),
    inputs: {},
  };
}

/** The loss that the options name, else the one that the cases allow. */
function pairLoss(args: Arguments, { name, cases }: Dataset): typeof LOSSES[number] {
  const isLabelled = cases.every(({ labels }) => labels !== undefined);
  const loss = args.choice("loss", LOSSES, isLabelled ? "label-guided" : "info-nce");
  if (loss === "info-nce" || isLabelled) return loss;
  throw new RangeError(
    `Cannot train on "${
      args.text("pairs") ?? name
    }" with the label-guided loss as it must have the 14 CheXpert columns: it has none; --loss info-nce needs none`,
  );
}

async function labelsTask(
  args: Arguments,
  { targets, training }: { targets: LabelTargets; training: HeadTraining },
  { params: base, config: encoders }: Frozen,
  earlier: Adapted | undefined,
): Promise<LearningTask> {
  const { classes, rows } = targets;
  const config = { ...earlier?.config ?? ofImages(adaptation(args, encoders)), classes };
  const positiveWeights = args.text("positive-weight") === undefined
    ? balancedWeights(targets)
    : classes.map(() => args.number("positive-weight", 1));
  const tree = earlier?.params ?? await initAceLora(base, config, { seed: args.number("seed", 1) });
  const isSame = earlier?.config.classes?.join("\n") === classes.join("\n");
  const head = (isSame ? tree.head : undefined) ?? initHead(encoders.embedding, classes.length);
  return {
    model: supervisedModel(config, { positiveWeights, training }),
    config,
    start: { ...tree, head },
    loss: "supervised",
    inputs: {
      head: training,
      classes: classes.join(", "),
      targets: (await hashIds(rows.map((row) => row.join()))).slice(0, 16),
      positiveWeights,
    },
    targets,
  };
}

/** An adaptation of the image tower alone; what the texts are compared with is not learned. */
function ofImages({ lora, hgnn, textAffinity: _, ...rest }: AceLoraConfig): AceLoraConfig {
  return {
    ...rest,
    ...(lora ? { lora: { ...lora, encoders: ["image"] } } : {}),
    ...(hgnn ? { hgnn: { ...hgnn, encoders: ["image"] } } : {}),
    learnScale: false,
  };
}
