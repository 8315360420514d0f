/** The loss of a batch and its gradient for every trainable leaf, whole or in micro-batches. @module */
import * as tf from "@tensorflow/tfjs";
import type { ContrastiveModel, FeatureOptions } from "../clip/contrastive.ts";
import { gradientsOf } from "../tensor/gradients.ts";
import { namedTensors } from "../tensor/params.ts";
import { tidy } from "../tensor/ops.ts";
import { deriveSeed } from "../tensor/random.ts";
import type { Scalar, Tensor, Tensor1D, Tensor2D } from "../tensor/types.ts";
import type { Communicator } from "../distributed/communicator.ts";
import type { Batch, Samples } from "./batch.ts";
import { type FlatLayout, flatLayout, packNamed, unpackNamed } from "./flat.ts";

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
  const named = namedTensors(tree);
  const leaves = names.map((name) => {
    const leaf = named.get(name);
    if (!leaf) throw new RangeError(`Cannot differentiate by "${name}" as the tree has no tensor of that name`);
    return leaf;
  });
  const { value, grads } = gradientsOf(f, leaves);
  const gradients = new Map(names.map((name, i) => [name, grads[i] ?? tf.zerosLike(leaves[i]!)]));
  return { value, gradients };
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
  /**
   * Processes that share the micro-batches among them. Gradients are summed over micro-batches in one order, whatever their number,
   * so that any number of ranks comes to the same bits. @default {this process alone}
   */
  ranks?: Communicator;
  /** How `ranks` sum gradients, see {@linkcode GradientSum}. @default {"ordered"} */
  gradientSum?: GradientSum;
}

/**
 * How processes sum the gradients of their micro-batches. "ordered": each round's are gathered and added in the micro-batches' order,
 * so that any number of processes comes to the same bits. "allreduce": each process adds its own, and the library sums those
 * once a step: less is sent, and the last bits depend on the number of processes and on the library.
 */
export type GradientSum = "ordered" | "allreduce";

/**
 * Loss and gradients of one batch. With `microBatch` below the batch size, features are first computed without a tape, the
 * loss's gradient for the features follows, and each micro-batch is read and encoded again to carry it back: of the batch
 * only features `[B, E]`, the mask and products of features `[B, B]` are held whole, and without dropout the numbers are
 * those of the whole batch. Where the micro-batches are few, the last is encoded once: the loss stands on its tape.
 *
 * Source: GradCache, Gao et al. 2021, which encodes the last micro-batch twice as well.
 *
 * @returns New tensors. The caller disposes them. Rejects as `batch.read` does, and leaves nothing behind then.
 */
export async function contrastiveGradients<T>(
  model: ContrastiveModel<T>,
  params: T,
  batch: Batch,
  options: ContrastiveGradientsOptions = {},
): Promise<Gradients> {
  const layout = flatLayout(trainable(model, params));
  const { value, gradients } = await packedGradients(model, params, batch, { ...options, layout });
  try {
    return { value, gradients: unpackNamed(layout, gradients) };
  } finally {
    tf.dispose(gradients);
  }
}

function trainable<T>(model: ContrastiveModel<T>, params: T): Map<string, Tensor> {
  return new Map([...namedTensors(params)].filter(([name]) => model.isTrainable(name)));
}

/** A value and its gradients, packed as a layout says. */
export interface PackedGradients {
  /** Scalar. */
  value: Scalar;
  /** One flat tensor a group of the layout. */
  gradients: Tensor1D[];
}

/**
 * {@linkcode contrastiveGradients} in a few flat tensors, as the optimiser takes them: packed once a step, or once a
 * micro-batch, and summed so.
 *
 * @param options `layout`: which leaf stands where; all trainable ones.
 */
export async function packedGradients<T>(
  model: ContrastiveModel<T>,
  params: T,
  batch: Batch,
  options: ContrastiveGradientsOptions & { layout: FlatLayout },
): Promise<PackedGradients> {
  const { layout } = options;
  const leaves = trainable(model, params);
  const featureOptions: FeatureOptions = options.recompute ? { recompute: new Set(leaves.values()) } : {};
  const step: Step<T> = { model, params, batch, leaves, layout, featureOptions };
  const chunks = chunksOf(batch.size, options);
  const { ranks, gradientSum } = options;
  if (ranks) return await sharedGradients(step, chunks, ranks, gradientSum);
  const last = chunks.length <= FEW_CHUNKS ? chunks.pop() : undefined;
  if (last && chunks.length === 0) {
    const { value, gradients } = await lossGradients(step, last);
    const packed = packNamed(layout, gradients);
    tf.dispose([...gradients.values()]);
    return { value, gradients: packed };
  }
  const top = await lossGradients(step, last, await featuresOf(step, chunks));
  try {
    return { value: top.value, gradients: await carriedBack(step, chunks, top) };
  } catch (error) {
    top.value.dispose();
    throw error;
  } finally {
    tf.dispose([top.earlier!.image, top.earlier!.text, ...top.gradients.values()]);
  }
}

