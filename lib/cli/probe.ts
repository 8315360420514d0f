/** `deno task probe`: what a model's features are worth with few labels. @module */
import { basename, join } from "@std/path";
import { CHEST_TEMPLATES } from "../clip/zero_shot/prompts.ts";
import { loadPairs } from "../data/pairs.ts";
import { drawnParts, partRecord, SPLIT_WORDS, splitByPatient, statedParts, type ThreeParts } from "../data/splits.ts";
import type { Case, Dataset } from "../data/types.ts";
import { createProgress } from "../display/progress.ts";
import { formatTable } from "../display/table.ts";
import { checkClasses } from "../eval/assess.ts";
import type { Classifier } from "../eval/classify.ts";
import { fewShot, type FewShotData, type FewShotRow, type OtherMethod } from "../eval/probe/few_shot.ts";
import { loraProbe } from "../eval/probe/lora.ts";
import { PROBE_METHODS, type ProbeName } from "../eval/probe/methods.ts";
import { probePage, type ProbeRecord, probeTable } from "../eval/probe/page.ts";
import { classFeatures, mostFrequent, partFeatures, zeroShot } from "../eval/probe/set.ts";
import { writeFileAtomic } from "../io/files.ts";
import { runFacts, versions } from "../io/run_facts.ts";
import { disposeParams } from "../tensor/params.ts";
import { checkAdapterUnseen, classifierFrom } from "./classify.ts";
import { type Arguments, type Command, UsageError } from "./command.ts";
import {
  announce,
  CLASS_OPTIONS,
  CLASSIFIED_OPTIONS,
  COLUMN_OPTIONS,
  columnsFrom,
  imagesFrom,
  namesFrom,
} from "./data_options.ts";
import { readerFrom, watched } from "./decode_options.ts";
import { keptFeatures } from "./features.ts";
import { holdOutput, OVERWRITE_OPTION } from "./output.ts";
import { catchInterrupts } from "./interrupt.ts";
import { keptRuns } from "./kept_runs.ts";
import { modelFacts } from "./provenance.ts";
import { BACKEND_OPTION, startBackend } from "./shared.ts";
import { MANY_IMAGES_OPTIONS, readableSet } from "./unreadable.ts";

const METHODS = [...Object.keys(PROBE_METHODS) as ProbeName[], "lora"] as const;
type Method = (typeof METHODS)[number];

/** The command. */
export const COMMAND: Command = {
  name: "probe",
  summary: "Few-shot figures: linear probe, k-NN, Tip-Adapter, CLIP-Adapter and LoRA at 1 to 16 shots and all",
  options: {
    ...CLASSIFIED_OPTIONS,
    ...CLASS_OPTIONS,
    prompts: {
      type: "string",
      multiple: true,
      value: "TEMPLATE",
      help: "Prompt with {c} for the class; may be repeated",
    },
    "split-column": {
      type: "string",
      value: "NAME",
      help: "Column that says train, validation or test of a row (default: 70, 15 and 15 % by patient, drawn)",
    },
    "split-seed": { type: "string", value: "N", help: "Seed of parts that are drawn (default: 1)" },
    methods: {
      type: "string",
      value: "LIST",
      help: `Among ${METHODS.join(", ")} (default: all but lora, which trains on the images)`,
    },
    shots: { type: "string", value: "LIST", help: "Cases a class (default: 1,2,4,8,16,all)" },
    seeds: { type: "string", value: "LIST", help: "Seeds of the draws (default: 1,2,3)" },
    epochs: { type: "string", value: "N", help: "Passes of LoRA over its shots (default: 40)" },
    "learning-rate": {
      type: "string",
      value: "LIST",
      help: "Rates of LoRA; of several the one with most right answers on the validation cases (default: 0.001,0.01)",
    },
    ...COLUMN_OPTIONS,
    ...MANY_IMAGES_OPTIONS,
    out: {
      type: "string",
      value: "DIR",
      help: "Folder of probe.json, probe.html and the features, computed once (default: results/probe)",
    },
    ...OVERWRITE_OPTION,
    json: { type: "boolean", help: "JSON instead of a table" },
    "batch-size": { type: "string", value: "N", help: "Images encoded at a time (default: 16)" },
    ...BACKEND_OPTION,
  },
  example: "deno task probe --images set --methods linear,knn --shots 1,2 --seeds 1,2\n" +
    "  deno task probe --images cases.csv --class-column finding --patient-column patient --split-column split",
  async run(args) {
    const out = args.text("out") ?? "results/probe";
    return await holdOutput(args, { path: out, results: ["probe.json", "probe.html"] }, () => probe(args, out));
  },
};

