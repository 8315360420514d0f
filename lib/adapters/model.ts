/** Adapters between files and a model's tree. @module */
import * as tf from "@tensorflow/tfjs";
import { type AceLoraConfig, type AceLoraParams, initAceLora, textAffinityOf } from "../ace_lora.ts";
import type { ClipParams } from "../clip/params.ts";
import type { ClipConfig } from "../clip/config.ts";
import type { AceHgnnParams } from "../hypergraph/ace_hgnn.ts";
import type { AdapterParams } from "../hypergraph/adapter.ts";
import { type AdapterFormat, readAdapter, writeAdapter } from "./files.ts";
import type { AdapterEncoder, AdapterFile, BottleneckTensors, HypergraphTensors, LinearTensors } from "./record.ts";
import { float32Tensor, type TensorData, toFloat32 } from "../io/tensors.ts";
import { ACE_LORA_LORA, type LoraConfig, type LoraPositions } from "../peft/lora/config.ts";
import { TARGET_LAYERS } from "../peft/lora/inject.ts";
import { isLora } from "../peft/lora/layer.ts";
import type { LinearParams } from "../nn/linear.ts";
import { TOWER_NAMES, towerBlocks } from "../nn/towers.ts";
import type { BlockParams } from "../nn/transformer.ts";
import { disposeParams, withTensors } from "../tensor/params.ts";
import type { Tensor } from "../tensor/types.ts";

async function stored(tensor: Tensor): Promise<TensorData> {
  return float32Tensor(tensor.shape, await tensor.data() as Float32Array);
}

async function storedLinear({ weight, bias }: LinearParams): Promise<LinearTensors> {
  return { weight: await stored(weight), bias: await stored(bias!) };
}

async function storedBottleneck({ down, up }: AdapterParams): Promise<BottleneckTensors> {
  return { down: await storedLinear(down), up: await storedLinear(up) };
}

async function storedHypergraph({ edge, node }: AceHgnnParams): Promise<HypergraphTensors> {
  return { edge: await storedBottleneck(edge), node: await storedBottleneck(node) };
}

/**
 * The adapter that a model carries, as a record that any of the formats can hold.
 *
 * @throws {TypeError} If the model carries neither LoRA nor ACE-HGNN.
 */
export async function adapterOf(params: AceLoraParams, config: AceLoraConfig): Promise<AdapterFile> {
  if (!config.lora && !config.hgnn) {
    throw new TypeError("Cannot save an adapter as the model must carry LoRA or ACE-HGNN: it carries neither");
  }
  const lora: AdapterFile["lora"] = [];
  for (const [encoder, blocks] of Object.entries(towerBlocks(params)) as [AdapterEncoder, BlockParams[]][]) {
    for (const [layer, block] of blocks.entries()) {
      for (
        const [target, key] of Object.entries(TARGET_LAYERS) as [
          LoraConfig["targets"][number],
          keyof typeof block.attention,
        ][]
      ) {
        const update = block.attention[key].update;
        if (isLora(update)) {
          lora.push({ encoder, layer, target, a: await stored(update.loraA), b: await stored(update.loraB) });
        }
      }
    }
  }
  const { image, text } = params.hgnn ?? {};
  const { rank, alpha, dropout, targets, positions } = config.lora ?? ACE_LORA_LORA;
  return {
    lora,
    hgnn: {
      ...(image ? { image: await storedHypergraph(image) } : {}),
      ...(text ? { text: await storedHypergraph(text) } : {}),
    },
    ...(params.scale ? { logitScale: (await params.scale.data())[0]! } : {}),
    config: {
      rank,
      alpha,
      rankStabilised: true,
      dropout,
      targets: [...targets],
      positions,
      topK: config.hgnn?.topK ?? null,
      hidden: config.hgnn?.hidden ?? null,
      ...(text && textAffinityOf(config) === "logits" ? { textAffinity: "logits" as const } : {}),
    },
  };
}

/** Writes the adapter that a model carries. */
export async function saveAdapter(
  path: string,
  params: AceLoraParams,
  config: AceLoraConfig,
  format: AdapterFormat = "ace",
): Promise<void> {
  await writeAdapter(path, await adapterOf(params, config), { format });
}

