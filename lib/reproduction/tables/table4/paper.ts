/** Table 4 at the paper's scale: the adapters of table 1's runs, heads on SIIM and RSNA. @module */
import { join } from "@std/path";
import { mergeAceLora } from "../../../ace_lora.ts";
import { loadAdapter } from "../../../adapters/model.ts";
import { loadDetectionData } from "../../../dense/detect/data.ts";
import { weightsHash } from "../../../dense/encoder.ts";
import { loadSegmentationData } from "../../../dense/segment/data.ts";
import type { FitHeadOptions } from "../../../dense/train.ts";
import { parseJson } from "../../../io/fields.ts";
import { exists, writeFileAtomic } from "../../../io/files.ts";
import { PEFT_METHODS } from "../../../peft/methods.ts";
import type { BackendInfo } from "../../../tensor/backend.ts";
import { disposeParams } from "../../../tensor/params.ts";
import { removeRunState } from "../../../train/state.ts";
import { configurationOf, type ReproduceContext } from "../../context.ts";
import { keepAdapter, keptAdapterPath, shortTag } from "../../kept_adapters.ts";
import type { PlannedRun } from "../../plan.ts";
import { configurationKey } from "../../record.ts";
import { train } from "../../run.ts";
import {
  measureTable4,
  type OpenedEncoder,
  rowNote,
  type Table4Inputs,
  type Table4Progress,
  table4Splits,
} from "./measure.ts";
import { runEnd, TABLE4_KIND, type Table4Run } from "./run.ts";

/** Shares of the labels, and the settings of the heads: the protocol's. */
const FRACTIONS = [0.01, 0.1, 1];
const HEAD = {
  epochs: 50,
  batchSize: 16,
  learningRate: 5e-4,
  weightDecay: 0.05,
  patience: 10,
} satisfies FitHeadOptions;

/** Options of {@linkcode executePaperTable4}. */
export interface PaperTable4Options {
  /** Folder of the reproduction. */
  out: string;
  /** Adapters, by their method. @default {none, rslora and ace-lora} */
  methods?: readonly string[] | undefined;
  /** Called with the loss of each training step of an adapter. */
  onStep?: (loss: number) => void;
  /** Takes a line when a row is done. */
  note?: (text: string) => void;
  /** Ends it after the step, or the pair of heads, under way; the same call goes on there. */
  signal?: AbortSignal | undefined;
}

/** Methods by the name of their adapter in the table; its LoRA is the rank-stabilised one that ACE-LoRA stands on. */
const METHODS = { none: "none", LoRA: "rslora", "ACE-LoRA": "ace-lora" } as const;

/** The adapters of the table under a seed, as runs. */
export function table4Runs(seed: number, methods?: readonly string[]): PlannedRun[] {
  return Object.entries(METHODS).filter(([, method]) => methods?.includes(method) ?? true)
    .map(([label, method]) => ({ table: "table4", id: method, label, method, seed, place: 0 }));
}

/** All that decides the figures besides seed and code. */
export async function paperTable4Configuration(
  context: ReproduceContext,
  methods?: readonly string[],
): Promise<Table4Run["configuration"]> {
  const { scale, model, data } = context;
  const { epochs, batchSize, learningRate, warmupEpochs } = scale;
  return {
    scale: scale.name,
    ...(scale.departures ? { departures: scale.departures } : {}),
    model,
    adapters: table4Runs(0, methods).map(({ label }) => label),
    training: {
      data: (await data.train()).split,
      ...{ epochs, batch_size: batchSize, learning_rate: learningRate, warmup_epochs: warmupEpochs },
    },
    fractions: FRACTIONS,
    head: headOf(context),
  };
}

/** The heads' settings; fewer epochs asked for are theirs, too. */
function headOf({ scale }: ReproduceContext): typeof HEAD {
  return { ...HEAD, epochs: Math.min(HEAD.epochs, scale.departures?.epochs ?? HEAD.epochs) };
}

