/** CLIP-Adapter as one of the methods compared. @module */
import * as tf from "@tensorflow/tfjs";
import type { ClipConfig } from "../../clip/config.ts";
import type { Encoder } from "../../nn/towers.ts";
import { kaimingUniform } from "../../tensor/init.ts";
import type { Tensor2D } from "../../tensor/types.ts";
import { featureAdapter, type FeatureAdapterParams } from "./layer.ts";
import { checkSize, type PeftMethod, peftMethod, withSettings } from "../method.ts";

/** Settings of CLIP-Adapter. */
export interface FeatureAdapterConfig {
  /** Embedding over width of the bottleneck. */
  reduction: number;
  /** Share of the adapted features. */
  ratio: number;
  /** Encoders that get one. */
  encoders: readonly Encoder[];
}

/** A quarter of the embedding, ratio 0.2, images only: the method's own code (gaopengcuhk/CLIP-Adapter, `clip_adapter.py`). Gao et al. 2021, arXiv 2110.04544. */
export const CLIP_ADAPTER: FeatureAdapterConfig = { reduction: 4, ratio: 0.2, encoders: ["image"] };

/** CLIP-Adapter, learned; torch's Linear initialisation, so it changes the features from the start. */
export function clipAdapterMethod(encoders: ClipConfig, given?: Partial<FeatureAdapterConfig>): PeftMethod {
  const settings = withSettings(CLIP_ADAPTER, given, "CLIP-Adapter");
  checkSize(settings.reduction, "CLIP-Adapter's reduction");
  const width = encoders.embedding;
  const hidden = Math.max(1, Math.round(width / settings.reduction));
  const init = (seed: number, encoder: Encoder): FeatureAdapterParams => ({
    down: { weight: kaimingUniform([hidden, width], seed, `clip-adapter ${encoder} down`) },
    up: { weight: kaimingUniform([width, hidden], seed, `clip-adapter ${encoder} up`) },
    ratio: settings.ratio,
  });
  const method = peftMethod(encoders, {
    name: "clip-adapter",
    label: "CLIP-Adapter",
    settings,
    trains: (leaf) => leaf.startsWith("featureAdapter."),
    add: (base, seed) => {
      const adapters = settings.encoders.map((encoder) => [encoder, init(seed, encoder)]);
      return { ...base, featureAdapter: Object.fromEntries(adapters) };
    },
  });
  const { model } = method;
  const adapted = (params: FeatureAdapterParams | undefined, make: () => Tensor2D): Tensor2D =>
    tf.tidy(() => params ? featureAdapter(params, make()) : make());
  return {
    ...method,
    model: {
      ...model,
      imageFeatures: (params, ...rest) =>
        adapted(params.featureAdapter?.image, () => model.imageFeatures(params, ...rest)),
      textFeatures: (params, ...rest) =>
        adapted(params.featureAdapter?.text, () => model.textFeatures(params, ...rest)),
      promptFeatures: (params, ...rest) =>
        adapted(params.featureAdapter?.text, () => model.promptFeatures(params, ...rest)),
    },
  };
}
