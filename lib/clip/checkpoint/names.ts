/** The names that open_clip's and `transformers`' checkpoints give the tensors of a CLIP, as tables. @module */

/** Where a leaf's numbers stand in a checkpoint, and in which layout. */
export interface ClipPlace {
  /** Checkpoint name. */
  name: string;
  /** Which third of a fused query-key-value tensor. */
  third?: 0 | 1 | 2;
  /** Which half of a fused key-value tensor. */
  half?: 0 | 1;
  /** `convolution`: `[D, 3, P, P]`; `transposed`: `[in, out]`; `flat`: leading axes of size 1 are left out. */
  as?: "convolution" | "transposed" | "flat";
}

/** How a checkpoint names its two towers. */
export interface ClipLayout {
  /** Names of the image tower: open_clip's own, open_clip's timm trunk, `transformers`' CLIP or ViT (as files, or as 5 names it). */
  vision: "open_clip" | "timm" | "timm_siglip" | "hf_clip" | "hf_siglip" | "hf_vit" | "hf_vit_5";
  /** What stands before them. */
  visionPrefix: string;
  /** Names of the text tower: open_clip's own, `transformers`' CLIP, or BERT in open_clip or in a pair. */
  text: "open_clip" | "open_clip_siglip" | "hf_clip" | "hf_siglip" | "open_clip_bert" | "hf_bert";
  /** What stands before them. */
  textPrefix: string;
}

/** BiomedCLIP's names in open_clip: timm's image tower, `transformers`' BERT. */
export const BIOMED_CLIP_LAYOUT: ClipLayout = {
  vision: "timm",
  visionPrefix: "visual.trunk.",
  text: "open_clip_bert",
  textPrefix: "text.transformer.",
};

/** One tower's names. */
export interface TowerNames {
  /** What messages call it. */
  label: string;
  /** Its projection's leaves, below `head.`. */
  head: Readonly<Record<string, Omit<ClipPlace, "third">>>;
  /** Where these stand: below the tower's prefix, below the prefix without its last part, or below none. */
  headBelow: "prefix" | "parent" | "none";
  /** Leaves that stand once, below `trunk.`. */
  stem: Readonly<Record<string, ClipPlace>>;
  /** Before the number of a block. */
  blocks: string;
  /** Layers of a block. */
  layers: Readonly<Record<string, string>>;
  /** Weight and bias of the fused query, key and value, after a block's number. @default {three layers of their own} */
  fused?: Readonly<Record<"weight" | "bias", string>>;
}

const both = (leaf: string, name: string): Record<string, { name: string }> => ({
  [`${leaf}.weight`]: { name: `${name}.weight` },
  [`${leaf}.bias`]: { name: `${name}.bias` },
});
const NATIVE_LAYERS: Record<string, string> = {
  "norm1": "ln_1",
  "norm2": "ln_2",
  "attention.output": "attn.out_proj",
  "mlp.fc1": "mlp.c_fc",
  "mlp.fc2": "mlp.c_proj",
};
const NATIVE_FUSED = { weight: "attn.in_proj_weight", bias: "attn.in_proj_bias" };
const TIMM_LAYERS: Record<string, string> = {
  "norm1": "norm1",
  "norm2": "norm2",
  "attention.output": "attn.proj",
  "mlp.fc1": "mlp.fc1",
  "mlp.fc2": "mlp.fc2",
};
const TIMM_FUSED = { weight: "attn.qkv.weight", bias: "attn.qkv.bias" };
const HF_CLIP_LAYERS: Record<string, string> = {
  "norm1": "layer_norm1",
  "norm2": "layer_norm2",
  "attention.query": "self_attn.q_proj",
  "attention.key": "self_attn.k_proj",
  "attention.value": "self_attn.v_proj",
  "attention.output": "self_attn.out_proj",
  "mlp.fc1": "mlp.fc1",
  "mlp.fc2": "mlp.fc2",
};
const BERT: Omit<TowerNames, "label" | "head" | "headBelow"> = {
  stem: {
    word: { name: "embeddings.word_embeddings.weight" },
    position: { name: "embeddings.position_embeddings.weight" },
    tokenType: { name: "embeddings.token_type_embeddings.weight" },
    ...both("norm", "embeddings.LayerNorm"),
    ...both("pooler", "pooler.dense"),
  },
  blocks: "encoder.layer.",
  layers: {
    "norm1": "attention.output.LayerNorm",
    "norm2": "output.LayerNorm",
    "attention.query": "attention.self.query",
    "attention.key": "attention.self.key",
    "attention.value": "attention.self.value",
    "attention.output": "attention.output.dense",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
  },
};

