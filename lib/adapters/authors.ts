/**
 * The authors' file: `weights.layer_N.<q|k|v|o>_proj.{w_lora_A,w_lora_B}`, text layers first, then image layers.
 *
 * N counts the layers that carry LoRA, not the tower's: with `position` "up", `layer_0` is text layer 8. The metadata's
 * `loss_type` is not looked at: released files name it otherwise than the code that reads them.
 *
 * @module
 */
import { type AdapterConfig, parseConfig, TARGETS } from "./config.ts";
import { caseLists, caseTexts } from "./case_lists.ts";
import {
  type AdapterEncoder,
  type AdapterFile,
  checkAdapter,
  gatherHypergraph,
  hiddenOf,
  hypergraphLeaves,
  hypergraphTensor,
  type LoraEntry,
  scaleField,
} from "./record.ts";
import { AdapterSizeError } from "./size_error.ts";
import { layersAt, LORA_POSITIONS } from "../peft/lora/config.ts";
import { carryingLayers, positionsOf } from "./positions.ts";
import { readAllTensors, type TensorFile } from "../io/tensor_file.ts";
import { float32Tensor, type TensorData } from "../io/tensors.ts";
import { type TorchTree, writeTorch } from "../io/torch_writer.ts";
import { quoted } from "../io/_errors.ts";

const SHORT = { image: "img", text: "text" } as const;
const LORA_NAME = /^weights\.layer_(\d{1,4})\.([qkvo])_proj\.w_lora_([AB])$/;

/** Layers of a model's towers. */
export type TowerDepths = Readonly<Record<AdapterEncoder, number>>;

/** The depths of the authors' models, which are meant where no model is known. */
const AUTHORS_DEPTHS: TowerDepths = { image: 12, text: 12 };

/** The layers that a position names in a tower; the authors' "top" of images is their "top1" of texts. */
function namedLayers(position: string, depth: number): number[] | undefined {
  const name = position === "top" ? "top1" : position;
  const known = LORA_POSITIONS.find((position) => position === name);
  return known && layersAt(known, depth);
}

/** How many of the first layers are the text tower's: all of one width, where the two towers differ in it. */
function widthChange(widths: readonly number[]): number | undefined {
  const first = widths.findIndex((width) => width !== widths[0]);
  return first < 0 ? undefined : first;
}

/** The tower and layer that each `layer_N` stands for. */
function placeLayers(
  widths: readonly number[],
  metadata: Record<string, unknown>,
  { file, depths }: { file: string; depths: TowerDepths | undefined },
): [AdapterEncoder, number][] {
  const count = widths.length;
  const isList = (value: unknown): value is number[] =>
    Array.isArray(value) && value.every((x) => Number.isSafeInteger(x) && x >= 0);
  const place = (text: readonly number[], image: readonly number[]): [AdapterEncoder, number][] => [
    ...text.map((layer): [AdapterEncoder, number] => ["text", layer]),
    ...image.map((layer): [AdapterEncoder, number] => ["image", layer]),
  ];
  const { text_layers: ofTexts, image_layers: ofImages } = metadata;
  if (isList(ofTexts) && isList(ofImages)) { // written by this package
    const expected = ofTexts.length + ofImages.length;
    if (expected !== count) {
      throw new SyntaxError(
        `Cannot read "${file}" as an adapter: it must have LoRA in ${expected} layers: found ${count}`,
      );
    }
    return place(ofTexts, ofImages);
  }
  const position = String(metadata["position"] ?? "all");
  const encoder = metadata["encoder"] ?? "both"; // CLIP-LoRA's key
  const meant = depths ?? AUTHORS_DEPTHS;
  const [text, image] = [namedLayers(position, meant.text), namedLayers(position, meant.image)];
  if (!text || !image) {
    throw new SyntaxError(`Cannot read "${file}" as an adapter: position ${quoted(position)} is unknown`);
  }
  const named = place(encoder === "both" || encoder === "text" ? text : [], encoder === "text" ? [] : image);
  if (named.length === count) return named;
  // Without a model, towers of other depths can only be told apart when every layer carries LoRA.
  const ofText = encoder === "both" ? widthChange(widths) ?? count / 2 : encoder === "text" ? count : 0;
  if (depths === undefined && position === "all" && Number.isInteger(ofText)) {
    return place([...Array(ofText).keys()], [...Array(count - ofText).keys()]);
  }
  const towers = encoder === "both"
    ? `towers of ${meant.text} (text) and ${meant.image} (image)`
    : `a tower of ${encoder === "text" ? meant.text : meant.image}`;
  const says = `its position "${position}" names ${named.length} layers of ${towers}`;
  if (depths) {
    throw new AdapterSizeError(`Cannot apply "${file}" as ${says}, the model's: it has LoRA in ${count}`, file);
  }
  throw new SyntaxError(
    `Cannot read "${file}" as an adapter: ${says}, ` +
      `the authors' models', as neither it nor a model says others: it has LoRA in ${count}`,
  );
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
 * What the authors' code gave ACE-HGNN: logits where the last text layer has no LoRA. Files of this package say so.
 */
function textAffinityOf(
  metadata: Record<string, unknown>,
  { text: depth }: TowerDepths,
): Pick<AdapterConfig, "textAffinity"> {
  if (metadata["text_affinity"] === "logits") return { textAffinity: "logits" };
  const isOurs = "text_layers" in metadata;
  const layers = namedLayers(String(metadata["position"] ?? "all"), depth) ?? [];
  return isOurs || layers.includes(depth - 1) ? {} : { textAffinity: "logits" };
}

/**
 * Reads the authors' layout from an open file.
 *
 * @param depths Layers of the towers of the model it is for, of which its position names some. @default {twelve each}
 * @throws {SyntaxError} If a tensor is missing, misshapen or unknown.
 * @throws {RangeError} If a number is not finite.
 */
export async function readAuthorsAdapter(file: TensorFile, depths?: TowerDepths): Promise<AdapterFile> {
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
  const widths = indices.map((index) =>
    TARGETS.map((target) => tensors.get(`weights.layer_${index}.${target}_proj.w_lora_A`)?.shape[1]).find(Boolean) ?? 0
  );
  const layers = placeLayers(widths, metadata, { file: file.path, depths });
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
    ...(hgnn.text ? textAffinityOf(metadata, depths ?? AUTHORS_DEPTHS) : {}),
  }, file.path);
  const cases = caseLists(metadata, file.path);
  return checkAdapter({ lora, hgnn, ...scaleField(scale, file.path), config, ...cases }, file.path);
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
    position: config.positions === "custom" ? positionsOf(lora, AUTHORS_DEPTHS) : config.positions,
    loss_type: Object.keys(hgnn).length ? "clip_loss_ace_hgnn" : "clip_loss",
    text_layers: layers.text,
    image_layers: layers.image,
    ...(config.textAffinity === "logits" ? { text_affinity: "logits" } : {}),
    ...caseTexts(adapter),
  };
  await writeTorch(path, { weights, metadata });
}
