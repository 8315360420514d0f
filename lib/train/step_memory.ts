/** What a training step takes of memory, estimated before it is made. @module */
import * as tf from "@tensorflow/tfjs";
import type { ClipConfig } from "../clip/config.ts";
import { WASM_BYTES } from "../tensor/memory.ts";

/**
 * Numbers that a step holds for each token's width in each layer, as measured on wasm: the memory grew by 1,060 MiB a pair of
 * BiomedCLIP in micro-batches of 1, 2 and 3 with the paper's LoRA and ACE-HGNN (453 tokens, width 768, 12 layers), fragments
 * included.
 */
const NUMBERS = 67;

/** Share of the memory that is counted on: over many steps it falls into fragments, and other tensors come and go. */
const USABLE = 0.9;

/** Bytes, about, that a training step holds for each pair of a micro-batch, beside the weights. */
export function pairBytes({ vision, text }: ClipConfig): number {
  const patches = (vision.imageSize / vision.patchSize) ** 2 + 1;
  return 4 * NUMBERS * (patches * vision.width * vision.depth + text.contextLength * text.width * text.depth);
}

/**
 * The largest micro-batch of training steps that should fit beside the tensors there are now: Infinity where the backend sets
 * no limit that is known.
 */
export function fittingMicroBatch(config: ClipConfig): number {
  if (tf.getBackend() !== "wasm") return Infinity;
  return Math.floor((USABLE * WASM_BYTES - tf.memory().numBytes) / pairBytes(config));
}