const HF_VIT_STEM: TowerNames["stem"] = {
  "patchEmbed.weight": { name: "embeddings.patch_embeddings.projection.weight", as: "convolution" },
  "patchEmbed.bias": { name: "embeddings.patch_embeddings.projection.bias" },
  clsToken: { name: "embeddings.cls_token" },
  posEmbed: { name: "embeddings.position_embeddings" },
  ...both("norm", "layernorm"),
  ...both("pooler", "pooler.dense"),
};

/** The leaves of an attention pooling, its query, key and value fused. */
function fusedPool(attention: string, names: { norm: string; fc1: string; fc2: string }): Record<string, ClipPlace> {
  const thirds = (["query", "key", "value"] as const).flatMap((part, third) =>
    (["weight", "bias"] as const).map((kind) =>
      [`pool.attention.${part}.${kind}`, { name: `${attention}.in_proj_${kind}`, third: third as 0 | 1 | 2 }] as const
    )
  );
  return {
    ...Object.fromEntries(thirds),
    ...both("pool.attention.output", `${attention}.out_proj`),
    ...both("pool.norm", names.norm),
    ...both("pool.mlp.fc1", names.fc1),
    ...both("pool.mlp.fc2", names.fc2),
  };
}

/** Names of each kind of image tower. */
export const VISION_NAMES: Readonly<Record<ClipLayout["vision"], TowerNames>> = {
  open_clip: {
    label: "CLIP's own ViT",
    head: { weight: { name: "proj", as: "transposed" } },
    headBelow: "prefix",
    stem: {
      "patchEmbed.weight": { name: "conv1.weight", as: "convolution" },
      clsToken: { name: "class_embedding", as: "flat" },
      posEmbed: { name: "positional_embedding", as: "flat" },
      ...both("normPre", "ln_pre"),
      ...both("norm", "ln_post"),
    },
    blocks: "transformer.resblocks.",
    layers: NATIVE_LAYERS,
    fused: NATIVE_FUSED,
  },
  timm: {
    label: "timm's ViT",
    head: { weight: { name: "head.proj.weight" } },
    headBelow: "parent",
    stem: {
      "patchEmbed.weight": { name: "patch_embed.proj.weight", as: "convolution" },
      "patchEmbed.bias": { name: "patch_embed.proj.bias" },
      clsToken: { name: "cls_token" },
      posEmbed: { name: "pos_embed" },
      ...both("norm", "norm"),
    },
    blocks: "blocks.",
    layers: TIMM_LAYERS,
    fused: TIMM_FUSED,
  },
  timm_siglip: {
    label: "timm's SigLIP",
    head: {},
    headBelow: "none",
    stem: {
      "patchEmbed.weight": { name: "patch_embed.proj.weight", as: "convolution" },
      "patchEmbed.bias": { name: "patch_embed.proj.bias" },
      posEmbed: { name: "pos_embed" },
      ...both("norm", "norm"),
      "pool.probe": { name: "attn_pool.latent" },
      ...both("pool.attention.query", "attn_pool.q"),
      "pool.attention.key.weight": { name: "attn_pool.kv.weight", half: 0 },
      "pool.attention.key.bias": { name: "attn_pool.kv.bias", half: 0 },
      "pool.attention.value.weight": { name: "attn_pool.kv.weight", half: 1 },
      "pool.attention.value.bias": { name: "attn_pool.kv.bias", half: 1 },
      ...both("pool.attention.output", "attn_pool.proj"),
      ...both("pool.norm", "attn_pool.norm"),
      ...both("pool.mlp.fc1", "attn_pool.mlp.fc1"),
      ...both("pool.mlp.fc2", "attn_pool.mlp.fc2"),
    },
    blocks: "blocks.",
    layers: TIMM_LAYERS,
    fused: TIMM_FUSED,
  },
  hf_clip: {
    label: "transformers' CLIP",
    head: { weight: { name: "visual_projection.weight" } },
    headBelow: "none",
    stem: {
      "patchEmbed.weight": { name: "embeddings.patch_embedding.weight", as: "convolution" },
      clsToken: { name: "embeddings.class_embedding", as: "flat" },
      posEmbed: { name: "embeddings.position_embedding.weight", as: "flat" },
      ...both("normPre", "pre_layrnorm"), // so spelt
      ...both("norm", "post_layernorm"),
    },
    blocks: "encoder.layers.",
    layers: HF_CLIP_LAYERS,
  },
  hf_siglip: {
    label: "transformers' SigLIP",
    head: {},
    headBelow: "none",
    stem: {
      "patchEmbed.weight": { name: "embeddings.patch_embedding.weight", as: "convolution" },
      "patchEmbed.bias": { name: "embeddings.patch_embedding.bias" },
      posEmbed: { name: "embeddings.position_embedding.weight", as: "flat" },
      ...both("norm", "post_layernorm"),
      "pool.probe": { name: "head.probe" },
      ...fusedPool("head.attention", { norm: "head.layernorm", fc1: "head.mlp.fc1", fc2: "head.mlp.fc2" }),
    },
    blocks: "encoder.layers.",
    layers: HF_CLIP_LAYERS,
  },
  hf_vit: {
    label: "transformers' ViT",
    head: { weight: { name: "visual_projection.weight" } },
    headBelow: "none",
    stem: HF_VIT_STEM,
    blocks: "encoder.layer.",
    layers: {
      "norm1": "layernorm_before",
      "norm2": "layernorm_after",
      "attention.query": "attention.attention.query",
      "attention.key": "attention.attention.key",
      "attention.value": "attention.attention.value",
      "attention.output": "attention.output.dense",
      "mlp.fc1": "intermediate.dense",
      "mlp.fc2": "output.dense",
    },
  },
  hf_vit_5: {
    label: "transformers 5's ViT",
    head: { weight: { name: "visual_projection.weight" } },
    headBelow: "none",
    stem: HF_VIT_STEM,
    blocks: "layers.",
    layers: {
      "norm1": "layernorm_before",
      "norm2": "layernorm_after",
      "attention.query": "attention.q_proj",
      "attention.key": "attention.k_proj",
      "attention.value": "attention.v_proj",
      "attention.output": "attention.o_proj",
      "mlp.fc1": "mlp.fc1",
      "mlp.fc2": "mlp.fc2",
    },
  },
};

