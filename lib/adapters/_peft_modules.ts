/** Paths of attention projections as PEFT's adapters name them: the modules of every layout that is read. @module */
import { TEXT_SIGNS, VISION_SIGNS } from "../clip/checkpoint/find_layout.ts";
import { BIOMED_CLIP_LAYOUT } from "../clip/checkpoint/layout.ts";
import { TEXT_NAMES } from "../clip/checkpoint/text_names.ts";
import type { TowerNames } from "../clip/checkpoint/tower_names.ts";
import { VISION_NAMES } from "../clip/checkpoint/vision_names.ts";
import { TARGET_LAYERS } from "../peft/lora/inject.ts";
import type { AdapterTarget } from "./config.ts";
import type { AdapterEncoder } from "./record.ts";
import { entriesOf } from "../platform/known_keys.ts";

/** A projection, or timm's three in one. */
type Target = AdapterTarget | "qkv";

/** Which projection a module is. */
export interface PeftPlace {
  /** Tower. */
  encoder: AdapterEncoder;
  /** Block of the tower, from 0. */
  layer: number;
  /** Projection. */
  target: Target;
}

/** The blocks of a tower under one layout's names. */
interface Stack {
  encoder: AdapterEncoder;
  /** Before a block's number: `visual.trunk.blocks.` */
  path: string;
  /** After it, by projection. */
  modules: Partial<Record<Target, string>>;
}

/** timm's q, k and v apart, as this package writes them for a ViT whose `qkv` was split. */
const SPLIT_QKV = { q: "attn.q", k: "attn.k", v: "attn.v" };

function stackOf(encoder: AdapterEncoder, prefix: string, { blocks, layers, fused }: TowerNames): Stack {
  const modules: Stack["modules"] = {};
  for (const [target, layer] of entriesOf(TARGET_LAYERS)) {
    const name = layers[`attention.${layer}`];
    if (name !== undefined) modules[target] = name;
  }
  const module = fused?.weight.endsWith(".weight") ? fused.weight.slice(0, -".weight".length) : undefined; // else it is none
  return { encoder, path: prefix + blocks, modules: module ? { ...modules, qkv: module, ...SPLIT_QKV } : modules };
}

const STACKS: readonly Stack[] = [
  ...VISION_SIGNS.map(([, kind, prefix]) => stackOf("image", prefix, VISION_NAMES[kind])),
  ...TEXT_SIGNS.map(([, kind, prefix]) => stackOf("text", prefix, TEXT_NAMES[kind])),
];

/** BiomedCLIP's towers in open_clip. */
const BIOMED_CLIP: Readonly<Record<AdapterEncoder, Stack>> = {
  image: stackOf("image", BIOMED_CLIP_LAYOUT.visionPrefix, VISION_NAMES[BIOMED_CLIP_LAYOUT.vision]),
  text: stackOf("text", BIOMED_CLIP_LAYOUT.textPrefix, TEXT_NAMES[BIOMED_CLIP_LAYOUT.text]),
};

/** The path of a projection in BiomedCLIP. */
export function moduleOf({ encoder, layer, target }: PeftPlace): string {
  const stack = BIOMED_CLIP[encoder];
  return `${stack.path}${layer}.${stack.modules[target]}`;
}

/** The projection at a path, whatever layout's it is. */
export function placeOf(module: string): PeftPlace | undefined {
  for (const { encoder, path, modules } of STACKS) {
    if (!module.startsWith(path)) continue;
    const [, layer, rest] = /^(\d{1,4})\.(.+)$/.exec(module.slice(path.length)) ?? [];
    const entry = entriesOf(modules).find(([, name]) => name === rest);
    if (entry) return { encoder, layer: Number(layer), target: entry[0] };
  }
  return undefined;
}
