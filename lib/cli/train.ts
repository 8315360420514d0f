/** `deno task train`: adapts a model to image-text pairs. @module */
import type { NamedAdapter } from "../adapters/record.ts";
import { join } from "@std/path";
import { type AceLoraParams, textAffinityOf, trainableTensors } from "../ace_lora.ts";
import { createHash } from "node:crypto";
import { stored } from "../io/tree.ts";
import { openRunLog, type RunLog } from "../train/log/run_log.ts";
import type { ClipConfig } from "../clip/config.ts";
import { exists } from "../io/files.ts";
import { canNarrow } from "../tensor/kernels/narrow/api.ts";
import { countParams } from "../tensor/params.ts";
import { type Adapted, loraPlaces } from "../adapters/model.ts";
import { layersText } from "../adapters/positions.ts";
import { checkUnseen, fingerprints, type UsedCases } from "../data/seen.ts";
import { fit } from "../train/fit.ts";
import type { FitOptions } from "../train/options.ts";
import type { TrainingLoss } from "../train/source.ts";
import type { ImageReader } from "../data/pixels/reader.ts";
import { hashIds } from "../data/dataset.ts";
import { imageStamps } from "../data/stamps.ts";
import type { Arguments, Command } from "./command.ts";
import { announce, datasetNotes } from "./data_options.ts";
import { modelFrom } from "./model_options.ts";
import { isExifApplied, readerFrom, watched } from "./decode_options.ts";
import { ADAPTERS, checkFree, keepAdapter, makeReady, statePathOf, sweep } from "./training_folder.ts";
import { trainingPairs, withShots } from "./training_pairs.ts";
import { splitValidation } from "./validation.ts";
import { checkLearning, type Learning, learningFrom, learnNothing, startFrom } from "./learning.ts";
import { checkStepMemory, fitSettings, gradientSumFrom, measuring, TRAIN_OPTIONS } from "./train_options.ts";
import { writeJson } from "./dense_output.ts";
import { holdOutput } from "./output.ts";
import { modelFacts } from "./provenance.ts";
import { readableSet } from "./unreadable.ts";
import type { Communicator } from "../distributed/communicator.ts";
import { checkShared } from "../distributed/shared_settings.ts";
import { defined } from "../platform/defined.ts";
import { joinRanks } from "./ranks.ts";
import {
  endText,
  nothingLeftText,
  type RecordedRun,
  runRecord,
  type Told,
  type TrainingSets,
} from "./training_record.ts";
import { backendText, startBackend, type Watch, watchTraining } from "./shared.ts";

/** What a run that goes on must have in common with the one before: what is adapted, how, and to which cases. */
async function inputsOf(
  args: Arguments,
  { facts, sets, learning, earlier }: PreparedRun,
): Promise<Record<string, unknown>> {
  const { weights_sha256, tokenizer_sha256 } = facts;
  const { dataset: { cases, split }, validation } = sets;
  const { config, inputs } = learning;
  const { lora, hgnn } = config;
  const short = (hash: string): string => hash.slice(0, 16);
  const hashed = async (values: readonly unknown[]): Promise<string> => short(await hashIds([JSON.stringify(values)]));
  return {
    lora,
    hgnn: hgnn ?? null,
    ...(hgnn?.encoders.includes("text") ? { textAffinity: textAffinityOf(config) } : {}),
    weights: short(weights_sha256),
    ...(tokenizer_sha256 === undefined ? {} : { tokenizer: short(tokenizer_sha256) }),
    cases: short(split.hash),
    texts: await hashed(cases.map(({ text }) => text)),
    labels: await hashed(cases.map(({ labels }) => labels ?? null)),
    images: await hashed(await imageStamps(cases)),
    ...inputs,
    exif: isExifApplied(args) ? "apply" : "ignore",
    validation: validation ? short(validation.split.hash) : null,
    adapter: earlier ? await numbersHash(earlier.params) : null,
    ...(args.flag("narrow") && canNarrow() ? { matrices: "float16" } : {}),
  };
}

