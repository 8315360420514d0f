/** Adapting in the page: a run whose state is kept in the browser's private file system every ten seconds. @module */
import { zipSync } from "fflate";
import { type AceLoraConfig, aceLoraModel, initAceLora } from "../../../lib/ace_lora.ts";
import type { AdapterFormat } from "../../../lib/adapters/files.ts";
import { loadAdapter, saveAdapter } from "../../../lib/adapters/model.ts";
import { loadPairs } from "../../../lib/data/pairs.ts";
import { fingerprints, type UsedCases } from "../../../lib/data/seen.ts";
import { pairSource } from "../../../lib/data/sources.ts";
import { trainingSet } from "../../../lib/data/synthetic/sets.ts";
import type { Dataset } from "../../../lib/data/types.ts";
import { ACE_LORA_HGNN } from "../../../lib/hypergraph/ace_hgnn.ts";
import { writeFileAtomic } from "../../../lib/io/files.ts";
import { ACE_LORA_LORA } from "../../../lib/peft/lora/config.ts";
import { MEMORY, privateFiles } from "../../../lib/platform/private_files.ts";
import { system } from "../../../lib/platform/system.ts";
import { StorageFullError } from "../../../lib/platform/web_system.ts";
import { defined } from "../../../lib/platform/defined.ts";
import { disposeParams } from "../../../lib/tensor/params.ts";
import { deriveSeed } from "../../../lib/tensor/random.ts";
import { fit } from "../../../lib/train/fit.ts";
import type { FitOptions } from "../../../lib/train/options.ts";
import { removeRunState } from "../../../lib/train/state.ts";
import { asGiven, tell } from "./events.ts";
import { baseModel, classifier, type Files, type ModelFacts, mounted, setAdapted, useBase } from "./model.ts";

/** Where pairs come from: drawn, or a table with its images. */
export type PairsRequest =
  | { kind: "drawn"; count: number }
  | { kind: "table"; csv: string; image: string; text: string };

/** A run as the page asks for it. */
export interface RunRequest {
  /** The pairs. */
  pairs: PairsRequest;
  /** What is added to the model. */
  method: "ACE-LoRA" | "LoRA";
  /** Passes over the pairs. */
  epochs: number;
  /** Pairs a batch. */
  batchSize: number;
  /** Highest learning rate. */
  learningRate: number;
  /** Seed of drawings, new weights and orders. */
  seed: number;
}

/** A run that was kept. */
export interface StoredRun {
  /** What it was asked for. */
  request: RunRequest;
  /** The weights it adapts. */
  model: string;
  /** Whether it has ended by itself. */
  isDone: boolean;
}

/** What a run came to. */
export interface RunResult {
  /** The model, adapted. */
  facts: ModelFacts;
  /** Whether it was stopped before its end. */
  interrupted: boolean;
  /** Loss of each step. */
  loss: number[];
}

const FOLDER = "run", STATE = `${FOLDER}/state.safetensors`, RUN = `${FOLDER}/run.json`;
const ADAPTER = `${FOLDER}/adapter.safetensors`;
const TEN_SECONDS = 1 / 6;

let stop = new AbortController();

/** Ends the run under way after its step. */
export function stopAdapting(): void {
  stop.abort();
}

/** The run that was kept, or null. */
export async function storedRun(): Promise<StoredRun | null> {
  const text = await system.readTextFile(RUN).catch(() => undefined);
  return text === undefined ? null : JSON.parse(text) as StoredRun;
}

const keepRun = (run: StoredRun): Promise<void> => writeFileAtomic(RUN, JSON.stringify(run));

const isFull = (error: unknown): boolean =>
  error instanceof StorageFullError || (error instanceof Error && isFull(error.cause));

/** What keeps a run as far as there is room: without, it goes on and a warning says so, once. */
function keeper(): { tell(error: unknown): void; keep(write: () => Promise<void>): Promise<void> } {
  let isTold = false;
  const tellOnce = (error: unknown): void => {
    if (!isFull(error)) throw error;
    if (!isTold) tell({ event: "warning", text: "The browser's storage is full: the run goes on without being kept." });
    isTold = true;
  };
  return { tell: tellOnce, keep: (write) => write().catch(tellOnce) };
}

async function warnWhereNothingIsKept(): Promise<void> {
  if ((await privateFiles()).isKept) return;
  tell({ event: "warning", text: "This window keeps nothing: a closed tab ends the run and loses it." });
}

async function pairsOf({ pairs, seed }: RunRequest, files: Files): Promise<Dataset> {
  if (pairs.kind === "drawn") return trainingSet(pairs.count, deriveSeed(seed, "training")); // as the demo draws them
  mounted("pairs", files);
  return await loadPairs(`pairs/${pairs.csv}`, { image: pairs.image, text: pairs.text });
}

