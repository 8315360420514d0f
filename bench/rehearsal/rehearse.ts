/** The stages of a rehearsal, each by the product's own command. @module */
import { fromFileUrl, join } from "@std/path";
import { openPixelCache } from "../../lib/data/pixels/cache.ts";
import { loadMimicCxr } from "../../lib/data/mimic_cxr.ts";
import { squareTransform } from "../../lib/data/sources.ts";
import { toClipTensors } from "../../lib/clip/checkpoint/tensors.ts";
import { BIOMED_CLIP } from "../../lib/clip/architectures.ts";
import { BIOMED_CLIP_LAYOUT } from "../../lib/clip/checkpoint/layout.ts";
import { float32Tensor } from "../../lib/io/tensors.ts";
import { writeSafetensors } from "../../lib/io/safetensors.ts";
import { mulberry32 } from "../../lib/tensor/random.ts";
import { frozenModel, SIZES } from "../work.ts";
import { planRehearsal, projection, type RehearsalOptions, type RehearsalPlan } from "./plan.ts";
import { start, succeed, type Taken, usage } from "./process.ts";
import { writeTree } from "./tree.ts";

/** One stage, as measured. */
export interface Stage {
  /** What was done. */
  name: string;
  /** Films it was done with; pairs where it trains, each time they were seen. */
  images: number;
  /** Seconds. */
  seconds: number;
  /** Films a second; of training and caching without the start of the process. */
  rate: number;
  /** Bytes it wrote or read, where that is the point. */
  bytes?: number;
  /** Highest resident memory of its process, MiB; null where /proc does not tell. */
  peak: number | null;
  /** Processor time of all its threads, seconds, which other work on the machine lengthens less; null likewise. */
  processor: number | null;
  /** Share of the steps in which the device waited for images. */
  idle?: number;
}

/** What a rehearsal found. */
export interface Rehearsal {
  /** Always: nothing here is said of real films, but their number, size and bytes. */
  synthetic: true;
  /** What was done. */
  plan: RehearsalPlan;
  /** Stages, in order. */
  stages: Stage[];
  /** The run that was killed twice. */
  killed: { signal: string; step: number; secondsToEnd: number }[];
  /** Files of the killed run's end that are not those of the run left alone: none, or a fault. */
  differing: string[];
  /** Figures of the validation set, by the run's validation and by the command that measures recall. */
  validation: { name: string; value: number }[];
  /** The rates, for the whole of MIMIC-CXR-JPG and the paper's epochs, on this machine. */
  projection: Record<string, number | null>;
}

const MINI_VOCABULARY = fromFileUrl(new URL("../../data/mini_vocab.txt", import.meta.url));

/**
 * Rehearses in a folder of its own, which the caller removes.
 *
 * @param tell Takes a line as each stage ends.
 * @throws {Error} If a command fails, or the run ends before it can be killed.
 */