export const COMMAND: Command = {
  name: "train",
  summary: "Adapt a model to image-text pairs, or to labels, with LoRA and ACE-HGNN",
  options: TRAIN_OPTIONS,
  example: `deno task train --pairs pairs.csv --text-column note --epochs 10 --out results/mine
  deno task train --dataset mimic-cxr --root MIMIC-CXR-JPG --weights open_clip_pytorch_model.bin --tokenizer tokenizer.json
${datasetNotes(["mimic-cxr"])}`,
  async run(args) {
    const out = args.text("out") ?? "results/train";
    const ranks = await joinRanks("train");
    gradientSumFrom(args, ranks !== undefined);
    if (ranks && ranks.rank > 0) return await train(args, out, ranks);
    await checkFree(args, out);
    return await holdOutput(args, { path: out, results: ["training.json"], mayReplace: true }, async () => {
      await sweep(out);
      return await train(args, out, ranks);
    });
  },
};

/** 16 hex digits of the numbers that are trained. */
async function numbersHash(params: AceLoraParams): Promise<string> {
  const hash = createHash("sha256");
  for (const [name, tensor] of trainableTensors(params)) {
    const { data } = await stored(tensor);
    hash.update(name).update(data);
  }
  return hash.digest("hex").slice(0, 16);
}

/** The cases that the options name, each set announced. */
async function setsFrom(args: Arguments): Promise<TrainingSets> {
  const split = await splitValidation(args, await readableSet(args, await trainingPairs(args)));
  const training = await withShots(args, split.training);
  announce(training);
  const dataset = { ...training, cases: watched(args, training.cases) };
  if (!split.validation) return { dataset };
  const validation = await readableSet(args, split.validation);
  announce(validation);
  return { dataset, validation: { ...validation, cases: watched(args, validation.cases) } };
}

/** How a run is told: on the terminal, in its log and, of where it is, in `told`. */
function telling(
  watch: Watch,
  log: RunLog | undefined,
  told: Told,
): FitOptions & Required<Pick<FitOptions, "onWarning">> {
  return {
    signal: watch.hooks.signal,
    onStart: (report) => {
      [told.firstStep, told.steps] = [report.step, report.steps];
      return log?.onStart(report);
    },
    onSave: () => log?.onSave(),
    onStep: (report) => {
      watch.hooks.onStep(report);
      log?.onStep(report);
    },
    onValidation: async (entry) => {
      watch.note(`validation after step ${entry.step}: ${entry.name} ${entry.value.toFixed(4)}`);
      await log?.onValidation(entry);
    },
    onWarning: (text) => {
      log?.onWarning(text);
      watch.note(`warning: ${text}`);
    },
  };
}

/** Says what will be trained, and under which loss. */
function tellLearning({ model, start, loss }: Learning, { similarity }: ClipConfig): void {
  const isSigmoid = similarity === "sigmoid" && loss !== "supervised";
  const lossText = isSigmoid ? `sigmoid of pairs${loss === "label-guided" ? ", label-guided" : ""}` : loss;
  const trainable = countParams(start, model.isTrainable).toLocaleString("en");
  console.error(`trainable: ${trainable} numbers, LoRA in ${layersText(loraPlaces(start))}; loss: ${lossText}`);
}

/** A run that has read all it needs. */
interface PreparedRun extends RecordedRun {
  adapter: NamedAdapter | undefined;
  earlier: Adapted | undefined;
  reader: ImageReader;
  settings: ReturnType<typeof fitSettings> & { loss: TrainingLoss };
}

/** What makes the backends of several processes one. */
const ONE_BACKEND = "ACE_BACKEND, ACE_THREADS, ACE_BLAS and OPENBLAS_CORETYPE set alike make it so";

/** Refuses to validate on cases that the adapter to start from was trained on. @throws {SeenCasesError} If there is one. */
function checkEarlierUnseen({ file: { seen }, path }: NamedAdapter, { validation }: TrainingSets): void {
  if (seen && validation) checkUnseen(validation.cases, new Set(seen), path);
}

/**
 * The cases that the run's adapters list, after those of the adapter it started from.
 *
 * @param isChosen Whether figures on the validation set chose the weights.
 */
function casesOf({ sets: { dataset, validation }, earlier }: PreparedRun, isChosen: boolean): UsedCases {
  const seen = fingerprints(dataset.cases).union(earlier?.seen ?? new Set<string>());
  const own = validation && isChosen ? fingerprints(validation.cases) : new Set<string>();
  const isKnown = own.size > 0 || !earlier || earlier.chose !== undefined; // else an empty list would say that none chose
  return { seen, ...(isKnown ? { chose: own.union(earlier?.chose ?? new Set<string>()) } : {}) };
}

