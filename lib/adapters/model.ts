/** Adapters between files and a model's tree. @module */
import * as tf from "@tensorflow/tfjs";
import { type AceLoraConfig, type AceLoraParams, initAceLora, textAffinityOf } from "../ace_lora.ts";
import type { ClipParams } from "../clip/params.ts";
import type { ClipConfig } from "../clip/config.ts";
import { hypergraphTree } from "./ace.ts";
import { AdapterSizeError } from "./size_error.ts";
import { usedCases } from "./case_lists.ts";
import { equalised } from "./equalised.ts";
import { ADAPTER_FORMATS, type AdapterFormat, readAdapter, writeAdapter } from "./files.ts";
import { carryingLayers, positionsOf } from "./positions.ts";
import { TARGETS } from "./config.ts";
import {
  type AdapterEncoder,
  type AdapterFile,
  gatherHypergraph,
  type LoraEntry,
  type NamedAdapter,
} from "./record.ts";
import { matrixShape, type TensorData, toFloat32 } from "../io/tensors.ts";
import { loadTree, stored, storedTensors } from "../io/tree.ts";
import { ACE_LORA_LORA, type LoraConfig, loraScaling } from "../peft/lora/config.ts";
import { TARGET_LAYERS } from "../peft/lora/inject.ts";
import { isLora, type LoraParams, loraUpdate } from "../peft/lora/layer.ts";
import { mapBlocks, towerBlocks } from "../nn/towers.ts";
import type { BlockParams } from "../nn/transformer.ts";
import { disposeParams } from "../tensor/params.ts";
import type { Tensor2D } from "../tensor/types.ts";
import type { UsedCases } from "../data/seen.ts";
import { defined } from "../platform/defined.ts";
import { checkOptions, oneOf, RECORD, type Rules } from "../platform/options.ts";
import { errorMessage } from "../platform/error_message.ts";
import { entriesOf } from "../platform/known_keys.ts";

/**
 * The adapter that a model carries, as a record that any of the formats can hold.
 *
 * @throws {TypeError} If the model carries neither LoRA nor ACE-HGNN.
 */
export async function adapterOf(params: AceLoraParams, config: AceLoraConfig): Promise<AdapterFile> {
  if (!config.lora && !config.hgnn) {
    throw new TypeError("Cannot save an adapter as the model must carry LoRA or ACE-HGNN: it carries neither");
  }
  const stacks = towerBlocks(params);
  const updates: Parameters<typeof equalised>[0][number][] = [];
  for (const { update, ...place } of loraPlaces(params)) {
    const entry = { ...place, a: await stored(update.loraA), b: await stored(update.loraB) };
    updates.push({ entries: [entry], scaling: update.scaling });
  }
  const { lora, ...kept } = keptLora(updates, config.lora ?? ACE_LORA_LORA);
  const leaves = await storedTensors(params.hgnn ?? {});
  const hgnn = gatherHypergraph(({ encoder, part, leaf }) => leaves.get(`${encoder}.${part}.${leaf}`), "the model");
  const { dropout, targets, positions } = config.lora ?? ACE_LORA_LORA;
  const depths = { image: stacks.image.length, text: stacks.text.length };
  return {
    lora,
    hgnn,
    ...(params.scale ? { logitScale: (await params.scale.data())[0]! } : {}),
    ...(params.head && config.classes
      ? {
        head: {
          weight: await stored(params.head.weight),
          bias: await stored(params.head.bias!),
          classes: config.classes,
        },
      }
      : {}),
    config: {
      ...kept,
      rankStabilised: true,
      dropout,
      targets: [...targets],
      positions: typeof positions === "string" ? positions : positionsOf(lora, depths),
      topK: config.hgnn?.topK ?? null,
      hidden: config.hgnn?.hidden ?? null,
      ...(params.hgnn?.text && textAffinityOf(config) === "logits" ? { textAffinity: "logits" as const } : {}),
    },
  };
}

/** The updates under the one rank and the one alpha that a record has: those of the tree, whatever the configuration says. */
function keptLora(
  updates: Parameters<typeof equalised>[0],
  { rank, alpha }: LoraConfig,
): Pick<AdapterFile["config"], "rank" | "alpha"> & { lora: LoraEntry[] } {
  if (updates.length === 0) return { lora: [], rank, alpha };
  const { lora, scaling } = equalised(updates);
  const own = lora[0]!.a.shape[0]!;
  const isTold = own === rank && loraScaling({ rank, alpha, rankStabilised: true }) === scaling;
  return { lora, rank: own, alpha: isTold ? alpha : scaling * Math.sqrt(own) };
}