export async function rehearse(
  folder: string,
  options: RehearsalOptions = {},
  tell: (line: string) => void = () => {},
): Promise<Rehearsal> {
  const plan = planRehearsal(options);
  const root = join(folder, "mimic-cxr-jpg");
  const cache = join(folder, "cache");
  await Deno.mkdir(root, { recursive: true });
  const stages: Stage[] = [];
  const ended = (stage: Stage): void => {
    stages.push(stage);
    tell(`${stage.name}: ${stage.images} in ${stage.seconds.toFixed(1)} s, ${stage.rate.toPrecision(3)} a second`);
  };
  const model = plan.size === "mini" ? [] : await writeModel(join(folder, "biomedclip"));

  let filmBytes = 0;
  const before = await usage(Deno.pid);
  const began = performance.now();
  await writeTree(root, plan, (bytes) => void (filmBytes += bytes));
  const writing = (performance.now() - began) / 1000;
  const after = await usage(Deno.pid);
  const processor = before && after ? after.processor - before.processor : null;
  const written = { images: plan.images, seconds: writing, rate: plan.images / writing, bytes: filmBytes };
  ended({ name: "write the tree", ...written, peak: after?.peak ?? null, processor });

  const data = ["--dataset", "mimic-cxr", "--root", root, "--cache", cache, "--decode-workers", `${plan.workers}`];
  const decoded = await succeed("cache", [...data, ...model, "--split", "all"]);
  const again = await succeed("cache", [...data, ...model, "--split", "all"]);
  const cacheBytes = await bytesIn(cache);
  const decoding = Math.max(decoded.seconds - again.seconds, Number.MIN_VALUE);
  ended(stageOf("fill the cache", decoded, { images: plan.images, rate: plan.images / decoding, bytes: cacheBytes }));
  ended(stageOf("the same again", again, { images: plan.images }));
  const reading = await readAll(cache, root, plan);
  ended(reading);

  const args = [
    ...[...data, ...model, "--batch-size", `${plan.pairsPerBatch}`, "--micro-batch", `${plan.microBatch}`],
    ...["--epochs", `${plan.epochs}`, "--validate", `mimic-cxr/validate:${root}`],
  ];
  const alone = join(folder, "alone");
  const trained = await succeed("train", [...args, "--out", alone]);
  const training = await trainingStage(alone, trained, plan);
  ended(training);

  const resumed = join(folder, "killed");
  const { killed, last } = await killTwice([...args, "--save-steps", "1", "--resume", "--out", resumed], resumed, plan);
  const differing = await compareRuns(alone, resumed);
  const kept = plan.splits.train * plan.epochs - killed.at(-1)!.step * plan.pairsPerBatch;
  ended(stageOf("train to the end after two kills", last, { images: Math.max(0, kept) }));

  const adapter = join(alone, "best.safetensors");
  const pairs = await validationPairs(root, folder);
  const out = join(folder, "validated");
  const validated = await succeed("retrieve", [
    ...["--pairs", pairs, "--cache", cache, ...model, "--adapter", adapter, "--out", out],
  ]);
  ended(stageOf("validate", validated, { images: plan.splits.validate }));
  return {
    synthetic: true,
    plan,
    stages,
    killed,
    differing,
    validation: await validationFigures(alone, out),
    projection: projection({
      filmBytes: filmBytes / plan.images,
      cacheBytes: cacheBytes / plan.images,
      cached: plan.images / decoding,
      processor: decoded.processor === null || again.processor === null
        ? null
        : (decoded.processor - again.processor) / plan.images,
      read: reading.rate,
      trained: training.rate,
    }),
  };
}

/** A stage that is one process. */
function stageOf(
  name: string,
  { seconds, peak, processor }: Taken,
  rest: Pick<Stage, "images"> & Partial<Stage>,
): Stage {
  return {
    name,
    seconds,
    rate: rest.images / seconds,
    peak,
    processor,
    ...rest,
  };
}

/** BiomedCLIP of its true size with random weights, and a vocabulary as long as its own, as the options name them. */
async function writeModel(folder: string): Promise<string[]> {
  await Deno.mkdir(folder, { recursive: true });
  const path = join(folder, "open_clip_model.safetensors");
  const tensors = await toClipTensors(frozenModel("full"), BIOMED_CLIP_LAYOUT);
  await writeSafetensors(
    path,
    new Map([...tensors].map(([name, { shape, values }]) => [name, float32Tensor(shape, values)])),
  );
  const words = (await Deno.readTextFile(MINI_VOCABULARY)).trimEnd().split("\n");
  const rows = BIOMED_CLIP.text.vocabularySize;
  const vocabulary = [...words, ...Array.from({ length: rows - words.length }, (_, i) => `[unused${i}]`)];
  const tokenizer = join(folder, "vocab.txt");
  await Deno.writeTextFile(tokenizer, vocabulary.join("\n") + "\n");
  return ["--weights", path, "--tokenizer", tokenizer];
}

async function bytesIn(folder: string): Promise<number> {
  let bytes = 0;
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    bytes += isDirectory ? await bytesIn(path) : (await Deno.stat(path)).size;
  }
  return bytes;
}

/** Reads every film's square from the cache, in an order as shuffled as training's, on this thread alone. */
async function readAll(folder: string, root: string, plan: RehearsalPlan): Promise<Stage> {
  const cache = await openPixelCache(folder, { ...squareTransform(SIZES[plan.size], "train"), exif: false });
  const { cases } = await loadMimicCxr(root, { split: "all" });
  const rng = mulberry32(1);
  const order = cases.map(({ path }) => [rng(), path!] as const).sort(([a], [b]) => a - b);
  const began = performance.now();
  let bytes = 0;
  for (const [, path] of order) {
    const square = await cache.get(path);
    if (!square) throw new Error(`Cannot read "${path}" from the cache as it must be there: it is not`);
    bytes += square.data.length;
  }
  const seconds = (performance.now() - began) / 1000;
  cache.close();
  const { length: images } = order;
  return { name: "read the cache", images, seconds, rate: images / seconds, bytes, peak: null, processor: null };
}

