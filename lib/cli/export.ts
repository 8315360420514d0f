/** `deno task export`: an adapted model for other programs. @module */
import { basename } from "@std/path";
import { readClipConfig } from "../clip/load.ts";
import { checkTowers, exportOnnx } from "../export/onnx/model.ts";
import { modelCard } from "../export/card.ts";
import { checkDenseRecord, checkRunRecord, checkTrainingRecord, recordKind } from "../display/records.ts";
import type { DenseRecord, RunRecord, TrainingRecord } from "../display/results.ts";
import { parseJson } from "../io/fields.ts";
import { writeFileAtomic } from "../io/files.ts";
import { versions } from "../io/run_facts.ts";
import { defined } from "../platform/defined.ts";
import { classifierFrom } from "./classifier.ts";
import { type Arguments, type Command, UsageError } from "./command.ts";
import { checkPath } from "./paths.ts";
import { ADAPTER_OPTION, fromModelFiles, MODEL_OPTIONS } from "./model_options.ts";
import { holdOutput, OVERWRITE_OPTION } from "./output.ts";
import { modelFacts } from "./provenance.ts";
import { BACKEND_OPTION, startBackend } from "./shared.ts";

export const COMMAND: Command = {
  name: "export",
  summary: "An adapted model as ONNX, LoRA merged and ACE-HGNN inside, for onnxruntime anywhere",
  options: {
    onnx: {
      value: "DIR",
      help: "Folder of image.onnx, text.onnx and preprocessing.json (how inputs are prepared, what features become)",
    },
    card: { value: "FILE", help: "README.md in Hugging Face's form, of what is known of the model" },
    "base-model": { value: "NAME", help: "card: the base's name on the hub" },
    license: { value: "NAME", help: "card: the licence's name on the hub (default: left out)" },
    metrics: {
      multiple: true,
      value: "FILE",
      help: "card: a metrics.json of evaluate, segment or detect; may be repeated",
    },
    training: { value: "FILE", help: "card: a training.json of train, segment or detect" },
    ...MODEL_OPTIONS,
    ...ADAPTER_OPTION,
    ...OVERWRITE_OPTION,
    ...BACKEND_OPTION,
  },
  example: "deno task export --adapter adapter.safetensors --onnx results/onnx",
  async run(args) {
    const card = args.text("card");
    if (card !== undefined) await holdOutput(args, { path: card, option: "card" }, () => writeCard(args, card));
    else {
      const odd = ["base-model", "license", "metrics", "training"].find((name) =>
        args.text(name) !== undefined || args.all(name).length > 0
      );
      if (odd) throw new UsageError(`--${odd} needs --card`);
    }
    if (card !== undefined && args.text("onnx") === undefined) return;
    const folder = args.required("onnx");
    const results = ["image.onnx", "text.onnx", "preprocessing.json"];
    await holdOutput(args, { path: folder, results, option: "onnx" }, async () => {
      checkTowers(await fromModelFiles(args, readClipConfig));
      await startBackend(args);
      const { params, config } = await classifierFrom(args);
      const files = await exportOnnx(params, config, folder);
      console.log(Object.values(files).join("\n"));
    });
  },
};

/** A JSON file and which of the commands' records it is. */
async function recordAt(path: string): Promise<{ value: unknown; kind: ReturnType<typeof recordKind> }> {
  await checkPath(path);
  const value = parseJson(await Deno.readTextFile(path), path);
  return { value, kind: recordKind(value) };
}

async function metricsAt(path: string): Promise<RunRecord | DenseRecord> {
  const { value, kind } = await recordAt(path);
  if (kind === "evaluation") return checkRunRecord(value, path);
  if (kind === "dense") return checkDenseRecord(value, path);
  throw new SyntaxError(`Cannot read "${path}" as figures: it is no metrics.json of evaluate, demo, segment or detect`);
}

async function trainingAt(path: string): Promise<TrainingRecord> {
  const { value, kind } = await recordAt(path);
  if (kind === "training") return checkTrainingRecord(value, path);
  throw new SyntaxError(`Cannot read "${path}" as a training: it is no training.json of train, segment or detect`);
}

async function writeCard(args: Arguments, path: string): Promise<void> {
  const [metrics, training] = [args.all("metrics"), args.text("training")];
  const { notice, ...facts } = await modelFacts(args);
  const named = Object.entries({
    ...facts,
    weights: basename(facts.weights),
    adapter: basename(facts.adapter ?? "none"),
  });
  const text = modelCard({
    title: args.text("adapter") === undefined ? basename(facts.weights) : basename(facts.adapter!),
    ...defined({ baseModel: args.text("base-model"), license: args.text("license"), notice }),
    metrics: await Promise.all(metrics.map(metricsAt)),
    ...(training === undefined ? {} : { training: await trainingAt(training) }),
    files: { ...Object.fromEntries(named), ...versions() },
  });
  await writeFileAtomic(path, text);
  console.log(path);
}