/** Names of each kind of text tower. */
export const TEXT_NAMES: Readonly<Record<ClipLayout["text"], TowerNames>> = {
  open_clip: {
    label: "CLIP's own text transformer",
    head: { weight: { name: "text_projection", as: "transposed" } },
    headBelow: "prefix",
    stem: {
      word: { name: "token_embedding.weight" },
      position: { name: "positional_embedding" },
      ...both("norm", "ln_final"),
    },
    blocks: "transformer.resblocks.",
    layers: NATIVE_LAYERS,
    fused: NATIVE_FUSED,
  },
  hf_clip: {
    label: "transformers' CLIP text transformer",
    head: { weight: { name: "text_projection.weight" } },
    headBelow: "none",
    stem: {
      word: { name: "embeddings.token_embedding.weight" },
      position: { name: "embeddings.position_embedding.weight" },
      ...both("norm", "final_layer_norm"),
    },
    blocks: "encoder.layers.",
    layers: HF_CLIP_LAYERS,
  },
  open_clip_siglip: {
    label: "open_clip's SigLIP text transformer",
    head: { weight: { name: "text_projection.weight" }, bias: { name: "text_projection.bias" } },
    headBelow: "prefix",
    stem: {
      word: { name: "token_embedding.weight" },
      position: { name: "positional_embedding" },
      ...both("norm", "ln_final"),
    },
    blocks: "transformer.resblocks.",
    layers: NATIVE_LAYERS,
    fused: NATIVE_FUSED,
  },
  hf_siglip: {
    label: "transformers' SigLIP text transformer",
    head: { weight: { name: "head.weight" }, bias: { name: "head.bias" } },
    headBelow: "prefix",
    stem: {
      word: { name: "embeddings.token_embedding.weight" },
      position: { name: "embeddings.position_embedding.weight" },
      ...both("norm", "final_layer_norm"),
    },
    blocks: "encoder.layers.",
    layers: HF_CLIP_LAYERS,
  },
  open_clip_bert: {
    ...BERT,
    label: "BERT in open_clip",
    head: {
      weight: { name: "proj.weight" },
      "fc1.weight": { name: "proj.0.weight" },
      "fc2.weight": { name: "proj.2.weight" },
    },
    headBelow: "parent",
  },
  hf_bert: {
    ...BERT,
    label: "transformers' BERT",
    head: { weight: { name: "text_projection.weight" } },
    headBelow: "none",
  },
};

