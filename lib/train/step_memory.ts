/** What a training step takes of memory, estimated before it is made. @module */
import * as tf from "@tensorflow/tfjs";
import type { ClipConfig, VisionConfig } from "../clip/config.ts";
import { layerNumbers } from "../clip/towers/image.ts";
import { WASM_BYTES } from "../tensor/memory.ts";

/**
 * Numbers that a step holds for each token's width in each layer, as measured on wasm: the memory grew by 247 MiB a pair of
 * BiomedCLIP in micro-batches of 1 to 3 with the paper's LoRA and ACE-HGNN (453 tokens, width 768, 12 layers), fragments
 * included: 15.5, and by 15.0 of the mini model. 12 to 13 are what a block keeps for its gradient.
 */
const NUMBERS = 16;

/** Likewise of a Swin with LoRA, whose tokens are put in order and whose biases are there for each window: Swin-T 18.5, a small one 20.9. */
const SWIN_NUMBERS = 20;

/**
 * Likewise of a ResNet all of whose weights are trained, for each number of its maps: OpenAI's RN50 2.3. One that is frozen, as no method
 * of fine-tuning but the full one changes convolutions, holds less.
 */
const RESNET_NUMBERS = 2.4;

/** Share of the memory that is counted on: over many steps it falls into fragments, and other tensors come and go. */
const USABLE = 0.9;

/** A tower that a step runs through. */
type Tower = "image" | "text";
const BOTH: readonly Tower[] = ["image", "text"];

/** Bytes, about, that a training step holds for each sample of a micro-batch in these towers, beside the weights. */
export function sampleBytes({ vision, text }: ClipConfig, towers: readonly Tower[] = BOTH): number {
  const numbers = {
    image: held(vision.kind) * layerNumbers(vision),
    text: NUMBERS * text.contextLength * text.width * text.depth,
  };
  return towers.reduce((sum, tower) => sum + 4 * numbers[tower], 0);
}

function held(kind: VisionConfig["kind"]): number {
  if (kind === "swin") return SWIN_NUMBERS;
  return kind === "resnet" || kind === "clip-resnet" ? RESNET_NUMBERS : NUMBERS;
}

/** Options of {@linkcode fittingMicroBatch}. */
export interface FittingMicroBatchOptions {
  /** Towers that each sample runs through. @default {both} */
  towers?: readonly Tower[];
  /** Bytes that a step holds besides its samples. @default {0} */
  besides?: number;
}

/**
 * The largest micro-batch of training steps that should fit beside the tensors there are now: Infinity where the backend sets
 * no limit that is known.
 */
export function fittingMicroBatch(config: ClipConfig, options: FittingMicroBatchOptions = {}): number {
  if (tf.getBackend() !== "wasm") return Infinity;
  const free = USABLE * WASM_BYTES - tf.memory().numBytes - (options.besides ?? 0);
  return Math.max(0, Math.floor(free / sampleBytes(config, options.towers)));
}
