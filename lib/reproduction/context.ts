/** What all runs of a reproduction share: model, sets, scale. @module */
import { exists } from "../io/files.ts";
import { basename, join } from "@std/path";
import { MINI } from "../clip/architectures.ts";
import type { ClipConfig } from "../clip/config.ts";
import { PEFT_METHODS } from "../peft/methods.ts";
import { disposeParams } from "../tensor/params.ts";
import { PROTOCOLS } from "../clip/zero_shot/presets.ts";
import { CHEST_TEMPLATES, HISTOPATHOLOGY_TEMPLATES } from "../clip/zero_shot/prompts.ts";
import { hashPath } from "../io/hash_path.ts";
import { loadMiniParams, loadMiniTokenizer, MINI_JOINT_WEIGHTS } from "../clip/mini.ts";
import { loadClip, type LoadedClip, readClipConfig } from "../clip/load.ts";
import { type ImageReader, openImageReader } from "../data/pixels/reader.ts";
import { type NamedSet, REAL_SETS, type ReproduceData, reproduceData } from "./data.ts";
import type { Scale } from "./scale.ts";
import type { PlannedRun, RunSpec, TableName } from "./plan.ts";
import type { ReproduceRecord } from "./record.ts";
import { defined } from "../platform/defined.ts";

/** Model, sets and scale of a reproduction. */
export interface ReproduceContext {
  /** Sizes and settings. */
  scale: Scale;
  /** The frozen model's name and the SHA-256 of its weights. */
  model: { name: string; sha256: string };
  /** Its sizes. */
  encoders: ClipConfig;
  /** Loads it, once. */
  generalist(): Promise<LoadedClip>;
  /** The sets. */
  data: ReproduceData;
  /** Folder of the real files. @default {none} */
  root?: string;
  /** Reads their images, through the pixel cache that all runs share. @default {none} */
  reader?: ImageReader;
  /** Frees the model and ends the reader. */
  close(): Promise<void>;
}

/** Names under which the weights may lie in `<data>/biomedclip`, and its tokeniser. */
const WEIGHTS = ["open_clip_pytorch_model.bin", "open_clip_model.safetensors", "model.safetensors"];
const TOKENIZERS = ["tokenizer.json", "vocab.txt"];

/**
 * Opens model and sets of a scale.
 *
 * @param scale Sizes and settings.
 * @param options `data`: folder of the real files; `tables`: which of them will be needed; `cache`: folder of the pixel cache;
 * `note`: takes a line where that cannot be written, without which it is an error; `generalist`: weights to adapt at the other
 * scales, by default {@linkcode MINI_JOINT_WEIGHTS}.
 * @throws {Deno.errors.NotFound} If a file that the paper's scale needs is absent; the message lists all of them.
 */
export async function openContext(
  scale: Scale,
  options: {
    data?: string | undefined;
    tables?: readonly TableName[];
    cache?: string | undefined;
    generalist?: string | undefined;
    note?: ((text: string) => void) | undefined;
  } = {},
): Promise<ReproduceContext> {
  const { data, tables = [], cache, generalist, note } = options;
  if (scale.name === "paper") {
    await requirePaperFiles(data, tables);
    return await paperContext(scale, data!, { cache, note });
  }
  const model = {
    name: basename(generalist ?? MINI_JOINT_WEIGHTS.pathname),
    sha256: await hashPath(generalist ?? MINI_JOINT_WEIGHTS),
  };
  const [encoders, load] = generalist === undefined
    ? [MINI, loadMiniJoint]
    : [await readClipConfig(generalist), () => loadClip(generalist)];
  return context(scale, { model, encoders, load, data: reproduceData(scale, data) });
}

async function loadMiniJoint(): Promise<LoadedClip> {
  const [params, tokenizer] = [await loadMiniParams(MINI_JOINT_WEIGHTS), await loadMiniTokenizer()];
  return { params, config: MINI, tokenizer, files: {} };
}

async function paperContext(
  scale: Scale,
  data: string,
  { cache, note }: Pick<NonNullable<Parameters<typeof openContext>[1]>, "cache" | "note">,
): Promise<ReproduceContext> {
  const folder = join(data, "biomedclip");
  const weights = join(folder, (await present(folder, WEIGHTS))!);
  const tokenizer = join(folder, (await present(folder, TOKENIZERS))!);
  const generalist = await loadClip({ weights, tokenizer });
  const model = { name: "BiomedCLIP", sha256: await hashPath(weights) };
  const load = (): Promise<LoadedClip> => Promise.resolve(generalist);
  const onCacheError = note &&
    (({ message }: Error): void => note(`warning: ${message}; images decoded from here on are not kept`));
  const reader = openImageReader(defined({ cache, onCacheError }));
  return context(scale, {
    ...{ model, encoders: generalist.config, load, data: reproduceData(scale, data), root: data, reader },
  });
}

