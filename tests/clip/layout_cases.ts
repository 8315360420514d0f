/** Checkpoints in the layouts of released models, as make_clip_fixtures.py saved them, and how near this package comes. @module */
import * as tf from "@tensorflow/tfjs";
import { fromFileUrl, join } from "@std/path";
import { loadCheckpoint, openCheckpoint } from "../../lib/clip/checkpoint/checkpoint.ts";
import { clipConfigOf } from "../../lib/clip/load.ts";
import { encodeImage } from "../../lib/clip/towers/image.ts";
import { encodeText } from "../../lib/clip/towers/text.ts";
import { readSafetensors } from "../../lib/io/safetensors.ts";
import { l2Normalise } from "../../lib/tensor/kernels/l2_normalise/api.ts";
import { disposeParams } from "../../lib/tensor/params.ts";
import type { Scalar, Tensor, Tensor2D, Tensor4D } from "../../lib/tensor/types.ts";
import type { ClipConfig } from "../../lib/clip/config.ts";
import type { ClipParams } from "../../lib/clip/params.ts";
import { towerBlocks } from "../../lib/nn/towers.ts";
import { gradientsOf } from "../../lib/tensor/gradients.ts";
import { inFolder } from "../folder.ts";

/** One checkpoint. */
export interface LayoutCase {
  /** Folder of clip_fixtures. */
  folder: string;
  /** Model or library it is the layout of. */
  layout: string;
  /** What the fixture is, and what made it. */
  tried: string;
  /** Its weights. */
  weights: string;
  /** Its configuration. @default {none: it comes without one} */
  config?: string;
  /** Whether it is tried on wasm alone: images of 299 pixels take long elsewhere, and another case has the same parts. */
  isLarge?: true;
}

const OPEN_CLIP = { weights: "open_clip_pytorch_model.bin", config: "open_clip_config.json" };
const HF = { weights: "model.safetensors", config: "config.json" };
const RESNET = "transformers' ResNet under torchvision's names";
const OPEN_AI = "OpenAI's architecture in plain torch";

