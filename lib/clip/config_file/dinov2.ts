/** What a DINOv2 is: from `transformers`' JSON, or by the shapes of its weights as torch.hub gives them. @module */
import { defined } from "../../platform/defined.ts";
import { NO_TEXT } from "../architectures.ts";
import type { ClipConfig, VitConfig } from "../config.ts";
import {
  ACTIVATIONS,
  choiceField,
  type ClipSource,
  headsField,
  type JsonRecord,
  positiveField,
  refuseForeign,
  sizeField,
} from "./fields.ts";
import { IMAGENET } from "./normalisation.ts";
import { type ClipSizes, headsOf } from "./sizes.ts";

/** An image tower alone, whose CLS token is the embedding. */
function dinov2(vision: Omit<VitConfig, "kind" | "pool" | "head">): ClipConfig {
  return {
    vision: { ...vision, kind: "dinov2", pool: "cls", head: "none" },
    text: NO_TEXT,
    embedding: vision.width,
    similarity: "softmax",
    scale: 1,
    ...IMAGENET,
    resizeMode: "shortest",
    interpolation: "bicubic",
  };
}

/** A `Dinov2Model`, with registers or without: an image tower alone, whose tokens are the embedding. */
export function hfDinov2(json: JsonRecord, source: ClipSource): ClipConfig {
  const sizes = source.sizes?.vision;
  const size = (name: string, value: number | undefined, fallback: number): number =>
    sizeField(source, name, json[name], { stored: value, fallback });
  refuseForeign(source, json);
  choiceField(source, "num_channels", json["num_channels"], [[undefined, 3], [3, 3]]);
  choiceField(source, "qkv_bias", json["qkv_bias"], [[undefined, true], [true, true]]);
  // The giant's SwiGLU has its gate and its value in one layer.
  choiceField(source, "use_swiglu_ffn", json["use_swiglu_ffn"], [[undefined, false], [false, false]]);
  const width = size("hidden_size", sizes?.width, 768);
  const imageSize = size("image_size", sizes?.imageSize, 224);
  const ratio = positiveField(source, "mlp_ratio", json["mlp_ratio"], 4);
  const registers = json["num_register_tokens"] === undefined
    ? sizes?.registers
    : size("num_register_tokens", sizes?.registers, 0);
  return dinov2({
    imageSize,
    positionSize: imageSize,
    patchSize: size("patch_size", sizes?.patchSize, 14),
    width,
    depth: size("num_hidden_layers", sizes?.depth, 12),
    heads: headsField(source, "num_attention_heads", json["num_attention_heads"], { width, fallback: 12 }),
    mlpWidth: sizeField(source, "hidden_size x mlp_ratio", Math.floor(width * ratio), { stored: sizes?.mlpWidth }),
    epsilon: positiveField(source, "layer_norm_eps", json["layer_norm_eps"], 1e-6),
    activation: choiceField(source, "hidden_act", json["hidden_act"], [[undefined, "gelu"], ...ACTIVATIONS]),
    ...defined({ registers }),
  });
}

/**
 * DINOv2 as torch.hub gives it: with 224 of 256 pixels, its positions resampled for them.
 *
 * Source: facebookresearch/dinov2, `models/vision_transformer.py`, `hub/backbones.py`, `data/transforms.py`.
 */
export function hubDinov2({ sizes: { vision } }: { sizes: ClipSizes }): ClipConfig {
  const { width = 768, imageSize = 518, patchSize = 14, mlpWidth = 4 * width, depth, registers = 0 } = vision;
  const model = dinov2({
    ...{ imageSize: 224, positionSize: imageSize, patchSize, width, depth, heads: headsOf(width), mlpWidth },
    epsilon: 1e-6,
    activation: "gelu",
    // Of the towers with registers, which came later, the spacing is exact.
    ...(registers > 0 ? { registers } : { positionOffset: 0.1 }),
  });
  return { ...model, resizedTo: 256 };
}
