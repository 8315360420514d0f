/**
 * A second recipe of a generalist: image tower and text head learn together, the CLS token from coarse captions, the patch tokens
 * from what is to be seen.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { type CaptionedPlan, otherImage, twinFilm } from "../../data/synthetic/captioned_pairs.ts";
import { contentLabels } from "../../data/synthetic/pretraining_pairs.ts";
import { MINI } from "../../clip/architectures.ts";
import type { ContrastiveModel } from "../../clip/contrastive.ts";
import type { ClipParams } from "../../clip/params.ts";
import { imageHead, imageTower } from "../../clip/towers/image.ts";
import { infoNce } from "../../losses/info_nce.ts";
import { projected } from "../../clip/towers/head.ts";
import { disposeParams } from "../../tensor/params.ts";
import { deriveSeed } from "../../tensor/random.ts";
import { l2Normalise } from "../../tensor/kernels/l2_normalise/api.ts";
import { add, div, mul, slice, sub } from "../../tensor/typed.ts";
import type { Scalar, Tensor2D } from "../../tensor/types.ts";
import { encode, type Tokenizer } from "../../text/tokenizer.ts";
import type { FitOptions, FitResult } from "../../train/options.ts";
import { fit } from "../../train/fit.ts";
import type { BatchSource } from "../../train/source.ts";
import { miniPixels } from "./image.ts";
import { freshMini, stageOptions } from "./pretrain.ts";
import { JOINT, type JointSettings } from "./settings.ts";
import { plainTextFeatures, TEXT_STAGE } from "./text.ts";

/**
 * Trains MINI's image tower from random weights, together with the head and the scale of a text tower that has learned from texts
 * alone, as BiomedCLIP's image tower met PubMedBERT: the last layers before the embedding are moved to each other from the start, and
 * what the radiographs show stays where it is seen, in the patch tokens.
 *
 * @param text The text tower of the other recipe; borrowed.
 * @returns The trained tree, which shares the trunk of `text`; free it with `disposeParams(result.params, { text })`.
 */
export async function pretrainJoint(
  tokenizer: Tokenizer,
  text: ClipParams["text"],
  settings: JointSettings = JOINT,
  hooks: Pick<FitOptions, "onStep" | "signal" | "statePath" | "resume"> = {},
): Promise<FitResult<ClipParams>> {
  const random = freshMini(settings.seed);
  const start = { ...random, text };
  disposeParams(random, start);
  const result = await fit(jointStage(settings), start, jointSource(settings, tokenizer), {
    ...hooks,
    ...stageOptions(settings),
  });
  disposeParams(start, { trained: result.params, text });
  return result;
}

/**
 * `loss = InfoNCE(CLS, coarse) + InfoNCE(patches, plain; mask) + λ · spread of twins`, where the patches are the mean of the
 * projected patch tokens and the mask leaves out pairs of the same contents. Coarse captions repeat within a batch and stay in
 * the denominators, as CLIP's do: all that the CLS token can learn is what they say.
 *
 * The last term is over the final CLS tokens of twins, two films of one chest with other findings:
 * `mean((a - b)²) / (2 · variance)`, number by number, 0 where the token does not depend on the findings and 1 where twins are as
 * far apart as strangers.
 */