/** Every layout that is read. */
export const LAYOUT_CASES: readonly LayoutCase[] = [
  {
    folder: "openai_script",
    layout: "OpenAI CLIP, the official .pt (TorchScript)",
    tried: `${OPEN_AI}, torch.jit.save, float16, no configuration`,
    weights: "model.pt",
  },
  {
    folder: "openai_state",
    layout: "OpenAI CLIP, state dict",
    tried: `${OPEN_AI}, float16, no configuration`,
    weights: "model.pt",
  },
  {
    folder: "chexzero",
    layout: "CheXzero",
    tried: `${OPEN_AI}, bare state dict, no configuration`,
    weights: "best_64_0.0001_original.pt",
  },
  {
    folder: "pubmed_clip",
    layout: "PubMedCLIP",
    tried: `${OPEN_AI}, below state_dict, no configuration`,
    weights: "PubMedCLIP_ViT32.pth",
  },
  {
    folder: "unimed_clip",
    layout: "UniMed-CLIP",
    tried: "open_clip's ViT and BERT below state_dict.module. and text_encoder., a NumPy scalar, no configuration",
    weights: "unimed_clip.pt",
  },
  {
    folder: "bmc_clip",
    layout: "BMC-CLIP",
    tried: "open_clip's training checkpoint (state_dict.module., optimiser beside it)",
    weights: "epoch_9.pt",
    config: "open_clip_config.json",
  },
  {
    folder: "biomed_clip_old",
    layout: "BiomedCLIP, older configuration (proj, pooler_type)",
    tried: "timm's ViT and open_clip's BERT",
    ...OPEN_CLIP,
  },
  {
    folder: "lightning",
    layout: "Lightning (state_dict.model.)",
    tried: "BiomedCLIP's towers; OmegaConf, argparse and NumPy beside them",
    weights: "last.ckpt",
    config: "open_clip_config.json",
  },
  {
    folder: "lightning_parallel",
    layout: "Lightning over DataParallel (state_dict.model.module.clip.)",
    tried: "BiomedCLIP's towers; OmegaConf, argparse and NumPy beside them",
    weights: "last.ckpt",
    config: "open_clip_config.json",
  },
  { folder: "open_clip_quick", layout: "open_clip's own ViT, quick GELU", tried: "open_clip's CLIP", ...OPEN_CLIP },
  { folder: "open_clip_gelu", layout: "open_clip's own ViT, GELU", tried: "open_clip's CLIP", ...OPEN_CLIP },
  {
    folder: "open_clip_bert_mean",
    layout: "open_clip's ViT and BERT, mean pooled",
    tried: "open_clip's HFTextEncoder",
    ...OPEN_CLIP,
  },
  {
    folder: "open_clip_bert_cls",
    layout: "open_clip's ViT and BERT, read through the pooler",
    tried: "open_clip's HFTextEncoder",
    ...OPEN_CLIP,
  },
  { folder: "hf_clip", layout: "transformers' CLIP", tried: "CLIPModel, safetensors", ...HF },
  {
    folder: "hf_clip_old_eos",
    layout: "transformers' CLIP, configurations before 2023",
    tried: "CLIPModel, pytorch_model.bin",
    weights: "pytorch_model.bin",
    config: "config.json",
  },
  {
    folder: "hf_shards",
    layout: "transformers' CLIP in shards of safetensors",
    tried: "CLIPModel, bfloat16, three shards and their index",
    weights: "model.safetensors.index.json",
    config: "config.json",
  },
  { folder: "pair_vit_bert", layout: "transformers' ViT and BERT", tried: "VisionTextDualEncoderModel", ...HF },
  { folder: "pair_clip_bert", layout: "transformers' CLIP ViT and BERT", tried: "VisionTextDualEncoderModel", ...HF },
  {
    folder: "pair_shards",
    layout: "transformers 5's state_dict() of ViT and BERT, in shards of .bin",
    tried: "VisionTextDualEncoderModel, float16, two shards and their index",
    weights: "pytorch_model.bin.index.json",
    config: "config.json",
  },
  {
    folder: "hf_siglip",
    layout: "transformers' SigLIP: MedSigLIP, XraySigLIP, SigLIP, SigLIP 2 of fixed resolution",
    tried: "SiglipModel, safetensors; sigmoid of the logits",
    ...HF,
  },
  {
    folder: "open_clip_siglip",
    layout: "open_clip's SigLIP and SigLIP 2",
    tried: "timm's ViT with attention pooling, open_clip's TextTransformer; sigmoid of the logits",
    ...OPEN_CLIP,
  },
  {
    folder: "open_clip_resnet",
    layout: "open_clip's ResNet (RN50 and its larger kin), quick GELU",
    tried: "open_clip's CLIP with ModifiedResNet",
    ...OPEN_CLIP,
  },
  {
    folder: "openai_resnet",
    layout: "OpenAI CLIP with a ResNet, state dict",
    tried: "open_clip's CLIP with ModifiedResNet, float16 and OpenAI's three sizes, no configuration",
    weights: "RN50.pt",
  },
  {
    folder: "pmc_clip",
    layout: "PMC-CLIP, training checkpoint",
    tried: "open_clip's ModifiedResNet, transformers' BERT without a mask; state_dict.module., no configuration",
    weights: "checkpoint.pt",
  },
  {
    folder: "pmc_clip_parts",
    layout: "PMC-CLIP, image encoder, text encoder and projection in files of their own",
    tried: "open_clip's ModifiedResNet, transformers' BERT without a mask through its pooler",
    weights: "image_encoder(resnet50).pth",
  },
  {
    folder: "gloria",
    layout: "GLoRIA",
    tried:
      `${RESNET}, transformers' BERT, word pieces summed and four layers as its code does; Lightning, OmegaConf beside`,
    weights: "chexpert_resnet50.ckpt",
  },
  {
    folder: "mgca_resnet",
    layout: "MGCA, ResNet-50",
    tried: `${RESNET} enlarged to 299, transformers' BERT, projections with batch normalisation; Lightning`,
    weights: "resnet_50.ckpt",
    isLarge: true,
  },
  {
    folder: "mgca_vit",
    layout: "MGCA, ViT-B/16",
    tried: "timm's ViT, transformers' BERT, projections with batch normalisation; Lightning",
    weights: "vit_base.ckpt",
  },
  {
    folder: "cxr_clip",
    layout: "CXR-CLIP, ResNet-50",
    tried: `${RESNET}, transformers' BERT read at its last token; the configuration in the checkpoint`,
    weights: "r50_mcc.tar",
  },
  {
    folder: "convirt",
    layout: "ConVIRT (ConVIRT-pytorch)",
    tried: `${RESNET} in a list of its parts, transformers' BERT, mean pooled`,
    weights: "model.pth",
  },
  {
    folder: "rad_dino",
    layout: "RAD-DINO: transformers' DINOv2, an image tower alone",
    tried: "Dinov2Model, safetensors; numbers of the unit features",
    ...HF,
  },
  {
    folder: "dinov2_resampled",
    layout: "transformers' DINOv2, images of another size than its positions are of",
    tried: "Dinov2Model; numbers of the unit features",
    ...HF,
  },
  {
    folder: "dinov2_registers",
    layout: "transformers' DINOv2 with registers, likewise",
    tried: "Dinov2WithRegistersModel; numbers of the unit features",
    ...HF,
  },
  {
    folder: "dinov2_hub",
    layout: "DINOv2 as torch.hub gives it",
    tried: "timm's blocks under its names, positions resampled as its code does; no configuration",
    weights: "dinov2_vitb14_pretrain.pth",
  },
  {
    folder: "dinov2_hub_registers",
    layout: "DINOv2 with registers as torch.hub gives it",
    tried: "likewise",
    weights: "dinov2_vitb14_pretrain.pth",
  },
  {
    folder: "medclip_swin",
    layout: "MedCLIP, Swin-T",
    tried:
      "transformers' SwinModel and BertModel, mean of layers 1, 2 and the last as its code has it; no configuration",
    weights: "pytorch_model.bin",
  },
  {
    folder: "medclip_resnet",
    layout: "MedCLIP, ResNet-50",
    tried: `${RESNET}, transformers' BERT, mean of layers 1, 2 and the last as its code has it; no configuration`,
    weights: "pytorch_model.bin",
  },
  {
    folder: "medclip_swin_5",
    layout: "MedCLIP, Swin-T, saved by transformers 5",
    tried: "as above, under the names of state_dict()",
    weights: "pytorch_model.bin",
  },
  {
    folder: "open_clip_swin",
    layout: "open_clip's Swin (swin_base_patch4_window7_224)",
    tried: "timm's SwinTransformer, open_clip's CLIP",
    ...OPEN_CLIP,
  },
  { folder: "pair_swin", layout: "transformers' Swin and BERT", tried: "VisionTextDualEncoderModel", ...HF },
  {
    folder: "pair_swin_5",
    layout: "transformers 5's state_dict() of Swin and BERT",
    tried: "as above",
    weights: "pytorch_model.bin",
    config: "config.json",
  },
  {
    folder: "cxr_clip_swin",
    layout: "CXR-CLIP, Swin-T",
    tried: "transformers' SwinModel at its first token, BertModel at its last; the configuration in the checkpoint",
    weights: "swint_mcc.tar",
  },
  {
    folder: "cxr_clip_mlp",
    layout: "CXR-CLIP with projections of two layers",
    tried: "as above; a GELU between, a shortcut, a LayerNorm",
    weights: "swint_mcc.tar",
  },
  {
    folder: "eva_clip",
    layout: "EVA-CLIP: open_clip's EVA02-B-16 and EVA02-L-14",
    tried: "timm's Eva with the arguments of eva02_base_patch16_clip_224, open_clip's CustomTextCLIP",
    ...OPEN_CLIP,
  },
];

