/** The configuration files of CLIP's own towers, as open_clip and `transformers` read them. @module */
import type { ClipFamily } from "../checkpoint/family.ts";
import type { ClipConfig, VitConfig } from "../config.ts";
import type { JsonRecord } from "./fields.ts";

/** A CLIP with a ViT. */
type OwnViT = ClipConfig & { vision: VitConfig };

/** Whether a model has CLIP's own towers, of which both libraries have a configuration. */
export function hasOwnTowers(config: ClipConfig): config is OwnViT {
  return config.vision.kind === "clip" && config.text.kind === "clip";
}

/** The configuration that a library reads beside the weights of CLIP's own towers. */
export function familyConfig(config: OwnViT, family: ClipFamily): JsonRecord {
  return family === "hf" ? hfConfig(config) : openClipConfig(config);
}

function openClipConfig(config: OwnViT): JsonRecord {
  const { vision, text, embedding, mean, std, resizeMode, interpolation } = config;
  const eotId = text.kind === "clip" ? text.eotId : undefined;
  return {
    model_cfg: {
      embed_dim: embedding,
      quick_gelu: vision.activation === "quick-gelu",
      vision_cfg: {
        image_size: vision.imageSize,
        patch_size: vision.patchSize,
        width: vision.width,
        layers: vision.depth,
        head_width: vision.width / vision.heads,
        mlp_ratio: vision.mlpWidth / vision.width,
      },
      text_cfg: {
        context_length: text.contextLength,
        vocab_size: text.vocabularySize,
        width: text.width,
        heads: text.heads,
        layers: text.depth,
        mlp_ratio: text.mlpWidth / text.width,
        ...(eotId === undefined ? {} : { pool_type: "eos", eos_id: eotId }),
      },
    },
    preprocess_cfg: { mean, std, resize_mode: resizeMode, interpolation },
  };
}

function hfConfig({ vision, text, embedding }: OwnViT): JsonRecord {
  const act = (activation: string): string => activation.replace("-", "_");
  // 2 is what files of before 2023 say, where transformers reads the largest id.
  const eotId = text.kind === "clip" ? text.eotId ?? 2 : 2;
  const activation = text.kind === "clip" ? text.activation : "gelu";
  return {
    architectures: ["CLIPModel"],
    model_type: "clip",
    projection_dim: embedding,
    logit_scale_init_value: 2.6592,
    torch_dtype: "float32",
    vision_config: {
      model_type: "clip_vision_model",
      image_size: vision.imageSize,
      patch_size: vision.patchSize,
      num_channels: 3,
      hidden_size: vision.width,
      num_hidden_layers: vision.depth,
      num_attention_heads: vision.heads,
      intermediate_size: vision.mlpWidth,
      layer_norm_eps: vision.epsilon,
      hidden_act: act(vision.activation),
      projection_dim: embedding,
    },
    text_config: {
      model_type: "clip_text_model",
      vocab_size: text.vocabularySize,
      max_position_embeddings: text.positions,
      hidden_size: text.width,
      num_hidden_layers: text.depth,
      num_attention_heads: text.heads,
      intermediate_size: text.mlpWidth,
      layer_norm_eps: text.epsilon,
      hidden_act: act(activation),
      projection_dim: embedding,
      eos_token_id: eotId,
    },
  };
}

/** preprocessor_config.json of `transformers`, which says how images are prepared. */
export function preprocessorConfig({ vision, mean, std, resizeMode, interpolation }: ClipConfig): JsonRecord {
  const square = { height: vision.imageSize, width: vision.imageSize };
  const isCropped = resizeMode === "shortest";
  return {
    image_processor_type: "CLIPImageProcessor",
    do_convert_rgb: true,
    do_resize: true,
    size: isCropped ? { shortest_edge: vision.imageSize } : square,
    resample: interpolation === "bicubic" ? 3 : 2,
    do_center_crop: isCropped,
    crop_size: square,
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: mean,
    image_std: std,
  };
}