/** Every projection of a model that carries LoRA, with its update. */
export function loraPlaces(
  params: ClipParams,
): (Pick<LoraEntry, "encoder" | "layer" | "target"> & { update: LoraParams })[] {
  const stacks = entriesOf(towerBlocks(params));
  return stacks.flatMap(([encoder, blocks]) =>
    blocks.flatMap(({ attention }, layer) =>
      TARGETS.flatMap((target) => {
        const { update } = attention[TARGET_LAYERS[target]];
        return isLora(update) ? [{ encoder, layer, target, update }] : [];
      })
    )
  );
}

/** Options of {@linkcode saveAdapter}. */
export interface SaveAdapterOptions extends UsedCases {
  /** Layout. @default {"ace"} */
  format?: AdapterFormat;
}

/** What they must be. */
const SAVE_RULES: Rules<SaveAdapterOptions> = { format: oneOf(ADAPTER_FORMATS), seen: RECORD, chose: RECORD };

/**
 * Writes the adapter that a model carries, and the lists of cases that are given with it.
 *
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 *
 * @example One file
 * ```ts
 * import { ACE_LORA_LORA, initAceLora, loadClip, saveAdapter, selectBackend } from "@ace-lora/ace-lora";
 * import { assert } from "@std/assert";
 *
 * await selectBackend({ backend: "wasm" });
 * const { params, config } = await loadClip(); // the shipped mini model
 * const additions = { encoders: config, lora: ACE_LORA_LORA };
 * const path = await Deno.makeTempFile({ suffix: ".safetensors" });
 * await saveAdapter(path, await initAceLora(params, additions), additions);
 * assert((await Deno.stat(path)).size > 4 * 18_433);
 * await Deno.remove(path);
 * ```
 */
export async function saveAdapter(
  path: string,
  params: AceLoraParams,
  config: AceLoraConfig,
  options: SaveAdapterOptions = {},
): Promise<void> {
  checkOptions("save an adapter", options, SAVE_RULES);
  const { format = "ace", seen, chose } = options;
  const cases = defined({ seen: seen && [...seen].sort(), chose: chose && [...chose].sort() });
  await writeAdapter(path, { ...await adapterOf(params, config), ...cases }, { format });
}

/** An adapted model, the configuration it was made from, and the cases that its adapter's file lists. */
export interface Adapted extends UsedCases {
  /** Weights; the frozen ones are shared with the base. */
  params: AceLoraParams;
  /** Sizes and what was added. */
  config: AceLoraConfig;
}

/**
 * Puts an adapter file on a model.
 *
 * @param from Path of our safetensors, a PEFT folder, or the authors' `.pt`; or one that was read.
 * @param base Frozen weights; borrowed. Free the result with `disposeParams(result.params, base)`.
 * @throws {TypeError} If the adapter is for a model of another size; the message names the file.
 *
 * @example What was saved
 * ```ts
 * import { ACE_LORA_LORA, countTrainable, initAceLora, loadAdapter, loadClip, saveAdapter, selectBackend } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 *
 * await selectBackend({ backend: "wasm" });
 * const { params, config } = await loadClip(); // the shipped mini model
 * const additions = { encoders: config, lora: ACE_LORA_LORA };
 * const path = await Deno.makeTempFile({ suffix: ".safetensors" });
 * await saveAdapter(path, await initAceLora(params, additions), additions);
 * const adapted = await loadAdapter(path, params, config);
 * assertEquals(countTrainable(adapted.params), 18_433);
 * await Deno.remove(path);
 * ```
 */
export async function loadAdapter(
  from: string | NamedAdapter,
  base: ClipParams,
  encoders: ClipConfig,
): Promise<Adapted> {
  if (typeof from !== "string") return await applyAdapter(from, base, encoders);
  const { image, text } = towerBlocks(base);
  const file = await readAdapter(from, { depths: { image: image.length, text: text.length } });
  return await applyAdapter({ path: from, file }, base, encoders);
}