/** Folders of towers beside ViT, CLIP and BERT: with gradients of torch, and adapted in a test. */
export const OTHER_TOWERS: readonly string[] = [
  "hf_siglip",
  "open_clip_siglip",
  "eva_clip",
  "medclip_swin",
  "cxr_clip_swin",
  "open_clip_swin",
];

/** Folders of image towers alone: with gradients of torch. */
export const IMAGE_TOWERS: readonly string[] = [
  "rad_dino",
  "dinov2_resampled",
  "dinov2_registers",
  "dinov2_hub",
  "dinov2_hub_registers",
];

/** The case of a folder. */
export function caseOf(folder: string): LayoutCase {
  const named = LAYOUT_CASES.find((layout) => layout.folder === folder);
  if (named) return named;
  throw new Error(`no case of "${folder}"`);
}

/** Runs the body with a copy of a case's folder, which it may change. */
export async function withCopy(folder: string, body: (copy: string) => Promise<void>): Promise<void> {
  await inFolder(async (copy) => {
    const own = join(layoutFiles(caseOf(folder)).weights, "..");
    for await (const { name } of Deno.readDir(own)) {
      if (name !== "expected.safetensors") await Deno.copyFile(join(own, name), join(copy, name));
    }
    await body(copy);
  });
}

/** Paths of a case's files. */
export function layoutFiles({ folder, weights, config }: LayoutCase): { weights: string; config?: string } {
  const path = (name: string): string => fromFileUrl(new URL(join("clip_fixtures", folder, name), import.meta.url));
  return { weights: path(weights), ...(config === undefined ? {} : { config: path(config) }) };
}

/** The original library's inputs and answers, on the current backend; the caller disposes them. */
async function expectedOf({ folder }: LayoutCase): Promise<Map<string, Tensor>> {
  const path = fromFileUrl(new URL(`clip_fixtures/${folder}/expected.safetensors`, import.meta.url));
  const { tensors } = await readSafetensors(path);
  return new Map([...tensors].map(([key, { dtype, shape, data }]) => {
    const { buffer } = data.slice();
    const isInt = dtype === "I32";
    return [
      key,
      tf.tensor(isInt ? new Int32Array(buffer) : new Float32Array(buffer), shape, isInt ? "int32" : "float32"),
    ];
  }));
}

