/** Zero-shot answers about single images, and the page that explains them. @module */
import { type AceLoraConfig, aceLoraModel, type AceLoraParams } from "../ace_lora.ts";
import { readImage } from "../image/read.ts";
import type { RasterImage } from "../image/raster.ts";
import type { Overlay } from "../display/overlay.ts";
import { buildReport } from "../display/report.ts";
import type { Table } from "../display/table.ts";
import { predictedClasses } from "./metrics/accuracy.ts";
import { classifyZeroShot } from "../clip/zero_shot/scores.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { explainImages, explanationOverlay } from "./explain.ts";
import { classPrompts, imageSource } from "../data/sources.ts";

/** A model that answers: weights, what they are, and the tokeniser. */
export interface Classifier {
  /** Weights, adapted or not. */
  params: AceLoraParams;
  /** Sizes and what was added. */
  config: AceLoraConfig;
  /** Tokeniser of the text tower. */
  tokenizer: Tokenizer;
}

/** An image with a name. */
export interface NamedImage {
  /** Path, or any name. */
  name: string;
  /** Reads and decodes it. */
  image: () => Promise<RasterImage>;
}

/** The answer for one image. */
export interface Classification {
  /** Name of the image. */
  image: string;
  /** Label of the highest score. */
  label: string;
  /** Probability of each label; they sum to 1. */
  scores: Record<string, number>;
}

/** Options of {@linkcode classifyImages}. */
export interface ClassifyOptions {
  /** Prompt templates with `{c}` for the label. @default {the paper's two} */
  templates?: readonly string[];
  /** Images encoded at a time. @default {8} */
  batchSize?: number;
  /** Called with the images done so far. */
  onBatch?: (done: number) => void;
}

/** Images by their paths. */
export function imagesAt(paths: readonly string[]): NamedImage[] {
  return paths.map((name) => ({ name, image: () => readImage(name) }));
}

/**
 * Scores images against labels, zero-shot: `softmax(s · V Tᵀ)` over the labels.
 *
 * @param labels At least two, all different.
 * @returns One answer an image, in order.
 * @throws {RangeError} If there are fewer than two labels or one comes twice.
 */
export async function classifyImages(
  classifier: Classifier,
  images: readonly NamedImage[],
  labels: readonly string[],
  options: ClassifyOptions = {},
): Promise<Classification[]> {
  const { params, config, tokenizer } = classifier;
  const { templates, batchSize = 8, onBatch } = options;
  if (labels.length < 2 || new Set(labels).size !== labels.length) {
    throw new RangeError(
      `Cannot classify as there must be at least two labels, all different: current value is ${JSON.stringify(labels)}`,
    );
  }
  const cases = images.map(({ name, image }) => ({ id: name, image }));
  const scores = await classifyZeroShot(
    aceLoraModel(config),
    params,
    imageSource(cases, config.encoders),
    classPrompts(labels, config.encoders, tokenizer, templates),
    { batchSize, ...(onBatch ? { onBatch } : {}) },
  );
  const best = predictedClasses(scores, images.length);
  return images.map(({ name }, i) => ({
    image: name,
    label: labels[best[i]!]!,
    scores: Object.fromEntries(labels.map((label, c) => [label, scores[i * labels.length + c]!])),
  }));
}

/** The answers as a table: one row an image, one column a label. */
export function classificationTable(answers: readonly Classification[], labels: readonly string[]): Table {
  return {
    columns: [{ title: "image" }, ...labels.map((title) => ({ title })), { title: "answer", align: "left" }],
    rows: answers.map(({ image, label, scores }) => [
      image,
      ...labels.map((name) => ({ value: scores[name]!, text: scores[name]!.toFixed(4) })),
      label,
    ]),
  };
}

/** What the page of {@linkcode classificationReport} says besides the answers. */
export interface ReportFacts {
  /** Names and values, such as the weights' file. */
  facts: Readonly<Record<string, string | number>>;
}

/**
 * The answers with CLS attention and hyperedges drawn over each image, as one self-contained page. It contains the images.
 *
 * @param answers From {@linkcode classifyImages}, in the same order as `images`.
 */
export async function classificationReport(
  classifier: Classifier,
  images: readonly NamedImage[],
  answers: readonly Classification[],
  { facts }: ReportFacts,
): Promise<string> {
  const labels = Object.keys(answers[0]?.scores ?? {});
  const overlays: Overlay[] = [];
  for (const [i, { name, image }] of images.entries()) { // one at a time: decoded radiographs are large
    const raster = await image();
    const [explanation] = await explainImages(classifier.params, [raster], classifier.config);
    const { label, scores } = answers[i]!;
    overlays.push(explanationOverlay(raster, explanation!, `${name}: ${label} ${scores[label]!.toFixed(3)}`));
  }
  return await buildReport({
    title: "Zero-shot classification",
    subtitle: "Probabilities over the labels asked for; not a diagnosis",
    sections: [
      { kind: "table", title: "Scores", table: classificationTable(answers, labels) },
      {
        kind: "overlays",
        title: "CLS attention and chosen hyperedges",
        overlays,
        caption: "Heat: attention logits of the CLS query. Squares: members of the CLS hyperedge. " +
          "Rings and lines: each member's own hyperedge, by cosine similarity.",
      },
      { kind: "facts", title: "Run", facts },
    ],
  });
}
