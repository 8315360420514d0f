/** What one tower's names in a checkpoint are made of, and the rows that several layouts share. @module */

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
  /** Side of a convolution's kernel. @default {of a patch embedding: what three channels leave} */
  kernel?: number;
}

/** One tower's names. */
export interface TowerNames<Kind extends string = string> {
  /** What the tower is. */
  kind: Kind;
  /** What messages call it. */
  label: string;
  /** Its projection's leaves, below `head.`. */
  head: Readonly<Record<string, Omit<ClipPlace, "third">>>;
  /** Where these stand: below the tower's prefix, below the prefix without its last part, or below none. */
  headBelow: "prefix" | "parent" | "none";
  /** Leaves that stand once, below `trunk.`. */
  stem: Readonly<Record<string, ClipPlace>>;
  /** The place of a leaf below `trunk.` that neither `stem` nor `layers` has. @default {none} */
  place?: (leaf: string) => ClipPlace | undefined;
  /** Before the number of a block. */
  blocks: string;
  /** Layers of a block, and leaves that are no layer's. */
  layers: Readonly<Record<string, string>>;
  /**
   * Blocks stand below stages: what follows a stage's number, before that of a block and before its merging, and the stage with
   * which the first merging stands. @default {they do not}
   */
  stages?: { readonly blocks: string; readonly merge: string; readonly firstMerge: 0 | 1 };
  /** Weight and bias of the fused query, key and value, after a block's number. @default {three layers of their own} */
  fused?: Readonly<Record<"weight" | "bias", string>>;
}

/** Weight and bias of a layer; of a head that is one layer, `leaf` is empty. */
export function weightAndBias(leaf: string, name: string): Record<string, { name: string }> {
  const before = leaf === "" ? "" : `${leaf}.`;
  return {
    [`${before}weight`]: { name: `${name}.weight` },
    [`${before}bias`]: { name: `${name}.bias` },
  };
}

/** Two layers in a list, each with a batch normalisation behind it, the last without gain and offset: MGCA's projections. */
export function normedHead(name: string): TowerNames["head"] {
  return {
    ...weightAndBias("fc1", `${name}.0`),
    ...weightAndBias("norm1", `${name}.1`),
    "norm1.mean": { name: `${name}.1.running_mean` },
    "norm1.variance": { name: `${name}.1.running_var` },
    ...weightAndBias("fc2", `${name}.3`),
    "norm2.mean": { name: `${name}.4.running_mean` },
    "norm2.variance": { name: `${name}.4.running_var` },
  };
}

/** CXR-CLIP's projections: a layer, or two with a shortcut and a LayerNorm behind. */
export function shortcutHead(name: string): TowerNames["head"] {
  return {
    ...weightAndBias("", `${name}.projection`),
    ...weightAndBias("fc1", `${name}.projection`),
    ...weightAndBias("fc2", `${name}.fc`),
    ...weightAndBias("normPost", `${name}.layer_norm`),
  };
}

/** The layers of a block of CLIP's own transformer. */
export const NATIVE_LAYERS: TowerNames["layers"] = {
  "norm1": "ln_1",
  "norm2": "ln_2",
  "attention.output": "attn.out_proj",
  "mlp.fc1": "mlp.c_fc",
  "mlp.fc2": "mlp.c_proj",
};
/** Its fused query, key and value. */
export const NATIVE_FUSED: NonNullable<TowerNames["fused"]> = {
  weight: "attn.in_proj_weight",
  bias: "attn.in_proj_bias",
};

/** The layers of a block of `transformers`' CLIP and SigLIP. */
export const HF_CLIP_LAYERS: TowerNames["layers"] = {
  "norm1": "layer_norm1",
  "norm2": "layer_norm2",
  "attention.query": "self_attn.q_proj",
  "attention.key": "self_attn.k_proj",
  "attention.value": "self_attn.v_proj",
  "attention.output": "self_attn.out_proj",
  "mlp.fc1": "mlp.fc1",
  "mlp.fc2": "mlp.fc2",
};

/** What the blocks of `transformers`' ViT and Swin are called in memory since its version 5, which state_dict() gives. */
export const HF_5_LAYERS: TowerNames["layers"] = {
  "norm1": "layernorm_before",
  "norm2": "layernorm_after",
  "attention.query": "attention.q_proj",
  "attention.key": "attention.k_proj",
  "attention.value": "attention.v_proj",
  "attention.output": "attention.o_proj",
  "mlp.fc1": "mlp.fc1",
  "mlp.fc2": "mlp.fc2",
};

/** The layers of a block of timm's transformers. */
export const TIMM_LAYERS: TowerNames["layers"] = {
  "norm1": "norm1",
  "norm2": "norm2",
  "attention.output": "attn.proj",
  "mlp.fc1": "mlp.fc1",
  "mlp.fc2": "mlp.fc2",
};
/** Its fused query, key and value. */
export const TIMM_FUSED: NonNullable<TowerNames["fused"]> = { weight: "attn.qkv.weight", bias: "attn.qkv.bias" };
