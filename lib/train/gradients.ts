/** The loss of a batch and its gradient for every trainable leaf, whole or in micro-batches. @module */
import * as tf from "@tensorflow/tfjs";
import { infoNce } from "../losses/info_nce.ts";
import type { ContrastiveModel, FeatureOptions } from "../model.ts";
import { namedTensors } from "../tensor/params.ts";
import { tidy } from "../tensor/ops.ts";
import { deriveSeed } from "../tensor/random.ts";
import type { Scalar, Tensor, Tensor1D, Tensor2D } from "../tensor/types.ts";
import type { Batch, Samples } from "./batch.ts";
import { flatLayout, packNamed, unpackNamed } from "./flat.ts";

/** A value and its gradients by leaf name. */
export interface Gradients {
  /** Scalar. */
  value: Scalar;
  /** One tensor per name asked for; zeros where the value does not depend on the leaf. */
  gradients: Map<string, Tensor>;
}

/**
 * The value of `f` and its gradients for the named leaves of `tree`, which `f` must read from there.
 *
 * @returns New tensors. The caller disposes them.
 */
export function valueAndGradients(tree: unknown, names: readonly string[], f: () => Scalar): Gradients {
  const { value, leaves, gradients } = knownGradients(tree, names, f);
  return { value, gradients: new Map(names.map((name, i) => [name, gradients.get(name) ?? tf.zerosLike(leaves[i]!)])) };
}

/** Likewise, without the leaves the value does not depend on. */
function knownGradients(
  tree: unknown,
  names: readonly string[],
  f: () => Scalar,
): Gradients & { leaves: Tensor[] } {
  const named = namedTensors(tree);
  const leaves = names.map((name) => {
    const leaf = named.get(name);
    if (!leaf) throw new RangeError(`Cannot differentiate by "${name}" as the tree has no tensor of that name`);
    return leaf;
  });
  // tf.valueAndGrads throws for a leaf without influence.
  const { value, grads } = tf.engine().gradients(f, leaves, undefined as unknown as Scalar, true);
  const known = names.flatMap((name, i): [string, Tensor][] => grads[i] ? [[name, grads[i] as Tensor]] : []);
  return { value: value as Scalar, leaves, gradients: new Map(known) };
}

/** Options of {@linkcode contrastiveGradients}. */
export interface ContrastiveGradientsOptions {
  /** Seed of the dropout masks; without it dropout is off. */
  seed?: number;
  /** Samples encoded at a time; the loss is over the whole batch all the same. @default {the whole batch} */
  microBatch?: number;
  /**
   * Keep only the input of each transformer block (but the last) and compute its inside again for the gradient: less
   * memory for one more forward pass, the same numbers. @default {false}
   */
  recompute?: boolean;
}

/**
 * Loss and gradients of one batch. With `microBatch` below the batch size, features are first computed without a tape, the
 * loss's gradient for the features follows, and each micro-batch is read and encoded again to carry it back: of the batch
 * only features `[B, E]`, the mask and products of features `[B, B]` are held whole, and without dropout the numbers are
 * those of the whole batch.
 *
 * Source: GradCache, Gao et al. 2021.
 *
 * @returns New tensors. The caller disposes them. Rejects as `batch.read` does, and leaves nothing behind then.
 */
export async function contrastiveGradients<T>(
  model: ContrastiveModel<T>,
  params: T,
  batch: Batch,
  options: ContrastiveGradientsOptions = {},
): Promise<Gradients> {
  const leaves = new Map([...namedTensors(params)].filter(([name]) => model.isTrainable(name)));
  const how: FeatureOptions = options.recompute ? { recompute: new Set(leaves.values()) } : {};
  const step: Step<T> = { model, params, batch, leaves, how };
  const { size } = batch;
  const micro = Math.min(options.microBatch ?? size, size);
  const { seed } = options;
  if (micro === size) {
    return await withSamples(
      batch,
      { start: 0, size },
      (samples) =>
        valueAndGradients(
          params,
          [...leaves.keys()],
          () => tf.tidy(() => lossOf(step, features(step, samples, withSeed(how, seed)))),
        ),
    );
  }
  const chunks = Array.from({ length: Math.ceil(size / micro) }, (_, i): Chunk => ({
    start: i * micro,
    size: Math.min(micro, size - i * micro),
    ...(seed === undefined ? {} : { seed: deriveSeed(seed, `chunk ${i}`) }),
  }));
  const top = featureGradients(step, await allFeatures(step, chunks));
  const { "whole.image": image, "whole.text": text } = Object.fromEntries(top.gradients);
  try {
    const gradients = await carriedBack(step, chunks, { image: image as Tensor2D, text: text as Tensor2D });
    for (const [name, sum] of gradients) { // what the loss depends on by itself: the scale
      const own = top.gradients.get(`params.${name}`);
      if (!own) continue;
      gradients.set(name, tf.add(own, sum));
      sum.dispose();
    }
    return { value: top.value, gradients };
  } catch (error) {
    top.value.dispose();
    throw error;
  } finally {
    tf.dispose([...top.gradients.values()]);
  }
}

