/**
 * Image towers of full size and random weights beside a ViT of their width, or of about their work, forward alone:
 * `deno run --allow-read --allow-env bench/towers.ts [--save] [NAME ...]`. A row says how long an operation takes, over the peer's,
 * turn by turn, of one image and of two; the aim is at most 1.3.
 *
 * The backend is wasm, or ACE_BACKEND's; with 256-bit products where DENO_V8_FLAGS asks for them, by a library with `--allow-ffi`.
 * `--save` keeps the rows in bench/results (`--allow-write=bench/results`), in the place of those of the same names.
 *
 * @module
 */
import { join } from "@std/path";
import { BIOMED_CLIP, NO_TEXT } from "../lib/clip/architectures.ts";
import type { ClipConfig, ResnetConfig, SwinConfig, VisionConfig, VitConfig } from "../lib/clip/config.ts";
import { initClip } from "../lib/clip/params.ts";
import { encodeImage, gridSide, imageHead } from "../lib/clip/towers/image.ts";
import { writeFileAtomic } from "../lib/io/files.ts";
import { readVariable } from "../lib/platform/variables.ts";
import { selectBackend } from "../lib/tensor/backend.ts";
import { disposeParams } from "../lib/tensor/params.ts";
import { type Contender, inUnit, ours, PACKED_RUNS, ratio, takeTurns } from "./measure.ts";
import { type Aim, atMost, type Facts, gatherFacts } from "./record.ts";
import { allowedLibrary, firstNumber, randomPixels } from "./work.ts";

const BASE: VitConfig = BIOMED_CLIP.vision;
const SMALL: VitConfig = { ...BASE, width: 384, heads: 6, mlpWidth: 1536 };
const SO400M: VitConfig = { ...BASE, width: 1152, heads: 16, mlpWidth: 4304, depth: 3 };
const SWIN_T: SwinConfig = {
  ...{ kind: "swin", imageSize: 224, patchSize: 4, width: 768, window: 7, mlpRatio: 4, epsilon: 1e-5 },
  ...{ activation: "gelu", pool: "mean" },
  stages: [{ depth: 2, heads: 3 }, { depth: 2, heads: 6 }, { depth: 6, heads: 12 }, { depth: 2, heads: 24 }],
};
const RESNET_50: ResnetConfig = {
  ...{ kind: "resnet", imageSize: 224, stemWidth: 64, width: 2048, heads: 0 },
  stages: [3, 4, 6, 3],
};
const DINO: VitConfig = { ...BASE, kind: "dinov2", patchSize: 14, positionSize: 518, head: "none" };

/** Towers, each with the ViT it is held against. */
const ROWS: readonly { name: string; tower: VisionConfig; peer: string; vit: VitConfig }[] = [
  { name: "ResNet-50 (torchvision)", tower: RESNET_50, peer: "ViT-S/16", vit: SMALL },
  {
    name: "ResNet-50 (OpenAI)",
    tower: { ...RESNET_50, kind: "clip-resnet", heads: 32 },
    peer: "ViT-S/16",
    vit: SMALL,
  },
  { name: "Swin-T", tower: SWIN_T, peer: "ViT-S/16", vit: SMALL },
  {
    name: "EVA02-B/16",
    tower: { ...BASE, kind: "eva02", mlpWidth: 2048, head: "biased" },
    peer: "ViT-B/16",
    vit: BASE,
  },
  { name: "DINOv2 ViT-B/14 at 224", tower: DINO, peer: "ViT-B/16", vit: BASE },
  {
    name: "DINOv2 ViT-B/14 at 518, 3 blocks",
    tower: { ...DINO, imageSize: 518, depth: 3 },
    peer: "ViT-B/16, 3 blocks",
    vit: { ...BASE, depth: 3 },
  },
  {
    name: "MedSigLIP-448, 3 blocks",
    tower: { ...SO400M, imageSize: 448, patchSize: 14, pool: "attention", activation: "gelu-tanh" },
    peer: "ViT of its width, 3 blocks",
    vit: SO400M,
  },
];

/** Multiply-adds of a transformer block over `tokens`, each of which sees `seen`. */
function block(tokens: number, seen: number, width: number, hidden: number, matrices: number): number {
  return tokens * (4 * width ** 2 + matrices * width * hidden + 2 * seen * width);
}

function swinWork({ imageSize, patchSize, stages, window, mlpRatio, width: last }: SwinConfig): number {
  let [side, width] = [imageSize / patchSize, last / 2 ** (stages.length - 1)];
  let sum = side ** 2 * 3 * patchSize ** 2 * width;
  stages.forEach(({ depth }, stage) => {
    sum += depth * block(side ** 2, window ** 2, width, mlpRatio * width, 2);
    if (stage === stages.length - 1) return;
    side /= 2;
    width *= 2;
    sum += side ** 2 * 2 * width * width;
  });
  return sum;
}