/** Reads the sets, the model and the adapter to start from, and refuses a step that cannot fit in memory. */
async function prepareRun(args: Arguments, ranks: Communicator | undefined): Promise<PreparedRun> {
  const backend = await startBackend(args, ranks);
  if (ranks) checkShared({ backend: backendText(backend) }, ranks, { remedy: ONE_BACKEND }); // else the weights drift apart
  const sets = await setsFrom(args);
  const { dataset } = sets;
  const adapter = await checkLearning(args, dataset);
  if (adapter) checkEarlierUnseen(adapter, sets);
  const clip = await modelFrom(
    args,
    undefined,
    (params, config) => learnNothing(args, { dataset, adapter }, { params, config }),
  );
  const earlier = await startFrom(adapter, clip);
  const reader = readerFrom(args);
  const learning = await learningFrom(args, { ...sets, clip, reader, ...defined({ earlier }) });
  const settings = { ...fitSettings(args), loss: learning.loss };
  const { batchSize, microBatch, loss } = settings;
  checkStepMemory(clip.config, Math.min(microBatch, batchSize, dataset.cases.length), loss);
  const facts = await modelFacts(args);
  tellLearning(learning, clip.config);
  return { backend, sets, learning, adapter, earlier, reader, settings, facts };
}

/** What is known of the run's limits before it begins. */
function limitsOf({ adapter }: PreparedRun): string[] {
  if (!adapter || adapter.file.seen) return [];
  return [`"${adapter.path}" does not say which cases it was trained on: the adapters of this run list its own alone`];
}

function logOf(out: string, { sets: { dataset }, settings, facts: { notice } }: PreparedRun): RunLog {
  return openRunLog(out, {
    title: "Training",
    facts: { pairs: dataset.cases.length, ...settings, shuffle: String(settings.shuffle) },
    ...defined({ notice }),
  });
}

async function train(args: Arguments, out: string, ranks?: Communicator): Promise<number | void> {
  const run = await prepareRun(args, ranks);
  const { learning: { model, config, start, source, measure }, settings } = run;
  const kept = (isChosen: boolean) => ({ config, cases: casesOf(run, isChosen) });
  const began = performance.now();
  const told: Told = { firstStep: 0, steps: 0 };
  const isWriter = ranks === undefined || ranks.rank === 0;
  const watch = watchTraining("train", settings.batchSize, "pairs", !isWriter);
  const statePath = statePathOf(out);
  await makeReady(args, out, isWriter); // now that all was read: a mistake costs no earlier run
  const log = isWriter ? logOf(out, run) : undefined;
  const hooks = telling(watch, log, told);
  for (const text of limitsOf(run)) hooks.onWarning(text);
  const result = await fit(model, start, source, {
    ...settings,
    ...hooks,
    ...(measure ? measuring(args, measure) : {}),
    ...(ranks ? { ranks, gradientSum: gradientSumFrom(args, true) } : {}),
    inputs: await inputsOf(args, run),
    statePath,
    resume: args.flag("resume"),
    ...defined({ saveSteps: args.number("save-steps", undefined) }),
    saveMinutes: args.number("save-minutes", 15),
    onBest: async (params) => await keepAdapter(join(out, ADAPTERS.best), params as AceLoraParams, kept(true)),
  }).catch(async (error) => {
    await log?.close(true).catch(() => {}); // what went wrong first is told
    throw error;
  }).finally(async () => {
    watch.end();
    await run.reader.close();
  });
  await log?.close(!result.interrupted);
  const { history, interrupted } = result;
  if (interrupted) {
    console.error(`interrupted after step ${history.length}: "${statePath}" holds the state; --resume goes on`);
    return watch.exitCode();
  }
  if (!log) return; // another process writes
  const recordPath = join(out, "training.json");
  const written = await Promise.all([join(out, ADAPTERS.last), recordPath].map(exists));
  if (told.firstStep === history.length && !written.includes(false)) { // the record tells the time of the steps
    return console.log(nothingLeftText(result, told, args.number("patience", undefined)));
  }
  await keepAdapter(join(out, ADAPTERS.last), result.params, kept(args.text("patience") !== undefined)); // it says when to end
  const processes = ranks && { processes: ranks.description, gradient_sum: gradientSumFrom(args, true) };
  const facts = { told, warnings: log.warnings(), seconds: (performance.now() - began) / 1000, processes };
  await writeJson(recordPath, await runRecord(run, result, facts));
  console.log(endText(result, told, out));
}