async function probe(args: Arguments, out: string): Promise<number | void> {
  const asked = chosen(args, "methods", METHODS);
  if (asked?.includes("lora") && args.text("adapter") !== undefined) {
    throw new UsageError("--methods lora trains an adapter of its own: it takes no --adapter");
  }
  const [shots, seeds, learningRates] = [shotsFrom(args), seedsFrom(args), ratesFrom(args)];
  const epochs = args.integer("epochs", 40, 1);
  const given = await readableSet(args, await imagesFrom(args));
  checkClasses(given);
  const names = namesFrom(args, given.classes);
  const name = args.text("images") === undefined ? given.name : basename(args.text("images")!);
  const dataset: Dataset = { ...given, name, classes: names, cases: watched(args, given.cases) };
  announce(dataset);
  const parts = await partsFrom(args, dataset);
  const backend = await startBackend(args);
  const images = dataset.cases.map((item) => ({ ...item, name: item.id }));
  const adapted = async (): Promise<Classifier> => {
    const classifier = await classifierFrom(args);
    checkAdapterUnseen(args, classifier, parts.test);
    methodsFor(classifier, asked); // before the images are encoded
    return classifier;
  };
  const features = await keptFeatures(args, join(out, "images.safetensors"), { images, backend, open: adapted });
  if (typeof features === "number") return features;
  const classifier = await classifierFrom(args);
  if (classifier.seen) checkAdapterUnseen(args, classifier, parts.test); // features of earlier, of other parts
  const methods = methodsFor(classifier, asked);
  const templates = readsNoTexts(classifier)
    ? []
    : args.all("prompts").length > 0
    ? args.all("prompts")
    : CHEST_TEMPLATES;
  const data: FewShotData = {
    ...await classFeatures(classifier, names, templates),
    ...partFeatures(dataset, parts, features.image, features.width),
  };
  const lora: OtherMethod = async (drawn, seed) => {
    const { params, config: { encoders }, tokenizer } = classifier;
    const [train, validation] = [
      drawn.train.map((i) => parts.train[i]!),
      drawn.validation.map((i) => parts.validation[i]!),
    ];
    const task = { base: params, encoders, tokenizer, classes: names, train, validation, queries: parts.test };
    const rates = learningRates ? { learningRates } : {};
    return await loraProbe(task, { templates, epochs, ...rates, seed, reader, signal });
  };
  const facts = {
    command: "probe",
    model: { ...await modelFacts(args) },
    data: { name: dataset.name, ...dataset.summary, classes: names, parts: await partsRecord(dataset, parts) },
    prompts: templates,
    ...(methods.includes("lora") ? { lora: { epochs, learning_rates: learningRates } } : {}),
  };
  const kept = await keptRuns(join(out, "probe.part.json"), {
    ...facts,
    exif: args.text("exif"),
    versions: versions(),
  });
  const interruption = catchInterrupts();
  const { signal } = interruption;
  const reader = readerFrom(args);
  let bar: ReturnType<typeof createProgress> | undefined;
  let rows: FewShotRow[];
  try {
    rows = await fewShot(data, {
      shots,
      seeds,
      methods: methods.filter((name): name is ProbeName => name !== "lora"),
      ...(methods.includes("lora") ? { others: { lora } } : {}),
      known: kept.runs,
      onResult: kept.keep,
      signal,
      onRun: (done, total) => (bar ??= createProgress(total, { label: "probe", unit: "runs" })).update(done),
    });
  } catch (error) {
    if (!signal.aborted || error !== signal.reason) throw error;
    bar?.finish();
    console.error(`interrupted: ${kept.runs.size} runs are kept; the same command goes on`);
    return interruption.exitCode();
  } finally {
    interruption.end();
    await reader.close();
    disposeParams(classifier.params);
  }
  bar?.finish();
  const record = {
    ...facts,
    zero_shot: zeroShot(data),
    most_frequent: mostFrequent(data),
    rows,
    ...await runFacts(backend),
  };
  await writeFileAtomic(join(out, "probe.json"), JSON.stringify(record, null, 2) + "\n", { isPrivate: true });
  await writeFileAtomic(join(out, "probe.html"), await probePage(record), { isPrivate: true });
  await kept.end();
  console.error(`wrote ${join(out, "probe.json")} and probe.html`);
  console.log(args.flag("json") ? JSON.stringify(record, null, 2) : formatTable(probeTable(record, "accuracy")));
}

function readsNoTexts({ config }: Classifier): boolean {
  return config.encoders.text.kind === "none";
}

