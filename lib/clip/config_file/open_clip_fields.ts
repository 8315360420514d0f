/**
 * Which fields of an open_clip configuration are read, and which values of the others change nothing; any other is refused. A
 * field that is honoured from now on moves from the one list to the other.
 *
 * @module
 */
import { type ClipSource, type JsonRecord, type PlainFields, positiveField, sizeField } from "./fields.ts";

/** Of both towers. */
const PLAIN_BLOCKS: PlainFields = {
  ls_init_value: [],
  output_tokens: "any",
  act_kwargs: [],
  norm_kwargs: [],
  block_type: ["default"],
  qk_norm: [false],
  scaled_cosine_attn: [false],
  scale_heads: [false],
  scale_attn_inner: [false],
  scale_attn: [false],
  scale_fc: [false],
};
/** Values that change nothing in `vision_cfg`. */
export const PLAIN_VISION: PlainFields = {
  ...PLAIN_BLOCKS,
  timm_model_pretrained: "any",
  timm_proj: ["linear"],
  timm_proj_bias: [false],
  timm_drop: "any",
  timm_drop_path: "any",
  patch_dropout: "any",
  attentional_pool: [false],
  attn_pooler_queries: "any",
  attn_pooler_heads: "any",
  no_ln_pre: [false],
  pos_embed_type: ["learnable"],
  final_ln_after_pool: [false],
  global_average_pool: [false],
  input_patchnorm: [false],
  pool_type: ["tok"],
};
/** Values that change nothing in `text_cfg`. */
export const PLAIN_TEXT: PlainFields = {
  ...PLAIN_BLOCKS,
  embed_cls: [false],
  pad_id: [0],
  no_causal_mask: [false],
  final_ln_after_pool: [false],
  proj_bias: [false],
  proj_type: ["linear"],
  hf_tokenizer_name: "any",
  hf_model_pretrained: "any",
  tokenizer_kwargs: [],
  tokenizer_mode: [],
};
/** Values that change nothing beside the towers. */
export const PLAIN_MODEL: PlainFields = {
  custom_text: "any",
  init_logit_scale: "any",
  nonscalar_logit_scale: "any",
  output_dict: "any",
  cast_dtype: "any",
  hf_hub_id: "any",
};
/** Values that change nothing in the `text_cfg` of a SigLIP. */
export const PLAIN_SIGLIP_TEXT: PlainFields = {
  ...PLAIN_TEXT,
  no_causal_mask: [true],
  proj_bias: [true],
  tokenizer_kwargs: "any",
};
/** What is read of the model. */
export const READ_MODEL: readonly string[] = ["embed_dim", "vision_cfg", "text_cfg", "quick_gelu", "init_logit_bias"];
/** What is read of `vision_cfg`. */
export const READ_VISION: readonly string[] = [
  ...["timm_model_name", "timm_pool", "image_size", "patch_size", "width", "layers", "head_width", "mlp_ratio"],
];
/** What is read of the `text_cfg` of a SigLIP. */
export const READ_SIGLIP_TEXT: readonly string[] = [
  ...[
    "context_length",
    "vocab_size",
    "width",
    "heads",
    "layers",
    "mlp_ratio",
    "pool_type",
    "norm_kwargs",
    "act_kwargs",
  ],
];
/** What is read of `text_cfg`. */
export const READ_TEXT: readonly string[] = [
  ...["hf_model_name", "hf_proj_type", "hf_pooler_type", "context_length", "vocab_size", "width", "heads", "layers"],
  ...["mlp_ratio", "pool_type", "eos_id"],
];

/** The hidden width of a block, `int(width * mlp_ratio)`. */
export function hiddenField(
  source: ClipSource,
  part: string,
  json: JsonRecord,
  { width, stored }: { width: number; stored: number | undefined },
): number {
  const ratio = positiveField(source, `${part}.mlp_ratio`, json["mlp_ratio"], 4);
  const declared = json["mlp_ratio"] === undefined && stored !== undefined ? stored : Math.floor(width * ratio);
  return sizeField(source, `${part}.width x mlp_ratio`, declared, { stored });
}
