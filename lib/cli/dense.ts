/** The driver of `segment` and `detect`: train, evaluate or use a head on the frozen encoder's maps. @module */
import type { NamedAdapter } from "../adapters/record.ts";
import { DENSE_OPTIONS } from "./dense_options.ts";
import { join } from "@std/path";
import type { ThreeParts } from "../data/splits.ts";
import type { Case } from "../data/types.ts";
import { type DenseData, imagesToPredict, labelFraction } from "../dense/data.ts";
import { type DenseHead, saveHead } from "../dense/files.ts";
import { imagesAhead } from "../data/pixels/ahead.ts";
import { type DecodePool, openDecodePool } from "../data/pixels/decode_pool.ts";
import { fingerprint, fingerprints } from "../data/seen.ts";
import type { MappedCases, MapSourceOptions } from "../dense/maps.ts";
import { createProgress } from "../display/progress.ts";
import { METRICS_SCHEMA } from "../display/results.ts";
import { formatTable, type Table } from "../display/table.ts";
import type { BackendInfo } from "../tensor/backend.ts";
import { defined } from "../platform/defined.ts";
import { didYouMean } from "../platform/nearest.ts";
import { type Arguments, type Command, UsageError } from "./command.ts";
import { workersFrom } from "./decode_options.ts";
import { checkTrainedOn, classesOf, headOf } from "./dense_head.ts";
import { dataOptionsOf, encoderConfigOf, encoderOf, fitOptionsOf, mappedOf, recordOf } from "./dense_options.ts";
import { writeJson, writePage } from "./dense_output.ts";
import type { Answering, DenseTask } from "./dense_task.ts";
import { adapterFrom, judgedWarnings, toldNotes } from "./model_options.ts";
import { holdOutput } from "./output.ts";
import { checkPath } from "./paths.ts";
import { modelFacts } from "./provenance.ts";
import { readableCases } from "./unreadable.ts";
import { startBackend, watchTraining } from "./shared.ts";

/** What each verb writes, of which an earlier run's is not written over unasked. */
const RESULTS = {
  train: ["head.safetensors", "training.json"],
  evaluate: ["metrics.json", "submission.csv", "overlays.html"],
  predict: ["submission.csv", "overlays.html"],
} as const;

/** The command of a dense task. */
export function denseCommand<H extends DenseHead, F>(task: DenseTask<H, F>): Command {
  return {
    name: task.name,
    summary: task.summary,
    positionals: "train|evaluate|predict",
    options: { ...task.options, ...DENSE_OPTIONS },
    example: task.example,
    async run(args) {
      const verb = args.positionals.join(" ");
      const verbs = { train, evaluate, predict };
      if (!Object.hasOwn(verbs, verb)) {
        throw new UsageError(
          `type ${task.name} train, evaluate or predict: ${
            verb === "" ? "none is named" : `current value is "${verb}"${didYouMean(verb, Object.keys(verbs))}`
          }`,
        );
      }
      const out = args.text("out") ?? `results/${task.name}`;
      const results = RESULTS[verb as keyof typeof verbs];
      return await holdOutput(args, { path: out, results }, async () => {
        const backend = await startBackend(args);
        const pool = openDecodePool(workersFrom(args));
        const run = { args, out, backend, pool, onCacheError: toldOnce() };
        return await verbs[verb as keyof typeof verbs](task, run).finally(() => pool.close());
      });
    },
  };
}

interface Run {
  args: Arguments;
  out: string;
  backend: BackendInfo;
  pool: DecodePool;
  onCacheError: (error: Error) => void;
}

/** Warns of a cache of maps that cannot be written, whichever set meets it first. */
function toldOnce(): Run["onCacheError"] {
  let isTold = false;
  return ({ message }) => {
    if (!isTold) console.error(`warning: ${message}; maps are held in memory and not kept`);
    isTold = true;
  };
}

