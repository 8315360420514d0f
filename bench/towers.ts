/**
 * Image towers of full size and random weights beside a ViT of about their work, one image and two, forward alone:
 * `deno run --allow-read --allow-env bench/towers.ts [NAME ...]`. A row says how long an operation takes, over the peer's, turn by turn.
 *
 * The backend is wasm, or ACE_BACKEND's.
 *
 * @module
 */
import { BIOMED_CLIP, NO_TEXT } from "../lib/clip/architectures.ts";
import type { ClipConfig, SwinConfig, VisionConfig, VitConfig } from "../lib/clip/config.ts";
import { initClip } from "../lib/clip/params.ts";
import { encodeImage } from "../lib/clip/towers/image.ts";
import { readVariable } from "../lib/platform/variables.ts";
import { selectBackend } from "../lib/tensor/backend.ts";
import { disposeParams } from "../lib/tensor/params.ts";
import { type Contender, ours, ratio, takeTurns } from "./measure.ts";
import { firstNumber, randomPixels } from "./work.ts";

const BASE: VitConfig = BIOMED_CLIP.vision;
const SMALL: VitConfig = { ...BASE, width: 384, heads: 6, mlpWidth: 1536 };
const SWIN_T: SwinConfig = {
  ...{ kind: "swin", imageSize: 224, patchSize: 4, width: 768, window: 7, mlpRatio: 4, epsilon: 1e-5 },
  ...{ activation: "gelu", pool: "mean" },
  stages: [{ depth: 2, heads: 3 }, { depth: 2, heads: 6 }, { depth: 6, heads: 12 }, { depth: 2, heads: 24 }],
};

/** Towers, each with the ViT it is held against. */
const ROWS: readonly { name: string; tower: VisionConfig; peer: string; vit: VitConfig }[] = [
  {
    name: "DINOv2 ViT-B/14 of 518 pixels, asked at 224",
    tower: { ...BASE, kind: "dinov2", patchSize: 14, positionSize: 518, head: "none" },
    peer: "ViT-B/14",
    vit: { ...BASE, patchSize: 14 },
  },
  {
    name: "EVA02-B/16",
    tower: { ...BASE, kind: "eva02", mlpWidth: 2048, head: "biased" },
    peer: "ViT-B/16",
    vit: BASE,
  },
  { name: "Swin-T", tower: SWIN_T, peer: "ViT-S/16", vit: SMALL },
];

/** Multiply-adds of one image. */
function work(vision: VisionConfig): number {
  const block = (tokens: number, seen: number, width: number, hidden: number, matrices: number): number =>
    tokens * (4 * width ** 2 + matrices * width * hidden + 2 * seen * width);
  if (vision.kind === "swin") {
    const { imageSize, patchSize, stages, window, mlpRatio } = vision;
    let [side, width] = [imageSize / patchSize, vision.width / 2 ** (stages.length - 1)];
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
  const { imageSize, patchSize, width, depth, mlpWidth, kind } = vision as VitConfig;
  const patches = (imageSize / patchSize) ** 2;
  return patches * 3 * patchSize ** 2 * width +
    depth * block(patches + 1, patches + 1, width, mlpWidth, kind === "eva02" ? 3 : 2);
}

/** One side: a tower of random weights over random images. */
function contender(name: string, vision: VisionConfig, batch: number): Contender & { free: () => void } {
  const embedding = "head" in vision && vision.head === "none" ? vision.width : 512;
  const config: ClipConfig = { ...BIOMED_CLIP, vision, text: NO_TEXT, embedding, scale: 1 };
  const params = initClip(config, 1);
  const pixels = randomPixels(config, batch);
  const run = async (): Promise<void> => {
    const { tokens } = encodeImage(params, pixels, config);
    await firstNumber(tokens);
    tokens.dispose();
  };
  return { ...ours(name, run), free: () => disposeParams({ params, pixels }) };
}

if (import.meta.main) {
  await selectBackend(readVariable("ACE_BACKEND") ? {} : { backend: "wasm" });
  const wanted = Deno.args;
  for (const { name, tower, peer, vit } of ROWS.filter((row) => wanted.every((part) => row.name.includes(part)))) {
    for (const batch of [1, 2]) {
      const sides = [contender(name, tower, batch), contender(peer, vit, batch)];
      const times = await takeTurns(sides, { least: 5, seconds: 8 });
      const [own, other] = [times.get(name)!, times.get(peer)!];
      const perOperation = ratio(own, other);
      const factor = work(vit) / work(tower);
      const shown = (value: number): string => (value * factor).toFixed(2);
      console.log(
        `${name}, ${batch} at a time: ${own.median.toFixed(0)} ms, ${(work(tower) / 1e9).toFixed(1)} G; ${peer} ${
          other.median.toFixed(0)
        } ms, ${(work(vit) / 1e9).toFixed(1)} G; per operation ${shown(perOperation.median)} (${
          shown(perOperation.low)
        } to ${shown(perOperation.high)})`,
      );
      for (const { free } of sides) free();
    }
  }
}