/** What the towers of a layout are, told by what stands once in them. */
export function towerKinds({ vision, text }: Pick<ClipLayout, "vision" | "text">): {
  vision: "clip" | "vit";
  text: "clip" | "siglip" | "bert";
} {
  const { stem, head } = TEXT_NAMES[text];
  return {
    vision: "normPre.weight" in VISION_NAMES[vision].stem ? "clip" : "vit",
    text: "tokenType" in stem ? "bert" : "bias" in head ? "siglip" : "clip",
  };
}

/** The projections' and the similarity's names. */
function headPlace(layout: ClipLayout, leaf: string): ClipPlace | undefined {
  if (leaf === "logitScale") return { name: "logit_scale" };
  if (leaf === "logitBias") return { name: "logit_bias" };
  const [, tower, below] = /^(vision|text)\.head\.(.+)$/.exec(leaf) ?? [];
  if (below === undefined) return undefined;
  const isVision = tower === "vision";
  const names = isVision ? VISION_NAMES[layout.vision] : TEXT_NAMES[layout.text];
  const prefix = isVision ? layout.visionPrefix : layout.textPrefix;
  const place = names.head[below];
  const before = { prefix, parent: prefix.replace(/[^.]+\.$/, ""), none: "" }[names.headBelow];
  return place && { ...place, name: before + place.name };
}

/** Where a leaf of the tree stands in a checkpoint of this layout. @throws {RangeError} If the layout has no such leaf. */
export function clipPlace(layout: ClipLayout, leaf: string): ClipPlace {
  const head = headPlace(layout, leaf);
  if (head) return head;
  const isVision = leaf.startsWith("vision.");
  const names = isVision ? VISION_NAMES[layout.vision] : TEXT_NAMES[layout.text];
  const prefix = isVision ? layout.visionPrefix : layout.textPrefix;
  const below = leaf.replace(/^(vision|text)\.trunk\./, "");
  const single = names.stem[below];
  if (single) return { ...single, name: prefix + single.name };
  const [, index, layer, kind] = /^(?:blocks|layers)\.(\d+)\.(.+)\.(weight|bias)$/.exec(below) ?? [];
  const third = ["attention.query", "attention.key", "attention.value"].indexOf(layer ?? "");
  const block = `${prefix}${names.blocks}${index}.`;
  if (names.fused && third >= 0) {
    return { name: block + names.fused[kind as "weight" | "bias"], third: third as 0 | 1 | 2 };
  }
  const inner = names.layers[layer ?? ""];
  if (!inner) {
    throw new RangeError(`Cannot name "${leaf}" as a ${layout.vision} and ${layout.text} checkpoint has none`);
  }
  return { name: `${block}${inner}.${kind}` };
}
