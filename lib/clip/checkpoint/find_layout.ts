/** Which layout a checkpoint has, told from its names. @module */
import { bareName } from "../../io/key_report.ts";
import type { ClipLayout } from "./layout.ts";
import { TEXT_NAMES, type TextNaming } from "./text_names.ts";
import { VISION_NAMES, type VisionNaming } from "./vision_names.ts";

/** A tensor that every checkpoint of an image tower has, the kind of its names, and what stands before them. */
export const VISION_SIGNS: readonly [string, VisionNaming, string][] = [
  ["visual.class_embedding", "open_clip", "visual."],
  ["visual.attnpool.k_proj.weight", "clip_resnet", "visual."],
  ["visual.trunk.blocks.0.attn.q_proj.weight", "timm_eva", "visual.trunk."], // before timm's: it has a CLS token too
  ["visual.trunk.cls_token", "timm", "visual.trunk."],
  ["visual.trunk.attn_pool.latent", "timm_siglip", "visual.trunk."],
  ["visual.trunk.layers.0.blocks.0.attn.relative_position_bias_table", "timm_swin", "visual.trunk."],
  ["vision_model.head.probe", "hf_siglip", "vision_model."],
  ["vision_model.embeddings.class_embedding", "hf_clip", "vision_model."],
  ["vision_model.vision_model.embeddings.class_embedding", "hf_clip", "vision_model.vision_model."],
  ["vision_model.encoder.layer.0.layernorm_before.weight", "hf_vit", "vision_model."],
  ["vision_model.layers.0.layernorm_before.weight", "hf_vit_5", "vision_model."],
  ["img_encoder.global_embedder.weight", "gloria", "img_encoder.model."],
  ["img_encoder_q.model.layer4.0.conv3.weight", "mgca_resnet", "img_encoder_q.model."],
  ["img_encoder_q.model.cls_token", "mgca_vit", "img_encoder_q.model."],
  ["image_encoder.resnet.layer4.0.conv3.weight", "cxr_clip_resnet", "image_encoder.resnet."],
  ["res_features.7.0.conv3.weight", "convirt", "res_features."],
  ...swinSigns("hf_swin", "vision_model."),
  ...swinSigns("medclip_swin", "vision_model.model."),
  ...swinSigns("cxr_clip_swin", "image_encoder.image_encoder."),
  ["vision_model.model.layer4.0.conv3.weight", "medclip_resnet", "vision_model.model."],
  ["encoder.layer.0.layer_scale1.lambda1", "hf_dinov2", ""],
  ["blocks.0.ls1.gamma", "dinov2", ""],
];

/** The names of transformers' Swin, as its files have them and as its version 5 has them in memory. */
function swinSigns(
  kind: "hf_swin" | "medclip_swin" | "cxr_clip_swin",
  prefix: string,
): [string, VisionNaming, string][] {
  const attention = `${prefix}encoder.layers.0.blocks.0.attention.`;
  return [
    [`${attention}self.relative_position_bias_table`, kind, prefix],
    [`${attention}relative_position_bias.relative_position_bias_table`, `${kind}_5`, prefix],
  ];
}

/** Image towers that are released without a text tower. */
const ALONE: ReadonlySet<VisionNaming> = new Set(["hf_dinov2", "dinov2"]);
/** Likewise of a text tower. */
export const TEXT_SIGNS: readonly [string, TextNaming, string][] = [
  ["text.text_projection.bias", "open_clip_siglip", "text."],
  ["text_model.head.bias", "hf_siglip", "text_model."],
  ["token_embedding.weight", "open_clip", ""],
  ["text.token_embedding.weight", "open_clip", "text."],
  ["text_model.embeddings.token_embedding.weight", "hf_clip", "text_model."],
  ["text.transformer.embeddings.word_embeddings.weight", "open_clip_bert", "text.transformer."],
  ["text_encoder.transformer.embeddings.word_embeddings.weight", "open_clip_bert", "text_encoder.transformer."], // UniMed
  ["text_model.embeddings.word_embeddings.weight", "hf_bert", "text_model."],
  ["text_encoder.model.embeddings.word_embeddings.weight", "gloria", "text_encoder.model."],
  ["text_encoder_q.model.embeddings.word_embeddings.weight", "mgca", "text_encoder_q.model."],
  ["text_encoder.text_encoder.embeddings.word_embeddings.weight", "cxr_clip", "text_encoder.text_encoder."],
  ["text_model.model.embeddings.word_embeddings.weight", "medclip", "text_model.model."],
  ["bert_model.embeddings.word_embeddings.weight", "convirt", "bert_model."],
  ["text_encoder.embeddings.word_embeddings.weight", "pmc_clip", "text_encoder."],
];

/** Towers that are known by name and not computed here. */
const FOREIGN_SIGNS: readonly [RegExp, string][] = [
  [/(^|\.)img_encoder\.model\.features\.denseblock/, "a DenseNet as image tower"],
  [/(^|\.)visual\.trunk\.stages\./, "a ConvNeXt as image tower"],
  [
    /\.blocks\.\d+\.attn(ention)?\.(self\.)?(cpb_mlp|meta_mlp|continuous_position_bias_mlp)\./,
    "a Swin V2 as image tower",
  ],
  [/(^|\.)visual\.blocks\.\d+\.attn\.q_bias$/, "EVA's image tower"],
  [/(^|\.)(text_decoder\.|text\.cls_emb$)/, "CoCa's text towers"],
  [/(^|\.)blocks\.\d+\.mlp\.w12\./, "the SwiGLU of DINOv2's giant"],
  [/(^|\.)visual\.attn_pool\./, "an image tower read through attention"],
  ...([
    [/(^|\.)disease_embedding_layer\./, "MedKLIP"],
    [/(^|\.)fusion_module\.(decoder_norm|mlp_head)\./, "CARZero"],
    [/(^|\.)decoder_norm\.weight$/, "KAD"],
  ] as const).map(([sign, name]): [RegExp, string] => [
    sign,
    `${name}'s query decoder, whose score reads all tokens of image and text and is no similarity of two features`,
  ]),
];

