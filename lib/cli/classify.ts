/** `deno task classify`: zero-shot answers about images. @module */
import { createProgress } from "../display/progress.ts";
import { formatTable } from "../display/table.ts";
import type { EncodingSizes } from "../clip/zero_shot/ahead.ts";
import { type Protocol, protocolQuestions } from "../clip/zero_shot/protocol.ts";
import { CHEST_TEMPLATES } from "../clip/zero_shot/prompts.ts";
import { writeFileAtomic } from "../io/files.ts";
import { predictedClasses } from "../eval/metrics/accuracy.ts";
import {
  checkLabels,
  type Classification,
  classificationTable,
  type Classifier,
  classifyImages,
  imagesAt,
  type NamedImage,
} from "../eval/classify.ts";
import { classificationReport } from "../eval/classify_report.ts";
import { MAP_KINDS } from "../eval/maps/maps.ts";
import { versions } from "../io/run_facts.ts";
import { type Arguments, type Command, COUNT, UsageError } from "./command.ts";
import { checkPath } from "./paths.ts";
import { decodingAhead, readerFrom, watched } from "./decode_options.ts";
import { holdOutput, OVERWRITE_OPTION } from "./output.ts";
import { printable } from "./printable.ts";
import { averagedOver, promptsFrom, PROTOCOL_OPTIONS, protocolFacts, protocolFrom } from "./protocol_options.ts";
import { modelFacts } from "./provenance.ts";
import { adapterFrom } from "./model_options.ts";
import { MANY_IMAGES_OPTIONS, readableCases } from "./unreadable.ts";
import { BACKEND_OPTION, backendText, startBackend } from "./shared.ts";
import { classifierFrom } from "./classifier.ts";
import { imagesIn } from "./named_images.ts";
import { MAP_WORDS, mapKindsFrom } from "./map_options.ts";

export const COMMAND: Command = {
  name: "classify",
  summary: "Zero-shot probabilities of labels for images (JPEG, PNG, TIFF, WebP, DICOM)",
  positionals: "IMAGE...",
  options: {
    labels: { value: "LIST", help: 'Labels to choose from, such as "pneumonia,no finding"' },
    prompts: {
      multiple: true,
      value: "TEMPLATE",
      help: "Prompt with {c} for the label; may be repeated (default: the paper's two)",
    },
    ...PROTOCOL_OPTIONS,
    ...MANY_IMAGES_OPTIONS,
    json: { help: "JSON instead of a table" },
    explain: { value: "HTML", help: "Page to write with the images, CLS attention and hyperedges" },
    ...OVERWRITE_OPTION,
    maps: {
      value: "LIST",
      words: MAP_WORDS,
      list: true,
      help: `Maps of each label on that page: ${MAP_KINDS.join(", ")}, or none (default: similarity,gradient)`,
    },
    "batch-size": { value: "N", number: COUNT, help: "Images encoded at a time (default: 8)" },
    ...BACKEND_OPTION,
  },
  example: 'deno task classify chest.png --labels "pneumonia,no finding" --explain results/explain.html',
  async run(args) {
    const explain = args.text("explain");
    if (explain === undefined) return await classify(args);
    await holdOutput(args, { path: explain, option: "explain" }, () => classify(args, explain));
  },
};

interface Answered {
  answers: Classification[];
  scores: Float32Array;
}

/** What the images are asked, and in which words; refused before anything is loaded. */
async function questionFrom(
  args: Arguments,
): Promise<{ labels: string[]; templates: readonly string[]; protocol: Protocol | undefined }> {
  args.required("labels");
  const labels = args.list("labels")!;
  checkLabels(labels);
  if (args.text("explain") === undefined && args.text("maps") !== undefined) {
    throw new UsageError("--maps needs --explain, the page they stand on");
  }
  const [templates, protocol] = [promptsFrom(args), await protocolFrom(args)];
  if (protocol) protocolQuestions(protocol, labels);
  return { labels, templates, protocol };
}

async function classify(args: Arguments, explain?: string): Promise<void> {
  const { labels, templates, protocol } = await questionFrom(args);
  const images = await readableCases(args, imagesAt(await imagePaths(args.positionals)));
  const backend = await startBackend(args);
  const bar = createProgress(images.length, { label: "classify", unit: "images" });
  // One image is decoded sooner than a worker starts.
  const reader = explain === undefined && images.length > 1 ? readerFrom(args) : undefined;
  const batchSize = args.number("batch-size", 8);
  const sizes: EncodingSizes = {
    images: Math.min(batchSize, images.length),
    ...(protocol ? {} : { prompts: templates.length || CHEST_TEMPLATES.length }),
  };
  const adapter = await adapterFrom(args);
  const load = (args: Arguments, weights?: string): Promise<Classifier> =>
    classifierFrom(args, { adapter, weights, sizes });
  const asked = (images: NamedImage[]): ReturnType<typeof averagedOver<Answered>> =>
    averagedOver(args, load, async (classifier) => {
      const answers = await classifyImages(classifier, watched(args, images), labels, {
        ...(templates.length > 0 ? { templates } : {}),
        ...(protocol ? { protocol } : {}),
        batchSize,
        explain: explain !== undefined,
        maps: mapKindsFrom(args, classifier.config.encoders.vision),
        ...(reader ? { reader } : {}),
        onBatch: (done) => bar.update(done),
      });
      return {
        answers,
        scores: Float32Array.from(answers.flatMap((answer) => labels.map((name) => answer.scores[name]!))),
      };
    });
  const { answers: first, scores } = await decodingAhead(args, images, asked).finally(() => reader?.close());
  bar.finish();
  const answers = answersWith(first, labels, scores);
  const facts = {
    ...await modelFacts(args),
    adapter: args.text("adapter") ?? "none",
    ...(protocol ? {} : { prompts: (templates.length > 0 ? templates : CHEST_TEMPLATES).join(" | ") }),
    ...protocolFacts(args, protocol),
    backend: backendText(backend),
    ...versions(),
  };
  if (explain !== undefined) {
    await writeFileAtomic(explain, await classificationReport(answers, facts), { isPrivate: true });
    console.error(`wrote ${explain}`);
  }
  console.log(args.flag("json") ? answersJson(answers, labels, facts) : answersTable(answers, labels));
}

function answersJson(answers: readonly Classification[], labels: readonly string[], facts: object): string {
  const images = answers.map(({ overlay: _, maps: _maps, random: _random, ...answer }) => answer);
  return JSON.stringify({ labels, ...facts, images }, null, 2);
}

function answersTable(answers: readonly Classification[], labels: readonly string[]): string {
  const rows = answers.map((answer) => ({ ...answer, image: printable(answer.image) }));
  return formatTable(classificationTable(rows, labels));
}

/** The answers with scores averaged over checkpoints, row-major `[n, C]`. */
function answersWith(
  answers: readonly Classification[],
  labels: readonly string[],
  scores: Float32Array,
): Classification[] {
  const best = predictedClasses(scores, answers.length);
  return answers.map((answer, i) => ({
    ...answer,
    label: labels[best[i]!]!,
    scores: Object.fromEntries(labels.map((name, c) => [name, scores[i * labels.length + c]!])),
  }));
}

/** The images named; a folder stands for all in it. */
async function imagePaths(paths: readonly string[]): Promise<string[]> {
  if (paths.length === 0) throw new UsageError("name at least one image");
  const lists = paths.map(async (path) => (await checkPath(path)).isDirectory ? await imagesIn(path) : [path]);
  return (await Promise.all(lists)).flat();
}
