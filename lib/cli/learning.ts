/** What a training run learns from: image-text pairs, or labels by a head. @module */
import * as tf from "@tensorflow/tfjs";
import { type AceLoraConfig, aceLoraModel, type AceLoraParams, initAceLora, trainableTensors } from "../ace_lora.ts";
import type { Adapted } from "../adapters/model.ts";
import type { ClipConfig } from "../clip/config.ts";
import type { ContrastiveModel } from "../clip/contrastive.ts";
import type { LoadedClip } from "../clip/load.ts";
import type { ClipParams } from "../clip/params.ts";
import { hashIds } from "../data/dataset.ts";
import type { ImageReader } from "../data/pixels/reader.ts";
import { pairSource } from "../data/sources.ts";
import { balancedWeights, labelTargets, targetSource } from "../data/targets.ts";
import type { Dataset } from "../data/types.ts";
import { headValidation } from "../eval/head.ts";
import type { Measure } from "../eval/validation.ts";
import { type HeadTraining, initHead, supervisedModel } from "../supervised.ts";
import { initAdamw } from "../train/adamw.ts";
import { stepOnNothing } from "../train/compile_step.ts";
import type { BatchSource, TrainingLoss } from "../train/source.ts";
import type { Arguments } from "./command.ts";
import { headTraining } from "./head.ts";
import { adaptation, fitSettings } from "./train_options.ts";
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

/** What the options ask a run to learn. */
export async function learningFrom(args: Arguments, parts: LearningParts): Promise<Learning> {
  const training = headTraining(args);
  return training === undefined ? await fromPairs(args, parts) : await fromLabels(args, parts, training);
}

function isLabelled({ cases }: Dataset): boolean {
  return cases.every(({ labels }) => labels !== undefined);
}

/** The loss that the options name, else the one that the cases allow. */
function pairLoss(args: Arguments, dataset: Dataset): "label-guided" | "info-nce" {
  return args.choice("loss", ["label-guided", "info-nce"], isLabelled(dataset) ? "label-guided" : "info-nce");
}

/**
 * A step on pairs, done on nothing: for the option `ahead` of `loadClip`. Not of a head's labels or of an adapter that is still to be
 * read, whose programs are compiled at the first step.
 *
 * @param encoders The frozen model's.
 */
export async function learnNothing(
  args: Arguments,
  dataset: Dataset,
  params: ClipParams,
  encoders: ClipConfig,
): Promise<void> {
  if (headTraining(args) !== undefined || args.text("adapter") !== undefined) return;
  const { batchSize, microBatch } = fitSettings(args);
  const config = adaptation(args, encoders);
  const start = await initAceLora({ ...params, logitScale: tf.scalar(0) }, config); // the one number that is read
  const tensors = trainableTensors(start);
  const { vision: { imageSize }, text: { contextLength } } = encoders;
  await stepOnNothing(aceLoraModel(config), start, { imageSize, contextLength }, {
    size: Math.min(batchSize, dataset.cases.length),
    microBatch,
    recompute: false,
    tensors,
    adamw: initAdamw(tensors),
    isMasked: pairLoss(args, dataset) === "label-guided",
  });
}

async function fromPairs(args: Arguments, parts: LearningParts): Promise<Learning> {
  const { dataset, validation, clip: { params: base, config: encoders, tokenizer }, earlier, reader } = parts;
  const config = earlier?.config ?? adaptation(args, encoders);
  const loss = pairLoss(args, dataset);
  if (loss === "label-guided" && !isLabelled(dataset)) {
    throw new RangeError(
      `Cannot train on "${
        args.text("pairs") ?? dataset.name
      }" with the label-guided loss as it must have the 14 CheXpert columns: it has none; --loss info-nce needs none`,
    );
  }
  const model = aceLoraModel(config, "ACE-LoRA");
  return {
    ...{ model, config, loss, inputs: {} },
    start: earlier?.params ?? await initAceLora(base, config, { seed: args.number("seed", 1) }),
    source: pairSource(dataset, encoders, tokenizer, { reader }),
    ...(validation ? { measure: measureOn(model, validation, { config: encoders, tokenizer, reader }) } : {}),
  };
}

async function fromLabels(args: Arguments, parts: LearningParts, training: HeadTraining): Promise<Learning> {
  const { dataset, validation, clip: { params: base, config: encoders }, earlier, reader } = parts;
  const targets = labelTargets(dataset);
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
    source: targetSource(dataset, encoders, { reader, targets }),
    loss: "supervised",
    ...(validation ? { measure: headValidation(validation, config, { reader }) } : {}),
    inputs: {
      head: training,
      classes: classes.join(", "),
      targets: (await hashIds(rows.map((row) => row.join()))).slice(0, 16),
      positiveWeights,
    },
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
