/** The names that checkpoints give the tensors of a ResNet: torchvision's, OpenAI's alike, and those of a list of its parts. @module */
import type { ClipPlace } from "./tower_names.ts";

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
export const RESNET_PLACE: (leaf: string) => ClipPlace | undefined = names({ stem: STEM, stage: STAGE, kernel: 7 });

/** OpenAI's, whose stem has three layers. */
export const CLIP_RESNET_PLACE: (leaf: string) => ClipPlace | undefined = names({
  stem: STEM,
  stage: STAGE,
  kernel: 3,
});

/** `0`, `1`, `4.0.conv1`: the parts in a list, as ConVIRT has them. */
export const LISTED_RESNET_PLACE: (leaf: string) => ClipPlace | undefined = names({
  stem: () => ({ conv: "0", norm: "1" }),
  stage: (place) => `${place + 4}`,
  kernel: 7,
});
