/** `deno task evaluate`: zero-shot figures of a model on classified images. @module */
import type { NamedAdapter } from "../adapters/record.ts";
import { judgeScores } from "./given_scores.ts";
import { aceLoraModel } from "../ace_lora.ts";
import { hashIds } from "../data/dataset.ts";
import { imageStamps } from "../data/stamps.ts";
import type { Dataset } from "../data/types.ts";
import { createProgress } from "../display/progress.ts";
import type { Communicator } from "../distributed/communicator.ts";
import { checkShared } from "../distributed/shared_settings.ts";
import { checkClasses, datasetTargets, scoreDataset } from "../eval/assess.ts";
import { datasetPredictions } from "../eval/evaluation/predictions.ts";
import type { RasterImage } from "../image/raster.ts";
import { runFacts } from "../io/run_facts.ts";
import { CHEST_TEMPLATES, HISTOPATHOLOGY_TEMPLATES } from "../clip/zero_shot/prompts.ts";
import { isProbability, type Protocol, protocolQuestions } from "../clip/zero_shot/protocol.ts";
import { defined } from "../platform/defined.ts";
import { adaptedFrom } from "./classifier.ts";
import { type Arguments, type Command, COUNT, UsageError, WHOLE } from "./command.ts";
import { compareRuns } from "./compare.ts";
import {
  announce,
  CLASS_OPTIONS,
  CLASSIFIED_OPTIONS,
  COLUMN_OPTIONS,
  datasetListFrom,
  datasetNotes,
  HELD_OUT_OPTIONS,
  imagesFrom,
  isDatasetGiven,
  namesFrom,
} from "./data_options.ts";
import { isExifApplied, readerFrom, watched } from "./decode_options.ts";
import { headAnswers } from "./head.ts";
import { judge, JUDGING_OPTIONS, judgingFrom } from "./judging.ts";
import { adapterFrom, judgedWarnings } from "./model_options.ts";
import { holdOutput, OVERWRITE_OPTION, PLAIN_CSV_OPTION } from "./output.ts";
import { printable } from "./printable.ts";
import { averagedOver, promptsFrom, PROTOCOL_OPTIONS, protocolFacts, protocolFrom } from "./protocol_options.ts";
import { modelFacts } from "./provenance.ts";
import { joinRanks } from "./ranks.ts";
import { MANY_IMAGES_OPTIONS, readableSet } from "./unreadable.ts";
import { BACKEND_OPTION, startBackend } from "./shared.ts";

export const COMMAND: Command = {
  name: "evaluate",
  summary: "Accuracy and AUROC of a model on classified images, zero-shot or by an adapter's head",
  positionals: "[PREDICTIONS...]",
  options: {
    ...CLASSIFIED_OPTIONS,
    scores: {
      value: "CSV",
      help: "Scores made elsewhere, in place of images and a model: columns id, truth and score:CLASS (or score)",
    },
    compare: { help: "Compare two runs: A/predictions.csv B/predictions.csv, with tests on their common cases" },
    "id-column": { value: "NAME", help: "With --scores: column of the case (default: id)" },
    "truth-column": { value: "NAME", help: "With --scores: column of the class (default: truth)" },
    "score-columns": {
      value: "LIST",
      help: "With --scores: columns of the scores, in the order of the classes (default: score:CLASS each)",
    },
    ...JUDGING_OPTIONS,
    list: { help: "Print the chosen cases' ids and the split's hash, and stop; needs no weights" },
    json: { help: "JSON instead of a table" },
    ...CLASS_OPTIONS,
    prompts: {
      multiple: true,
      value: "TEMPLATE",
      help: "Prompt with {c} for the class; may be repeated (default: the paper's two, or ours for histopathology)",
    },
    separator: { value: "TEXT", help: 'Splits a class cell such as "Mass|Nodule": the set is then multi-label' },
    ...PROTOCOL_OPTIONS,
    ...COLUMN_OPTIONS,
    ...HELD_OUT_OPTIONS,
    ...MANY_IMAGES_OPTIONS,
    out: {
      value: "DIR",
      help: "Folder of metrics.json, predictions.csv and evaluation.html (default: results/evaluate)",
    },
    ...OVERWRITE_OPTION,
    ...PLAIN_CSV_OPTION,
    "batch-size": { value: "N", number: COUNT, help: "Images encoded at a time (default: 32)" },
    seed: { value: "N", number: WHOLE, help: "Seed of the bootstrap (default: 1)" },
    ...BACKEND_OPTION,
  },
  example: "deno task evaluate --images cases.csv --class-column finding --classes normal,pneumonia " +
    `--names "No Finding,pneumonia"\n${datasetNotes()}`,
  async run(args) {
    const out = args.text("out") ?? "results/evaluate";
    if (args.flag("compare")) {
      const results = ["comparison.json", "comparison.html"];
      return await holdOutput(args, { path: out, results }, () => compareRuns(args, out));
    }
    if (args.positionals.length > 0) {
      throw new UsageError(
        `"${args.positionals[0]}" belongs to no option: --compare takes the predictions of two runs`,
      );
    }
    if (args.flag("list")) return await list(args);
    const results = ["metrics.json", "predictions.csv", "evaluation.html"];
    const ranks = await joinRanks("evaluate");
    if (ranks && args.text("scores") !== undefined) throw new UsageError("--scores is judged by one process");
    if (ranks && ranks.rank > 0) return await judgeModel(args, out, ranks); // the first writes
    const isModel = args.text("scores") === undefined;
    await holdOutput(
      args,
      { path: out, results },
      () => isModel ? judgeModel(args, out, ranks) : judgeScores(args, out),
    );
  },
};

