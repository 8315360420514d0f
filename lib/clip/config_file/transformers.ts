/** A CLIP's configuration from `transformers`' JSON. @module */
import { isRecord } from "../../io/fields.ts";
import { BIOMED_CLIP } from "../architectures.ts";
import type { BertConfig, CausalTextConfig, ClipConfig, SiglipTextConfig, VitConfig } from "../config.ts";
import {
  ACTIVATIONS,
  choiceField,
  type ClipSource,
  headsField,
  type JsonRecord,
  positiveField,
  recordField,
  refuseField,
  refuseForeign,
  sizeField,
} from "./fields.ts";
import { HALF } from "./normalisation.ts";
import { hfSwin } from "./swin.ts";

/** A part of a `transformers` configuration; older files repeat it as `text_config_dict`, which wins. */
function part(json: JsonRecord, name: "vision_config" | "text_config", source: ClipSource): JsonRecord {
  const dict = json[`${name}_dict`];
  const fields = { ...recordField(source, json, name), ...(isRecord(dict) ? dict : {}) };
  for (const [own, prefix] of [[json, ""], [fields, `${name}.`]] as const) refuseForeign(source, own, prefix);
  return fields;
}

/** A `CLIPModel`. */
export function hfClip(json: JsonRecord, source: ClipSource): ClipConfig {
  return {
    vision: hfVision(part(json, "vision_config", source), "clip", source),
    text: hfText(part(json, "text_config", source), source),
    embedding: sizeField(source, "projection_dim", json["projection_dim"], {
      stored: source.sizes?.embedding,
      fallback: 512,
    }),
    similarity: "softmax",
    mean: BIOMED_CLIP.mean,
    std: BIOMED_CLIP.std,
    resizeMode: "shortest",
    interpolation: "bicubic",
  };
}

/** A `VisionTextDualEncoderModel`: a ViT, CLIP's own or a Swin with a BERT. */
export function hfPair(json: JsonRecord, source: ClipSource): ClipConfig {
  const vision = part(json, "vision_config", source);
  const text = part(json, "text_config", source);
  const kind = choiceField(source, "vision_config.model_type", vision["model_type"], [
    ["vit", "vit"],
    ["clip_vision_model", "clip"],
    ["clip", "clip"],
    ["swin", "swin"],
  ]);
  choiceField(source, "text_config.model_type", text["model_type"], [["bert", "bert"]]);
  return {
    vision: kind === "swin" ? hfSwin(vision, source) : hfVision(vision, kind as "vit" | "clip", source),
    text: hfBert(text, source),
    embedding: sizeField(source, "projection_dim", json["projection_dim"], {
      stored: source.sizes?.embedding,
      fallback: 512,
    }),
    similarity: "softmax",
    mean: kind === "clip" ? BIOMED_CLIP.mean : HALF.mean,
    std: kind === "clip" ? BIOMED_CLIP.std : HALF.std,
    resizeMode: kind === "clip" ? "shortest" : "squash",
    interpolation: kind === "clip" ? "bicubic" : "bilinear",
  };
}

/** SigLIP, the SigLIP 2 of fixed resolution and MedSigLIP, which are SiglipModels. */
export function hfSiglip(json: JsonRecord, source: ClipSource): ClipConfig {
  const vision = part(json, "vision_config", source);
  const text = part(json, "text_config", source);
  choiceField(source, "vision_config.vision_use_head", vision["vision_use_head"], [[undefined, true], [true, true]]);
  // SigLIP's defaults differ from CLIP's; sizes that neither file nor weights tell are base patch 16's.
  const defaults = { hidden_act: "gelu_pytorch_tanh", layer_norm_eps: 1e-6 };
  const image = hfVision({ ...defaults, ...vision }, "vit", source);
  const words = hfText({ ...defaults, ...text, eos_token_id: 2 }, source); // 2: none is read
  const { eotId: _, ...shared } = words;
  const own: SiglipTextConfig = { ...shared, kind: "siglip" };
  return {
    vision: { ...image, pool: "attention" },
    text: own,
    embedding: sizeField(source, "text_config.projection_size", text["projection_size"], {
      stored: source.sizes?.embedding,
      fallback: image.width,
    }),
    similarity: "sigmoid",
    ...HALF,
    resizeMode: "squash",
    interpolation: "bicubic",
  };
}

