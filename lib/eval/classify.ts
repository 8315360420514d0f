/** Zero-shot answers about single images. @module */
import { type AceLoraConfig, aceLoraModel, type AceLoraParams } from "../ace_lora.ts";
import type { ContrastiveModel } from "../clip/contrastive.ts";
import type { ImageReader } from "../data/pixels/reader.ts";
import type { Case } from "../data/types.ts";
import { readImage } from "../image/read.ts";
import type { RasterImage } from "../image/raster.ts";
import type { Overlay } from "../display/overlay.ts";
import type { Table } from "../display/table.ts";
import { predictedClasses } from "./metrics/accuracy.ts";
import { classifyByProtocol } from "../clip/zero_shot/ask.ts";
import type { Protocol } from "../clip/zero_shot/protocol.ts";
import { classifyZeroShot, type ImageSource } from "../clip/zero_shot/scores.ts";
import type { ClipTokenizer } from "../clip/tokenise.ts";
import { explainedOverlay, explainingModel, seenPart } from "./explain.ts";
import { type Faithfulness, faithfulness, randomMap } from "./maps/faithfulness.ts";
import { labelMaps, MAP_KINDS, type MapKind } from "./maps/maps.ts";
import { type MapModel, openMapModel } from "./maps/model.ts";
import { mapOverlay } from "./maps/show.ts";
import { classPrompts, imageSource } from "../data/sources.ts";
import {
  CALL,
  checkOptions,
  checkValue,
  COUNT,
  FLAG,
  LIST,
  listOf,
  RECORD,
  type Rules,
  TEXTS,
} from "../platform/options.ts";
import { defined } from "../platform/defined.ts";
import { disposeParams } from "../tensor/params.ts";

/** A model that answers: weights, what they are, and the tokeniser. */
export interface Classifier {
  /** Weights, adapted or not. */
  params: AceLoraParams;
  /** Sizes and what was added. */
  config: AceLoraConfig;
  /** Tokeniser of the text tower. */
  tokenizer: ClipTokenizer;
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
  /** Score of each label: probabilities that sum to 1, or what the protocol makes of them. */
  scores: Record<string, number>;
  /** CLS attention and hyperedges over the image, where {@linkcode ClassifyOptions} asks for them. */
  overlay?: Overlay;
  /** A map for each label over the image, and the faithfulness of that of the answer, by kind, where they are asked for. */
  maps?: Partial<Record<MapKind, { overlays: Overlay[]; faithfulness: Faithfulness }>>;
  /** Faithfulness of a map that knows nothing, to compare with. */
  random?: Faithfulness;
}

/** Options of {@linkcode classifyImages}. */
export interface ClassifyOptions {
  /** Prompt templates with `{c}` for the label. @default {the paper's two} */
  templates?: readonly string[];
  /** How the labels are asked, in place of templates; maps are made with templates all the same. @default {none} */
  protocol?: Protocol;
  /** Images encoded at a time. @default {8} */
  batchSize?: number;
  /** Draw what the CLS token attends to, from the same pass that gives the scores. @default {false} */
  explain?: boolean;
  /** Kinds of maps for each label. @default {none} */
  maps?: readonly MapKind[];
  /** Reads the images that are files of their own; with `explain` or `maps` they are read here, as they are shown. @default {each image's `image()`} */
  reader?: ImageReader;
  /** Called with the images done so far. */
  onBatch?: (done: number) => void;
}

/** What they must be. */
const CLASSIFY_RULES: Rules<ClassifyOptions> = {
  templates: TEXTS,
  protocol: RECORD,
  batchSize: COUNT,
  explain: FLAG,
  maps: listOf(MAP_KINDS),
  reader: RECORD,
  onBatch: CALL,
};

