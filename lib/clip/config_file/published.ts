/**
 * What models are whose checkpoints come without a configuration file: by the names of their tensors, from their own code, and
 * from what the checkpoint says of itself. A new one gets a row of {@linkcode PUBLISHED}.
 *
 * @module
 */
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { type ClipLayout, towerKinds } from "../checkpoint/layout.ts";
import { IN_TOWER_FILES } from "../checkpoint/tower_files.ts";
import { BIOMED_CLIP } from "../architectures.ts";
import type { BertConfig, ClipConfig, ResnetConfig, VitConfig } from "../config.ts";
import { hubDinov2 } from "./dinov2.ts";
import { choiceField, type ClipSource, sizeField } from "./fields.ts";
import { HALF, IMAGENET } from "./normalisation.ts";
import { type ClipSizes, headsOf } from "./sizes.ts";
import { storedValues, withMergedScale } from "./stored_values.ts";
import { swin } from "./swin.ts";

/** What is read of a checkpoint. */
interface Stored {
  sizes: ClipSizes;
  /** A value beside the tensors. */
  value: (name: string) => unknown;
  /** For errors. */
  source: ClipSource;
}

/** A model with a layout of its own. */
interface PublishedModel {
  /** Names it applies to: of either image tower, where there are two. */
  layout: { vision: readonly ClipLayout["vision"][]; text: ClipLayout["text"] };
  /** Whose it is, and what is taken for granted. */
  name: string;
  /** Its configuration. */
  config: (stored: Stored) => ClipConfig;
}

const OPENAI = { mean: BIOMED_CLIP.mean, std: BIOMED_CLIP.std };
/** The longer side to 256, black beside the other, then the middle 224. */
const CROPPED = { resizeMode: "longest", resizedTo: 256, interpolation: "area" } as const;
/** Sides of the images of GLoRIA's and MGCA's ResNets, and what the tower enlarges them to. */
const ENLARGED = { imageSize: 224, enlargedTo: 299 } as const;
/** Most tokens of a text where a model's code leaves it at what BERT can hold. */
const LONG_CONTEXT = 256;

/** torchvision's ResNet; sizes that no tensor tells are ResNet-50's, so that the report of missing tensors names it. */
function resnet({ vision }: ClipSizes, own: Partial<ResnetConfig>): ResnetConfig {
  const { stemWidth = 64, stages = [3, 4, 6, 3], headWidth } = vision;
  return {
    kind: "resnet",
    imageSize: 224,
    stemWidth,
    stages,
    width: 32 * stemWidth,
    heads: 0,
    ...(headWidth === undefined ? {} : { headWidth }),
    ...own,
  };
}

/** timm's ViT as MGCA has it. */
function vit({ vision }: ClipSizes): VitConfig {
  const { width = 768, imageSize = 224, patchSize = 16, mlpWidth = 4 * width, depth, headWidth = 2048 } = vision;
  const sizes = { width, imageSize, patchSize, mlpWidth, depth, headWidth, heads: headsOf(width) };
  return { ...sizes, kind: "vit", epsilon: 1e-6, activation: "gelu", pool: "cls", head: "norm-mlp" };
}

/** A BERT; sizes that no tensor tells are BERT-base's. */
function bert({ text }: ClipSizes, own: Partial<BertConfig> & Pick<BertConfig, "pool" | "head">): BertConfig {
  const { vocabularySize = 28996, positions = 512, width = 768, mlpWidth = 4 * width, tokenTypes = 2, depth } = text;
  const contextLength = Math.min(own.contextLength ?? LONG_CONTEXT, positions);
  return {
    ...{ vocabularySize, positions, width, mlpWidth, tokenTypes, depth, heads: headsOf(width) },
    kind: "bert",
    epsilon: 1e-12,
    dropout: 0.1,
    headWidth: text.headWidth ?? 0,
    ...own,
    contextLength,
  };
}

/** Hidden states of the last layers of a stack. */
function lastStates(depth: number, count: number): number[] {
  return Array.from({ length: Math.min(count, depth + 1) }, (_, i) => depth - i).reverse();
}

