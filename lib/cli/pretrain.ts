/** `deno task pretrain`: makes the shipped mini model from nothing, or that of the tables from its text tower. @module */
import { BIOMED_CLIP_LAYOUT } from "../clip/checkpoint/layout.ts";
import { toClipTensors } from "../clip/checkpoint/tensors.ts";
import { writeFileAtomic } from "../io/files.ts";
import { writeSafetensors } from "../io/safetensors.ts";
import { float32Tensor } from "../io/tensors.ts";
import { MINI } from "../clip/architectures.ts";
import { loadMiniParams, loadMiniTokenizer } from "../clip/mini.ts";
import type { ClipParams } from "../clip/params.ts";
import { frozenProbe } from "../reproduction/pretrain/frozen_probe.ts";
import { pretrainJoint } from "../reproduction/pretrain/joint.ts";
import { pretrain } from "../reproduction/pretrain/pretrain.ts";
import { JOINT, PRETRAIN } from "../reproduction/pretrain/settings.ts";
import type { FitOptions, FitResult } from "../train/options.ts";
import { runFacts } from "../io/run_facts.ts";
import { countParams, disposeParams } from "../tensor/params.ts";
import { type Arguments, type Command, UsageError, WHOLE } from "./command.ts";
import { holdOutput, OVERWRITE_OPTION } from "./output.ts";
import { BACKEND_OPTION, startBackend, watchTraining } from "./shared.ts";

export const COMMAND: Command = {
  name: "pretrain",
  summary: "Pre-train a mini generalist on synthetic texts, then on captioned images, as the shipped weights were made",
  options: {
    recipe: {
      value: "NAME",
      help:
        "apart: one tower after the other; joint: image tower and text head together, from the shipped text tower " +
        "(default: apart)",
    },
    out: {
      value: "FILE",
      help:
        "Weights to write (default: results/pretrain/mini_generalist.safetensors; joint: mini_joint.safetensors there)",
    },
    "text-steps": {
      value: "N",
      number: WHOLE,
      help: `Steps of the text tower, with apart only (default: ${PRETRAIN.textSteps})`,
    },
    "image-steps": {
      value: "N",
      number: WHOLE,
      help: `Steps of the image tower (default: ${PRETRAIN.imageSteps}; joint: ${JOINT.imageSteps})`,
    },
    seed: {
      value: "N",
      number: WHOLE,
      help: `Seed (default: ${PRETRAIN.seed}; joint: ${JOINT.seed})`,
    },
    probe: { help: "Measure what CLS token and patch tokens know, and keep it in the card" },
    resume: { help: "Go on from the state an interrupted run left beside the weights" },
    ...OVERWRITE_OPTION,
    ...BACKEND_OPTION,
  },
  example: "deno task pretrain --text-steps 50 --image-steps 50 --out results/pretrain/quick.safetensors",
  async run(args) {
    const recipe = args.choice<Recipe>("recipe", ["apart", "joint"], "apart");
    if (recipe === "joint" && args.text("text-steps") !== undefined) {
      throw new UsageError("--text-steps goes with --recipe apart: joint takes the text tower of the shipped weights");
    }
    const out = args.text("out") ?? `results/pretrain/${NAMES[recipe]}.safetensors`;
    return await holdOutput(args, { path: out }, () => makeMini(args, recipe, out));
  },
};

type Recipe = "apart" | "joint";

/** The file of each recipe's weights. */
const NAMES: Readonly<Record<Recipe, string>> = { apart: "mini_generalist", joint: "mini_joint" };

type Hooks = Pick<FitOptions, "onStep" | "signal" | "statePath" | "resume">;

/** A recipe with its settings: what runs, and what its card says. */
interface Plan {
  settings: { seed: number; imageSteps: number; batchSize: number };
  steps: number;
  run(hooks: Hooks): Promise<FitResult<ClipParams>>;
  what: string;
  data: string;
}

function apart(args: Arguments): Plan {
  const settings = {
    ...PRETRAIN,
    textSteps: args.number("text-steps", PRETRAIN.textSteps),
    imageSteps: args.number("image-steps", PRETRAIN.imageSteps),
    seed: args.number("seed", PRETRAIN.seed),
  };
  return {
    settings,
    steps: settings.textSteps + settings.imageSteps,
    run: async (hooks) => await pretrain(await loadMiniTokenizer(), settings, hooks),
    what:
      "MINI generalist: BERT and ViT towers pre-trained from random weights on synthetic texts, then synthetic images with captions",
    data: "lib/data/synthetic: textPair(), then pretrainingPair(), four modalities, every pair seen once",
  };
}

function joint(args: Arguments): Plan {
  const settings = {
    ...JOINT,
    imageSteps: args.number("image-steps", JOINT.imageSteps),
    seed: args.number("seed", JOINT.seed),
  };
  return {
    settings,
    steps: settings.imageSteps,
    run: async (hooks) => {
      const shipped = await loadMiniParams();
      disposeParams(shipped, shipped.text);
      return await pretrainJoint(await loadMiniTokenizer(), shipped.text, settings, hooks);
    },
    what:
      "MINI generalist: ViT pre-trained from random weights together with the head of the shipped BERT tower, CLS token against coarse captions, patch tokens against plain ones",
    data: "lib/data/synthetic: twinFilm() and otherImage(), four modalities, every image seen once",
  };
}

async function makeMini(args: Arguments, recipe: Recipe, out: string): Promise<number | void> {
  const { settings, steps, run, what, data } = recipe === "joint" ? joint(args) : apart(args);
  const backend = await startBackend(args);
  const began = performance.now();
  const facts = await runFacts(backend); // the revision is that of the code that runs, whatever is committed meanwhile
  const watch = watchTraining("pretrain", settings.batchSize);
  const statePath = `${out}.state`;
  const result = await run({ ...watch.hooks, statePath, resume: args.flag("resume") }).finally(() => watch.end());
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
    what,
    synthetic: true,
    parameters: countParams(result.params),
    ...settings,
    pairs: steps * settings.batchSize,
    seconds: Math.round(seconds),
    meanLossOfLast50Steps: last.reduce((sum, { loss }) => sum + loss, 0) / last.length,
    data,
    ...(args.flag("probe") ? { frozenProbe: await frozenProbe(result.params, MINI) } : {}),
    ...facts,
  };
  await writeSafetensors(out, tensors, { format: "ace-lora mini", seed: String(settings.seed) });
  await writeFileAtomic(`${out.replace(/\.safetensors$/, "")}.card.json`, JSON.stringify(card, null, 2) + "\n");
  console.log(JSON.stringify(card, null, 2));
}