async function train<H extends DenseHead, F>(
  task: DenseTask<H, F>,
  { args, out, backend, pool, onCacheError }: Run,
): Promise<number | void> {
  const began = performance.now();
  const settings = fitOptionsOf(args);
  const data = await dataOf(task, args, ["train", "validation"]);
  const fraction = args.number("fraction", 1);
  const cases = (task.draw ?? labelFraction)(data.train, { fraction, seed: settings.seed });
  const encoder = await encoderOf(args);
  const encoding = { args, encoder, out, pool, onCacheError };
  const check: NonNullable<MapSourceOptions["check"]> = (item, size) => task.check(item, size, data.classes);
  const mapped = {
    train: await mappedOf(cases, { ...encoding, label: "training", check }),
    validation: await mappedOf(data.validation, { ...encoding, label: "validation", check }),
  };
  const watch = watchTraining("train", settings.batchSize, "images");
  const { head, settings: own, facts, fit } = await task.train(mapped, {
    ...settings,
    ...watch.hooks,
    args,
    data,
    encoder,
  }).finally(() => watch.end());
  if (fit.bestEpoch === 0) {
    console.error("interrupted before the first epoch ended: nothing is written");
    return watch.exitCode();
  }
  const seen = fingerprints([...cases, ...data.validation]);
  await saveHead(join(out, "head.safetensors"), { head, encoder: encoder.hash, seen });
  await writeJson(join(out, "training.json"), {
    command: `${task.name} train`,
    fraction,
    settings: { ...settings, ...own },
    ...facts,
    ...fit,
    ...await recordOf(args, { encoder, backend, began, data, used: cases }),
  });
  console.log(
    `validation ${task.validated} ${
      fit.bestFigure.toFixed(4)
    } at epoch ${fit.bestEpoch} of ${fit.history.length} (${fit.ended}), ${cases.length} training cases; wrote ${out}/head.safetensors and training.json`,
  );
  if (fit.ended === "interrupted") return watch.exitCode();
}

/** What a head is judged on. */
interface JudgedData {
  data: DenseData;
  /** Those it was trained on: their maps are cached. */
  cases: Case[];
  /** The encoder's adapter. */
  adapter: NamedAdapter | undefined;
  /** What limits what the figures are worth. */
  warnings: string[];
}

/** What a head is judged on, none of which it or the encoder's adapter has seen. */
async function judgedData<H extends DenseHead, F>(
  task: DenseTask<H, F>,
  args: Arguments,
  { head, seen, path }: Awaited<ReturnType<typeof headOf<H, F>>>,
): Promise<JudgedData> {
  const data = await dataOf(task, args, ["test"]);
  const chose = new Set<string>(); // those that chose a head are among those seen
  const notes = toldNotes(data.test, { ...defined({ seen }), chose }, path);
  const adapter = await adapterFrom(args);
  const warnings = [...notes, ...judgedWarnings(adapter, data.test)];
  const cases = data.train.filter((item) => seen?.has(fingerprint(item)));
  task.checkClasses?.([...data.test, ...cases], classesOf(head));
  return { data, cases, adapter, warnings };
}

async function evaluate<H extends DenseHead, F>(
  task: DenseTask<H, F>,
  { args, out, backend, pool, onCacheError }: Run,
): Promise<void> {
  const began = performance.now();
  const stored = await headOf(task, args, out);
  const { head, path } = stored;
  const { data, cases, adapter, warnings } = await judgedData(task, args, stored);
  const encoder = await encoderOf(args, adapter);
  checkTrainedOn(stored, encoder);
  const encoding = { args, encoder, out, pool, onCacheError };
  const check: NonNullable<MapSourceOptions["check"]> = (item, size) => task.check(item, size, classesOf(head));
  const test = await mappedOf(data.test, { ...encoding, label: "test", check });
  const { figures, facts, overlays } = await answering(
    test,
    { args, out, pool },
    (mapped, options) => task.assess(head, mapped, options),
  );
  const baseline = cases.length === 0 ? undefined : await task.constant(head, {
    train: await mappedOf(cases, { ...encoding, label: "training", check }),
    test,
  });
  if (!baseline) {
    console.error(`the ${task.baseline.name} is left out: none of the head's training cases is in this set`);
  }
  const table = figuresTable(task, data, figures, baseline);
  await writeJson(join(out, "metrics.json"), {
    schema: METRICS_SCHEMA,
    command: `${task.name} evaluate`,
    ...(warnings.length > 0 ? { warnings } : {}),
    head: path,
    figures,
    baselines: baseline ? { [task.baseline.key]: baseline } : {},
    ...await recordOf(args, { encoder, backend, began, data, used: cases }),
    ...facts,
  });
  await writePage(out, {
    title: `${task.words.title}: ${data.name}`,
    subtitle: `Frozen encoder, trained ${task.words.head}`,
    table,
    overlays,
    caption: `${task.captions.truth} ${task.captions.predicted}`,
    warnings,
    synthetic: data.synthetic,
    model: await modelFacts(args),
    facts: { head: path, backend: backend.name, "test cases": data.test.length, encoder: encoder.hash.slice(0, 16) },
  });
  console.log(formatTable(table));
  console.log(`\nWrote ${out}/metrics.json, ${task.files} and overlays.html`);
}

