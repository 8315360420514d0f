/** A CLIP's configuration from open_clip's JSON. @module */
import type { Activation } from "../../nn/mlp.ts";
import { BIOMED_CLIP } from "../architectures.ts";
import type { ClipConfig, ResnetConfig, SiglipTextConfig, VitConfig } from "../config.ts";
import { isTimmSwin, openClipSwin } from "./swin.ts";
import { type FieldRule, isRecord, SIZE } from "../../io/fields.ts";
import {
  checkFields,
  choiceField,
  type ClipSource,
  colourField,
  headsField,
  type JsonRecord,
  positiveField,
  recordField,
  refuseField,
  sizeField,
} from "./fields.ts";
import {
  hiddenField,
  PLAIN_MODEL,
  PLAIN_SIGLIP_TEXT,
  PLAIN_TEXT,
  PLAIN_VISION,
  READ_MODEL,
  READ_SIGLIP_TEXT,
  READ_TEXT,
  READ_VISION,
} from "./open_clip_fields.ts";
import { openClipBert, openClipText, renamedText } from "./open_clip_text.ts";

/**
 * The model an open_clip configuration describes.
 *
 * @param json The file, with `preprocess_cfg`.
 * @param model The part with `vision_cfg` and `text_cfg`.
 * @throws {SyntaxError} If a field is not what this package computes, or does not fit the weights.
 */
export function openClip(json: JsonRecord, model: JsonRecord, source: ClipSource): ClipConfig {
  const preprocess = isRecord(json["preprocess_cfg"]) ? json["preprocess_cfg"] : {};
  const towers = openClipTowers(model, source);
  checkFields(source, preprocess, {
    part: "preprocess_cfg.",
    plain: { mode: ["RGB"], fill_color: preprocess["resize_mode"] === "longest" ? [0] : "any" },
    read: ["size", "mean", "std", "resize_mode", "interpolation"],
  });
  sizeField(source, "preprocess_cfg.size", preprocess["size"], {
    fallback: towers.vision.imageSize,
    stored: towers.vision.imageSize,
  });
  return {
    ...towers,
    embedding: sizeField(source, "embed_dim", model["embed_dim"], { stored: source.sizes?.embedding }),
    mean: colourField(source, "preprocess_cfg.mean", preprocess["mean"], BIOMED_CLIP.mean),
    std: colourField(source, "preprocess_cfg.std", preprocess["std"], BIOMED_CLIP.std),
    resizeMode: choiceField(source, "preprocess_cfg.resize_mode", preprocess["resize_mode"], [
      [undefined, "shortest"],
      ["shortest", "shortest"],
      ["longest", "longest"],
      ["squash", "squash"],
    ]),
    interpolation: choiceField(source, "preprocess_cfg.interpolation", preprocess["interpolation"], [
      [undefined, "bicubic"],
      ["bicubic", "bicubic"],
      ["bilinear", "bilinear"],
    ]),
    similarity: model["init_logit_bias"] === undefined || model["init_logit_bias"] === null ? "softmax" : "sigmoid",
  };
}

/** The towers. Source: open_clip 3.3 `CLIPVisionCfg`, `CLIPTextCfg`, `TimmModel`, `HFTextEncoder`. */
function openClipTowers(model: JsonRecord, source: ClipSource): Pick<ClipConfig, "vision" | "text"> {
  const quick = choiceField(source, "quick_gelu", model["quick_gelu"], [[undefined, false], [false, false], [
    true,
    true,
  ]]);
  const activation = quick ? "quick-gelu" : "gelu";
  const vision = recordField(source, model, "vision_cfg");
  const text = renamedText(source, recordField(source, model, "text_cfg"));
  checkFields(source, model, { part: "", plain: PLAIN_MODEL, read: READ_MODEL });
  if (/_siglip_(?!gap)/.test(String(vision["timm_model_name"]))) return openClipSiglip(vision, text, source);
  checkFields(source, vision, { part: "vision_cfg.", plain: PLAIN_VISION, read: READ_VISION });
  checkFields(source, text, { part: "text_cfg.", plain: PLAIN_TEXT, read: READ_TEXT });
  return {
    vision: Array.isArray(vision["layers"])
      ? openClipResnet(vision, source)
      : isTimmSwin(vision["timm_model_name"])
      ? openClipSwin(vision, source)
      : openClipVision(vision, activation, source),
    text: text["hf_model_name"] === undefined || text["hf_model_name"] === null
      ? openClipText(text, activation, source)
      : openClipBert(text, source),
  };
}