/** What stands before a known name: nothing, or what wrappers put there. */
interface FoundTower<T> {
  kind: T;
  prefix: string;
  wrapper: string;
}

function* findTowers<T>(
  names: Iterable<string>,
  signs: readonly (readonly [string, T, string])[],
): Generator<FoundTower<T>> {
  for (const [sign, kind, prefix] of signs) {
    for (const name of names) {
      const wrapper = name.slice(0, -sign.length);
      if (name.endsWith(sign) && /^(.+\.)?$/.test(wrapper)) yield { kind, prefix, wrapper };
    }
  }
}

/** The error for tensors that are no CLIP's, or of one that is not computed here. */
export class UnknownLayoutError extends SyntaxError {
  /** Name shown in stack traces. */
  override name = "UnknownLayoutError";
  /** The file. */
  readonly path: string;

  /**
   * An error about a file of tensors.
   *
   * @param path The file.
   * @param reason What it has or lacks.
   */
  constructor(path: string, reason: string) {
    super(`Cannot read "${path}" as a CLIP as ${reason}`);
    this.path = path;
  }
}

/** A checkpoint's names. */
export interface FoundLayout {
  /** Names of its towers. */
  layout: ClipLayout;
  /** What wrappers (Lightning, DataParallel, a training checkpoint) put before every name. */
  wrapper: string;
}

/**
 * The layout whose names a checkpoint has, whatever wrappers put before them: both towers must stand below the same.
 *
 * @param names The file's names.
 * @param path The file's name, for the error.
 * @throws {UnknownLayoutError} If no known pair of towers is in it; the message says which tower was recognised and what is missing.
 */
export function findLayout(names: ReadonlySet<string>, path: string): FoundLayout {
  const foreign = FOREIGN_SIGNS.find(([sign]) => names.values().some((name) => sign.test(name)));
  if (foreign) throw new UnknownLayoutError(path, `it has ${foreign[1]}, which is not computed`);
  const pairs: FoundLayout[] = [];
  let half: FoundTower<VisionNaming> | undefined;
  for (const vision of findTowers(names, VISION_SIGNS)) {
    half ??= vision;
    const text = TEXT_SIGNS.find(([name]) => names.has(vision.wrapper + name));
    if (!text && !(ALONE.has(vision.kind) && findTowers(names, TEXT_SIGNS).next().done)) continue;
    const [, kind, textPrefix] = text ?? ["", "none", ""] as const;
    const stages = stagesOf(names, vision);
    const layout = {
      vision: vision.kind,
      visionPrefix: vision.prefix,
      text: kind,
      textPrefix,
      ...(stages ? { stages } : {}),
    };
    pairs.push({ layout, wrapper: vision.wrapper });
  }
  const pair = pairs.find(({ wrapper }) => bareName(wrapper) === "") ?? pairs[0];
  if (pair) return pair;
  const lacks = (tower: string, signs: readonly (readonly [string, unknown, string])[]): string =>
    `its ${tower} tower must have one of ${
      signs.map(([name]) => name).join(", ")
    }: found none in ${names.size} tensors`;
  if (!half) throw new UnknownLayoutError(path, lacks("image", VISION_SIGNS));
  const under = half.wrapper ? ` under "${half.wrapper}"` : "";
  throw new UnknownLayoutError(
    path,
    `${lacks("text", TEXT_SIGNS)}; its image tower is ${VISION_NAMES[half.kind].label}${under}`,
  );
}

/** Blocks of each stage, where a tower has stages. */
function stagesOf(
  names: ReadonlySet<string>,
  { kind, prefix, wrapper }: FoundTower<VisionNaming>,
): number[] | undefined {
  const { stages, blocks } = VISION_NAMES[kind];
  if (!stages) return undefined;
  const before = wrapper + prefix + blocks;
  return Array.from(
    { length: layerCount(names, before) },
    (_, i) => layerCount(names, `${before}${i}${stages.blocks}`),
  );
}

/**
 * One more than the highest number that follows `prefix`. A number as high as the count of all names is no layer's: one name
 * must not make a model of a billion layers.
 *
 * @param names The checkpoint's, of a set or a map.
 */
export function layerCount(names: { keys(): Iterable<string>; readonly size: number }, prefix: string): number {
  let count = 0;
  for (const name of names.keys()) {
    const match = name.startsWith(prefix) && /^(\d+)\./.exec(name.slice(prefix.length));
    if (match && Number(match[1]) < names.size) count = Math.max(count, Number(match[1]) + 1);
  }
  return count;
}

/** What messages call a layout: `CLIP's own ViT with BERT in open_clip`. */
export function layoutLabel(layout: ClipLayout): string {
  const { label } = VISION_NAMES[layout.vision];
  return layout.text === "none" ? `${label}, an image tower alone` : `${label} with ${TEXT_NAMES[layout.text].label}`;
}

/** The same of a checkpoint, with what wrappers put before its names. */
export function foundLabel({ layout, wrapper }: FoundLayout): string {
  return `${layoutLabel(layout)}${wrapper ? ` below "${wrapper}"` : ""}`;
}
