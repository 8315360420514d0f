/** Other models of table 2: any CLIP there are files for. @module */
import { exists } from "../io/files.ts";
import { join } from "@std/path";
import { aceLoraModel } from "../ace_lora.ts";
import { classifyByProtocol } from "../clip/zero_shot/ask.ts";
import { PROTOCOLS } from "../clip/zero_shot/presets.ts";
import { hasPrompts } from "../clip/zero_shot/protocol.ts";
import { classifyZeroShot } from "../clip/zero_shot/scores.ts";
import type { BackendInfo } from "../tensor/backend.ts";
import { countParams, disposeParams } from "../tensor/params.ts";
import { findModelFiles } from "../clip/find_model_files.ts";
import { loadClip } from "../clip/load.ts";
import { classPrompts, imageSource } from "../data/sources.ts";
import { configurationOf, type ReproduceContext, templatesOf } from "./context.ts";
import { evaluate } from "./evaluate.ts";
import { peakProcessBytes, watchTensorBytes } from "./memory.ts";
import { recordOfRun, type ReproduceRecord } from "./record.ts";
import type { ClipFolder, PlannedRun } from "./plan.ts";

/**
 * The models in `<data>/models`, one a folder, sorted by name.
 *
 * @throws {Deno.errors.NotFound} If a folder lacks weights or a tokeniser; the message names it.
 */
export async function findClips(data: string | undefined): Promise<ClipFolder[]> {
  const root = join(data ?? "", "models");
  if (data === undefined || !await exists(root)) return [];
  const names: string[] = [];
  for await (const entry of Deno.readDir(root)) if (entry.isDirectory) names.push(entry.name);
  return await Promise.all(names.sort().map(async (name) => ({ name, files: await filesOf(join(root, name)) })));
}

async function filesOf(folder: string): Promise<ClipFolder["files"]> {
  const files = await findModelFiles(folder);
  if (files.tokenizer !== undefined) return files;
  throw new Deno.errors.NotFound(`Cannot use "${folder}" as a model as it must hold a tokeniser: it has none`);
}

/** Asks a model of `models/` zero-shot. */
export async function executeClipRun(
  context: ReproduceContext,
  backend: BackendInfo,
  run: PlannedRun,
): Promise<ReproduceRecord> {
  const configuration = await configurationOf(context, run);
  const memory = watchTensorBytes();
  const clip = await loadClip(run.clip!.files);
  try {
    const model = aceLoraModel({ encoders: clip.config, learnScale: false });
    const templates = templatesOf(run);
    const protocol = run.protocol === undefined ? undefined : PROTOCOLS[run.protocol]!;
    const sets = await evaluate(context, run, async ({ cases, classes }) => {
      const images = imageSource(cases, clip.config, context.reader ? { reader: context.reader } : {});
      if (protocol) {
        if (!hasPrompts(protocol, classes)) return null; // written for another data set's classes
        return await classifyByProtocol(model, clip.params, images, { protocol, classes, ...clip });
      }
      const prompts = classPrompts(classes, clip.config, clip.tokenizer, templates);
      return await classifyZeroShot(model, clip.params, images, prompts);
    });
    return {
      ...await recordOfRun(run, configuration, backend),
      trainable: 0,
      total: countParams(clip.params),
      steps: 0,
      seconds: 0,
      timed_steps: 0,
      peak_tensor_bytes: memory.end(),
      peak_process_bytes: peakProcessBytes(),
      false_negatives: { pairs: 0, identical: 0 },
      loss: { steps: [], values: [] },
      sets,
    };
  } finally {
    memory.end();
    disposeParams(clip.params);
  }
}
