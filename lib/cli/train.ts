/** `deno task train`: adapts a model to image-text pairs. @module */
import { join } from "@std/path";
import { type AceLoraConfig, type AceLoraParams, textAffinityOf, trainableTensors } from "../ace_lora.ts";
import { createHash } from "node:crypto";
import type { ClipParams } from "../clip/params.ts";
import { stored } from "../io/tree.ts";
import { openRunLog, RUN_LOG_NAMES } from "../train/log/run_log.ts";
import type { ClipConfig } from "../clip/config.ts";
import { exists, writeFileAtomic } from "../io/files.ts";
import { canNarrow } from "../tensor/kernels/narrow/api.ts";
import { countParams } from "../tensor/params.ts";
import { type Adapted, loadAdapter, loraPlaces, saveAdapter } from "../adapters/model.ts";
import { carryingLayers, layersText } from "../adapters/positions.ts";
import type { Dataset } from "../data/types.ts";
import { runFacts } from "../io/run_facts.ts";
import { fingerprints } from "../data/seen.ts";
import { fit } from "../train/fit.ts";
import { hasRunState, removeRunState } from "../train/state.ts";
import { hashIds } from "../data/dataset.ts";
import { imageStamps } from "../data/stamps.ts";
import { type Arguments, type Command, UsageError } from "./command.ts";
import { announce, datasetNotes } from "./data_options.ts";
import { checkPath } from "./paths.ts";
import { modelFrom } from "./model_options.ts";
import { isExifApplied, readerFrom, watched } from "./decode_options.ts";
import { trainingPairs, withShots } from "./training_pairs.ts";
import { splitValidation } from "./validation.ts";
import { learningFrom } from "./learning.ts";
import {
  ADAPTER_DECIDES,
  checkStepMemory,
  fitSettings,
  gradientSumFrom,
  measuring,
  TRAIN_OPTIONS,
} from "./train_options.ts";
import { holdOutput } from "./output.ts";
import { type ModelFacts, modelFacts } from "./provenance.ts";
import { readableSet } from "./unreadable.ts";
import type { Communicator } from "../distributed/communicator.ts";
import { defined } from "../platform/defined.ts";
import { joinRanks } from "./ranks.ts";
import { startBackend, watchTraining } from "./shared.ts";

const STATE = "state.safetensors";

/** What a run that goes on must have in common with the one before: what is adapted, how, and to which cases. */
async function inputsOf(
  { weights_sha256, tokenizer_sha256 }: ModelFacts,
  { cases, split }: Dataset,
  config: AceLoraConfig,
): Promise<Record<string, unknown>> {
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
  };
}

/** Refuses a folder that holds a run already, unless that one goes on or is given up. */
async function checkFree(args: Arguments, out: string): Promise<void> {
  if (args.flag("resume") || args.flag("overwrite")) return;
  const [isDone, isBegun] = [
    await exists(join(out, "adapter.safetensors")),
    await hasRunState(join(out, STATE)),
  ];
  if (!isDone && !isBegun) return;
  throw new UsageError(
    isDone
      ? `"${out}" holds a finished run: --out names another folder, --overwrite gives that run up`
      : `"${out}" holds an interrupted run: --resume goes on with it, --overwrite gives it up`,
  );
}

/** Writes the adapter, if the last update left its numbers finite. */
async function keep(
  path: string,
  params: AceLoraParams,
  { config, seen }: { config: AceLoraConfig; seen: ReadonlySet<string> },
): Promise<void> {
  await saveAdapter(path, params, config, { seen }).catch((error) => {
    if (!(error instanceof RangeError)) throw error;
    throw new RangeError(
      `Cannot keep "${path}" as the adapter as its numbers must be finite (a lower --learning-rate may help): ${error.message}`,
      { cause: error },
    );
  });
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
    const ranks = joinRanks("train");
    gradientSumFrom(args, ranks !== undefined);
    if (ranks && ranks.rank > 0) return await train(args, out, ranks);
    await checkFree(args, out);
    return await holdOutput(args, { path: out, results: ["training.json"], mayReplace: true }, async () => {
      await sweep(out);
      return await train(args, out, ranks);
    });
  },
};

/** Removes what writers that were killed left under temporary names; the folder is locked, so nobody writes there. */
async function sweep(out: string): Promise<void> {
  for await (const { name, isFile } of Deno.readDir(out)) {
    if (isFile && /\.(tmp|next)$/.test(name)) await Deno.remove(join(out, name));
  }
}

/** Removes what an earlier run left, so that nothing of it is taken for this one's. */
async function clear(out: string): Promise<void> {
  await removeRunState(join(out, STATE));
  for (const name of ["best.safetensors", "adapter.safetensors", "training.json", ...RUN_LOG_NAMES]) {
    if (await exists(join(out, name))) await Deno.remove(join(out, name), { recursive: true });
  }
}

/** The adapter that `--adapter` names, on the model. */
async function adapterFrom(args: Arguments, base: ClipParams, encoders: ClipConfig): Promise<Adapted | undefined> {
  const path = args.text("adapter");
  if (path === undefined) return undefined;
  const other = ADAPTER_DECIDES.find((name) => args.text(name) !== undefined);
  if (other !== undefined) throw new UsageError(`--adapter and --${other} exclude each other: the adapter has its own`);
  await checkPath(path);
  return await loadAdapter(path, base, encoders);
}

/** 16 hex digits of the numbers that are trained. */
async function numbersHash(params: AceLoraParams): Promise<string> {
  const hash = createHash("sha256");
  for (const [name, tensor] of trainableTensors(params)) {
    const { data } = await stored(tensor);
    hash.update(name).update(data);
  }
  return hash.digest("hex").slice(0, 16);
}

