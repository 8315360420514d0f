/** The names that checkpoints give the tensors of a ResNet: torchvision's, OpenAI's alike, and those of a list of its parts. @module */
import type { VisionConfig } from "../config.ts";
import { type ClipPlace, normedHead, shortcutHead, type TowerNames, weightAndBias } from "./tower_names.ts";

const NORM: Readonly<Record<string, string>> = {
  weight: "weight",
  bias: "bias",
  mean: "running_mean",
  variance: "running_var",
};

/** What stands before the number of a stage and of the stem's layers, and where counting begins. */
interface ResnetParts {
  /** A layer of the stem by its place. */
  stem: (place: number) => { conv: string; norm: string };
  /** A stage by its place. */
  stage: (place: number) => string;
  /** Side of the stem's kernels. */
  kernel: 3 | 7;
}

function names({ stem, stage, kernel }: ResnetParts): (leaf: string) => ClipPlace | undefined {
  const part = (conv: string, norm: string, leaf: string, side: number): ClipPlace | undefined => {
    if (leaf === "conv.weight") return { name: `${conv}.weight`, as: "convolution", kernel: side };
    const own = leaf.startsWith("norm.") ? NORM[leaf.slice(5)] : undefined;
    return own === undefined ? undefined : { name: `${norm}.${own}` };
  };
  return (leaf) => {
    const [, layer, ofStem] = /^stem\.(\d+)\.(.+)$/.exec(leaf) ?? [];
    if (ofStem !== undefined) {
      const { conv, norm } = stem(Number(layer));
      return part(conv, norm, ofStem, kernel);
    }
    const [, place, block, conv, ofBlock] = /^stages\.(\d+)\.(\d+)\.(conv[123]|downsample)\.(.+)$/.exec(leaf) ?? [];
    if (ofBlock === undefined) return undefined;
    const before = `${stage(Number(place))}.${block}.`;
    if (conv === "downsample") return part(`${before}downsample.0`, `${before}downsample.1`, ofBlock, 1);
    return part(`${before}${conv}`, `${before}bn${conv!.slice(4)}`, ofBlock, conv === "conv2" ? 3 : 1);
  };
}

const STEM: ResnetParts["stem"] = (place) => ({ conv: `conv${place + 1}`, norm: `bn${place + 1}` });
const STAGE: ResnetParts["stage"] = (place) => `layer${place + 1}`;

/** `conv1`, `bn1`, `layer1.0.conv1`: torchvision's. */
const RESNET_PLACE: (leaf: string) => ClipPlace | undefined = names({ stem: STEM, stage: STAGE, kernel: 7 });

/** OpenAI's, whose stem has three layers. */
const CLIP_RESNET_PLACE: (leaf: string) => ClipPlace | undefined = names({
  stem: STEM,
  stage: STAGE,
  kernel: 3,
});

/** `0`, `1`, `4.0.conv1`: the parts in a list, as ConVIRT has them. */
const LISTED_RESNET_PLACE: (leaf: string) => ClipPlace | undefined = names({
  stem: () => ({ conv: "0", norm: "1" }),
  stage: (place) => `${place + 4}`,
  kernel: 7,
});

/** Names of an image tower that is a ResNet. */
export type ResnetNaming = "clip_resnet" | "gloria" | "mgca_resnet" | "cxr_clip_resnet" | "convirt" | "medclip_resnet";

/** torchvision's ResNet, whatever is behind it. */
const RESNET: Omit<TowerNames<"resnet">, "label" | "head" | "headBelow"> = {
  kind: "resnet",
  stem: {},
  blocks: "blocks.", // none
  layers: {},
  place: RESNET_PLACE,
};

/** The rows of `VISION_NAMES` that are ResNets. */
export const RESNET_NAMES: Readonly<Record<ResnetNaming, TowerNames<VisionConfig["kind"]>>> = {
  clip_resnet: {
    ...RESNET,
    kind: "clip-resnet",
    label: "OpenAI's ResNet",
    head: weightAndBias("", "attnpool.c_proj"),
    headBelow: "prefix",
    stem: {
      "pool.posEmbed": { name: "attnpool.positional_embedding" },
      ...weightAndBias("pool.query", "attnpool.q_proj"),
      ...weightAndBias("pool.key", "attnpool.k_proj"),
      ...weightAndBias("pool.value", "attnpool.v_proj"),
    },
    place: CLIP_RESNET_PLACE,
  },
  gloria: {
    ...RESNET,
    label: "GLoRIA's ResNet",
    head: {
      ...weightAndBias("", "global_embedder"),
      "local.weight": { name: "local_embedder.weight", as: "convolution", kernel: 1 },
    },
    headBelow: "parent",
  },
  mgca_resnet: { ...RESNET, label: "MGCA's ResNet", head: normedHead("global_embed.head"), headBelow: "parent" },
  cxr_clip_resnet: {
    ...RESNET,
    label: "CXR-CLIP's ResNet",
    head: shortcutHead("image_projection"),
    headBelow: "none",
  },
  medclip_resnet: {
    ...RESNET,
    label: "MedCLIP's ResNet",
    head: { weight: { name: "fc.weight" } },
    headBelow: "prefix",
  },
  convirt: {
    ...RESNET,
    label: "ConVIRT's ResNet",
    head: { ...weightAndBias("fc1", "res_l1"), ...weightAndBias("fc2", "res_l2") },
    headBelow: "none",
    place: LISTED_RESNET_PLACE,
  },
};