function openClipVision(json: JsonRecord, activation: Activation, source: ClipSource): VitConfig {
  const sizes = source.sizes?.vision;
  const fieldOf = (name: string): string => `vision_cfg.${name}`;
  const isTimm = json["timm_model_name"] !== undefined && json["timm_model_name"] !== null;
  const isEva = /^eva02_(base|large)_patch\d+_clip_\d+/.test(String(json["timm_model_name"]));
  if (isTimm && !isEva && !/^vit_(tiny|small|base|large)_patch\d+_\d+/.test(String(json["timm_model_name"]))) {
    const known =
      "a vit_{tiny,small,base,large}_patchP_S, eva02_{base,large}_patchP_clip_S or swin_{tiny,small,base,large}_patchP_windowW_S";
    refuseField(source, fieldOf("timm_model_name"), known, json["timm_model_name"]);
  }
  // timm's own classifier is EVA's projection; another would stand behind it.
  if (isEva) choiceField(source, fieldOf("timm_proj"), json["timm_proj"], [[undefined, true], ["", true]]);
  // open_clip's default is the mean of the patches ("avg").
  if (isTimm) choiceField(source, fieldOf("timm_pool"), json["timm_pool"] ?? "avg", [["", true], ["token", true]]);
  const size = (name: string, value: number | undefined, fallback?: number): number =>
    sizeField(source, fieldOf(name), json[name], { stored: value, fallback: isTimm ? undefined : fallback });
  const width = size("width", sizes?.width, 768);
  const headWidth = sizeField(source, fieldOf("head_width"), json["head_width"], { fallback: 64 });
  return {
    kind: isEva ? "eva02" : isTimm ? "vit" : "clip",
    imageSize: size("image_size", sizes?.imageSize, 224),
    patchSize: size("patch_size", sizes?.patchSize, 16),
    width,
    depth: size("layers", sizes?.depth, 12),
    heads: headsField(source, `${fieldOf("width")} / head_width`, width / headWidth, { width, fallback: 12 }),
    mlpWidth: hiddenField(source, "vision_cfg", isEva ? { ...json, mlp_ratio: 8 / 3 } : json, {
      width,
      stored: sizes?.mlpWidth,
    }),
    epsilon: isTimm ? 1e-6 : 1e-5,
    activation: isTimm ? "gelu" : activation,
    pool: "cls",
    ...(isEva ? { head: "biased" } : {}),
  };
}

const STAGES: FieldRule<number[]> = {
  must: "a list of four positive whole numbers",
  fits: (value): value is number[] => Array.isArray(value) && value.length === 4 && value.every(SIZE.fits),
};