/**
 * Images by their paths; what has a name and its own reader is as it is.
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
export function imagesAt(images: readonly (string | NamedImage)[]): NamedImage[] {
  checkValue("read images", "images", images, LIST);
  return images.map((image) =>
    typeof image === "string" ? { name: image, path: image, image: () => readImage(image) } : image
  );
}

/**
 * Scores images against labels, zero-shot: `softmax(s · V Tᵀ)` over the labels.
 *
 * @param labels At least two, all different.
 * @returns One answer an image, in order.
 * @throws {RangeError} If there are fewer than two labels or one comes twice.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind, or the labels are no list of texts.
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
  checkOptions("classify", options, CLASSIFY_RULES);
  checkLabels(labels);
  const { params, config } = classifier;
  const { explain = false, maps = [], reader } = options;
  const { cases, seen } = casesOf(images, explain || maps.length > 0);
  const explaining = explain ? explainingModel(config) : undefined;
  const source = imageSource(cases, config.encoders, reader ? { reader } : {}); // keeps what it decoded, for the maps
  const asked = explaining?.model ?? aceLoraModel(config);
  const merged = asked.forEvaluation(params); // once: merging what is merged changes nothing
  try {
    const scores = await scoresOf(asked, { ...classifier, params: merged }, source, labels, options);
    const explanations = await explaining?.explanations();
    const best = predictedClasses(scores, images.length);
    const answers = images.map(({ name }, i) => {
      const label = labels[best[i]!]!;
      const own = Object.fromEntries(labels.map((label, c) => [label, scores[i * labels.length + c]!]));
      const caption = `${name}: ${label} ${own[label]!.toFixed(3)}`;
      const overlay = explanations && explainedOverlay(seen[i]!, explanations[i]!, caption);
      return { image: name, label, scores: own, ...defined({ overlay }) };
    });
    if (maps.length === 0) return answers;
    const model = await openMapModel({ ...classifier, params: merged }, labels, options.templates);
    try {
      return await withMaps(model, answers, { best, seen, source, labels, maps });
    } finally {
      model.close();
    }
  } finally {
    disposeParams(merged, params);
  }
}

/** @throws {TypeError | RangeError} If they are no list of texts, fewer than two, or one comes twice. */
export function checkLabels(labels: readonly string[]): void {
  checkValue("classify", "labels", labels, TEXTS);
  if (labels.length >= 2 && new Set(labels).size === labels.length) return;
  throw new RangeError(
    `Cannot classify as there must be at least two labels, all different: current value is ${JSON.stringify(labels)}`,
  );
}

/** The images as cases, and what is shown of each once it was read: a decoded radiograph is large. */
function casesOf(images: readonly NamedImage[], isShown: boolean): { cases: Case[]; seen: string[] } {
  const seen: string[] = [];
  const cases = images.map(({ name, path, image }, i): Case => ({
    id: name,
    ...(isShown ? {} : defined({ path })),
    image: async () => {
      const raster = await image();
      if (isShown) seen[i] = seenPart(raster);
      return raster;
    },
  }));
  return { cases, seen };
}

/** Scores of the images for each label, by the protocol or by templates: row-major `[n, C]`. */
async function scoresOf(
  model: ContrastiveModel<AceLoraParams>,
  { params, config: { encoders }, tokenizer }: Classifier,
  source: ImageSource,
  labels: readonly string[],
  { templates, protocol, batchSize = 8, onBatch }: ClassifyOptions,
): Promise<Float32Array> {
  const encoding = { batchSize, ...defined({ onBatch }) };
  if (protocol) {
    const task = { classes: labels, config: encoders, tokenizer, protocol };
    return await classifyByProtocol(model, params, source, task, encoding);
  }
  const prompts = classPrompts(labels, encoders, tokenizer, templates);
  return await classifyZeroShot(model, params, source, prompts, encoding);
}

/** What maps are drawn of. */
interface MapTask {
  /** Place of each image's answer among the labels. */
  best: ArrayLike<number>;
  /** What is shown of each image. */
  seen: readonly string[];
  /** The images. */
  source: ImageSource;
  /** The labels. */
  labels: readonly string[];
  /** Kinds of maps. */
  maps: readonly MapKind[];
}

/** The answers with a map of each label over each image, and how faithful that of the answer is. */
async function withMaps(
  model: MapModel,
  answers: readonly Classification[],
  { best, seen, source, labels, maps }: MapTask,
): Promise<Classification[]> {
  const mapped: Classification[] = [];
  for (const [i, answer] of answers.entries()) {
    const pixels = await source.pixels([i]);
    const label = best[i]!;
    const drawn: Classification["maps"] = {};
    for (const kind of maps) {
      const own = await labelMaps(model, kind, pixels);
      drawn[kind] = {
        overlays: own.map((map, c) => mapOverlay(seen[i]!, map, { kind, label: labels[c]!, name: answer.image })),
        faithfulness: await faithfulness(model, pixels, own[label]!, { label }),
      };
    }
    const random = await faithfulness(model, pixels, randomMap(model.side ** 2, i), { label });
    mapped.push({ ...answer, maps: drawn, random });
  }
  return mapped;
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
