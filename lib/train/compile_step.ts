/** The programs of a training step, compiled while the weights or its first images are read. @module */
import * as tf from "@tensorflow/tfjs";
import type { ContrastiveModel } from "../clip/contrastive.ts";
import type { Tensor } from "../tensor/types.ts";
import { compileAhead } from "../tensor/webgpu/compile_ahead.ts";
import { adamw, type AdamwState } from "./adamw.ts";
import type { Batch } from "./batch.ts";
import { packedGradients } from "./gradients.ts";
import type { BatchSource } from "./source.ts";

/** What decides a step's programs. */
export interface CompileStepOptions {
  /** Samples of a batch. */
  size: number;
  /** Samples encoded at a time. */
  microBatch: number;
  /** Whether pairs are left out of the loss. */
  isMasked: boolean;
  /** Whether the inside of blocks is computed again. */
  recompute: boolean;
  /** What is trained, by name. */
  tensors: ReadonlyMap<string, Tensor>;
  /** The optimiser's state. */
  adamw: AdamwState;
}

/** Does nothing where the backend is not webgpu. Shorter texts and a last, smaller batch may need a few programs more. */
export async function compileStep<T>(
  model: ContrastiveModel<T>,
  params: T,
  source: StepShapes,
  options: CompileStepOptions,
): Promise<void> {
  await compileAhead(() => stepOnNothing(model, params, source, options));
}

/** What of a source decides a step's programs. */
export type StepShapes = Pick<BatchSource, "imageSize" | "contextLength">;

/** A step on samples and, if need be, weights without numbers: what `compileAhead` and the option `ahead` of `loadClip` do. */
export async function stepOnNothing<T>(
  model: ContrastiveModel<T>,
  params: T,
  { imageSize, contextLength }: StepShapes,
  { size, microBatch, isMasked, recompute, tensors, adamw: state }: CompileStepOptions,
): Promise<void> {
  // Made on the device, and there nothing is computed: they take no memory.
  const batch: Batch = {
    size,
    read: (_, count) =>
      Promise.resolve({
        pixels: tf.fill([count, imageSize, imageSize, 3], 0),
        ids: tf.fill([count, contextLength], 0, "int32"),
      }),
    ...(isMasked ? { pairMask: tf.fill([size, size], 1) } : {}),
  };
  const how = { layout: state.layout, microBatch, recompute, seed: 1 };
  const { value, gradients } = await packedGradients(model, params, batch, how);
  const next = adamw(state, tensors, gradients, 1);
  tf.dispose([value, ...gradients, ...next.tensors.values(), ...next.state.first, ...next.state.second]);
  batch.pairMask?.dispose();
}