/** The methods that are asked for, or else all but LoRA; of an image tower alone those that read no texts. */
function methodsFor(classifier: Classifier, asked: readonly Method[] | undefined): readonly Method[] {
  const isAlone = readsNoTexts(classifier);
  const reading = METHODS.filter((name) => name === "lora" || PROBE_METHODS[name].readsTexts);
  const odd = isAlone ? asked?.find((name) => reading.includes(name)) : undefined;
  if (odd !== undefined) {
    const others = METHODS.filter((name) => !reading.includes(name));
    throw new UsageError(
      `--methods of an image tower alone must be among ${others.join(", ")}: current value is "${odd}"`,
    );
  }
  return asked ?? METHODS.filter((name) => name !== "lora" && !(isAlone && reading.includes(name)));
}

/** Some of several words, in their own order; undefined when the option is not given. */
function chosen<T extends string>(args: Arguments, option: string, words: readonly T[]): T[] | undefined {
  const list = args.choices(option, words);
  return list && words.filter((word) => list.includes(word));
}

function shotsFrom(args: Arguments): number[] {
  const shots = (args.list("shots") ?? ["1", "2", "4", "8", "16", "all"]).map((word) => {
    const count = word === "all" ? Infinity : Number(word);
    if (count === Infinity || (Number.isInteger(count) && count > 0)) return count;
    throw new UsageError(`--shots must be positive whole numbers or all: current value is "${word}"`);
  });
  return [...new Set(shots)].sort((a, b) => a - b);
}

function seedsFrom(args: Arguments): number[] {
  const seeds = (args.list("seeds") ?? ["1", "2", "3"]).map((word) => {
    const seed = Number(word);
    if (Number.isInteger(seed) && seed >= 0 && seed <= 0xffffffff) return seed;
    throw new UsageError(`--seeds must be whole numbers from 0 to 4294967295: current value is "${word}"`);
  });
  return [...new Set(seeds)];
}

function ratesFrom(args: Arguments): number[] | undefined {
  return args.list("learning-rate")?.map((word) => {
    const rate = Number(word);
    if (rate > 0 && rate < Infinity) return rate;
    throw new UsageError(`--learning-rate must be positive numbers: current value is "${word}"`);
  });
}

/** The three parts, in the set's order; without rows to validate on, a fifth of the training patients takes their place. */
async function partsFrom(args: Arguments, dataset: Dataset): Promise<ThreeParts> {
  const column = args.text("split-column");
  const seed = args.integer("split-seed", 1);
  let parts: ThreeParts;
  if (column === undefined) {
    const { train, validation, test } = drawnParts(dataset.cases, seed);
    parts = { train, validation, test };
  } else {
    const path = args.text("images");
    if (path === undefined) throw new UsageError("--split-column needs --images to name a CSV");
    const words = Object.keys(SPLIT_WORDS);
    const stated = await loadPairs(path, { ...columnsFrom(args), label: column, classes: words, chexpert: false });
    const wordOf = new Map(stated.cases.map(({ id, target }) => [id, words[target!]!]));
    const known = dataset.cases.filter(({ id }) => wordOf.has(id));
    parts = statedParts(known, ({ id }) => SPLIT_WORDS[wordOf.get(id)!]!);
    if (parts.validation.length === 0 && parts.train.length > 1) {
      const drawn = splitByPatient(parts.train, { shares: { validation: 0.2 }, of: "cases", seed });
      parts = { ...parts, train: drawn.train, validation: drawn.validation };
      console.error(
        `no validation rows: ${drawn.validation.length} of the training cases take their place, by patient`,
      );
    }
  }
  for (const [name, cases] of Object.entries(parts) as [string, Case[]][]) {
    if (cases.length > 0) continue;
    throw new RangeError(`Cannot probe as the ${name} part must have a case: it has none`);
  }
  const trained = new Set(parts.train.map(({ target }) => target));
  const missing = dataset.classes.find((_, c) => !trained.has(c));
  if (missing === undefined) return parts;
  throw new RangeError(`Cannot probe as the training part must have a case of each class: "${missing}" has none`);
}

async function partsRecord({ classes }: Dataset, parts: ThreeParts): Promise<ProbeRecord["data"]["parts"]> {
  const entries = Object.entries(parts).map(async ([name, cases]: [string, Case[]]) => [name, {
    ...await partRecord(name, cases),
    per_class: Object.fromEntries(
      classes.map((label, c) => [label, cases.filter(({ target }) => target === c).length]),
    ),
  }]);
  return Object.fromEntries(await Promise.all(entries));
}
