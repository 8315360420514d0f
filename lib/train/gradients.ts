/** The loss of a batch and its gradient for every trainable leaf, whole or in micro-batches. @module */
import * as tf from "@tensorflow/tfjs";
import { infoNce } from "../losses/info_nce.ts";
import type { ContrastiveModel, FeatureOptions } from "../model.ts";
import { namedTensors } from "../tensor/params.ts";
import { tidy } from "../tensor/ops.ts";
import { deriveSeed } from "../tensor/random.ts";
import type { Scalar, Tensor, Tensor1D, Tensor2D, Tensor4D } from "../tensor/types.ts";
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

/** One batch as tensors. */
export interface BatchTensors {
  /** Normalised images, shape `[B, S, S, 3]`. */
  pixels: Tensor4D;
  /** Token ids, shape `[B, N]` int32. */
  ids: Tensor2D;
  /** Pairs that take part, `[B, B]`. @default {all: plain InfoNCE} */
  pairMask?: Tensor2D;
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
 * loss's gradient for the features follows, and each micro-batch is encoded again to carry it back: memory depends on the
 * micro-batch only, and without dropout the numbers are those of the whole batch.
 *
 * Source: GradCache, Gao et al. 2021.
 *
 * @returns New tensors. The caller disposes them.
 */
export function contrastiveGradients<T>(
  model: ContrastiveModel<T>,
  params: T,
  batch: BatchTensors,
  options: ContrastiveGradientsOptions = {},
): Gradients {
  const names = [...namedTensors(params).keys()].filter((name) => model.isTrainable(name));
  const leaves = namedTensors(params);
  const how: FeatureOptions = options.recompute ? { recompute: new Set(names.map((name) => leaves.get(name)!)) } : {};
  const size = batch.pixels.shape[0];
  const micro = Math.min(options.microBatch ?? size, size);
  if (micro === size) {
    return valueAndGradients(
      params,
      names,
      () =>
        tf.tidy(() =>
          lossOf(model, params, features(model, params, batch, withSeed(how, options.seed)), batch.pairMask)
        ),
    );
  }
  const chunks = Array.from({ length: Math.ceil(size / micro) }, (_, i): Chunk => ({
    start: i * micro,
    size: Math.min(micro, size - i * micro),
    ...(options.seed === undefined ? {} : { seed: deriveSeed(options.seed, `chunk ${i}`) }),
  }));
  const cached = chunks.map((chunk) => tidy(() => chunkFeatures(model, params, batch, chunk, {})));
  const whole: Features = tidy(() => ({
    image: tf.concat(cached.map(({ image }) => image)),
    text: tf.concat(cached.map(({ text }) => text)),
  }));
  for (const { image, text } of cached) tf.dispose([image, text]);
  // The features are leaves here, and so is whatever the scale depends on.
  const top = knownGradients({ params, whole }, [
    "whole.image",
    "whole.text",
    ...names.map((name) => `params.${name}`),
  ], () => tf.tidy(() => lossOf(model, params, whole, batch.pairMask)));
  tf.dispose([whole.image, whole.text]);
  const { "whole.image": imageGradient, "whole.text": textGradient } = Object.fromEntries(top.gradients);
  const layout = flatLayout(new Map(names.map((name) => [name, leaves.get(name)!])));
  let sums: Tensor1D[] = [];
  for (const chunk of chunks) {
    const { value, gradients } = valueAndGradients(params, names, () =>
      tf.tidy(() => {
        const { image, text } = chunkFeatures(model, params, batch, chunk, how);
        const dot = (x: Tensor2D, gradient: Tensor): Tensor =>
          tf.sum(tf.mul(x, tf.slice(gradient, [chunk.start, 0], [chunk.size, -1])));
        return tf.add(dot(image, imageGradient!), dot(text, textGradient!)) as Scalar;
      }));
    value.dispose();
    const flat = packNamed(layout, gradients);
    const last = sums;
    sums = last.length === 0 ? flat : flat.map((part, i) => tf.add(last[i]!, part) as Tensor1D);
    tf.dispose([...gradients.values(), ...last, ...(last.length === 0 ? [] : flat)]);
  }
  tf.dispose([imageGradient!, textGradient!]);
  const gradients = unpackNamed(layout, sums);
  tf.dispose(sums);
  for (const name of names) { // what the loss depends on by itself: the scale
    const [own, sum] = [top.gradients.get(`params.${name}`), gradients.get(name)!];
    if (!own) continue;
    gradients.set(name, tf.add(own, sum));
    tf.dispose([own, sum]);
  }
  return { value: top.value, gradients };
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

function withSeed(options: FeatureOptions, seed: number | undefined): FeatureOptions {
  return seed === undefined ? options : { ...options, seed };
}

function features<T>(model: ContrastiveModel<T>, params: T, batch: BatchTensors, options: FeatureOptions): Features {
  return {
    image: model.imageFeatures(params, batch.pixels, options),
    text: model.textFeatures(params, batch.ids, options),
  };
}

function chunkFeatures<T>(
  model: ContrastiveModel<T>,
  params: T,
  batch: BatchTensors,
  chunk: Chunk,
  options: FeatureOptions,
): Features {
  const rows = {
    pixels: tf.slice(batch.pixels, [chunk.start, 0, 0, 0], [chunk.size, -1, -1, -1]),
    ids: tf.slice(batch.ids, [chunk.start, 0], [chunk.size, -1]),
  };
  return features(model, params, rows, withSeed(options, chunk.seed));
}

function lossOf<T>(model: ContrastiveModel<T>, params: T, { image, text }: Features, pairMask?: Tensor2D): Scalar {
  return infoNce(image, text, model.scale(params), pairMask ? { pairMask } : {});
}