async function train(args: Arguments, out: string, ranks?: Communicator): Promise<number | void> {
  const backend = await startBackend(args);
  const split = await splitValidation(args, await readableSet(args, await trainingPairs(args)));
  const given = await withShots(args, split.training);
  const dataset = { ...given, cases: watched(args, given.cases) };
  announce(dataset);
  const validation = split.validation && await readableSet(args, split.validation);
  if (validation) announce(validation);
  const clip = await modelFrom(args);
  const earlier = await adapterFrom(args, clip.params, clip.config);
  const reader = readerFrom(args);
  const { model, config, start, source, loss, measure, inputs } = await learningFrom(args, {
    ...{ dataset, clip, reader },
    ...defined({ earlier }),
    ...(validation ? { validation: { ...validation, cases: watched(args, validation.cases) } } : {}),
  });
  const kept = { config, seen: new Set([...fingerprints(dataset.cases), ...earlier?.seen ?? []]) };
  const settings = { ...fitSettings(args), loss } as const;
  const { batchSize, microBatch } = settings;
  checkStepMemory(clip.config, Math.min(microBatch, batchSize, dataset.cases.length), loss);
  const facts = await modelFacts(args);
  const trainable = countParams(start, model.isTrainable);
  const layers = loraPlaces(start);
  const isSigmoid = clip.config.similarity === "sigmoid" && loss !== "supervised";
  const lossText = isSigmoid ? `sigmoid of pairs${loss === "label-guided" ? ", label-guided" : ""}` : loss;
  console.error(
    `trainable: ${trainable.toLocaleString("en")} numbers, LoRA in ${layersText(layers)}; loss: ${lossText}`,
  );
  const began = performance.now();
  const warnings: string[] = [];
  const isWriter = ranks === undefined || ranks.rank === 0;
  const watch = watchTraining("train", batchSize, "pairs", !isWriter);
  const statePath = join(out, STATE);
  if (args.flag("resume") && !await hasRunState(statePath)) {
    console.error(`nothing to resume: no "${statePath}"; starting at the first step`);
  }
  if (isWriter && !args.flag("resume")) await clear(out); // now that all was read: a mistake costs no earlier run
  const log = isWriter
    ? openRunLog(out, {
      title: "Training",
      facts: { pairs: dataset.cases.length, ...settings, shuffle: String(settings.shuffle) },
      ...defined({ notice: facts.notice }),
    })
    : undefined;
  const result = await fit(model, start, source, {
    ...settings,
    ...watch.hooks,
    onStart: (report) => log?.onStart(report),
    onSave: () => log?.onSave(),
    onStep: (report) => {
      watch.hooks.onStep(report);
      log?.onStep(report);
    },
    onValidation: async (entry) => {
      watch.note(`validation after step ${entry.step}: ${entry.name} ${entry.value.toFixed(4)}`);
      await log?.onValidation(entry);
    },
    ...(measure ? measuring(args, measure) : {}),
    ...(ranks ? { ranks, gradientSum: gradientSumFrom(args, true) } : {}),
    inputs: {
      ...await inputsOf(facts, dataset, config),
      ...inputs,
      exif: isExifApplied(args) ? "apply" : "ignore",
      validation: validation?.split.hash.slice(0, 16) ?? null,
      adapter: earlier ? await numbersHash(earlier.params) : null,
      ...(args.flag("narrow") && canNarrow() ? { matrices: "float16" } : {}),
    },
    onWarning: (text) => {
      warnings.push(text);
      log?.onWarning(text);
      watch.note(`warning: ${text}`);
    },
    statePath,
    resume: args.flag("resume"),
    ...defined({ saveSteps: args.integer("save-steps", undefined, 1) }),
    saveMinutes: args.number("save-minutes", 15, 0),
    onBest: async (params) => await keep(join(out, "best.safetensors"), params as AceLoraParams, kept),
  }).catch(async (error) => {
    await log?.close(true).catch(() => {}); // what went wrong first is told
    throw error;
  }).finally(async () => {
    watch.end();
    await reader.close();
  });
  const last = result.history.length;
  await log?.close(!result.interrupted);
  if (result.interrupted) {
    console.error(
      `interrupted after step ${last}: "${statePath}" holds the state; --resume goes on`,
    );
    return watch.exitCode();
  }
  if (!isWriter) return;
  await keep(join(out, "adapter.safetensors"), result.params, kept);
  const record = {
    command: "train",
    model: facts,
    warnings,
    data: { name: dataset.name, ...dataset.summary, split: dataset.split },
    settings,
    lora: config.lora,
    lora_layers: { text: carryingLayers(layers, "text"), image: carryingLayers(layers, "image") },
    hgnn: config.hgnn ?? null,
    ...(config.hgnn ? { text_affinity: textAffinityOf(config) } : {}),
    ...(config.classes ? { head: { ...inputs, classes: config.classes } } : {}),
    trainable,
    seconds: (performance.now() - began) / 1000,
    ...await runFacts(backend),
    ...(ranks ? { processes: ranks.description, gradient_sum: gradientSumFrom(args, true) } : {}),
    history: result.history,
    ...(validation
      ? { validation: { data: { name: validation.name, split: validation.split }, figures: result.validations } }
      : {}),
  };
  await writeFileAtomic(join(out, "training.json"), JSON.stringify(record, null, 2) + "\n", { isPrivate: true });
  console.log(
    `last loss ${
      result.history.at(-1)!.loss.toFixed(4)
    }; wrote ${out}/adapter.safetensors, best.safetensors and training.json`,
  );
}