/**
 * With more micro-batches it would save little to encode the last one once, and the products `[B, B]` stand beside its tape:
 * at 1,024 pairs in micro-batches of 16 they added 41 MiB to a peak that is otherwise the same at 64.
 */
const FEW_CHUNKS = 16;

/** The micro-batches; one that is the whole batch has the seed itself. */
function chunksOf(size: number, { microBatch = size, seed }: ContrastiveGradientsOptions): Chunk[] {
  const micro = Math.min(microBatch, size);
  return Array.from({ length: Math.ceil(size / micro) }, (_, i): Chunk => ({
    start: i * micro,
    size: Math.min(micro, size - i * micro),
    ...(seed === undefined ? {} : { seed: micro === size ? seed : deriveSeed(seed, `chunk ${i}`) }),
  }));
}

/** The chunks of each round, one a rank. */
function roundsOf(chunks: readonly Chunk[], { size }: Communicator): Chunk[][] {
  // One process alone begins with the last chunk where the chunks are few.
  const order = chunks.length <= FEW_CHUNKS ? [chunks.at(-1)!, ...chunks.slice(0, -1)] : chunks;
  return Array.from({ length: Math.ceil(order.length / size) }, (_, i) => order.slice(i * size, (i + 1) * size));
}

/** The samples of a batch that this process reads for its gradients. */
export function samplesRead(
  indices: readonly number[],
  options: Pick<ContrastiveGradientsOptions, "microBatch" | "ranks">,
): number[] {
  const { ranks } = options;
  if (!ranks || indices.length === 0) return [...indices];
  const own = roundsOf(chunksOf(indices.length, options), ranks).flatMap((round) => round[ranks.rank] ?? []);
  return own.flatMap(({ start, size }) => indices.slice(start, start + size));
}

