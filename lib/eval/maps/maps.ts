/** Maps over an image's patches, one for each label: similarity, gradient-weighted attention, occlusion. @module */
import * as tf from "@tensorflow/tfjs";
import { contextualise } from "../../ace_lora.ts";
import { attentionHeads, encodeImage } from "../../clip/towers/image.ts";
import { aceHgnnDense } from "../../hypergraph/ace_hgnn.ts";
import { clsScores } from "../../hypergraph/affinities.ts";
import { gradientsOf } from "../../tensor/gradients.ts";
import { ones } from "../../tensor/init.ts";
import { l2Normalise } from "../../tensor/kernels/l2_normalise/api.ts";
import { tidy } from "../../tensor/ops.ts";
import { ofRank } from "../../tensor/shape.ts";
import type { Scalar, Tensor, Tensor2D, Tensor3D, Tensor4D } from "../../tensor/types.ts";
import type { MapModel } from "./model.ts";

/** The kinds of maps, in the order they are shown. */
export const MAP_KINDS = ["similarity", "gradient", "occlusion"] as const;

/** A kind of map. */
export type MapKind = typeof MAP_KINDS[number];

/** One map a label; each row-major over the patches, `side²` numbers. */
export type LabelMaps = Float32Array[];

/**
 * The maps of one image.
 *
 * @param pixels One normalised image, `[S, S, 3]`.
 */
export async function labelMaps(model: MapModel, kind: MapKind, pixels: Float32Array): Promise<LabelMaps> {
  if (kind === "occlusion") return await occlusionMaps(model, pixels);
  const values = kind === "similarity" ? similarity(model, pixels) : gradientWeighted(model, pixels);
  const rows = await values.data<"float32">();
  values.dispose();
  return rowsOf(rows, values.shape[0]);
}

function rowsOf(values: Float32Array, count: number): Float32Array[] {
  const width = values.length / count;
  return Array.from({ length: count }, (_, c) => values.slice(c * width, (c + 1) * width));
}

function imageTensor({ config }: MapModel, pixels: Float32Array): Tensor4D {
  const { imageSize } = config.encoders.vision;
  return tf.tensor4d(pixels, [1, imageSize, imageSize, 3]);
}

/** Unit tokens of one image, and CLS attention where the tower has one. */
function tokensOf(
  { merged, config }: MapModel,
  pixels: Tensor4D,
  gate?: Tensor4D,
): [Tensor3D, Tensor2D | undefined] {
  const options = { affinity: "logits" as const, ...(gate ? { gate } : {}) };
  const { tokens, affinity } = encodeImage(merged, pixels, config.encoders, options);
  return [l2Normalise(tokens), affinity];
}

/**
 * Cosine of each patch with each label: of its node after ACE-HGNN, whose CLS node is the image's feature, or of its projected
 * token where there is no ACE-HGNN. `[C, N]`.
 */
function similarity(model: MapModel, pixels: Float32Array): Tensor2D {
  const { merged: { hgnn }, config, labels } = model;
  return tidy(() => {
    const [tokens, affinity] = tokensOf(model, imageTensor(model, pixels));
    const nodes = hgnn?.image
      ? aceHgnnDense(hgnn.image, tokens, clsScores(hgnn.image, tokens, affinity, config.hgnn), config.hgnn!.topK).nodes
      : tokens;
    const [, size, width] = nodes.shape;
    const patches = l2Normalise(tf.reshape(tf.slice(nodes, [0, 1, 0], [1, size - 1, width]), [size - 1, width]));
    return tf.matMul(labels, patches, false, true);
  });
}

/**
 * What the last layer's attention of CLS to each patch does for each label: `mean_h max(0, A_h ⊙ ∂cos/∂A_h)`. `[C, N]`.
 *
 * Source: Chefer, Gur and Wolf 2021, Eq. (5), of the last layer alone.
 */
function gradientWeighted(model: MapModel, pixels: Float32Array): Tensor2D {
  const { side, config } = model;
  const tokens = side * side + 1;
  const heads = attentionHeads(config.encoders.vision);
  if (heads === 0) {
    throw new RangeError("Cannot weigh attention by gradients as the image tower must have attention: it has none");
  }
  return tidy(() => {
    const image = imageTensor(model, pixels);
    const gate = ones([1, heads, tokens, tokens]);
    const maps = gateGradients(model, image, gate).map((gradient) => {
      const cls = tf.slice(gradient, [0, 0, 0, 1], [1, -1, 1, tokens - 1]); // [1, H, 1, N]
      return tf.mean(tf.relu(tf.reshape(cls, [-1, tokens - 1])), 0);
    });
    return ofRank(tf.stack(maps), 2, "maps");
  });
}

