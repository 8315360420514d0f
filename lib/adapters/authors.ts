/**
 * The authors' file: `weights.layer_N.<q|k|v|o>_proj.{w_lora_A,w_lora_B}`, text layers first, then image layers.
 *
 * N counts the layers that carry LoRA, not the tower's: with `position` "up", `layer_0` is text layer 8. The metadata's
 * `loss_type` is not looked at: released files name it otherwise than the code that reads them.
 *
 * @module
 */
import {
  type AdapterConfig,
  type AdapterEncoder,
  type AdapterFile,
  checkAdapter,
  gatherHypergraph,
  hiddenOf,
  hypergraphLeaves,
  hypergraphTensor,
  type LoraEntry,
  parseConfig,
  scaleField,
  seenField,
  seenText,
  TARGETS,
} from "./record.ts";
import { layersAt, LORA_POSITIONS, type LoraPositions } from "../peft/lora/config.ts";
import { carryingLayers } from "./positions.ts";
import { readAllTensors, type TensorFile } from "../io/tensor_file.ts";
import { float32Tensor, type TensorData } from "../io/tensors.ts";
import { type TorchTree, writeTorch } from "../io/torch_writer.ts";
import { quoted } from "../io/_errors.ts";

const SHORT = { image: "img", text: "text" } as const;
const LORA_NAME = /^weights\.layer_(\d{1,4})\.([qkvo])_proj\.w_lora_([AB])$/;

/** The layers of a position of the authors' models, which have towers of twelve. */
function namedLayers(position: string): number[] | undefined {
  return LORA_POSITIONS.includes(position as LoraPositions) ? layersAt(position as LoraPositions, 12) : undefined;
}

/** The tower and layer that each `layer_N` stands for. */
function placeLayers(count: number, metadata: Record<string, unknown>, file: string): [AdapterEncoder, number][] {
  const isList = (value: unknown): value is number[] =>
    Array.isArray(value) && value.every((x) => Number.isSafeInteger(x) && x >= 0);
  const place = (text: readonly number[], image: readonly number[]): [AdapterEncoder, number][] => [
    ...text.map((layer): [AdapterEncoder, number] => ["text", layer]),
    ...image.map((layer): [AdapterEncoder, number] => ["image", layer]),
  ];
  const { text_layers: text, image_layers: image } = metadata;
  if (isList(text) && isList(image)) { // written by this package
    const expected = text.length + image.length;
    if (expected !== count) {
      throw new SyntaxError(
        `Cannot read "${file}" as an adapter: it must have LoRA in ${expected} layers: found ${count}`,
      );
    }
    return place(text, image);
  }
  const position = String(metadata["position"] ?? "all");
  const encoder = metadata["encoder"] ?? "both"; // CLIP-LoRA's key
  const named = namedLayers(position);
  if (!named) throw new SyntaxError(`Cannot read "${file}" as an adapter: position ${quoted(position)} is unknown`);
  const towers = encoder === "both" ? 2 : 1;
  const each = count / towers;
  // Towers of other depths than twelve can only be told apart when every layer carries LoRA.
  const layers = position === "all" && Number.isInteger(each) ? Array.from({ length: each }, (_, i) => i) : named;
  if (layers.length !== each) {
    throw new SyntaxError(
      `Cannot read "${file}" as an adapter: its position "${position}" names ${
        layers.length * towers
      } layers of towers of ` +
        `twelve, the depth of the authors' models, and no depth is stated: it has LoRA in ${count}`,
    );
  }
  return place(encoder === "both" || encoder === "text" ? layers : [], encoder === "text" ? [] : layers);
}

/** Metadata without its prefix. */
function authorsMetadata(file: TensorFile): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(file.metadata).filter(([key]) => key.startsWith("metadata.")).map((
      [key, value],
    ) => [key.slice(9), value]),
  );
}

/**
 * What the authors' code gave ACE-HGNN: logits where the last of twelve text layers has no LoRA. Files of this package say so.
 */
function textAffinityOf(metadata: Record<string, unknown>): Pick<AdapterConfig, "textAffinity"> {
  if (metadata["text_affinity"] === "logits") return { textAffinity: "logits" };
  const isOurs = "text_layers" in metadata;
  const layers = namedLayers(String(metadata["position"] ?? "all")) ?? [];
  return isOurs || layers.includes(11) ? {} : { textAffinity: "logits" };
}

/**
 * Reads the authors' layout from an open file.
 *
 * @throws {SyntaxError} If a tensor is missing, misshapen or unknown.
 * @throws {RangeError} If a number is not finite.
 */