/** What the parts of one call share. */
interface Step<T> {
  model: ContrastiveModel<T>;
  params: T;
  batch: Batch;
  /** The trainable leaves of `params` by name. */
  leaves: ReadonlyMap<string, Tensor>;
  /** Where their gradients stand. */
  layout: FlatLayout;
  /** How features are computed on the tape. */
  featureOptions: FeatureOptions;
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

/** Features of some chunks, one after the other, without a tape. */
async function featuresOf<T>(step: Step<T>, chunks: readonly Chunk[]): Promise<Features> {
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
async function lossGradients<T>(
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
    return {
      value,
      gradients: new Map(names.map((name) => [name, of(`params.${name}`)])),
      ...(earlier ? { earlier: { image: of("earlier.image") as Tensor2D, text: of("earlier.text") as Tensor2D } } : {}),
    };
  } finally {
    if (earlier) tf.dispose([earlier.image, earlier.text]);
  }
}

/** The loss's gradients for the leaves, and those through the chunks it does not reach, carried back one by one. */
async function carriedBack<T>(
  step: Step<T>,
  chunks: readonly Chunk[],
  top: { gradients: Map<string, Tensor>; earlier?: Features },
): Promise<Tensor1D[]> {
  let sums = packNamed(step.layout, top.gradients);
  try {
    for (const chunk of chunks) sums = addTo(sums, await chunkGradients(step, chunk, top.earlier!));
    return sums;
  } catch (error) {
    tf.dispose(sums);
    throw error;
  }
}

/** The loss's gradients through one chunk, packed. */
async function chunkGradients<T>(step: Step<T>, chunk: Chunk, whole: Features): Promise<Tensor1D[]> {
  const { value, gradients } = await withSamples(
    step.batch,
    chunk,
    (samples) =>
      valueAndGradients(step.params, [...step.leaves.keys()], () =>
        tf.tidy(() => {
          const { image, text } = features(step, samples, withSeed(step.featureOptions, chunk.seed));
          const dot = (x: Tensor2D, all: Tensor2D): Tensor =>
            tf.sum(tf.mul(x, tf.slice(all, [chunk.start, 0], [chunk.size, -1])));
          return tf.add(dot(image, whole.image), dot(text, whole.text)) as Scalar;
        })),
  );
  value.dispose();
  const flat = packNamed(step.layout, gradients);
  tf.dispose([...gradients.values()]);
  return flat;
}

/** Sums of packed tensors; both operands are freed. */
function addTo(sums: Tensor1D[], parts: Tensor1D[]): Tensor1D[] {
  const added = parts.map((part, i) => tf.add(sums[i]!, part) as Tensor1D);
  tf.dispose([...sums, ...parts]);
  return added;
}

/**
 * The same shared among processes, chunk by chunk in turn. Every rank gets all features, computes the whole loss's gradient for
 * them, and carries back its own chunks; each round's gradients are gathered and summed in the chunks' order, which is that of
 * one process alone, unless `sum` leaves that to the library.
 */
async function sharedGradients<T>(
  step: Step<T>,
  chunks: Chunk[],
  ranks: Communicator,
  sum: GradientSum = "ordered",
): Promise<PackedGradients> {
  const rounds = roundsOf(chunks, ranks);
  const { value, gradients, earlier } = await lossGradients(
    step,
    undefined,
    await gatheredFeatures(step, rounds, ranks),
  );
  let sums = packNamed(step.layout, gradients);
  try {
    if (sum === "allreduce") {
      const own = rounds.flatMap((round) => round[ranks.rank] ?? []);
      sums = addTo(sums, await reducedGradients(step, own, earlier!, ranks));
      return { value, gradients: sums };
    }
    for (const round of rounds) {
      const own = round[ranks.rank];
      for (const parts of await gatherPacked(step.layout, own && await chunkGradients(step, own, earlier!), ranks)) {
        sums = addTo(sums, parts);
      }
    }
    return { value, gradients: sums };
  } catch (error) {
    tf.dispose([value, ...sums]);
    throw error;
  } finally {
    tf.dispose([earlier!.image, earlier!.text, ...gradients.values()]);
  }
}

/** Features of the whole batch, each chunk's computed by one rank. */
async function gatheredFeatures<T>(step: Step<T>, rounds: Chunk[][], ranks: Communicator): Promise<Features> {
  const most = Math.max(...rounds.flat().map(({ size }) => size));
  const chunkFeatures = new Map<Chunk, { image: Float32Array; text: Float32Array }>();
  let width = 0;
  for (const round of rounds) {
    const own = round[ranks.rank];
    const features = own && await featuresOf(step, [own]);
    // Told once, as a rank without a chunk cannot know it; the first round has one at least.
    if (width === 0) width = Math.max(...ranks.allGather(Float32Array.of(features?.image.shape[1] ?? 0)));
    const half = most * width;
    const sent = new Float32Array(2 * half);
    if (features) {
      sent.set(await features.image.data() as Float32Array);
      sent.set(await features.text.data() as Float32Array, half);
      tf.dispose([features.image, features.text]);
    }
    const all = ranks.allGather(sent);
    for (const [rank, chunk] of round.entries()) {
      const [begin, count] = [rank * 2 * half, chunk.size * width];
      chunkFeatures.set(chunk, {
        image: all.subarray(begin, begin + count),
        text: all.subarray(begin + half, begin + half + count),
      });
    }
  }
  const whole = (which: keyof Features): Tensor2D => {
    const values = new Float32Array(step.batch.size * width);
    for (const [{ start }, parts] of chunkFeatures) values.set(parts[which], start * width);
    return tf.tensor2d(values, [step.batch.size, width]);
  };
  return { image: whole("image"), text: whole("text") };
}

/** The gradients through all chunks, of which each rank adds up its own; packed. */
async function reducedGradients<T>(
  step: Step<T>,
  own: readonly Chunk[],
  whole: Features,
  ranks: Communicator,
): Promise<Tensor1D[]> {
  const sizes = groupSizes(step.layout);
  let sums = sizes.map((size) => tf.zeros<tf.Rank.R1>([size]));
  try {
    for (const chunk of own) sums = addTo(sums, await chunkGradients(step, chunk, whole));
    const numbers = await packedNumbers(sums, sizes);
    ranks.allReduceSum(numbers);
    return unpackedNumbers(numbers, sizes);
  } finally {
    tf.dispose(sums);
  }
}

/** Numbers of each group of a layout. */
function groupSizes(layout: FlatLayout): number[] {
  return layout.map((parts) => parts.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0));
}

/** Packed tensors in one array, with `spare` numbers behind them. */
async function packedNumbers(parts: readonly Tensor1D[], sizes: readonly number[], spare = 0): Promise<Float32Array> {
  const out = new Float32Array(sizes.reduce((a, b) => a + b, 0) + spare);
  let place = 0;
  for (const part of parts) {
    out.set(await part.data() as Float32Array, place);
    place += part.size;
  }
  return out;
}

function unpackedNumbers(numbers: Float32Array, sizes: readonly number[], begin = 0): Tensor1D[] {
  let from = begin;
  return sizes.map((size) => tf.tensor1d(numbers.slice(from, from += size)));
}

/** What each rank that has a chunk in this round sends, packed, in the order of ranks; `own` is freed. */
async function gatherPacked(
  layout: FlatLayout,
  own: Tensor1D[] | undefined,
  ranks: Communicator,
): Promise<Tensor1D[][]> {
  const sizes = groupSizes(layout);
  const sent = await packedNumbers(own ?? [], sizes, 1); // the last number tells whether there is a chunk
  const total = sent.length - 1;
  sent[total] = own ? 1 : 0;
  if (own) tf.dispose(own);
  const all = ranks.allGather(sent);
  return Array.from({ length: ranks.size }, (_, rank) => rank * (total + 1))
    .filter((begin) => all[begin + total] === 1)
    .map((begin) => unpackedNumbers(all, sizes, begin));
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
