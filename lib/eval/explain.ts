/** What the model looked at: CLS attention and chosen hyperedges over images. @module */
import * as tf from "@tensorflow/tfjs";
import { type AceLoraConfig, type AceLoraParams, mergeAceLora } from "../ace_lora.ts";
import type { Overlay } from "../display/overlay.ts";
import { encodeImage } from "../clip/towers/biomed_clip.ts";
import { chosenHyperedges, type Hyperedge } from "../hypergraph/ace_hgnn.ts";
import { clsScores } from "../hypergraph/affinities.ts";
import { pngDataUrl } from "../display/png.ts";
import { cropResize8, toPixels } from "../image/preprocess.ts";
import type { RasterImage } from "../image/raster.ts";
import { l2Normalise } from "../tensor/ops.ts";
import { disposeParams } from "../tensor/params.ts";

/** What one image's CLS token attends to. */
export interface Explanation {
  /** CLS attention to each patch, row-major: the mean logit over heads. */
  attention: Float32Array;
  /** The hyperedges that reach the CLS node, the CLS token's own first. */
  hyperedges: Hyperedge[];
}

/**
 * CLS attention and chosen hyperedges of images. Without an ACE-HGNN in the model the hyperedges are those it would choose.
 *
 * @param params Weights, unmerged.
 * @param images Decoded images.
 */
export async function explainImages(
  params: AceLoraParams,
  images: readonly RasterImage[],
  config: AceLoraConfig,
): Promise<Explanation[]> {
  const merged = mergeAceLora(params);
  const { mean, std, vision } = config.encoders;
  const out: Explanation[] = [];
  for (const image of images) {
    const pixels = tf.tensor4d(toPixels(image, { size: vision.imageSize, mode: "eval", mean, std }), [
      1,
      vision.imageSize,
      vision.imageSize,
      3,
    ]);
    const { tokens, affinity } = encodeImage(merged, pixels, config.encoders, { affinity: "logits" });
    const unit = l2Normalise(tokens);
    const scores = merged.hgnn?.image
      ? clsScores(merged.hgnn.image, unit, affinity!, config.hgnn)
      : tf.clone(affinity!);
    const [hyperedges] = await chosenHyperedges(unit, scores, config.hgnn?.topK ?? 5);
    out.push({ attention: await affinity!.data() as Float32Array, hyperedges: hyperedges! });
    tf.dispose([pixels, tokens, affinity!, unit, scores]);
  }
  disposeParams(merged, params);
  return out;
}

/** An explanation as a drawing over its image, the part of it that the model saw. */
export function explanationOverlay(
  image: RasterImage,
  explanation: Explanation,
  caption: string,
): Overlay {
  const side = Math.round(Math.sqrt(explanation.attention.length));
  return {
    image: pngDataUrl(cropResize8(image, { size: 192 })),
    grid: { rows: side, columns: side },
    attention: explanation.attention,
    hyperedges: explanation.hyperedges,
    caption,
  };
}