/** Small images whose pixels are repeated until they have the tower's size; frees the small ones. */
export async function repeated(small: Tensor4D, size: number): Promise<Tensor4D> {
  const [count, side] = small.shape;
  if (side === size) return small;
  const values = await small.data();
  small.dispose();
  const out = new Float32Array(count * size * size * 3);
  for (let place = 0, i = 0; i < count; i++) {
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        const from = ((i * side + Math.floor(y * side / size)) * side + Math.floor(x * side / size)) * 3;
        for (let c = 0; c < 3; c++) out[place++] = values[from + c]!;
      }
    }
  }
  return tf.tensor4d(out, [count, size, size, 3]);
}

/** A case's model on the current backend, with the original library's inputs and answers; the caller disposes all. */
export async function openCase(
  one: LayoutCase,
): Promise<{ params: ClipParams; config: ClipConfig; expected: Map<string, Tensor> }> {
  const { weights, config: path } = layoutFiles(one);
  const checkpoint = await openCheckpoint(weights);
  try {
    const config = await clipConfigOf(checkpoint, { weights, ...(path === undefined ? {} : { config: path }) });
    const expected = await expectedOf(one);
    const pixels = await repeated(expected.get("pixels") as Tensor4D, config.vision.imageSize);
    return { params: await loadCheckpoint(checkpoint, config), config, expected: expected.set("pixels", pixels) };
  } finally {
    checkpoint.file.close();
  }
}

/**
 * The largest relative difference of a gradient of half the squared features by the first query projection of each tower, where
 * the case has them; undefined where it has none.
 */
export async function gradientDifference(one: LayoutCase): Promise<number | undefined> {
  const { params, config, expected } = await openCase(one);
  let largest: number | undefined;
  for (const tower of ["image", "text"] as const) {
    const wanted = expected.get(`${tower}_gradient`);
    const [block] = towerBlocks(params)[tower];
    if (!wanted || !block) continue;
    const weight = block.attention.query.weight;
    const { value, grads } = gradientsOf(
      () => {
        const { tokens } = tower === "image"
          ? encodeImage(params, expected.get("pixels") as Tensor4D, config, { clsOnly: true })
          : encodeText(params, expected.get("ids") as Tensor2D, config, { clsOnly: true });
        return tf.div(tf.sum(tf.square(tokens)), 2) as Scalar;
      },
      [weight],
    );
    const [gradient] = grads;
    const difference = tf.tidy(() =>
      tf.div(tf.max(tf.abs(tf.sub(gradient!, tf.reshape(wanted, weight.shape)))), tf.max(tf.abs(wanted)))
    );
    largest = Math.max(largest ?? 0, (await difference.data())[0]!);
    tf.dispose([value, gradient!, difference]);
  }
  disposeParams(params);
  for (const tensor of expected.values()) tensor.dispose();
  return largest;
}

/**
 * The largest difference of a probability (softmax over the texts, or sigmoid), or of a number of a unit feature, from the original
 * library's; of these alone where there is no text tower.
 */
export async function layoutDifference(one: LayoutCase): Promise<number> {
  const { params, config, expected } = await openCase(one);
  const difference = tf.tidy(() => {
    const image = encodeImage(params, expected.get("pixels") as Tensor4D, config, { clsOnly: true }).tokens;
    if (config.text.kind === "none") {
      return tf.max(tf.abs(tf.sub(l2Normalise(tf.squeeze(image, [1])), l2Normalise(expected.get("image")!))));
    }
    const text = encodeText(params, expected.get("ids") as Tensor2D, config, { clsOnly: true }).tokens;
    const [images, texts] = [l2Normalise(tf.squeeze(image, [1])), l2Normalise(tf.squeeze(text, [1]))];
    const cosine = tf.matMul(images, texts, false, true);
    const scaled = tf.mul(cosine, tf.exp(params.logitScale));
    const logits = params.logitBias ? tf.add(scaled, params.logitBias) : scaled;
    const probabilities = config.similarity === "sigmoid" ? tf.sigmoid : tf.softmax;
    const largest = (actual: Tensor, wanted: Tensor): Tensor => tf.max(tf.abs(tf.sub(actual, wanted)));
    return tf.max(tf.stack([
      largest(probabilities(logits), probabilities(expected.get("logits")!)),
      largest(images, l2Normalise(expected.get("image")!)),
      largest(texts, l2Normalise(expected.get("text")!)),
    ]));
  });
  const [value] = await difference.data();
  difference.dispose();
  disposeParams(params);
  for (const tensor of expected.values()) tensor.dispose();
  return value!;
}