function resnetWork(vision: ResnetConfig): number {
  const { kind, imageSize, stemWidth, stages, width } = vision;
  const isOpenAi = kind === "clip-resnet";
  let side = imageSize / 2;
  const half = stemWidth / 2;
  let sum = side ** 2 * (isOpenAi ? 9 * (3 * half + half * half + half * stemWidth) : 49 * 3 * stemWidth);
  side /= 2;
  let input = stemWidth;
  stages.forEach((depth, stage) => {
    const middle = stemWidth * 2 ** stage;
    for (let i = 0; i < depth; i++) {
      const before = side ** 2;
      if (i === 0 && stage > 0) side /= 2;
      const after = side ** 2;
      // Where the map shrinks: OpenAI's 3 x 3 is before, torchvision's after.
      sum += before * input * middle + (isOpenAi ? before : after) * 9 * middle ** 2 + after * 4 * middle ** 2;
      if (i === 0) sum += after * input * 4 * middle;
      input = 4 * middle;
    }
  });
  const places = gridSide(vision) ** 2 + 1;
  return isOpenAi ? sum + (2 * places + 1) * width ** 2 + 2 * places * width : sum;
}

/** Multiply-adds of one image. */
function work(vision: VisionConfig): number {
  if (vision.kind === "swin") return swinWork(vision);
  if ("stemWidth" in vision) return resnetWork(vision);
  const { imageSize, patchSize, width, depth, mlpWidth, kind, pool } = vision;
  const patches = (imageSize / patchSize) ** 2;
  const tokens = pool === "attention" ? patches : patches + 1;
  return patches * 3 * patchSize ** 2 * width +
    depth * block(tokens, tokens, width, mlpWidth, kind === "eva02" ? 3 : 2) +
    (pool === "attention" ? block(tokens, tokens, width, mlpWidth, 2) : 0);
}

/** One side: a tower of random weights over random images. */
function contender(name: string, vision: VisionConfig, batch: number): Contender & { free: () => void } {
  const embedding = imageHead(vision) === "none" ? vision.width : 512;
  const config: ClipConfig = { ...BIOMED_CLIP, vision, text: NO_TEXT, embedding, scale: 1 };
  const params = initClip(config, 1);
  const pixels = randomPixels(config, batch);
  const run = async (): Promise<void> => {
    const { tokens } = encodeImage(params, pixels, config);
    await firstNumber(tokens);
    tokens.dispose();
  };
  return { ...ours(name, run), warmUp: PACKED_RUNS, free: () => disposeParams({ params, pixels }) };
}

/** The rows of this run in the place of those of their names. */
async function save(facts: Facts, aims: readonly Aim[]): Promise<void> {
  const path = join("bench/results", `${facts.date.slice(0, 10)}-towers.json`);
  let kept: Aim[] = [];
  try {
    kept = JSON.parse(await Deno.readTextFile(path)).aims;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const others = kept.filter(({ name }) => !aims.some((aim) => aim.name === name));
  await writeFileAtomic(path, JSON.stringify({ ...facts, aims: [...others, ...aims] }, null, 2) + "\n");
}

if (import.meta.main) {
  const { adapter } = await selectBackend({
    ...(readVariable("ACE_BACKEND") ? {} : { backend: "wasm" }),
    wasm: allowedLibrary(),
  });
  const mode = /OpenBLAS|MKL|BLIS|Accelerate/.exec(adapter)?.[0] ?? /256-bit products/.exec(adapter)?.[0] ??
    "128-bit products";
  const wanted = Deno.args.filter((arg) => arg !== "--save");
  const facts = await gatherFacts();
  const aims: Aim[] = [];
  for (const { name, tower, peer, vit } of ROWS.filter((row) => wanted.every((part) => row.name.includes(part)))) {
    for (const batch of [1, 2]) {
      const sides = [contender(name, tower, batch), contender(peer, vit, batch)];
      const times = await takeTurns(sides, { least: 5, seconds: 6 });
      const [own, other] = [times.get(name)!, times.get(peer)!];
      const factor = work(vit) / work(tower);
      const perOperation = inUnit(ratio(own, other), (times) => times * factor);
      aims.push(atMost(`${name} beside ${peer}, ${batch} at a time, ${mode}`, 1.3, perOperation));
      const shown = (value: number): string => value.toFixed(2);
      console.log(
        `${name}, ${batch} at a time, ${mode}: ${own.median.toFixed(0)} ms, ${
          (work(tower) / 1e9).toFixed(1)
        } G; ${peer} ${other.median.toFixed(0)} ms, ${(work(vit) / 1e9).toFixed(1)} G; per operation ${
          shown(perOperation.median)
        } (${shown(perOperation.low)} to ${shown(perOperation.high)})`,
      );
      for (const { free } of sides) free();
    }
  }
  if (Deno.args.includes("--save")) await save(facts, aims);
  Deno.exit(0);
}