/** Every case's scores, from each process's share of them: every size-th, one at least. */
function gatherScores(own: Float32Array, count: number, { allGather, rank, size }: Communicator): Float32Array {
  const width = own.length / Math.ceil((count - rank) / size);
  const sent = new Float32Array(Math.ceil(count / size) * width);
  sent.set(own);
  const all = allGather(sent);
  const scores = new Float32Array(count * width);
  for (let i = 0; i < count; i++) {
    const from = (i % size) * sent.length + Math.floor(i / size) * width;
    scores.set(all.subarray(from, from + width), i * width);
  }
  return scores;
}

/** What a model is asked: the images, what their classes are called, and in which words. */
interface Question {
  dataset: Dataset;
  names: readonly string[];
  protocol?: Protocol;
  templates?: readonly string[];
  adapter: NamedAdapter | undefined;
}

/** Judges a model on classified images. */
async function judgeModel(args: Arguments, out: string, ranks?: Communicator): Promise<void> {
  const { by, tune } = judgingFrom(args);
  const attributes = by.map(({ column }) => column);
  const given = await readableSet(args, await imagesFrom(args, attributes));
  const dataset = { ...given, cases: watched(args, given.cases) };
  announce(dataset);
  checkClasses(dataset);
  const names = namesFrom(args, dataset.classes);
  const protocol = await protocolFrom(args);
  if (protocol) protocolQuestions(protocol, names); // before anything is loaded
  const adapter = await adapterFrom(args);
  const warnings = judgedWarnings(adapter, dataset.cases);
  const backend = await startBackend(args, ranks);
  const model = await modelFacts(args);
  const began = performance.now();
  const question = { dataset, names, adapter, ...defined({ protocol, templates: templatesFrom(args) }) };
  if (ranks) {
    const { weights_sha256, tokenizer_sha256, adapter_sha256 } = model;
    const { dataset: { cases, split }, adapter: _, ...asked } = question;
    const images = await hashIds(await imageStamps(cases));
    const files = { weights_sha256, tokenizer_sha256, adapter_sha256, cases: split.hash, images };
    checkShared({ ...files, ...asked }, ranks, { verb: "evaluate" });
  }
  const { scores, trainable, isByHead } = await askModel(args, question, ranks);
  if (ranks && ranks.rank > 0) return;
  await judge(args, {
    out,
    predictions: datasetPredictions(dataset, { scores, targets: datasetTargets(dataset) }, {
      classes: names,
      attributes,
    }),
    set: dataset.name,
    method: methodName(args),
    trainable,
    areProbabilities: isByHead || (protocol ? isProbability(protocol) : dataset.score !== "min-max"),
    imageOf: imageReader(dataset),
    ...defined({ notice: model.notice }),
    warnings,
    record: {
      ...await runFacts(backend),
      seconds: (performance.now() - began) / 1000,
      synthetic: false,
      splits: { [dataset.name]: dataset.split },
      configuration: { model, ...questionFacts(args, question, isByHead), tune: tune ?? null },
    },
  }, [splitLine(dataset)]);
}

