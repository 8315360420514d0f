/** The gradients of a batch whose micro-batches are shared among processes. @module */
import * as tf from "@tensorflow/tfjs";
import type { Communicator } from "../distributed/communicator.ts";
import type { Tensor1D, Tensor2D } from "../tensor/types.ts";
import { type FlatLayout, packNamed } from "./flat.ts";
import {
  addTo,
  type Chunk,
  chunkGradients,
  chunksOf,
  type Features,
  featuresOf,
  FEW_CHUNKS,
  lossGradients,
  type OpenChunk,
  openChunk,
  type PackedGradients,
  type Step,
} from "./micro_batch.ts";

/**
 * How processes sum the gradients of their micro-batches. "ordered": each round's are gathered and added in the micro-batches' order,
 * so that any number of processes comes to the same bits. "allreduce": each process adds its own, and the library sums those
 * once a step: less is sent, and the last bits depend on the number of processes and on the library.
 */
export type GradientSum = "ordered" | "allreduce";

/** The ways there are. */
export const GRADIENT_SUMS: readonly GradientSum[] = ["ordered", "allreduce"];

/** The chunks of each round, one a rank. */
function roundsOf(chunks: readonly Chunk[], { size }: Communicator): Chunk[][] {
  // One process alone begins with the last chunk where the chunks are few.
  const order = chunks.length <= FEW_CHUNKS ? [chunks.at(-1)!, ...chunks.slice(0, -1)] : chunks;
  return Array.from({ length: Math.ceil(order.length / size) }, (_, i) => order.slice(i * size, (i + 1) * size));
}

/** The samples of a batch that this process reads for its gradients. */
export function samplesRead(
  indices: readonly number[],
  options: { microBatch?: number; ranks?: Communicator },
): number[] {
  const { ranks } = options;
  if (!ranks || indices.length === 0) return [...indices];
  const own = roundsOf(chunksOf(indices.length, options), ranks).flatMap((round) => round[ranks.rank] ?? []);
  return own.flatMap(({ start, size }) => indices.slice(start, start + size));
}

/**
 * The same shared among processes, chunk by chunk in turn. Every rank gets all features, computes the whole loss's gradient for
 * them, and carries back its own chunks; each round's gradients are gathered and summed in the chunks' order, which is that of
 * one process alone, unless `sum` leaves that to the library.
 */
export async function sharedGradients<T>(
  step: Step<T>,
  chunks: Chunk[],
  ranks: Communicator,
  sum: GradientSum = "ordered",
): Promise<PackedGradients> {
  const rounds = roundsOf(chunks, ranks);
  const { features, open } = await gatheredFeatures(step, rounds, ranks, chunks.length <= FEW_CHUNKS);
  const through = async (chunk: Chunk, whole: Features): Promise<Tensor1D[]> =>
    open && chunk === rounds[0]![ranks.rank] ? open.back(whole) : await chunkGradients(step, chunk, whole);
  try {
    const { value, gradients, earlier } = await lossGradients(step, undefined, features);
    let sums = packNamed(step.layout, gradients);
    try {
      if (sum === "allreduce") {
        const own = rounds.flatMap((round) => round[ranks.rank] ?? []);
        sums = addTo(sums, await reducedGradients(step, own.map((chunk) => () => through(chunk, earlier!)), ranks));
        return { value, gradients: sums };
      }
      for (const round of rounds) {
        const own = round[ranks.rank];
        for (const parts of await gatherPacked(step.layout, own && await through(own, earlier!), ranks)) {
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
  } finally {
    open?.dispose();
  }
}

/**
 * Features of the whole batch, each chunk's computed by one rank; and this rank's chunk of the first round, which is encoded last,
 * on the tape that its gradients then go back by.
 */
async function gatheredFeatures<T>(
  step: Step<T>,
  rounds: Chunk[][],
  ranks: Communicator,
  keepsTape: boolean,
): Promise<{ features: Features; open: OpenChunk | undefined }> {
  const most = Math.max(...rounds.flat().map(({ size }) => size));
  const chunkFeatures = new Map<Chunk, { image: Float32Array; text: Float32Array }>();
  let width = 0;
  let open: OpenChunk | undefined;
  try {
    for (const round of [...rounds.slice(1), rounds[0]!]) {
      const own = round[ranks.rank];
      if (own && round === rounds[0] && keepsTape) open = await openChunk(step, own);
      const features = open?.features ?? (own && await featuresOf(step, [own]));
      // Told once, as a rank without a chunk cannot know it; every round has one at least.
      if (width === 0) width = Math.max(...ranks.allGather(Float32Array.of(features?.image.shape[1] ?? 0)));
      const half = most * width;
      const sent = new Float32Array(2 * half);
      if (features) {
        sent.set(await features.image.data());
        sent.set(await features.text.data(), half);
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
  } catch (error) {
    open?.dispose();
    throw error;
  }
  const whole = (which: keyof Features): Tensor2D => {
    const values = new Float32Array(step.batch.size * width);
    for (const [{ start }, parts] of chunkFeatures) values.set(parts[which], start * width);
    return tf.tensor2d(values, [step.batch.size, width]);
  };
  return { features: { image: whole("image"), text: whole("text") }, open };
}

/** The gradients through all chunks, of which each rank adds up its own; packed. */
async function reducedGradients<T>(
  step: Step<T>,
  own: readonly (() => Promise<Tensor1D[]>)[],
  ranks: Communicator,
): Promise<Tensor1D[]> {
  const sizes = groupSizes(step.layout);
  let sums = sizes.map((size) => tf.zeros<tf.Rank.R1>([size]));
  try {
    for (const gradients of own) sums = addTo(sums, await gradients());
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
    out.set(await part.data(), place);
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
