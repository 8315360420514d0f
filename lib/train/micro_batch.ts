/** The micro-batches of a batch: features without a tape, and gradients through one of them. @module */
import * as tf from "@tensorflow/tfjs";
import type { ContrastiveModel, FeatureOptions } from "../clip/contrastive.ts";
import { customGrad, type Gradients, recordGradients, valueAndGradients } from "../tensor/gradients.ts";
import { tidy } from "../tensor/ops.ts";
import { deriveSeed } from "../tensor/random.ts";
import { ofRank } from "../tensor/shape.ts";
import { slice } from "../tensor/typed.ts";
import type { Scalar, Tensor, Tensor1D, Tensor2D } from "../tensor/types.ts";
import type { Batch, Samples } from "./batch.ts";
import { type FlatLayout, packNamed } from "./flat.ts";

/** A value and its gradients, packed as a layout says. */
export interface PackedGradients {
  /** Scalar. */
  value: Scalar;
  /** One flat tensor a group of the layout. */
  gradients: Tensor1D[];
}

/**
 * With more micro-batches it would save little to encode the last one once, and the products `[B, B]` stand beside its tape:
 * at 1,024 pairs in micro-batches of 16 they added 41 MiB to a peak that is otherwise the same at 64.
 */
export const FEW_CHUNKS = 16;

/** What the parts of one call share. */
export interface Step<T> {
  /** What is trained. */
  model: ContrastiveModel<T>;
  /** Its weights. */
  params: T;
  /** The samples. */
  batch: Batch;
  /** The trainable leaves of `params` by name. */
  leaves: ReadonlyMap<string, Tensor>;
  /** Where their gradients stand. */
  layout: FlatLayout;
  /** How features are computed on the tape. */
  featureOptions: FeatureOptions;
}

/** Unit features of some samples, each `[B, E]`. */
export interface Features {
  /** Of images. */
  image: Tensor2D;
  /** Of texts. */
  text: Tensor2D;
}

/** A micro-batch. */
export interface Chunk {
  /** Its first sample in the batch. */
  start: number;
  /** Samples. */
  size: number;
  /** Of its dropout masks; off without it. */
  seed?: number;
}

/** The micro-batches; one that is the whole batch has the seed itself. */
export function chunksOf(
  size: number,
  { microBatch = size, seed }: { microBatch?: number; seed?: number },
): Chunk[] {
  const micro = Math.min(microBatch, size);
  return Array.from({ length: Math.ceil(size / micro) }, (_, i): Chunk => ({
    start: i * micro,
    size: Math.min(micro, size - i * micro),
    ...(seed === undefined ? {} : { seed: micro === size ? seed : deriveSeed(seed, `chunk ${i}`) }),
  }));
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

/** Features of some chunks, one after the other, without a tape. */
export async function featuresOf<T>(step: Step<T>, chunks: readonly Chunk[]): Promise<Features> {
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
    return tidy(() => joined(parts));
  } finally {
    for (const { image, text } of parts) tf.dispose([image, text]);
  }
}

function joined(parts: readonly Features[]): Features {
  return { image: tf.concat(parts.map(({ image }) => image)), text: tf.concat(parts.map(({ text }) => text)) };
}

/**
 * The loss and its gradients: for the leaves, directly and through the samples of `last`, if there is one; and for the
 * features `earlier` of the other samples, which are freed.
 */
export async function lossGradients<T>(
  step: Step<T>,
  last: Chunk | undefined,
  earlier?: Features,
): Promise<Gradients & { earlier?: Features }> {
  const names = [...step.leaves.keys()];
  const tree = { params: step.params, ...(earlier ? { earlier } : {}) };
  const asked = [...names.map((name) => `params.${name}`), ...(earlier ? ["earlier.image", "earlier.text"] : [])];
  const differentiate = (samples?: Samples): Gradients =>
    valueAndGradients(tree, asked, () =>
      tf.tidy(() => {
        const own = samples ? [features(step, samples, withSeed(step.featureOptions, last?.seed))] : [];
        return lossOf(step, joined(earlier ? [earlier, ...own] : own));
      }));
  try {
    const { value, gradients } = last ? await withSamples(step.batch, last, differentiate) : differentiate();
    const of = (name: string): Tensor => gradients.get(name)!;
    const rows = (of: "image" | "text"): Tensor2D => ofRank(gradients.get(`earlier.${of}`), 2, `features of ${of}s`);
    return {
      value,
      gradients: new Map(names.map((name) => [name, of(`params.${name}`)])),
      ...(earlier ? { earlier: { image: rows("image"), text: rows("text") } } : {}),
    };
  } finally {
    if (earlier) tf.dispose([earlier.image, earlier.text]);
  }
}

/** The loss's gradients through one chunk, packed. */
export async function chunkGradients<T>(step: Step<T>, chunk: Chunk, whole: Features): Promise<Tensor1D[]> {
  const { features, back } = await openChunk(step, chunk);
  tf.dispose([features.image, features.text]);
  return back(whole);
}

/** A chunk that was encoded on a tape, which waits for the loss's gradients. */
export interface OpenChunk {
  /** Its features, which are the caller's. */
  features: Features;
  /** The loss's gradients through the chunk, packed, from those for all features. Once. */
  back(whole: Features): Tensor1D[];
  /** Frees the tape; nothing after `back`. */
  dispose(): void;
}

/** Encodes a chunk on a tape. */
export async function openChunk<T>(step: Step<T>, chunk: Chunk): Promise<OpenChunk> {
  const later: { rows?: Features } = {};
  let own: Features | undefined;
  const tape = await withSamples(
    step.batch,
    chunk,
    (samples) =>
      recordGradients(step.params, [...step.leaves.keys()], () =>
        tf.tidy(() => {
          own = features(step, samples, withSeed(step.featureOptions, chunk.seed));
          tf.keep(own.image), tf.keep(own.text);
          return withLaterGradients(own, later);
        })),
  ).catch((error) => {
    if (own) tf.dispose([own.image, own.text]);
    throw error;
  });
  return {
    features: own!,
    back(whole) {
      const rows = later.rows = { image: rowsOf(whole.image, chunk), text: rowsOf(whole.text, chunk) };
      try {
        const gradients = tape.back();
        const flat = packNamed(step.layout, gradients);
        tf.dispose([...gradients.values()]);
        return flat;
      } finally {
        tf.dispose([rows.image, rows.text]);
      }
    },
    dispose: () => tape.dispose(),
  };
}

function rowsOf(all: Tensor2D, { start, size }: Chunk): Tensor2D {
  return slice(all, [start, 0], [size, -1]);
}

/** 0, whose gradients are those that will be given: of the sum of products with them, which is not computed. */
function withLaterGradients({ image, text }: Features, later: { rows?: Features }): Scalar {
  return customGrad<readonly [Tensor2D, Tensor2D], [], Scalar>([image, text], () => ({
    value: tf.scalar(0),
    saved: [],
    gradFunc: () => [tf.clone(later.rows!.image), tf.clone(later.rows!.text)],
  }));
}

/** Sums of packed tensors; both operands are freed. */
export function addTo(sums: Tensor1D[], parts: Tensor1D[]): Tensor1D[] {
  const added = parts.map((part, i) => tf.add<Tensor1D>(sums[i]!, part));
  tf.dispose([...sums, ...parts]);
  return added;
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

function lossOf<T>({ model, params, batch: { pairMask } }: Step<T>, both: Features): Scalar {
  return model.loss(params, both, pairMask ? { pairMask } : {});
}