/** Puts an adapter's record on a model; see {@linkcode loadAdapter}. */
async function applyAdapter(
  { file, path: name }: NamedAdapter,
  base: ClipParams,
  encoders: ClipConfig,
): Promise<Adapted> {
  const stacks = towerBlocks(base);
  for (const entry of file.lora) checkEntry(entry, stacks[entry.encoder], name);
  const config = configOf(file, encoders, { image: stacks.image.length, text: stacks.text.length });
  const { lora, ...rest } = config;
  const carrying = lora ? withUpdates(base, file.lora, lora) : base;
  const fresh = await initAceLora(carrying, rest);
  const { hgnn, logit_scale: scale } = hypergraphTree(file);
  try {
    const stored = { path: name, tensors: await storedTensors({ hgnn, scale }), fields: {} };
    const loaded = loadTree(stored, fresh, { wanted: (leaf) => leaf === "scale" || leaf.startsWith("hgnn.") });
    const params = { ...loaded, ...headOf(file, encoders, name) };
    disposeParams(fresh, params);
    return { params, config, ...usedCases(file) };
  } catch (error) {
    disposeParams(fresh, base);
    throw new AdapterSizeError(
      `Cannot apply "${name}" as it is for another model: ${errorMessage(error)}`,
      name,
      { cause: error },
    );
  }
}

/** The head's tensors, where there is one. @throws {AdapterSizeError} If the model's features have another width. */
function headOf({ head }: AdapterFile, { embedding }: ClipConfig, name: string): Pick<AceLoraParams, "head"> {
  if (!head) return {};
  const [classes, width] = head.weight.shape;
  if (width !== embedding) {
    throw new AdapterSizeError(`Its head is for features of ${width} numbers: the model's have ${embedding}`, name);
  }
  return {
    head: {
      weight: tf.tensor2d(toFloat32(head.weight), [classes!, width]),
      bias: tf.tensor1d(toFloat32(head.bias)),
    },
  };
}

/** Refuses an update of a layer that the tower does not have, or has in another size. */
function checkEntry({ encoder, layer, target, a, b }: LoraEntry, blocks: readonly BlockParams[], name: string): void {
  const block = blocks[layer];
  if (!block) {
    throw new AdapterSizeError(
      `Cannot apply "${name}" as its layers must be in the model: it has ${encoder} layer ${layer}, the model has ${blocks.length}`,
      name,
    );
  }
  const [outSize, inSize] = block.attention[TARGET_LAYERS[target]].weight.shape;
  if (a.shape[1] === inSize && b.shape[0] === outSize) return;
  throw new AdapterSizeError(
    `Cannot apply "${name}" as it is for another model: ${encoder} layer ${layer} ${target} must be [R, ${inSize}] and [${outSize}, R]: found [${a.shape}] and [${b.shape}]`,
    name,
  );
}

/** A new tree with just the file's updates, wherever they stand. */
function withUpdates(base: ClipParams, entries: readonly LoraEntry[], config: LoraConfig): ClipParams {
  const blocks = Map.groupBy(entries, ({ encoder, layer }) => `${encoder} ${layer}`);
  const [scaling, dropout] = [loraScaling(config), config.dropout];
  const matrix = (data: TensorData): Tensor2D => tf.tensor2d(toFloat32(data), matrixShape(data));
  return mapBlocks(base, ["image", "text"], (block, { name }) => {
    const attention = { ...block.attention };
    for (const { target, a, b } of blocks.get(name) ?? []) {
      const key = TARGET_LAYERS[target];
      const update = loraUpdate({ loraA: matrix(a), loraB: matrix(b), scaling, dropout });
      attention[key] = { ...attention[key], update };
    }
    return { ...block, attention };
  });
}

/** The configuration that an adapter's record implies for a model of these depths. */
function configOf(
  file: AdapterFile,
  encoders: ClipConfig,
  depths: Readonly<Record<AdapterEncoder, number>>,
): AceLoraConfig {
  const { rank, alpha, dropout, targets, topK, hidden, textAffinity = "probabilities" } = file.config;
  const modules = (["image", "text"] as const).filter((encoder) => file.hgnn[encoder] !== undefined);
  const carrying = (["image", "text"] as const).filter((encoder) => carryingLayers(file.lora, encoder).length > 0);
  const named = positionsOf(file.lora, depths, file.config.positions);
  const positions = named !== "custom"
    ? named
    : Object.fromEntries(carrying.map((encoder) => [encoder, carryingLayers(file.lora, encoder)]));
  return {
    encoders,
    ...(carrying.length > 0
      ? { lora: { rank, alpha, rankStabilised: true, dropout, targets, positions, encoders: carrying } }
      : {}),
    ...(modules.length > 0 ? { hgnn: { topK: topK ?? 5, hidden: hidden!, encoders: modules } } : {}),
    learnScale: file.logitScale !== undefined,
    textAffinity,
    ...(file.head ? { classes: file.head.classes } : {}),
  };
}
