/** What the model looked at: CLS attention and chosen hyperedges over images. @module */
import * as tf from "@tensorflow/tfjs";
import { type AceLoraConfig, aceLoraModel, type AceLoraParams, contextualise, mergeAceLora } from "../ace_lora.ts";
import type { ContrastiveModel } from "../clip/contrastive.ts";
import type { Overlay } from "../display/overlay.ts";
import { encodeImage } from "../clip/towers/image.ts";
import { chosenHyperedges, type Hyperedge } from "../hypergraph/ace_hgnn.ts";
import { clsScores } from "../hypergraph/affinities.ts";
import { similarityScores } from "../hypergraph/similarity.ts";
import { inputTransform } from "../data/sources.ts";
import { pngDataUrl } from "../display/png.ts";
import { cropResize8, toPixels } from "../image/preprocess.ts";
import type { RasterImage } from "../image/raster.ts";
import { l2Normalise } from "../tensor/kernels/l2_normalise/api.ts";
import { checkValue, LIST } from "../platform/options.ts";
import { tidy } from "../tensor/ops.ts";
import { disposeParams } from "../tensor/params.ts";
import type { Tensor2D, Tensor3D, Tensor4D } from "../tensor/types.ts";

/** What one image's CLS token attends to. */
export interface Explanation {
  /** CLS attention to each patch, row-major: the mean logit over heads; the cosine with the read token where a tower has none. */
  attention: Float32Array;
  /** The hyperedges that reach the CLS node, the CLS token's own first. */
  hyperedges: Hyperedge[];
}

/** Unit tokens `[B, N + 1, E]` and CLS attention `[B, N]` of images, or similarity in its place, by merged weights. */
function attendedTokens(
  merged: AceLoraParams,
  pixels: Tensor4D,
  config: AceLoraConfig,
): { tokens: Tensor3D; affinity: Tensor2D } {
  return tidy(() => {
    const { tokens, affinity } = encodeImage(merged, pixels, config.encoders, { affinity: "logits" });
    const unit = l2Normalise(tokens);
    return { tokens: unit, affinity: affinity ?? similarityScores(unit) };
  });
}

/** Without an ACE-HGNN in the model the hyperedges are those it would choose. */
async function explainTokens(
  merged: AceLoraParams,
  { tokens, affinity }: ReturnType<typeof attendedTokens>,
  config: AceLoraConfig,
): Promise<Explanation[]> {
  const hgnn = merged.hgnn?.image;
  const scores = hgnn ? clsScores(hgnn, tokens, affinity, config.hgnn) : tf.clone(affinity);
  const hyperedges = await chosenHyperedges(tokens, scores, config.hgnn?.topK ?? 5);
  scores.dispose();
  const attention = await affinity.data<"float32">();
  const patches = affinity.shape[1];
  return hyperedges.map((edges, i) => ({
    attention: attention.slice(i * patches, (i + 1) * patches),
    hyperedges: edges,
  }));
}

/**
 * CLS attention and chosen hyperedges of images. Without an ACE-HGNN in the model the hyperedges are those it would choose.
 *
 * @param params Weights, unmerged.
 * @param images Decoded images.
 *
 * @example Attention to each patch
 * ```ts
 * import { explainImages, loadClip, readImage, selectBackend } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 *
 * await selectBackend({ backend: "wasm" });
 * const { params, config } = await loadClip(); // the shipped mini model
 * const image = await readImage("data/demo_report.png");
 * const [explanation] = await explainImages(params, [image], { encoders: config });
 * assertEquals(explanation!.attention.length, 64); // 8 x 8 patches
 * ```
 */
export async function explainImages(
  params: AceLoraParams,
  images: readonly RasterImage[],
  config: AceLoraConfig,
): Promise<Explanation[]> {
  checkValue("explain images", "images", images, LIST);
  const merged = mergeAceLora(params);
  const { imageSize: size } = config.encoders.vision;
  const out: Explanation[] = [];
  for (const image of images) {
    const pixels = tf.tensor4d(toPixels(image, inputTransform(config.encoders)), [1, size, size, 3]);
    const attended = attendedTokens(merged, pixels, config);
    out.push(...await explainTokens(merged, attended, config));
    tf.dispose([pixels, attended.tokens, attended.affinity]);
  }
  disposeParams(merged, params);
  return out;
}

/** A model that explains the images it encodes. */
export interface ExplainingModel {
  /** The model; its image features are those of `aceLoraModel`. */
  model: ContrastiveModel<AceLoraParams>;
  /** One explanation for each image encoded so far, in order. */
  explanations(): Promise<Explanation[]>;
}

/** The model whose image features and explanations come from one pass through the image tower. */
export function explainingModel(config: AceLoraConfig): ExplainingModel {
  const batches: Promise<Explanation[]>[] = [];
  const imageFeatures = (merged: AceLoraParams, pixels: Tensor4D): Tensor2D => {
    const attended = attendedTokens(merged, pixels, config);
    // The tensors are read while the next batch is decoded; weights are used before the first pause alone.
    batches.push(
      explainTokens(merged, attended, config).finally(() => tf.dispose([attended.tokens, attended.affinity])),
    );
    return tf.tidy(() => contextualise(merged.hgnn?.image, attended.tokens, attended.affinity, config));
  };
  return {
    model: { ...aceLoraModel(config), imageFeatures },
    explanations: async () => (await Promise.all(batches)).flat(),
  };
}

/**
 * An explanation as a drawing over its image, the part of it that the model saw.
 *
 * @example For a page or a notebook
 * ```ts
 * import { explainImages, explanationOverlay, loadClip, readImage, selectBackend } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 *
 * await selectBackend({ backend: "wasm" });
 * const { params, config } = await loadClip(); // the shipped mini model
 * const image = await readImage("data/demo_report.png");
 * const [explanation] = await explainImages(params, [image], { encoders: config });
 * assertEquals(explanationOverlay(image, explanation!, "a report").caption, "a report");
 * ```
 */
export function explanationOverlay(
  image: RasterImage,
  explanation: Explanation,
  caption: string,
): Overlay {
  return explainedOverlay(seenPart(image), explanation, caption);
}

/** The part of an image that the model sees, as a PNG of 192 pixels a side in a data URL. */
export function seenPart(image: RasterImage): string {
  return pngDataUrl(cropResize8(image, { size: 192 }));
}

/** {@linkcode explanationOverlay} over what {@linkcode seenPart} keeps of the image. */
export function explainedOverlay(image: string, explanation: Explanation, caption: string): Overlay {
  const side = Math.round(Math.sqrt(explanation.attention.length));
  return { image, grid: { rows: side, columns: side }, ...explanation, caption };
}