/** The head's figures, those of the baseline below them. */
function figuresTable<H extends DenseHead, F>(
  { table: { titles, cells, note }, baseline: { name } }: DenseTask<H, F>,
  data: Pick<DenseData, "name" | "synthetic">,
  figures: F,
  baseline: F | undefined,
): Table {
  return {
    columns: [{ title: "Answer" }, ...titles.map((title) => ({ title }))],
    rows: [["trained head", ...cells(figures)], ...(baseline ? [[name, ...cells(baseline)]] : [])],
    caption: `${data.name}: ${note}`,
    synthetic: data.synthetic,
  };
}

async function predict<H extends DenseHead, F>(
  task: DenseTask<H, F>,
  { args, out, backend, pool, onCacheError }: Run,
): Promise<void> {
  const images = args.required("images");
  await checkPath(images);
  const named = await imagesToPredict(images);
  const stored = await headOf(task, args, out);
  const { head, path } = stored;
  const cases = await readableCases(args, named);
  const encoder = await encoderOf(args);
  checkTrainedOn(stored, encoder);
  const mapped = await mappedOf(cases, { args, encoder, out, pool, onCacheError, label: "images" });
  const overlays = await answering(mapped, { args, out, pool }, (some, options) => task.answer(head, some, options));
  await writePage(out, {
    title: `Predicted ${task.words.answers}`,
    subtitle: "Not for clinical use",
    overlays,
    caption: task.captions.predicted,
    synthetic: false,
    model: await modelFacts(args),
    facts: { head: path, backend: backend.name, images: mapped.cases.length },
  });
  console.log(`Wrote ${out}/${task.files} and overlays.html (${mapped.cases.length} ${task.words.counted})`);
}

/** Runs the work with a bar over the cases answered; those that are drawn are decoded in workers. */
async function answering<T>(
  mapped: MappedCases,
  { args, out, pool }: Pick<Run, "args" | "out" | "pool">,
  work: (mapped: MappedCases, options: Answering) => Promise<T>,
): Promise<T> {
  const bar = createProgress(mapped.cases.length, { label: "answer", unit: "images" });
  const options = { args, out, pictures: args.number("pictures", 24), onCase: (done: number) => bar.update(done) };
  return await work({ ...mapped, cases: imagesAhead(mapped.cases, pool) }, options).finally(() => bar.finish());
}

/**
 * The data that `--dataset` names, read before the model's weights are; its parts are told on stderr. An encoder that no head fits is
 * refused before.
 */
async function dataOf<H extends DenseHead, F>(
  task: DenseTask<H, F>,
  args: Arguments,
  needed: readonly (keyof ThreeParts)[],
): Promise<DenseData> {
  const { vision } = await encoderConfigOf(args);
  task.checkEncoder(vision);
  const options = { ...await dataOptionsOf(args), size: vision.imageSize, needed };
  const loaded = await task.load(args.required("dataset"), args, options);
  const { name } = loaded;
  const [train, validation, test] = [
    await readableCases(args, loaded.train),
    await readableCases(args, loaded.validation),
    await readableCases(args, loaded.test),
  ];
  await task.checkFiles([...train, ...validation, ...test]);
  const unreadable = loaded.train.length + loaded.validation.length + loaded.test.length -
    (train.length + validation.length + test.length);
  const data: DenseData = {
    ...loaded,
    ...{ train, validation, test },
    ...(unreadable === 0 ? {} : { dropped: { ...loaded.dropped, "image unreadable": unreadable } }),
  };
  const dropped = Object.entries(data.dropped).map(([reason, count]) => `${count} (${reason})`).join(", ") || "none";
  console.error(
    `${name}: ${train.length} to train, ${validation.length} to validate, ${test.length} to test; dropped ${dropped}`,
  );
  return data;
}
