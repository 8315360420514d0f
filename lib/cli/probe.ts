/** `deno task probe`: what a model's features are worth with few labels. @module */
import type { NamedAdapter } from "../adapters/record.ts";
import { basename, join } from "@std/path";
import { CHEST_TEMPLATES } from "../clip/zero_shot/prompts.ts";
import { loadPairs } from "../data/pairs.ts";
import { drawnParts, partRecord, SPLIT_WORDS, splitByPatient, statedParts, type ThreeParts } from "../data/splits.ts";
import type { Case, Dataset } from "../data/types.ts";
import { createProgress, type Progress } from "../display/progress.ts";
import { formatTable } from "../display/table.ts";
import { checkClasses } from "../eval/assess.ts";
import type { Classifier } from "../eval/classify.ts";
import {
  fewShot,
  type FewShotData,
  type FewShotOptions,
  type FewShotRow,
  type OtherMethod,
} from "../eval/probe/few_shot.ts";
import { loraProbe, type LoraProbeOptions } from "../eval/probe/lora.ts";
import { PROBE_METHODS, type ProbeName } from "../eval/probe/methods.ts";
import { probePage, type ProbeRecord, probeTable } from "../eval/probe/page.ts";
import { classFeatures, mostFrequent, partFeatures, zeroShot } from "../eval/probe/set.ts";
import { runFacts, versions } from "../io/run_facts.ts";
import { defined } from "../platform/defined.ts";
import { disposeParams } from "../tensor/params.ts";
import type { BackendInfo } from "../tensor/backend.ts";
import { classifierFrom } from "./classifier.ts";
import { type Arguments, type Command, UsageError } from "./command.ts";
import { announce, columnsFrom, imagesFrom, namesFrom } from "./data_options.ts";
import { readerFrom, watched } from "./decode_options.ts";
import { tellFewCases } from "./few_cases.ts";
import { type KeptFeatures, keptFeatures } from "./features.ts";
import { holdOutput, writeResults } from "./output.ts";
import { catchInterrupts } from "./interrupt.ts";
import { type KeptRuns, keptRuns } from "./kept_runs.ts";
import { adapterFrom, judgedWarnings } from "./model_options.ts";
import { promptsFrom } from "./protocol_options.ts";
import { modelFacts } from "./provenance.ts";
import { METHODS, methodsFrom, PROBE_OPTIONS, type ProbeMethod, ratesFrom, shotsFrom } from "./probe_options.ts";
import { seedsFrom, startBackend } from "./shared.ts";
import { readableSet } from "./unreadable.ts";

/** The command. */
export const COMMAND: Command = {
  name: "probe",
  summary: "Few-shot figures: linear probe, k-NN, Tip-Adapter, CLIP-Adapter and LoRA at 1 to 16 shots and all",
  options: PROBE_OPTIONS,
  example: "deno task probe --images set --methods linear,knn --shots 1,2 --seeds 1,2\n" +
    "  deno task probe --images cases.csv --class-column finding --patient-column patient --split-column split",
  async run(args) {
    const out = args.text("out") ?? "results/probe";
    return await holdOutput(args, { path: out, results: ["probe.json", "probe.html"] }, () => probe(args, out));
  },
};

/** What is to be probed, and how. */
interface ProbeTask {
  /** Methods named by the options. */
  asked: readonly ProbeMethod[] | undefined;
  dataset: Dataset;
  parts: ThreeParts;
  adapter: NamedAdapter | undefined;
  /** What limits what figures on the test part are worth. */
  warnings: readonly string[];
  backend: BackendInfo;
  runs: Required<Pick<FewShotOptions, "shots" | "seeds">>;
  /** Of LoRA. */
  training: Pick<LoraProbeOptions, "epochs" | "learningRates">;
}

async function probe(args: Arguments, out: string): Promise<number | void> {
  const asked = methodsFrom(args);
  if (asked?.includes("lora") && args.text("adapter") !== undefined) {
    throw new UsageError("--methods lora trains an adapter of its own: it takes no --adapter");
  }
  const runs = { shots: shotsFrom(args), seeds: seedsFrom(args) ?? [1, 2, 3] };
  const training = { epochs: args.number("epochs", 40), ...defined({ learningRates: ratesFrom(args) }) };
  promptsFrom(args); // before the images are encoded
  const dataset = await setFrom(args);
  const parts = await partsFrom(args, dataset);
  const most = Math.max(...runs.shots.filter(Number.isFinite));
  tellFewCases(dataset.classes, (c) => parts.train.filter(({ target }) => target === c).length, most);
  const adapter = await adapterFrom(args);
  const warnings = judgedWarnings(adapter, parts.test);
  const backend = await startBackend(args);
  const images = dataset.cases.map((item) => ({ ...item, name: item.id }));
  const open = async (): Promise<Classifier> => {
    const classifier = await classifierFrom(args, { adapter });
    methodsFor(classifier, asked); // before the images are encoded
    return classifier;
  };
  const features = await keptFeatures(args, join(out, "images.safetensors"), { images, backend, open });
  if (typeof features === "number") return features;
  return await probeFeatures(
    args,
    out,
    { asked, dataset, parts, adapter, warnings, backend, runs, training },
    features,
  );
}