function context(
  scale: Scale,
  parts: Omit<ReproduceContext, "scale" | "generalist" | "close"> & { load: () => Promise<LoadedClip> },
): ReproduceContext {
  const { load, ...rest } = parts;
  let loaded: LoadedClip | undefined;
  return {
    scale,
    ...rest,
    generalist: async () => loaded ??= await load(),
    async close() {
      if (loaded) disposeParams(loaded.params);
      await rest.reader?.close();
    },
  };
}

async function present(folder: string, names: readonly string[]): Promise<string | undefined> {
  for (const name of names) if (await exists(join(folder, name))) return name;
  return undefined;
}

/** The error for the paper's scale without a folder of its files. */
export class PaperFilesError extends Deno.errors.NotFound {
  /** Name shown in stack traces. */
  override name = "PaperFilesError";

  /** An error that says what is missing. */
  constructor() {
    super("Cannot reproduce at the paper's scale as the folder of its files must be named: there is none");
  }
}

/** Refuses the paper's scale where files are absent, naming all of them at once. */
async function requirePaperFiles(data: string | undefined, tables: readonly TableName[]): Promise<void> {
  if (data === undefined || data === "") {
    throw new PaperFilesError();
  }
  const absent: string[] = [];
  for (const names of [WEIGHTS, TOKENIZERS]) {
    if (await present(join(data, "biomedclip"), names) === undefined) absent.push(`biomedclip/${names.join(" or ")}`);
  }
  const chest = tables.some((table) => table !== "histopathology");
  const folders = chest ? ["mimic-cxr", ...REAL_SETS.chest] : [];
  for (const name of folders) if (!await exists(join(data, name))) absent.push(`${name}/`);
  if (tables.includes("histopathology") && await present(data, REAL_SETS.histopathology) === undefined) {
    absent.push(REAL_SETS.histopathology.map((name) => `${name}/`).join(" or "));
  }
  if (absent.length > 0) {
    throw new Deno.errors.NotFound(
      `Cannot reproduce at the paper's scale as "${data}" must hold all of its files: absent are ${absent.join(", ")}`,
    );
  }
}

/** The held-out sets of a row. */
export function setsOf(context: ReproduceContext, spec: RunSpec): Promise<Record<string, NamedSet>> {
  return context.data.sets(spec.sets ?? "chest");
}

/** The prompts of a row. */
export function templatesOf(spec: RunSpec): readonly string[] {
  return spec.sets === "histopathology" ? HISTOPATHOLOGY_TEMPLATES : CHEST_TEMPLATES;
}

/** All that decides a run's figures besides its seed and the code. */
export async function configurationOf(
  context: ReproduceContext,
  run: PlannedRun,
): Promise<ReproduceRecord["configuration"]> {
  const { scale, encoders } = context;
  const model = run.clip
    ? {
      name: run.clip.name,
      sha256: await hashPath(run.clip.files.weights),
      config: run.clip.files.config === undefined ? null : await hashPath(run.clip.files.config),
    }
    : context.model;
  const method = PEFT_METHODS[run.method](encoders, run.settings);
  const trains = run.method !== "none";
  const { epochs, batchSize, microBatch, warmupEpochs } = scale;
  const sets = Object.entries(await setsOf(context, run)).map(([name, { dataset }]) => [name, dataset.split]);
  return {
    scale: scale.name,
    ...(scale.departures ? { departures: scale.departures } : {}),
    model,
    method: method.name,
    settings: method.settings,
    training: trains
      ? {
        data: (await context.data.train()).split,
        loss: run.loss ?? "label-guided",
        learning_rate: scale.learningRate * (run.rateFactor ?? 1),
        epochs,
        batch_size: batchSize,
        micro_batch: microBatch,
        warmup_epochs: warmupEpochs,
      }
      : null,
    evaluation: {
      sets: Object.fromEntries(sets),
      ...(run.protocol ? { protocol: PROTOCOLS[run.protocol]! } : { templates: templatesOf(run) }),
      resamples: scale.resamples,
    },
  };
}
