/** The names that open_clip's and `transformers`' checkpoints give the tensors of a CLIP, as tables. @module */

/** Where a leaf's numbers stand in a checkpoint, and in which layout. */
export interface ClipPlace {
  /** Checkpoint name. */
  name: string;
  /** Which third of a fused query-key-value tensor. */
  third?: 0 | 1 | 2;
  /** `convolution`: `[D, 3, P, P]`; `transposed`: `[in, out]`; `flat`: leading axes of size 1 are left out. */
  as?: "convolution" | "transposed" | "flat";
}

/** How a checkpoint names its two towers. */
export interface ClipLayout {
  /** Names of the image tower: open_clip's own, open_clip's timm trunk, `transformers`' CLIP or ViT. */
  vision: "open_clip" | "timm" | "hf_clip" | "hf_vit";
  /** What stands before them. */
  visionPrefix: string;
  /** Names of the text tower: open_clip's own, `transformers`' CLIP, or BERT in open_clip or in a pair. */
  text: "open_clip" | "hf_clip" | "open_clip_bert" | "hf_bert";
  /** What stands before them. */
  textPrefix: string;
}

/** One tower's names. */
export interface TowerNames {
  /** Leaves that stand once, below `trunk.`. */
  stem: Readonly<Record<string, Omit<ClipPlace, "third">>>;
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
const BERT: TowerNames = {
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

/** Names of each kind of image tower. */
export const VISION_NAMES: Readonly<Record<ClipLayout["vision"], TowerNames>> = {
  open_clip: {
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
    stem: {
      "patchEmbed.weight": { name: "patch_embed.proj.weight", as: "convolution" },
      "patchEmbed.bias": { name: "patch_embed.proj.bias" },
      clsToken: { name: "cls_token" },
      posEmbed: { name: "pos_embed" },
      ...both("norm", "norm"),
    },
    blocks: "blocks.",
    layers: {
      "norm1": "norm1",
      "norm2": "norm2",
      "attention.output": "attn.proj",
      "mlp.fc1": "mlp.fc1",
      "mlp.fc2": "mlp.fc2",
    },
    fused: { weight: "attn.qkv.weight", bias: "attn.qkv.bias" },
  },
  hf_clip: {
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
  hf_vit: {
    stem: {
      "patchEmbed.weight": { name: "embeddings.patch_embeddings.projection.weight", as: "convolution" },
      "patchEmbed.bias": { name: "embeddings.patch_embeddings.projection.bias" },
      clsToken: { name: "embeddings.cls_token" },
      posEmbed: { name: "embeddings.position_embeddings" },
      ...both("norm", "layernorm"),
      ...both("pooler", "pooler.dense"),
    },
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
};

/** Names of each kind of text tower. */
export const TEXT_NAMES: Readonly<Record<ClipLayout["text"], TowerNames>> = {
  open_clip: {
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
    stem: {
      word: { name: "embeddings.token_embedding.weight" },
      position: { name: "embeddings.position_embedding.weight" },
      ...both("norm", "final_layer_norm"),
    },
    blocks: "encoder.layers.",
    layers: HF_CLIP_LAYERS,
  },
  open_clip_bert: BERT,
  hf_bert: BERT,
};

/** The projections' names; they do not stand below the towers' prefixes. */
export function headPlace(layout: ClipLayout, leaf: string): ClipPlace | undefined {
  if (leaf === "logitScale") return { name: "logit_scale" };
  if (leaf === "vision.head.weight") {
    if (layout.vision === "open_clip") return { name: "visual.proj", as: "transposed" };
    return { name: layout.vision === "timm" ? "visual.head.proj.weight" : "visual_projection.weight" };
  }
  if (leaf === "text.head.weight") {
    if (layout.text === "open_clip") return { name: `${layout.textPrefix}text_projection`, as: "transposed" };
    return { name: layout.text === "open_clip_bert" ? "text.proj.weight" : "text_projection.weight" };
  }
  if (leaf === "text.head.fc1.weight") return { name: "text.proj.0.weight" };
  return leaf === "text.head.fc2.weight" ? { name: "text.proj.2.weight" } : undefined;
}

const VISION_SIGNS: readonly [string, ClipLayout["vision"], string][] = [
  ["visual.class_embedding", "open_clip", "visual."],
  ["visual.trunk.cls_token", "timm", "visual.trunk."],
  ["vision_model.embeddings.class_embedding", "hf_clip", "vision_model."],
  ["vision_model.vision_model.embeddings.class_embedding", "hf_clip", "vision_model.vision_model."],
  ["vision_model.embeddings.cls_token", "hf_vit", "vision_model."],
];
const TEXT_SIGNS: readonly [string, ClipLayout["text"], string][] = [
  ["token_embedding.weight", "open_clip", ""],
  ["text.token_embedding.weight", "open_clip", "text."],
  ["text_model.embeddings.token_embedding.weight", "hf_clip", "text_model."],
  ["text.transformer.embeddings.word_embeddings.weight", "open_clip_bert", "text.transformer."],
  ["text_model.embeddings.word_embeddings.weight", "hf_bert", "text_model."],
];

/**
 * The layout whose names a checkpoint has.
 *
 * @param shapes The file's tensors.
 * @param path The file's name, for the error.
 * @throws {SyntaxError} If no known tower is in it.
 */
export function clipLayout(shapes: ReadonlyMap<string, readonly number[]>, path: string): ClipLayout {
  const find = <T>(signs: readonly [string, T, string][], tower: string): [string, T, string] => {
    const found = signs.find(([name]) => shapes.has(name));
    if (found) return found;
    throw new SyntaxError(
      `Cannot read "${path}" as a CLIP as its ${tower} tower must have one of ${
        signs.map(([name]) => name).join(", ")
      }: found none in ${shapes.size} tensors`,
    );
  };
  const [, vision, visionPrefix] = find(VISION_SIGNS, "image");
  const [, text, textPrefix] = find(TEXT_SIGNS, "text");
  return { vision, visionPrefix, text, textPrefix };
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