export function jointStage(settings: JointSettings): ContrastiveModel<ClipParams> {
  const { embedding, vision: { width } } = MINI;
  const films = filmsOf(settings);
  return {
    ...TEXT_STAGE,
    name: "MINI pre-training, joint",
    isTrainable: (name) => name.startsWith("vision.") || name.startsWith("text.head.") || name === "logitScale",
    // [B, E + E + D]: the CLS token, the patches' mean, and the CLS token before the projection.
    imageFeatures: (params, pixels, { seed } = {}) =>
      tf.tidy(() => {
        const { trunk, head } = params.vision;
        const { tokens } = imageTower(trunk, pixels, MINI.vision, seed === undefined ? {} : { seed });
        const embedded = projected(head, tokens, imageHead(MINI.vision));
        const cls = tf.squeeze<Tensor2D>(tf.slice(embedded, [0, 0, 0], [-1, 1, -1]), [1]);
        const patches = tf.mean<Tensor2D>(tf.slice(embedded, [0, 1, 0]), 1);
        const own = tf.squeeze<Tensor2D>(tf.slice(tokens, [0, 0, 0], [-1, 1, -1]), [1]);
        return tf.concat([l2Normalise(cls), l2Normalise(patches), own], 1);
      }),
    // [B, E + E + D]: coarse captions, plain ones, zeros.
    textFeatures: (params, ids) =>
      tf.tidy(() => {
        const half = ids.shape[1] / 2;
        const of = (start: number): Tensor2D => plainTextFeatures(params, slice(ids, [0, start], [-1, half]));
        return tf.concat([of(0), of(half), tf.zeros([ids.shape[0], width])], 1);
      }),
    loss: (params, { image, text }, options) =>
      tf.tidy(() => {
        const scale: Scalar = tf.exp(params.logitScale);
        const part = (x: Tensor2D, start: number, size: number): Tensor2D => slice(x, [0, start], [-1, size]);
        const coarse = infoNce(part(image, 0, embedding), part(text, 0, embedding), scale);
        const plain = infoNce(part(image, embedding, embedding), part(text, embedding, embedding), scale, options);
        const twins = slice(part(image, 2 * embedding, width), [0, 0], [films, -1]);
        return add(add(coarse, plain), mul(twinSpread(twins), settings.twinWeight));
      }),
  };
}

/** How far twins, rows 2k and 2k + 1, lie apart: 1 as far as strangers, 0 not at all; shape `[2K, D]`. */
function twinSpread(rows: Tensor2D): Scalar {
  return tf.tidy(() => {
    const [count, width] = rows.shape;
    const centred = sub(rows, tf.mean(rows, 0, true));
    const variance: Tensor2D = tf.mean(tf.square(centred), 0, true);
    const pairs = tf.reshape(rows, [count / 2, 2, width]);
    const apart = tf.sub(tf.slice(pairs, [0, 0, 0], [-1, 1, -1]), tf.slice(pairs, [0, 1, 0], [-1, 1, -1]));
    const squares: Tensor2D = tf.reshape(tf.square(apart), [count / 2, width]);
    return tf.mean(div(squares, mul(add(variance, 1e-6), 2)));
  });
}

/** Radiographs of a batch, which come first: an even number. */
function filmsOf({ batchSize, chestShare }: JointSettings): number {
  return 2 * Math.round(batchSize * chestShare / 2);
}

/** Fresh images with both captions, by index: in each batch the radiographs in twins, then images of other modalities. */
export function jointSource(settings: JointSettings, tokenizer: Tokenizer): BatchSource {
  const { seed, imageSteps, batchSize, captionLength, evenShare } = settings;
  const { imageSize } = MINI.vision;
  const films = filmsOf(settings);
  const plan = (index: number): CaptionedPlan => {
    const [batch, row] = [Math.floor(index / batchSize), index % batchSize];
    if (row >= films) return otherImage(deriveSeed(seed, `image ${index}`));
    const chest = deriveSeed(seed, `chest ${batch} ${Math.floor(row / 2)}`);
    return twinFilm(chest, { twin: row % 2 as 0 | 1, evenShare });
  };
  return {
    size: imageSteps * batchSize,
    imageSize,
    contextLength: 2 * captionLength,
    ids: (indices) => {
      const plans = indices.map(plan);
      const options = { contextLength: captionLength };
      const coarse = encode(tokenizer, plans.map((plan) => plan.coarse()), options);
      const plain = encode(tokenizer, plans.map((plan) => plan.plain()), options);
      const rows = new Int32Array(2 * coarse.length);
      indices.forEach((_, i) => {
        const [from, to] = [i * captionLength, (i + 1) * captionLength];
        rows.set(coarse.subarray(from, to), 2 * from);
        rows.set(plain.subarray(from, to), 2 * from + captionLength);
      });
      return Promise.resolve(rows);
    },
    pixels: (indices) => Promise.resolve(miniPixels(indices.map((index) => plan(index).image(imageSize)))),
    labels: (indices) => Promise.resolve(indices.map((index) => contentLabels(plan(index)))),
  };
}
