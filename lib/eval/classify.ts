/** Zero-shot answers about single images, and the page that explains them. @module */
import { type AceLoraConfig, aceLoraModel, type AceLoraParams } from "../ace_lora.ts";
import { readImage } from "../image/read.ts";
import type { RasterImage } from "../image/raster.ts";
import type { Overlay } from "../display/overlay.ts";
import { buildReport } from "../display/report.ts";
import type { Table } from "../display/table.ts";
import { predictedClasses } from "./metrics/accuracy.ts";
import { classifyZeroShot } from "../clip/zero_shot/scores.ts";
import type { ClipTokenizer } from "../clip/tokenise.ts";
import { explainedOverlay, explainingModel, seenPart } from "./explain.ts";
import { classPrompts, imageSource } from "../data/sources.ts";

/** A model that answers: weights, what they are, and the tokeniser. */
export interface Classifier {
  /** Weights, adapted or not. */
  params: AceLoraParams;
  /** Sizes and what was added. */
  config: AceLoraConfig;
  /** Tokeniser of the text tower. */
  tokenizer: ClipTokenizer;
  /** Fingerprints of the cases an adapter was trained on; absent where there is none, or it does not say. */
  seen?: ReadonlySet<string>;
}

/** An image with a name. */
export interface NamedImage {
  /** Path, or any name. */
  name: string;
  /** Its file, where it is one of its own. */
  path?: string;
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
  /** CLS attention and hyperedges over the image, where {@linkcode ClassifyOptions} asks for them. */
  overlay?: Overlay;
}

/** Options of {@linkcode classifyImages}. */
export interface ClassifyOptions {
  /** Prompt templates with `{c}` for the label. @default {the paper's two} */
  templates?: readonly string[];
  /** Images encoded at a time. @default {8} */
  batchSize?: number;
  /** Draw what the CLS token attends to, from the same pass that gives the scores. @default {false} */
  explain?: boolean;
  /** Called with the images done so far. */
  onBatch?: (done: number) => void;
}

/**
 * Images by their paths.
 *
 * @example Read when asked for
 * ```ts
 * import { imagesAt } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 *
 * const [film] = imagesAt(["data/demo_report.png"]);
 * assertEquals(film!.name, "data/demo_report.png");
 * ```
 */
export function imagesAt(paths: readonly string[]): NamedImage[] {
  return paths.map((name) => ({ name, path: name, image: () => readImage(name) }));
}

/**
 * Scores images against labels, zero-shot: `softmax(s · V Tᵀ)` over the labels.
 *
 * @param labels At least two, all different.
 * @returns One answer an image, in order.
 * @throws {RangeError} If there are fewer than two labels or one comes twice.
 *
 * @example Two labels
 * ```ts
 * import { classifyImages, imagesAt, loadModel } from "@ace-lora/ace-lora";
 * import { assert } from "@std/assert";
 *
 * const { params, adapter: config, tokenizer } = await loadModel();
 * const images = imagesAt(["data/demo_report.png"]);
 * const [answer] = await classifyImages({ params, config, tokenizer }, images, ["pneumonia", "no finding"]);
 * assert(["pneumonia", "no finding"].includes(answer!.label));
 * ```
 */
export async function classifyImages(
  classifier: Classifier,
  images: readonly NamedImage[],
  labels: readonly string[],
  options: ClassifyOptions = {},
): Promise<Classification[]> {
  const { params, config, tokenizer } = classifier;
  const { templates, batchSize = 8, explain = false, onBatch } = options;
  if (labels.length < 2 || new Set(labels).size !== labels.length) {
    throw new RangeError(
      `Cannot classify as there must be at least two labels, all different: current value is ${JSON.stringify(labels)}`,
    );
  }
  const seen: string[] = []; // a decoded radiograph is large, so only what is shown of it is kept
  const cases = images.map(({ name, image }, i) => ({
    id: name,
    image: async () => {
      const raster = await image();
      if (explain) seen[i] = seenPart(raster);
      return raster;
    },
  }));
  const explaining = explain ? explainingModel(config) : undefined;
  const scores = await classifyZeroShot(
    explaining?.model ?? aceLoraModel(config),
    params,
    imageSource(cases, config.encoders),
    classPrompts(labels, config.encoders, tokenizer, templates),
    { batchSize, ...(onBatch ? { onBatch } : {}) },
  );
  const explanations = await explaining?.explanations();
  const best = predictedClasses(scores, images.length);
  return images.map(({ name }, i) => {
    const label = labels[best[i]!]!;
    const own = Object.fromEntries(labels.map((label, c) => [label, scores[i * labels.length + c]!]));
    const caption = `${name}: ${label} ${own[label]!.toFixed(3)}`;
    return {
      image: name,
      label,
      scores: own,
      ...(explanations ? { overlay: explainedOverlay(seen[i]!, explanations[i]!, caption) } : {}),
    };
  });
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

/**
 * The answers with CLS attention and hyperedges drawn over each image, as one self-contained page. It contains the images.
 *
 * @param answers From {@linkcode classifyImages} with `explain`.
 * @param facts Names and values of the run, such as the weights' file.
 */
export async function classificationReport(
  answers: readonly Classification[],
  facts: Readonly<Record<string, string | number>>,
): Promise<string> {
  const labels = Object.keys(answers[0]?.scores ?? {});
  return await buildReport({
    title: "Zero-shot classification",
    subtitle: ["Probabilities over the labels asked for; not a diagnosis.", facts["notice"] ?? ""].join(" ").trim(),
    sections: [
      { kind: "table", title: "Scores", table: classificationTable(answers, labels) },
      {
        kind: "overlays",
        title: "CLS attention and chosen hyperedges",
        overlays: answers.flatMap(({ overlay }) => overlay ?? []),
        caption: "Heat: attention logits of the CLS query. Squares: members of the CLS hyperedge. " +
          "Rings and lines: each member's own hyperedge, by cosine similarity.",
      },
      { kind: "facts", title: "Run", facts },
    ],
  });
}