/** The training run's stage; rate and idle share are of its steps but the first, in which kernels are compiled. */
async function trainingStage(out: string, taken: Taken, plan: RehearsalPlan): Promise<Stage> {
  const { train } = plan.splits;
  const perEpoch = plan.steps / plan.epochs;
  let [pairs, seconds, waiting] = [0, 0, 0];
  for (const entry of await loggedSteps(out)) {
    const inEpoch = (entry.step - 1) % perEpoch;
    if (entry.step === 1) continue;
    const samples = Math.min(plan.pairsPerBatch, train - inEpoch * plan.pairsPerBatch);
    pairs += samples;
    seconds += samples / entry.images_per_second;
    waiting += entry.waiting_share * samples / entry.images_per_second;
  }
  const images = train * plan.epochs;
  return stageOf(`train, ${plan.steps} steps`, taken, { images, rate: pairs / seconds, idle: waiting / seconds });
}

interface LoggedStep {
  step: number;
  loss: number;
  images_per_second: number;
  waiting_share: number;
}

/** Whole lines of the steps that a log holds. */
async function loggedSteps(out: string): Promise<LoggedStep[]> {
  const text = await Deno.readTextFile(join(out, "log.jsonl")).catch(() => "");
  return text.split("\n").slice(0, -1).map((line) => JSON.parse(line)).filter((entry) => "loss" in entry);
}

/** Trains, is stopped by SIGTERM after a third of the steps, goes on, is killed after two thirds, and goes on to the end. */
async function killTwice(
  args: readonly string[],
  out: string,
  { steps }: RehearsalPlan,
): Promise<{ killed: Rehearsal["killed"]; last: Taken }> {
  const killed: Rehearsal["killed"] = [];
  for (const [signal, share, expected] of [["SIGTERM", 1 / 3, 143], ["SIGKILL", 2 / 3, 137]] as const) {
    const run = start("train", args);
    let isOver = false;
    run.ended.then(() => isOver = true);
    const step = async (): Promise<number> => (await loggedSteps(out)).at(-1)?.step ?? 0;
    while (!isOver && await step() < Math.max(1, Math.floor(steps * share))) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const began = performance.now();
    if (!isOver) run.kill(signal);
    const { code, told } = await run.ended;
    const secondsToEnd = (performance.now() - began) / 1000;
    if (code !== expected) {
      throw new Error(
        `Cannot kill the run as it must be under way: it ended with ${code}; ask for more steps. ${told}`,
      );
    }
    killed.push({ signal, step: await step(), secondsToEnd });
  }
  return { killed, last: await succeed("train", args) };
}

/** What the two runs do not have in common: adapters to the byte, losses and validations to the digit. */
async function compareRuns(alone: string, killed: string): Promise<string[]> {
  const differing: string[] = [];
  for (const name of ["adapter.safetensors", "best.safetensors"]) {
    const [a, b] = await Promise.all([alone, killed].map((out) => Deno.readFile(join(out, name))));
    if (a!.length !== b!.length || a!.some((byte, i) => byte !== b![i])) differing.push(name);
  }
  const record = async (out: string): Promise<string> => {
    const { history, validation } = JSON.parse(await Deno.readTextFile(join(out, "training.json")));
    return JSON.stringify([history, validation.figures]);
  };
  if (await record(alone) !== await record(killed)) differing.push("training.json");
  const losses = async (out: string): Promise<string> =>
    (await loggedSteps(out)).map(({ step, loss }) => `${step} ${loss}`).join("; ");
  if (await losses(alone) !== await losses(killed)) differing.push("log.jsonl");
  return differing;
}

/** The validation split as the CSV that `retrieve` reads. */
async function validationPairs(root: string, folder: string): Promise<string> {
  const { cases } = await loadMimicCxr(root, { split: "validate" });
  const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
  const path = join(folder, "validate.csv");
  const rows = cases.map((one) => `${quoted(one.path!)},${quoted(one.text!)}`);
  await Deno.writeTextFile(path, ["path,text", ...rows].join("\n") + "\n");
  return path;
}

async function validationFigures(trained: string, out: string): Promise<Rehearsal["validation"]> {
  const { validation: { figures } } = JSON.parse(await Deno.readTextFile(join(trained, "training.json")));
  const { imageToText, textToImage } = JSON.parse(await Deno.readTextFile(join(out, "retrieval.json")));
  return [
    ...figures.map(({ step, name, value }: { step: number; name: string; value: number }) => ({
      name: `${name} after step ${step}`,
      value,
    })),
    { name: "recall@5 of the best, image to text", value: imageToText.recall[5] },
    { name: "recall@5 of the best, text to image", value: textToImage.recall[5] },
  ];
}