export async function readAuthorsAdapter(file: TensorFile): Promise<AdapterFile> {
  const fail = (reason: string): SyntaxError => new SyntaxError(`Cannot read "${file.path}" as an adapter: ${reason}`);
  const tensors = await readAllTensors(file);
  const take = (name: string): TensorData | undefined => {
    const tensor = tensors.get(name);
    tensors.delete(name);
    return tensor;
  };
  const matches = [...tensors.keys()].map((name) => LORA_NAME.exec(name)).filter((match) => match !== null);
  const indices = [...new Set(matches.map((match) => Number(match[1])))].sort((a, b) => a - b);
  if (indices.some((index, i) => index !== i)) {
    throw fail(`its layers must count from layer_0 with no gap: found ${indices.join(", ")}`);
  }
  const metadata = authorsMetadata(file);
  const layers = placeLayers(indices.length, metadata, file.path);
  const lora: LoraEntry[] = [];
  for (const index of indices) {
    const [encoder, layer] = layers[index]!;
    for (const target of TARGETS) {
      const [a, b] = [
        take(`weights.layer_${index}.${target}_proj.w_lora_A`),
        take(`weights.layer_${index}.${target}_proj.w_lora_B`),
      ];
      if (a && b) lora.push({ encoder, layer, target, a, b });
      else if (a || b) throw fail(`layer_${index}.${target}_proj must have both w_lora_A and w_lora_B`);
    }
  }
  const hgnn = gatherHypergraph(
    ({ encoder, part, leaf }) => take(`weights.${SHORT[encoder]}_${part}_adapter.${leaf}`),
    file.path,
  );
  const scale = take("weights.logit_scale");
  if (tensors.size) throw fail(`${quoted([...tensors.keys()][0]!)} is no part of one (${tensors.size} such tensors)`);
  const hasHgnn = Object.keys(hgnn).length > 0;
  const config = parseConfig({
    rank: metadata["r"] ?? lora[0]?.a.shape[0],
    alpha: metadata["alpha"] ?? 1,
    dropout: metadata["dropout_rate"] ?? 0.1,
    targets: metadata["params"] ?? TARGETS.filter((target) => lora.some((entry) => entry.target === target)),
    positions: metadata["position"] ?? "all",
    topK: hasHgnn ? metadata["topk"] ?? 5 : null,
    hidden: hiddenOf(hgnn),
    ...(hgnn.text ? textAffinityOf(metadata) : {}),
  }, file.path);
  const seen = seenField(metadata["seen"], file.path);
  return checkAdapter({ lora, hgnn, ...scaleField(scale, file.path), config, ...seen }, file.path);
}

/**
 * Writes the authors' layout, which their code and `torch.load(weights_only=True)` read. What their metadata lacks (alpha,
 * dropout, layers) is added to it.
 */
export async function writeAuthorsAdapter(path: string, adapter: AdapterFile): Promise<void> {
  const { lora, hgnn, config, logitScale } = adapter;
  const layers = { text: carryingLayers(lora, "text"), image: carryingLayers(lora, "image") };
  const weights: Record<string, TorchTree> = {};
  [...layers.text.map((layer) => ["text", layer] as const), ...layers.image.map((layer) => ["image", layer] as const)]
    .forEach(
      ([encoder, layer], index) => {
        const entries = lora.filter((entry) => entry.encoder === encoder && entry.layer === layer);
        weights[`layer_${index}`] = Object.fromEntries(
          entries.map(({ target, a, b }) => [`${target}_proj`, { w_lora_A: a, w_lora_B: b }]),
        );
      },
    );
  for (const encoder of ["image", "text"] as const) {
    for (const part of ["edge", "node"] as const) {
      const leaves = hypergraphLeaves().filter((leaf) => leaf.encoder === encoder && leaf.part === part);
      const state = leaves.flatMap((leaf) => {
        const tensor = hypergraphTensor(hgnn, leaf);
        return tensor ? [[leaf.leaf, tensor] as const] : [];
      });
      if (state.length) weights[`${SHORT[encoder]}_${part}_adapter`] = Object.fromEntries(state);
    }
  }
  if (logitScale !== undefined) weights["logit_scale"] = float32Tensor([], [logitScale]);
  const metadata: Record<string, TorchTree> = {
    r: config.rank,
    alpha: config.alpha,
    dropout_rate: config.dropout,
    topk: config.topK,
    k_nearest: config.topK,
    hidden_features: config.hidden,
    params: config.targets,
    position: config.positions,
    loss_type: Object.keys(hgnn).length ? "clip_loss_ace_hgnn" : "clip_loss",
    text_layers: layers.text,
    image_layers: layers.image,
    ...(config.textAffinity === "logits" ? { text_affinity: "logits" } : {}),
    ...seenText(adapter),
  };
  await writeTorch(path, { weights, metadata });
}