/** Runs table 4 under one seed; null where the signal ended it. */
export async function executePaperTable4(
  context: ReproduceContext,
  backend: BackendInfo,
  seed: number,
  options: PaperTable4Options,
): Promise<Table4Run | null> {
  const began = performance.now();
  const { out, methods, signal, note } = options;
  const configuration = await paperTable4Configuration(context, methods);
  const folder = join(out, "table4");
  const tag = await shortTag(configurationKey([configuration, seed]));
  const rowsPath = join(folder, `rows-seed${seed}.${tag}.partial`);
  const root = (name: string): { root: string } => ({ root: join(context.root!, name) });
  const inputs: Table4Inputs = {
    masks: await loadSegmentationData("siim", { ...root("siim"), seed }),
    boxes: await loadDetectionData("rsna", root("rsna")),
    adapters: table4Runs(seed, methods).map((run) => [run.label, () => opened(context, run, options)]),
    vision: context.encoders.vision,
    fractions: FRACTIONS,
    seed,
    head: () => ({ ...headOf(context), seed }),
    mapsFolder: join(folder, `maps-seed${seed}.${tag}`),
    ...(await exists(rowsPath)
      ? { progress: parseJson(await Deno.readTextFile(rowsPath), rowsPath) as Table4Progress }
      : {}),
    async onRow(row, progress) {
      await writeFileAtomic(rowsPath, JSON.stringify(progress), { isPrivate: true });
      note?.(`table4 seed ${seed}: ${rowNote(row)}`);
    },
    ...(signal ? { signal } : {}),
  };
  const measured = await measureTable4(inputs);
  if (!measured) return null;
  const { epochs, learningRate: adaptRate } = context.scale;
  const { epochs: headEpochs, learningRate } = headOf(context);
  const settings = {
    ...{
      seed,
      pairs: (await context.data.train()).cases.length,
      adaptEpochs: epochs,
      adaptRate,
      cases: inputs.masks.train.length,
    },
    ...{ fractions: FRACTIONS, epochs: headEpochs, learningRate },
  };
  const end = await runEnd(began, backend);
  const result = { settings, ...measured, splits: await table4Splits(inputs), synthetic: false, ...end };
  if (await exists(rowsPath)) await Deno.remove(rowsPath);
  return { kind: TABLE4_KIND, table: "table4", id: "dense", seed, configuration, result };
}

/** The image tower with the run's adapter merged, which is trained first where no run has left it. */
async function opened(
  context: ReproduceContext,
  run: PlannedRun,
  { out, signal, onStep }: PaperTable4Options,
): Promise<OpenedEncoder | null> {
  const { params: base, config } = await context.generalist();
  if (run.method === "none") {
    const { trunk } = base.vision;
    return { encoder: { trunk, config, hash: await weightsHash(trunk) }, free: () => {} };
  }
  const path = (await keptAdapterPath(out, run, await configurationOf(context, run)))!;
  if (!await exists(path)) {
    const method = PEFT_METHODS[run.method](context.encoders);
    const start = await method.prepare(base, { seed: run.seed });
    const statePath = path.replace(/\.safetensors$/, ".state.safetensors");
    const training = await train(context, run, {
      ...{ method, start, statePath },
      ...(signal ? { signal } : {}),
      ...(onStep ? { onStep: ({ loss }: { loss: number }) => onStep(loss) } : {}),
    });
    if (training) {
      await keepAdapter(path, method, training.params);
      await removeRunState(statePath);
      disposeParams(training.params, start);
    }
    disposeParams(start, base);
    if (!training) return null;
  }
  const { params } = await loadAdapter(path, base, config);
  const merged = mergeAceLora(params);
  const { trunk } = merged.vision;
  return {
    encoder: { trunk, config, hash: await weightsHash(trunk) },
    free: () => {
      disposeParams(merged, { base, params });
      disposeParams(params, base);
    },
  };
}