/** What the parts of one call share. */
interface Step<T> {
  model: ContrastiveModel<T>;
  params: T;
  batch: Batch;
  /** The trainable leaves of `params` by name. */
  leaves: ReadonlyMap<string, Tensor>;
  /** How features are computed on the tape. */
  how: FeatureOptions;
}

interface Features {
  image: Tensor2D;
  text: Tensor2D;
}

interface Chunk {
  start: number;
  size: number;
  seed?: number;
}

/** Runs `f` on a chunk's samples, which are freed after it. */
async function withSamples<R>(batch: Batch, { start, size }: Chunk, f: (samples: Samples) => R): Promise<R> {
  const { pixels, ids } = await batch.read(start, size);
  try {
    return f({ pixels, ids });
  } finally {
    tf.dispose([pixels, ids]);
  }
}

/** Features of the whole batch, chunk by chunk, without a tape. */
async function allFeatures<T>(step: Step<T>, chunks: readonly Chunk[]): Promise<Features> {
  const parts: Features[] = [];
  try {
    for (const chunk of chunks) {
      parts.push(
        await withSamples(
          step.batch,
          chunk,
          (samples) => tidy(() => features(step, samples, withSeed({}, chunk.seed))),
        ),
      );
    }
    return tidy(() => ({
      image: tf.concat(parts.map(({ image }) => image)),
      text: tf.concat(parts.map(({ text }) => text)),
    }));
  } finally {
    for (const { image, text } of parts) tf.dispose([image, text]);
  }
}

/** The loss and its gradients for the features, which are freed, and for whatever it depends on by itself. */
function featureGradients<T>(step: Step<T>, whole: Features): Gradients {
  const names = ["whole.image", "whole.text", ...[...step.leaves.keys()].map((name) => `params.${name}`)];
  try {
    return knownGradients({ params: step.params, whole }, names, () => tf.tidy(() => lossOf(step, whole)));
  } finally {
    tf.dispose([whole.image, whole.text]);
  }
}

/** The features' gradients carried back to the leaves, chunk by chunk. */
async function carriedBack<T>(
  step: Step<T>,
  chunks: readonly Chunk[],
  gradient: Features,
): Promise<Map<string, Tensor>> {
  const layout = flatLayout(step.leaves);
  let sums: Tensor1D[] = [];
  try {
    for (const chunk of chunks) {
      const { value, gradients } = await withSamples(
        step.batch,
        chunk,
        (samples) =>
          valueAndGradients(step.params, [...step.leaves.keys()], () =>
            tf.tidy(() => {
              const { image, text } = features(step, samples, withSeed(step.how, chunk.seed));
              const dot = (x: Tensor2D, whole: Tensor2D): Tensor =>
                tf.sum(tf.mul(x, tf.slice(whole, [chunk.start, 0], [chunk.size, -1])));
              return tf.add(dot(image, gradient.image), dot(text, gradient.text)) as Scalar;
            })),
      );
      value.dispose();
      const flat = packNamed(layout, gradients);
      const last = sums;
      sums = last.length === 0 ? flat : flat.map((part, i) => tf.add(last[i]!, part) as Tensor1D);
      tf.dispose([...gradients.values(), ...last, ...(last.length === 0 ? [] : flat)]);
    }
    return unpackNamed(layout, sums);
  } finally {
    tf.dispose(sums);
  }
}

function withSeed(options: FeatureOptions, seed: number | undefined): FeatureOptions {
  return seed === undefined ? options : { ...options, seed };
}

function features<T>({ model, params }: Step<T>, { pixels, ids }: Samples, options: FeatureOptions): Features {
  return {
    image: model.imageFeatures(params, pixels, options),
    text: model.textFeatures(params, ids, options),
  };
}

function lossOf<T>({ model, params, batch: { pairMask } }: Step<T>, { image, text }: Features): Scalar {
  return infoNce(image, text, model.scale(params), pairMask ? { pairMask } : {});
}