/** Adapts the model to pairs, and keeps the adapter. */
export async function adapt(request: RunRequest, files: Files = {}): Promise<RunResult> {
  await removeRunState(STATE);
  return await run(request, files, false);
}

/** Goes on with the run that was kept; one that has ended is loaded. @param files The table and images again, where it has them. */
export async function resume(files: Files = {}): Promise<RunResult> {
  const stored = await storedRun();
  if (!stored) throw new Error("Cannot go on as a run must have been kept in this browser: there is none");
  if (!stored.isDone) return await run(stored.request, files, true);
  return { facts: await loadTrained(), interrupted: false, loss: [] };
}

/** Puts the adapter that was trained last on the model. */
export async function loadTrained(): Promise<ModelFacts> {
  const { params, config } = baseModel();
  return setAdapted({ ...await loadAdapter(ADAPTER, params, config), name: "the adapter trained here" });
}

/** The losses of a run, and the hooks that take and tell them: five times a second at most, and at the end. */
function curve(): { loss: number[]; hooks: Required<Pick<FitOptions, "onStart" | "onStep">> } {
  const loss: number[] = [];
  let told = 0;
  const report = (step: number, steps: number, seconds: number): void => {
    if (performance.now() - told < 200 && step < steps) return;
    told = performance.now();
    tell({ event: "step", step, steps, loss: [...loss], seconds });
  };
  return {
    loss,
    hooks: {
      onStart: ({ step, steps, history }) => {
        loss.push(...history.map(({ loss }) => loss));
        report(step, steps, 0);
      },
      onStep: ({ step, steps, loss: value, seconds }) => {
        loss.push(value);
        report(step, steps, seconds);
      },
    },
  };
}

async function run(request: RunRequest, files: Files, isResumed: boolean): Promise<RunResult> {
  const { method, epochs, batchSize, learningRate, seed, pairs } = request;
  useBase();
  const { params: base, config: encoders, tokenizer, files: { weights = "the shipped model" } } = baseModel();
  const dataset = await pairsOf(request, files);
  const hgnn = { ...ACE_LORA_HGNN, hidden: Math.max(1, Math.round(encoders.embedding / 4)) };
  const config: AceLoraConfig = { encoders, lora: ACE_LORA_LORA, ...(method === "ACE-LoRA" ? { hgnn } : {}) };
  const kept: StoredRun = { request, model: weights.replace(/^(model|kept)\//, ""), isDone: false };
  const keeping = keeper();
  await warnWhereNothingIsKept();
  await keeping.keep(() => keepRun(kept));
  stop = new AbortController();
  const source = pairSource(dataset, encoders, tokenizer);
  const began = await initAceLora(base, config, { seed });
  const { loss, hooks } = curve();
  try {
    const result = await fit(aceLoraModel(config, method), began, source, {
      epochs,
      batchSize,
      learningRate,
      warmupEpochs: 0.5,
      seed,
      loss: source.labels ? "label-guided" : "info-nce",
      inputs: { weights: kept.model, cases: dataset.split.hash, hidden: config.hgnn?.hidden ?? null },
      statePath: STATE,
      saveMinutes: TEN_SECONDS,
      onSaveError: keeping.tell,
      resume: isResumed,
      signal: stop.signal,
      onWarning: (text) => tell({ event: "warning", text: asGiven(text) }),
      ...hooks,
    });
    const chose = new Set<string>(); // nothing is validated here
    const cases: UsedCases = pairs.kind === "table" ? { seen: fingerprints(dataset.cases), chose } : { chose };
    await keeping.keep(async () => {
      await saveAdapter(ADAPTER, result.params, config, cases);
      await keepRun({ ...kept, isDone: !result.interrupted });
    });
    const facts = setAdapted({
      params: result.params,
      config,
      ...cases,
      name: result.interrupted ? "an adapter whose training was stopped" : "the adapter trained here",
    });
    return { facts, interrupted: result.interrupted, loss };
  } finally {
    disposeParams(began, { base, kept: classifier().params });
  }
}

/** The adapter at work as one file to download. */
export async function adapterFiles(format: AdapterFormat): Promise<{ name: string; blob: Blob }> {
  const { params, config, seen, chose } = classifier();
  const name = { ace: "adapter.safetensors", peft: "adapter_peft", authors: "adapter.pt" }[format];
  const path = `${MEMORY}/${name}`; // where the storage is full, it can be had all the same
  await saveAdapter(path, params, config, { format, ...defined({ seen, chose }) });
  if (format !== "peft") return { name, blob: new Blob([await system.readFile(path)]) };
  const entries: Record<string, Uint8Array> = {};
  for await (const entry of system.readDir(path)) {
    entries[`${name}/${entry.name}`] = await system.readFile(`${path}/${entry.name}`);
  }
  return { name: `${name}.zip`, blob: new Blob([zipSync(entries, { level: 0 }) as Uint8Array<ArrayBuffer>]) };
}