/** The error for an adapter that was made for a model of other sizes. */
export class AdapterSizeError extends TypeError {
  /** Name shown in stack traces. */
  override name = "AdapterSizeError";

  /**
   * An error about an adapter and a model.
   *
   * @param message One line that names both sizes.
   * @param adapter The adapter's file.
   */
  constructor(message: string, readonly adapter: string, options?: ErrorOptions) {
    super(message, options);
  }
}

/** An adapted model and the configuration it was made from. */
export interface Adapted {
  /** Weights; the frozen ones are shared with the base. */
  params: AceLoraParams;
  /** Sizes and what was added. */
  config: AceLoraConfig;
}

/**
 * Puts an adapter file on a model.
 *
 * @param path Our safetensors, a PEFT folder, or the authors' `.pt`.
 * @param base Frozen weights; borrowed. Free the result with `disposeParams(result.params, base)`.
 * @throws {TypeError} If the adapter is for a model of another size; the message names the file.
 */
export async function loadAdapter(path: string, base: ClipParams, encoders: ClipConfig): Promise<Adapted> {
  const file = await readAdapter(path);
  return await applyAdapter(file, base, encoders, path);
}

/** Puts an adapter record on a model; see {@linkcode loadAdapter}. */
export async function applyAdapter(
  file: AdapterFile,
  base: ClipParams,
  encoders: ClipConfig,
  name: string,
): Promise<Adapted> {
  const config = configOf(file, encoders);
  const stacks = towerBlocks(base);
  for (const { encoder, layer } of file.lora) {
    if (layer >= stacks[encoder].length) {
      throw new AdapterSizeError(
        `Cannot apply "${name}" as its layers must be in the model: it has ${encoder} layer ${layer}, the model has ${
          stacks[encoder].length
        }`,
        name,
      );
    }
  }
  const fresh = await initAceLora(base, config);
  const tensors = new Map<string, Tensor>();
  const put = (leaf: string, data: TensorData): void => {
    tensors.set(leaf, tf.tensor(toFloat32(data), data.shape));
  };
  for (const { encoder, layer, target, a, b } of file.lora) {
    const path = `${TOWER_NAMES[encoder]}.${layer}.attention.${TARGET_LAYERS[target]}.lora`;
    put(`${path}.loraA`, a);
    put(`${path}.loraB`, b);
  }
  for (const [encoder, module] of Object.entries(file.hgnn)) {
    for (const part of ["edge", "node"] as const) {
      for (const layer of ["down", "up"] as const) {
        put(`hgnn.${encoder}.${part}.${layer}.weight`, module[part][layer].weight);
        put(`hgnn.${encoder}.${part}.${layer}.bias`, module[part][layer].bias);
      }
    }
  }
  if (file.logitScale !== undefined) tensors.set("scale", tf.scalar(file.logitScale));
  try {
    const params = withTensors(fresh, tensors);
    disposeParams(fresh, params);
    return { params, config };
  } catch (error) {
    tf.dispose([...tensors.values()]);
    disposeParams(fresh, base);
    throw new AdapterSizeError(
      `Cannot apply "${name}" as it is for another model: ${(error as Error).message}`,
      name,
      { cause: error },
    );
  }
}

/** The configuration that an adapter's record implies. */
function configOf(file: AdapterFile, encoders: ClipConfig): AceLoraConfig {
  const { rank, alpha, dropout, targets, positions, topK, hidden, textAffinity = "probabilities" } = file.config;
  const modules = (["image", "text"] as const).filter((encoder) => file.hgnn[encoder] !== undefined);
  const carrying = (["image", "text"] as const).filter((encoder) =>
    file.lora.some((entry) => entry.encoder === encoder)
  );
  return {
    encoders,
    ...(carrying.length > 0
      ? {
        lora: {
          rank,
          alpha,
          rankStabilised: true,
          dropout,
          targets,
          positions: positions as LoraPositions,
          encoders: carrying,
        },
      }
      : {}),
    ...(modules.length > 0 ? { hgnn: { topK: topK ?? 5, hidden: hidden!, encoders: modules } } : {}),
    learnScale: file.logitScale !== undefined,
    textAffinity,
  };
}