/** GLoRIA. Source: marshuang80/gloria, `models/*.py`, `builder.py`, `configs/chexpert_pretrain_config.yaml`. */
function gloria({ sizes }: Stored): ClipConfig {
  const { embedding = 768, text } = sizes;
  return {
    vision: resnet(sizes, { ...ENLARGED, head: "biased" }),
    text: bert(sizes, {
      contextLength: 97,
      pool: "mean",
      cleaning: "report",
      hiddenStates: lastStates(text.depth, 4),
      head: "none",
    }),
    embedding,
    similarity: "softmax",
    scale: 10,
    local: { attention: 4, cosine: 5 },
    ...HALF,
    ...CROPPED,
  };
}

/** MGCA. Source: HKU-MedAI/MGCA, `models/backbones/encoder.py`, `models/mgca/mgca_module.py`, `datasets/transforms.py`. */
function mgca({ sizes, value }: Stored): ClipConfig {
  const { embedding = 128, layout } = sizes;
  const temperature = value("hyper_parameters.softmax_temperature");
  return {
    vision: layout.vision === "mgca_vit" ? vit(sizes) : resnet(sizes, { ...ENLARGED, head: "norm-mlp" }),
    text: bert(sizes, { contextLength: 112, pool: "cls", cleaning: "report", head: "norm-mlp" }),
    embedding,
    similarity: "softmax",
    scale: 1 / (typeof temperature === "number" && temperature > 0 ? temperature : 0.07),
    ...HALF,
    ...CROPPED,
  };
}

/** CXR-CLIP. Source: kakaobrain/cxr-clip, `cxrclip/model`, `cxrclip/data/data_utils.py`, and the configuration in the checkpoint. */
function cxrClip({ sizes, value, source }: Stored): ClipConfig {
  const { embedding = 512 } = sizes;
  const field = (name: string): unknown => value(`config.${name}`);
  const head = choiceField<"biased" | "residual-mlp">(
    source,
    "config.model.projection_head.name",
    field("model.projection_head.name"),
    [[undefined, "biased"], ["linear", "biased"], ["mlp", "residual-mlp"]],
  );
  const pool = choiceField<"eos" | "cls" | "mean">(
    source,
    "config.model.text_encoder.pooling",
    field("model.text_encoder.pooling"),
    [[undefined, "eos"], ["eos", "eos"], ["bos", "cls"], ["mean", "mean"]],
  );
  const isSwin = towerKinds(sizes.layout).vision === "swin";
  const imageSize = sizeField(source, "config.base.image_size", field("base.image_size"), {
    fallback: 224,
    ...(isSwin ? { stored: swin(sizes, { pool: "first" }).imageSize } : {}),
  });
  const contextLength = sizeField(source, "config.base.text_max_length", field("base.text_max_length"), {
    fallback: LONG_CONTEXT,
  });
  return {
    // Of its Swin the model reads the first token, as it does of a ViT, where that is CLS.
    vision: isSwin ? swin(sizes, { pool: "first", head }) : resnet(sizes, { imageSize, head }),
    text: bert(sizes, { contextLength, pool, head }),
    embedding,
    similarity: "softmax",
    ...(isSwin ? HALF : IMAGENET),
    resizeMode: "shortest",
    interpolation: "bilinear",
  };
}

/** Of each channel, as MedCLIP's code has it for grey images. */
const MEDCLIP_MEAN = 0.5862785803043838;
const MEDCLIP_STD = 0.27950088968644304;

/**
 * MedCLIP. Its code takes the mean of a text's tokens with the pads, whose number depends on the other texts of the list; here it
 * is so for the prompts of a class by a protocol, and of the text alone elsewhere.
 *
 * Source: RyanWangZf/MedCLIP, `medclip/modeling_medclip.py`, `medclip/dataset.py`, `medclip/constants.py`.
 */
function medclip({ sizes }: Stored): ClipConfig {
  const { embedding = 512, text, layout } = sizes;
  const states = [...new Set([1, 2, text.depth])];
  return {
    vision: towerKinds(layout).vision === "swin"
      ? swin(sizes, { pool: "mean", head: "linear" })
      : resnet(sizes, { head: "linear" }),
    text: bert(sizes, { contextLength: 77, pool: "mean", readsPads: true, hiddenStates: states, head: "linear" }),
    embedding,
    similarity: "softmax",
    mean: [MEDCLIP_MEAN, MEDCLIP_MEAN, MEDCLIP_MEAN],
    std: [MEDCLIP_STD, MEDCLIP_STD, MEDCLIP_STD],
    resizeMode: "padded",
    interpolation: "bicubic",
  };
}