/** OpenAI's ResNet, which open_clip makes where `layers` is a list. Source: open_clip 3.3 `_build_vision_tower`. */
function openClipResnet(json: JsonRecord, source: ClipSource): ResnetConfig {
  const sizes = source.sizes?.vision;
  const fieldOf = (name: string): string => `vision_cfg.${name}`;
  if (sizes && !sizes.stages) {
    refuseField(source, fieldOf("layers"), "one number, as the weights are no ResNet's", json["layers"]);
  }
  for (const name of ["timm_model_name", "timm_pool", "mlp_ratio"]) {
    choiceField(source, fieldOf(name), json[name], [[undefined, true]]);
  }
  const stored = sizes?.stages ?? [];
  const declared = json["layers"];
  if (!STAGES.fits(declared)) return refuseField(source, fieldOf("layers"), STAGES.must, declared);
  if (stored.length > 0 && stored.join() !== declared.join()) {
    refuseField(source, fieldOf("layers"), `[${stored}] to fit the weights`, declared);
  }
  const stemWidth = sizeField(source, fieldOf("width"), json["width"], { stored: sizes?.stemWidth, fallback: 64 });
  const imageSize = sizeField(source, fieldOf("image_size"), json["image_size"], {
    stored: sizes?.imageSize,
    fallback: 224,
  });
  if (imageSize % 32 !== 0) refuseField(source, fieldOf("image_size"), "a multiple of 32", imageSize);
  const headWidth = sizeField(source, fieldOf("head_width"), json["head_width"], { fallback: 64 });
  const width = 32 * stemWidth;
  return {
    kind: "clip-resnet",
    imageSize,
    stemWidth,
    width,
    stages: declared,
    heads: headsField(source, `32 x ${fieldOf("width")} / head_width`, width / headWidth, { width, fallback: 1 }),
  };
}

/** timm's SigLIPs whose activation is the GELU by tanh; the others' is exact. */
const TANH_SIGLIPS = /^vit_(base_patch32_siglip_256|large_patch16_siglip_512|so400m_patch16_siglip_|giantopt_)/;

/**
 * A SigLIP: timm's tower, and a text tower that sees all and reads its last token.
 *
 * Source: open_clip 3.3 `model_configs/ViT-*-SigLIP*.json`; timm 1.0 `vision_transformer.py`.
 */
function openClipSiglip(vision: JsonRecord, text: JsonRecord, source: ClipSource): Pick<ClipConfig, "vision" | "text"> {
  checkFields(source, vision, {
    part: "vision_cfg.",
    plain: { ...PLAIN_VISION, timm_proj: ["none"] },
    read: READ_VISION,
  });
  checkFields(source, text, { part: "text_cfg.", plain: PLAIN_SIGLIP_TEXT, read: READ_SIGLIP_TEXT });
  choiceField(source, "vision_cfg.timm_pool", vision["timm_pool"], [["map", true]]);
  for (const name of ["no_causal_mask", "proj_bias"]) {
    choiceField(source, `text_cfg.${name}`, text[name], [[true, true]]);
  }
  choiceField(source, "text_cfg.pool_type", text["pool_type"], [["last", true]]);
  const name = String(vision["timm_model_name"]);
  const width = sizeField(source, "vision_cfg.width", vision["width"], { stored: source.sizes?.vision.width });
  // So400m and giant have 16 heads; of the others every head has 64 numbers.
  const headWidth = vision["head_width"] ?? (/so400m|giantopt/.test(name) ? width / 16 : undefined);
  const image = openClipVision(
    { ...vision, head_width: headWidth, timm_model_name: "vit_base_patch16_224", timm_pool: "" },
    "gelu",
    source,
  );
  const kwargs = isRecord(text["norm_kwargs"]) ? text["norm_kwargs"] : {};
  const approximate = isRecord(text["act_kwargs"]) ? text["act_kwargs"]["approximate"] : undefined;
  const words = openClipText({ ...text, pool_type: undefined }, "gelu", source);
  const { eotId: _, ...shared } = words;
  const own: SiglipTextConfig = {
    ...shared,
    kind: "siglip",
    epsilon: positiveField(source, "text_cfg.norm_kwargs.eps", kwargs["eps"], 1e-5),
    activation: choiceField(source, "text_cfg.act_kwargs.approximate", approximate, [
      [undefined, "gelu"],
      ["none", "gelu"],
      ["tanh", "gelu-tanh"],
    ]),
  };
  return {
    vision: { ...image, activation: TANH_SIGLIPS.test(name) ? "gelu-tanh" : "gelu", pool: "attention" },
    text: own,
  };
}