function hfVision(json: JsonRecord, kind: "clip" | "vit", source: ClipSource): VitConfig {
  const sizes = source.sizes?.vision;
  const fieldOf = (name: string): string => `vision_config.${name}`;
  const size = (name: string, value: number | undefined, fallback: number): number =>
    sizeField(source, fieldOf(name), json[name], { stored: value, fallback });
  const isClip = kind === "clip";
  choiceField(source, fieldOf("num_channels"), json["num_channels"], [[undefined, 3], [3, 3]]);
  if (!isClip) choiceField(source, fieldOf("qkv_bias"), json["qkv_bias"], [[undefined, true], [true, true]]);
  const width = size("hidden_size", sizes?.width, 768);
  return {
    kind,
    imageSize: size("image_size", sizes?.imageSize, 224),
    patchSize: size("patch_size", sizes?.patchSize, isClip ? 32 : 16),
    width,
    depth: size("num_hidden_layers", sizes?.depth, 12),
    heads: headsField(source, fieldOf("num_attention_heads"), json["num_attention_heads"], { width, fallback: 12 }),
    mlpWidth: size("intermediate_size", sizes?.mlpWidth, 3072),
    epsilon: positiveField(source, fieldOf("layer_norm_eps"), json["layer_norm_eps"], isClip ? 1e-5 : 1e-12),
    activation: choiceField(source, fieldOf("hidden_act"), json["hidden_act"], [
      [undefined, isClip ? "quick-gelu" : "gelu"],
      ...ACTIVATIONS,
    ]),
    pool: isClip ? "cls" : "pooler",
  };
}

function hfText(json: JsonRecord, source: ClipSource): CausalTextConfig {
  const sizes = source.sizes?.text;
  const fieldOf = (name: string): string => `text_config.${name}`;
  const size = (name: string, value: number | undefined, fallback: number): number =>
    sizeField(source, fieldOf(name), json[name], { stored: value, fallback });
  const width = size("hidden_size", sizes?.width, 512);
  const positions = size("max_position_embeddings", sizes?.positions, 77);
  // Files written before 2023 say 2, which was wrong and never used: transformers then reads the largest id.
  const eot = sizeField(source, fieldOf("eos_token_id"), json["eos_token_id"], { fallback: 49407 });
  const vocabularySize = size("vocab_size", sizes?.vocabularySize, 49408);
  if (eot >= vocabularySize) refuseField(source, fieldOf("eos_token_id"), `below vocab_size ${vocabularySize}`, eot);
  return {
    kind: "clip",
    vocabularySize,
    contextLength: positions,
    positions,
    width,
    depth: size("num_hidden_layers", sizes?.depth, 12),
    heads: headsField(source, fieldOf("num_attention_heads"), json["num_attention_heads"], { width, fallback: 8 }),
    mlpWidth: size("intermediate_size", sizes?.mlpWidth, 2048),
    epsilon: positiveField(source, fieldOf("layer_norm_eps"), json["layer_norm_eps"], 1e-5),
    activation: choiceField(source, fieldOf("hidden_act"), json["hidden_act"], [
      [undefined, "quick-gelu"],
      ...ACTIVATIONS,
    ]),
    ...(eot === 2 ? {} : { eotId: eot }),
  };
}

/** Most tokens a pair's text is padded or cut to; `transformers`' pairs leave it open. */
const PAIR_CONTEXT = 256;

function hfBert(json: JsonRecord, source: ClipSource): BertConfig {
  const sizes = source.sizes?.text;
  const fieldOf = (name: string): string => `text_config.${name}`;
  const size = (name: string, value: number | undefined, fallback: number): number =>
    sizeField(source, fieldOf(name), json[name], { stored: value, fallback });
  const width = size("hidden_size", sizes?.width, 768);
  const positions = size("max_position_embeddings", sizes?.positions, 512);
  choiceField(source, fieldOf("hidden_act"), json["hidden_act"], [[undefined, "gelu"], ["gelu", "gelu"]]);
  choiceField(source, fieldOf("pad_token_id"), json["pad_token_id"], [[undefined, 0], [0, 0]]);
  choiceField(source, fieldOf("position_embedding_type"), json["position_embedding_type"], [[undefined, 0], [
    "absolute",
    0,
  ]]);
  return {
    kind: "bert",
    vocabularySize: size("vocab_size", sizes?.vocabularySize, 30522),
    contextLength: Math.min(positions, PAIR_CONTEXT),
    positions,
    width,
    depth: size("num_hidden_layers", sizes?.depth, 12),
    heads: headsField(source, fieldOf("num_attention_heads"), json["num_attention_heads"], { width, fallback: 12 }),
    mlpWidth: size("intermediate_size", sizes?.mlpWidth, 3072),
    epsilon: positiveField(source, fieldOf("layer_norm_eps"), json["layer_norm_eps"], 1e-12),
    dropout: typeof json["hidden_dropout_prob"] === "number" ? json["hidden_dropout_prob"] : 0.1,
    attentionDropout: typeof json["attention_probs_dropout_prob"] === "number"
      ? json["attention_probs_dropout_prob"]
      : 0.1,
    tokenTypes: size("type_vocab_size", sizes?.tokenTypes, 2),
    pool: "pooler",
    head: "linear",
    headWidth: 0,
  };
}