/** Carries out the runs on the features of all images, and writes their figures. */
async function probeFeatures(
  args: Arguments,
  out: string,
  task: ProbeTask,
  { image, width }: KeptFeatures,
): Promise<number | void> {
  const { asked, dataset, parts, adapter, warnings, backend, runs, training } = task;
  const classifier = await classifierFrom(args, { adapter });
  const methods = methodsFor(classifier, asked);
  const templates = templatesFor(args, classifier);
  const data: FewShotData = {
    ...await classFeatures(classifier, dataset.classes, templates),
    ...partFeatures(dataset, parts, image, width),
  };
  const facts = await probeFacts(args, task, methods, templates);
  const asBefore = { ...facts, exif: args.text("exif"), versions: versions() };
  const kept = await keptRuns(join(out, "probe.part.json"), asBefore);
  const reader = readerFrom(args);
  const rows = await probed(data, kept, (signal) => {
    const lora = loraOn(classifier, dataset, parts, { templates, ...training, reader, signal });
    return {
      ...runs,
      methods: methods.filter((name): name is ProbeName => name !== "lora"),
      ...(methods.includes("lora") ? { others: { lora } } : {}),
    };
  }).finally(async () => {
    await reader.close();
    disposeParams(classifier.params);
  });
  if (typeof rows === "number") return rows;
  const record = {
    ...facts,
    ...(warnings.length > 0 ? { warnings } : {}),
    zero_shot: zeroShot(data),
    most_frequent: mostFrequent(data),
    rows,
    ...await runFacts(backend),
  };
  await writeResults(args, out, {
    record: ["probe.json", record],
    files: { "probe.html": await probePage(record) },
    text: formatTable(probeTable(record, "accuracy")),
  });
  await kept.end();
}

/** What the figures depend on, as their record says. */
interface ProbeFacts extends Pick<ProbeRecord, "model"> {
  command: string;
  data: ProbeRecord["data"] & Record<string, unknown>;
  prompts: readonly string[];
  lora?: Record<string, unknown>;
}

async function probeFacts(
  args: Arguments,
  { dataset, parts, training }: ProbeTask,
  methods: readonly ProbeMethod[],
  templates: readonly string[],
): Promise<
  Pick<ProbeRecord, "model"> & { data: ProbeRecord["data"] & Record<string, unknown> } & Record<string, unknown>
> {
  const { name, summary, classes } = dataset;
  return {
    command: "probe",
    model: { ...await modelFacts(args) },
    data: { name, ...summary, classes, parts: await partsRecord(dataset, parts) },
    prompts: templates,
    ...(methods.includes("lora") ? { lora: { epochs: training.epochs, learning_rates: training.learningRates } } : {}),
  };
}

/** The set that the options name, its classes by the names that are asked about; announced. */
async function setFrom(args: Arguments): Promise<Dataset> {
  const given = await readableSet(args, await imagesFrom(args));
  checkClasses(given);
  const images = args.text("images");
  const dataset = {
    ...given,
    name: images === undefined ? given.name : basename(images),
    classes: namesFrom(args, given.classes),
    cases: watched(args, given.cases),
  };
  announce(dataset);
  return dataset;
}

/** The prompts, none of an image tower alone. */
function templatesFor(args: Arguments, classifier: Classifier): readonly string[] {
  if (readsNoTexts(classifier)) return [];
  const prompts = promptsFrom(args);
  return prompts.length > 0 ? prompts : CHEST_TEMPLATES;
}

/** LoRA trained on the shots drawn. */
function loraOn(
  { params, config: { encoders }, tokenizer }: Classifier,
  { classes }: Dataset,
  parts: ThreeParts,
  options: LoraProbeOptions,
): OtherMethod {
  return async (drawn, seed) =>
    await loraProbe({
      ...{ base: params, encoders, tokenizer, classes },
      train: drawn.train.map((i) => parts.train[i]!),
      validation: drawn.validation.map((i) => parts.validation[i]!),
      queries: parts.test,
    }, { ...options, seed });
}

/** The rows, each run kept as it is done; the exit code where a request to stop ended them. */
async function probed(
  data: FewShotData,
  kept: KeptRuns,
  options: (signal: AbortSignal) => FewShotOptions,
): Promise<FewShotRow[] | number> {
  const { signal, exitCode, end } = catchInterrupts();
  let bar: Progress | undefined;
  try {
    const rows = await fewShot(data, {
      ...options(signal),
      ...{ known: kept.runs, onResult: kept.keep, signal },
      onRun: (done, total) => (bar ??= createProgress(total, { label: "probe", unit: "runs" })).update(done),
    });
    signal.throwIfAborted(); // also where the last run was under way
    return rows;
  } catch (error) {
    if (!signal.aborted || error !== signal.reason) throw error;
    console.error(`interrupted: ${kept.runs.size} runs are kept; the same command goes on`);
    return exitCode();
  } finally {
    bar?.finish();
    end();
  }
}

function readsNoTexts({ config }: Classifier): boolean {
  return config.encoders.text.kind === "none";
}

/** The methods that are asked for, or else all but LoRA; of an image tower alone those that read no texts. */
function methodsFor(classifier: Classifier, asked: readonly ProbeMethod[] | undefined): readonly ProbeMethod[] {
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

/** The three parts, in the set's order; without rows to validate on, a fifth of the training patients takes their place. */
async function partsFrom(args: Arguments, dataset: Dataset): Promise<ThreeParts> {
  const column = args.text("split-column");
  const seed = args.number("split-seed", 1);
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
  for (const [name, cases] of Object.entries(parts)) {
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