/** The scores of every case, shape `[N, C]`, by the adapter's head where it has one; each rank encodes its share of the cases. */
async function askModel(
  args: Arguments,
  { dataset, names, protocol, templates, adapter }: Question,
  ranks: Communicator | undefined,
): Promise<{ scores: Float32Array; trainable: number; isByHead: boolean }> {
  if (ranks && dataset.cases.length < ranks.size) {
    throw new UsageError(`${dataset.cases.length} images are too few for ${ranks.size} processes`);
  }
  const own = ranks ? dataset.cases.filter((_, i) => i % ranks.size === ranks.rank) : dataset.cases;
  const bar = ranks && ranks.rank > 0 ? undefined : createProgress(own.length, { label: "evaluate", unit: "images" });
  const reader = readerFrom(args);
  const asked = { ...dataset, cases: own, classes: names };
  const batchSize = args.number("batch-size", 32);
  const sizes = {
    images: Math.min(batchSize, own.length),
    ...(protocol ? {} : { prompts: (templates ?? CHEST_TEMPLATES).length }),
  };
  const options = {
    ...defined({ templates, protocol }),
    batchSize,
    reader,
    onBatch: (done: number) => bar?.update(done),
  };
  const { scores, trainable, isByHead } = await averagedOver(
    args,
    (args, weights) => adaptedFrom(args, { adapter, weights, sizes }),
    async ({ params, config, tokenizer }) => {
      if (params.head) return { ...await headAnswers(args, { params, config }, asked, options), isByHead: true };
      const scored = await scoreDataset(aceLoraModel(config, methodName(args)), params, asked, {
        ...options,
        config: config.encoders,
        tokenizer,
      });
      return { ...scored, isByHead: false };
    },
  ).finally(() => reader.close());
  bar?.finish();
  return { scores: ranks ? gatherScores(scores, dataset.cases.length, ranks) : scores, trainable, isByHead };
}

function methodName(args: Arguments): string {
  return args.text("adapter") ?? "zero-shot";
}

/** What the record says of the images and of how their classes were asked about. */
function questionFacts(
  args: Arguments,
  { dataset, names, protocol, templates }: Question,
  isByHead: boolean,
): Record<string, unknown> {
  return {
    exif: isExifApplied(args) ? "apply" : "ignore",
    data: {
      source: args.text("images") ?? args.text("dataset") ?? null,
      ...defined({ root: args.text("root") }),
    },
    classes: names,
    prompts: isByHead ? null : protocol ? protocol.prompts : templates ?? CHEST_TEMPLATES,
    ...protocolFacts(args, protocol),
    task: dataset.task,
    score: isByHead ? "head" : protocol ? protocol.score ?? "softmax" : dataset.score ?? "softmax",
    summary: dataset.summary,
  };
}

/** Reads a case's image by its id. */
function imageReader({ cases }: Dataset): (id: string) => Promise<RasterImage> {
  const byId = new Map(cases.map((item) => [item.id, item]));
  return (id) => byId.get(id)!.image();
}

/** The prompts that the options, or the data set's kind, ask for; undefined for the paper's. */
function templatesFrom(args: Arguments): readonly string[] | undefined {
  const given = promptsFrom(args);
  if (given.length > 0) return given;
  return ["lc25000", "mhist"].includes(args.text("dataset") ?? "") ? HISTOPATHOLOGY_TEMPLATES : undefined;
}

/** Prints the ids of the chosen cases, one a line, and the split's hash. */
async function list(args: Arguments): Promise<void> {
  const dataset = isDatasetGiven(args, "images")
    ? await datasetListFrom(args, (text) => console.error(text))
    : await imagesFrom(args);
  announce(dataset);
  const ids = dataset.cases.map(({ id }) => id);
  const { name, classes, task, split, summary } = dataset;
  if (args.flag("json")) console.log(JSON.stringify({ dataset: name, task, classes, split, summary, ids }));
  else console.log([...ids.map(printable), splitLine(dataset)].join("\n"));
}

function splitLine({ name, split }: Dataset): string {
  return `${printable(name)}, split ${printable(split.name)}: ${split.size} cases, sha256 ${split.hash}`;
}