/** Gradient of each label's cosine by a factor of the last layer's attention probabilities, `[1, H, N + 1, N + 1]` each. */
export function gateGradients(model: MapModel, image: Tensor4D, gate: Tensor4D): Tensor[] {
  const { labels } = model;
  const [count, width] = labels.shape;
  return tidy(() =>
    Array.from({ length: count }, (_, c) => {
      const label = tf.slice(labels, [c, 0], [1, width]);
      return gradientsOf(() => gatedCosine(model, { image, gate, label }), [gate]).grads[0]!;
    })
  );
}

/** Cosine of an image with a label `[1, E]`, its last attention multiplied by the gate. */
export function gatedCosine(
  model: MapModel,
  { image, gate, label }: { image: Tensor4D; gate: Tensor4D; label: Tensor },
): Scalar {
  return tf.tidy(() => {
    const [tokens, affinity] = tokensOf(model, image, gate);
    const feature = contextualise(model.merged.hgnn?.image, tokens, affinity, model.config);
    return tf.sum(tf.mul(feature, label));
  });
}

/** Patches a side of what is covered at a time. */
const WINDOW = 2;

/**
 * How much each label's cosine falls when a part of the image is covered with the mean colour: windows of 2 x 2 patches, one patch
 * apart; a patch gets the mean over the windows that cover it.
 *
 * Source: Zeiler and Fergus 2014, section 4.2, in patches.
 */
async function occlusionMaps(model: MapModel, pixels: Float32Array): Promise<LabelMaps> {
  const { side } = model;
  const window = Math.min(WINDOW, side);
  const steps = side - window + 1;
  const windows = Array.from({ length: steps * steps }, (_, i) => {
    const [top, left] = [Math.floor(i / steps), i % steps];
    return Array.from({ length: window * window }, (_, k) => (top + Math.floor(k / window)) * side + left + k % window);
  });
  const [whole] = rowsOf(await model.cosines(pixels), 1);
  const sums = Array.from(whole!, () => new Float32Array(side * side));
  const counts = new Float32Array(side * side);
  const covered = await ofCovered(model, pixels, { coverings: windows, answer: (images) => model.cosines(images) });
  for (const [i, patches] of windows.entries()) {
    for (const patch of patches) {
      counts[patch]!++;
      sums.forEach((sum, c) => sum[patch]! += whole![c]! - covered[i]![c]!);
    }
  }
  return sums.map((sum) => sum.map((value, patch) => value / counts[patch]!));
}

/** Images that are held covered at a time. */
const HELD = 16;

/** What a model answers about an image under each covering, one row each. */
export async function ofCovered(
  model: Pick<MapModel, "side" | "config">,
  pixels: Float32Array,
  ask: { coverings: readonly (readonly number[])[]; answer: (images: Float32Array) => Promise<Float32Array> },
): Promise<Float32Array[]> {
  const { coverings, answer } = ask;
  const rows: Float32Array[] = [];
  for (let start = 0; start < coverings.length; start += HELD) {
    const some = coverings.slice(start, start + HELD);
    const images = new Float32Array(some.length * pixels.length);
    some.forEach((patches, i) => images.set(cover(model, pixels, patches), i * pixels.length));
    rows.push(...rowsOf(await answer(images), some.length));
  }
  return rows;
}

/** The image with some patches at 0, the mean colour. */
export function cover(
  { side, config }: Pick<MapModel, "side" | "config">,
  pixels: Float32Array,
  patches: Iterable<number>,
): Float32Array {
  const { imageSize } = config.encoders.vision;
  const edge = (place: number): number => Math.round(place * imageSize / side);
  const out = pixels.slice();
  for (const patch of patches) {
    const [row, column] = [Math.floor(patch / side), patch % side];
    for (let y = edge(row); y < edge(row + 1); y++) {
      out.fill(0, (y * imageSize + edge(column)) * 3, (y * imageSize + edge(column + 1)) * 3);
    }
  }
  return out;
}
