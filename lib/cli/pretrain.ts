/** `deno task pretrain`: makes the shipped mini model from nothing. @module */
import { dirname, join } from "@std/path";
import { BIOMED_CLIP_LAYOUT } from "../clip/checkpoint/names.ts";
import { toClipTensors } from "../clip/checkpoint/tensors.ts";
import { writeFileAtomic } from "../io/files.ts";
import { writeSafetensors } from "../io/safetensors.ts";
import { float32Tensor } from "../io/tensors.ts";
import { loadMiniTokenizer } from "../clip/mini.ts";
import { pretrain } from "../reproduction/pretrain/pretrain.ts";
import { PRETRAIN } from "../reproduction/pretrain/settings.ts";
import { gitRevision, versions } from "../io/run_facts.ts";
import { countParams } from "../tensor/params.ts";
import type { Arguments, Command } from "./command.ts";
import { holdOutput, OVERWRITE_OPTION } from "./output.ts";
import { BACKEND_OPTION, startBackend, watchTraining } from "./shared.ts";

export const COMMAND: Command = {
  name: "pretrain",
  summary:
    "Pre-train the mini generalist on synthetic texts, then on captioned images, as the shipped weights were made",
  options: {
    out: {
      type: "string",
      value: "FILE",
      help: "Weights to write (default: results/pretrain/mini_generalist.safetensors)",
    },
    "text-steps": { type: "string", value: "N", help: `Steps of the text tower (default: ${PRETRAIN.textSteps})` },
    "image-steps": { type: "string", value: "N", help: `Steps of the image tower (default: ${PRETRAIN.imageSteps})` },
    seed: { type: "string", value: "N", help: `Seed (default: ${PRETRAIN.seed})` },
    resume: { type: "boolean", help: "Go on from the state an interrupted run left beside the weights" },
    ...OVERWRITE_OPTION,
    ...BACKEND_OPTION,
  },
  example: "deno task pretrain --text-steps 50 --image-steps 50 --out results/pretrain/quick.safetensors",
  async run(args) {
    const out = args.text("out") ?? "results/pretrain/mini_generalist.safetensors";
    return await holdOutput(args, { path: out }, () => makeMini(args, out));
  },
};

async function makeMini(args: Arguments, out: string): Promise<number | void> {
  const settings = {
    ...PRETRAIN,
    textSteps: args.integer("text-steps", PRETRAIN.textSteps),
    imageSteps: args.integer("image-steps", PRETRAIN.imageSteps),
    seed: args.integer("seed", PRETRAIN.seed),
  };
  const backend = await startBackend(args);
  const began = performance.now();
  const revision = await gitRevision(); // of the code that runs, whatever is committed meanwhile
  const watch = watchTraining("pretrain", settings.batchSize);
  const statePath = `${out}.state`;
  const hooks = { ...watch.hooks, statePath, resume: args.flag("resume") };
  const result = await pretrain(await loadMiniTokenizer(), settings, hooks).finally(() => watch.end());
  if (result.interrupted) {
    console.error(
      `interrupted after step ${result.history.length}: "${statePath}" holds the state; --resume goes on`,
    );
    return watch.exitCode();
  }
  const seconds = (performance.now() - began) / 1000;
  const checkpoint = await toClipTensors(result.params, BIOMED_CLIP_LAYOUT);
  const tensors = new Map([...checkpoint].map(([name, { shape, values }]) => [name, float32Tensor(shape, values)]));
  const last = result.history.slice(-50);
  const card = {
    what:
      "MINI generalist: BERT and ViT towers pre-trained from random weights on synthetic texts, then synthetic images with captions",
    synthetic: true,
    parameters: countParams(result.params),
    ...settings,
    pairs: (settings.textSteps + settings.imageSteps) * settings.batchSize,
    seconds: Math.round(seconds),
    meanLossOfLast50Steps: last.reduce((sum, { loss }) => sum + loss, 0) / last.length,
    data: "lib/data/synthetic: textPair(), then pretrainingPair(), four modalities, every pair seen once",
    backend: backend.name,
    versions: versions(),
    revision,
  };
  await writeSafetensors(out, tensors, { format: "ace-lora mini", seed: String(settings.seed) });
  await writeFileAtomic(join(dirname(out), "mini_generalist.card.json"), JSON.stringify(card, null, 2) + "\n");
  console.log(JSON.stringify(card, null, 2));
}
