/** `--head`: labels learned in place of texts, and the answers of what learned them. @module */
import { isTrainable } from "../ace_lora.ts";
import type { ImageReader } from "../data/pixels/reader.ts";
import { imageSource } from "../data/sources.ts";
import type { Dataset } from "../data/types.ts";
import { type DatasetScores, datasetTargets } from "../eval/assess.ts";
import type { Classifier } from "../eval/classify.ts";
import { headScores } from "../eval/head.ts";
import type { HeadTraining } from "../supervised.ts";
import { countParams } from "../tensor/params.ts";
import { type Arguments, type OptionSpec, UsageError } from "./command.ts";

const TRAININGS = ["joint", "alone"] as const satisfies readonly HeadTraining[];

/** The options of learning from labels alone. */
export const HEAD_OPTIONS: Record<string, OptionSpec> = {
  head: {
    value: "WORD",
    words: TRAININGS,
    help:
      "Learn labels (--class-column, or the 14 CheXpert columns) without texts, by a head on the image features: joint with the " +
      "adapter, or alone on those of --adapter",
  },
  "positive-weight": {
    value: "X",
    number: { above: 0 },
    help: "With --head: what a positive label weighs (default: negatives over positives of its class)",
  },
};

/** What the options ask of the head; undefined where there is none. */
export function headTraining(args: Arguments): HeadTraining | undefined {
  if (args.text("head") === undefined) {
    if (args.text("positive-weight") !== undefined) throw new UsageError("--positive-weight needs --head");
    return undefined;
  }
  const training = args.choice("head", TRAININGS, "joint");
  for (const name of ["captions", "loss", "text-column"]) {
    if (args.text(name) !== undefined) {
      throw new UsageError(`--head and --${name} exclude each other: it reads no texts`);
    }
  }
  if (["both", "text"].includes(args.text("hgnn") ?? "")) {
    throw new UsageError("--head reads images alone: --hgnn is image or none");
  }
  if (training === "alone" && args.text("adapter") === undefined) {
    throw new UsageError("--head alone needs --adapter, on whose features it learns; --head joint makes a new one");
  }
  return training;
}

/** The answers of an adapter's head, which needs no prompts. */
export async function headAnswers(
  args: Arguments,
  { params, config }: Pick<Classifier, "params" | "config">,
  dataset: Dataset,
  { batchSize, reader, onBatch }: { batchSize: number; reader: ImageReader; onBatch: (done: number) => void },
): Promise<DatasetScores> {
  for (const name of ["protocol", "scale"]) {
    if (args.text(name) !== undefined) {
      throw new UsageError(`--${name} is for prompts: the adapter answers by its head`);
    }
  }
  if (args.all("prompts").length > 0) throw new UsageError("--prompts are not asked: the adapter answers by its head");
  const images = imageSource(dataset.cases, config.encoders, { reader });
  const isExclusive = dataset.task !== "multilabel";
  return {
    scores: await headScores(params, images, config, { classes: dataset.classes, isExclusive, batchSize, onBatch }),
    targets: datasetTargets(dataset),
    trainable: countParams(params, (name) => isTrainable(name) || name.startsWith("head.")),
  };
}