/** ConVIRT. Source: edreisMD/ConVIRT-pytorch, `models/model.py`, `dataloader/dataset_wrapper.py`, `config.yaml`. */
function convirt({ sizes }: Stored): ClipConfig {
  const { embedding = 512 } = sizes;
  return {
    vision: resnet(sizes, { head: "relu-mlp" }),
    text: bert(sizes, { pool: "mean", head: "relu-mlp" }),
    embedding,
    similarity: "softmax",
    scale: 10,
    ...IMAGENET,
    resizeMode: "squash",
    interpolation: "bilinear",
  };
}

/** The logit scale that the authors' demonstration has for PMC-CLIP's towers without their training checkpoint. */
const PMC_LOGIT_SCALE = 4.4292;

/**
 * PMC-CLIP. Source: WeixiongLin/PMC-CLIP, `model/pmc_clip.py`, `model_configs/RN50_fusion4.json` and, for the three files that the
 * towers are given as, the authors' demonstration: 8 heads in the pooling instead of one for 64 numbers, and BERT's pooler.
 */
function pmcClip({ sizes, value }: Stored): ClipConfig {
  const { embedding = 768, vision } = sizes;
  const isParts = value(IN_TOWER_FILES) === true;
  const { stemWidth = 64, stages = [3, 4, 6, 3], imageSize = 224 } = vision;
  const width = 32 * stemWidth;
  return {
    vision: { kind: "clip-resnet", imageSize, stemWidth, stages, width, heads: isParts ? 8 : headsOf(width) },
    text: bert(sizes, { contextLength: 77, pool: isParts ? "pooler" : "cls", seesPads: true, head: "linear" }),
    embedding,
    similarity: "softmax",
    ...(isParts ? { scale: Math.exp(PMC_LOGIT_SCALE) } : {}),
    ...OPENAI,
    resizeMode: "shortest",
    interpolation: "bicubic",
  };
}

const PUBLISHED: readonly PublishedModel[] = [
  {
    layout: { vision: ["gloria"], text: "gloria" },
    name: "GLoRIA (97 tokens, the mean of the last four layers, images of 256 cut to 224)",
    config: gloria,
  },
  {
    layout: { vision: ["mgca_resnet", "mgca_vit"], text: "mgca" },
    name: "MGCA (112 tokens, the CLS token read, images of 256 cut to 224)",
    config: mgca,
  },
  {
    layout: { vision: ["cxr_clip_resnet", "cxr_clip_swin", "cxr_clip_swin_5"], text: "cxr_clip" },
    name: "CXR-CLIP (as the configuration in it says)",
    config: cxrClip,
  },
  {
    layout: { vision: ["medclip_resnet", "medclip_swin", "medclip_swin_5"], text: "medclip" },
    name: "MedCLIP (77 tokens, the mean of layers 1, 2 and the last, images padded to a square)",
    config: medclip,
  },
  { layout: { vision: ["convirt"], text: "convirt" }, name: "ConVIRT (256 tokens, their mean read)", config: convirt },
  {
    layout: { vision: ["clip_resnet"], text: "pmc_clip" },
    name: "PMC-CLIP (77 tokens, pads seen)",
    config: pmcClip,
  },
  { layout: { vision: ["dinov2"], text: "none" }, name: "DINOv2 (224 of 256 pixels)", config: hubDinov2 },
];

/** The model whose layout a checkpoint has, if it comes without a configuration file, and the values beside tensors it was read from. */
export function publishedModel(
  { layout, sizes, file }: Checkpoint,
): { name: string; config: ClipConfig; values: ReadonlyMap<string, unknown> } | undefined {
  const model = PUBLISHED.find(({ layout: { vision, text } }) =>
    vision.includes(layout.vision) && text === layout.text
  );
  const { value, values } = storedValues(file);
  const source = { config: file.path, weights: file.path, sizes };
  return model && { name: model.name, config: withMergedScale(model.config({ sizes, value, source }), value), values };
}
