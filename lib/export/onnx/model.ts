/** An adapted model as two ONNX files, one a tower, which onnxruntime runs without this package. @module */
import { join } from "@std/path";
import { type AceLoraConfig, type AceLoraParams, mergeAceLora, similarityScale } from "../../ace_lora.ts";
import type { ClipConfig, HeadKind, VitConfig } from "../../clip/config.ts";
import { imageHead } from "../../clip/towers/image.ts";
import type { VitTrunk } from "../../clip/towers/vit.ts";
import { textHead } from "../../clip/towers/text.ts";
import type { LinearParams } from "../../nn/linear.ts";
import { writeAll, writeFileAtomic, writeFileAtomicWith } from "../../io/files.ts";
import type { Field } from "../../io/protobuf.ts";
import { disposeParams, namedTensors } from "../../tensor/params.ts";
import type { Tensor } from "../../tensor/types.ts";
import {
  attentionPool,
  blocks,
  type BlocksOptions,
  type BlocksResult,
  type Emitter,
  layerNorm,
  linear,
  type Numbers,
  reshape,
  weight,
} from "./blocks.ts";
import { describe, feature } from "./feature.ts";
import { type Attributes, onnxGraph, type Value } from "./graph.ts";
import { preprocessingFacts } from "./preprocessing.ts";
import { textModel } from "./text.ts";

/** What {@linkcode exportOnnx} wrote. */
export interface OnnxFiles {
  /** The image tower: `pixel_values` `[B, 3, S, S]`, normalised, to `image_features` `[B, E]`. */
  image: string;
  /** The text tower: `input_ids` `[B, N]` int64 to `text_features` `[B, E]`. */
  text: string;
  /** How inputs are prepared, and what features become: JSON. */
  preprocessing: string;
}

/** Leaves that no exported operator computes. */
const NOT_EXPORTED = /\.(adapter|prompts|context)(\.|$)|^featureAdapter\./;

/**
 * Writes an adapted model as ONNX: updates merged, ACE-HGNN inside, features as unit rows.
 *
 * @param params Weights; borrowed.
 * @param config What they are.
 * @param folder Where image.onnx, text.onnx and preprocessing.json go; made when missing.
 * @throws {RangeError} If the model carries something that is not exported, named; then nothing is written.
 */
export async function exportOnnx(params: AceLoraParams, config: AceLoraConfig, folder: string): Promise<OnnxFiles> {
  const { encoders } = config;
  checkTowers(encoders);
  checkLayers(params);
  const merged = mergeAceLora(params);
  try {
    const numbers = await readNumbers(merged);
    const files = ["image.onnx", "text.onnx", "preprocessing.json"].map((name) => join(folder, name));
    const [image, text, preprocessing] = files as [string, string, string];
    await writePieces(image, imageModel(merged, config, numbers));
    await writePieces(text, textModel(merged, config, numbers));
    const scale = similarityScale(merged);
    const [value] = await scale.data();
    scale.dispose();
    const [bias] = await merged.logitBias?.data() ?? [];
    const about = preprocessingFacts(encoders, { scale: value!, ...(bias === undefined ? {} : { bias }) });
    await writeFileAtomic(preprocessing, JSON.stringify(about, null, 2) + "\n");
    return { image, text, preprocessing };
  } finally {
    disposeParams(merged, params);
  }
}

function refuse(what: string): never {
  throw new RangeError(`Cannot export the model as ONNX as ${what}`);
}

/** @throws {RangeError} If there are towers that are not exported, named; the weights need not be known. */
export function checkTowers({ vision, text }: ClipConfig): void {
  if (vision.kind !== "clip" && vision.kind !== "vit") refuse(`its image tower must be a ViT: it is a ${vision.kind}`);
  if (text.kind === "none") refuse("it must have a text tower: it is an image tower alone");
  for (const [tower, head] of [["image", imageHead(vision)], ["text", textHead(text)]] as const) {
    if (!EXPORTED_HEADS.includes(head)) {
      refuse(`its ${tower} projection must be ${EXPORTED_HEADS.join(", ")}: it is ${head}`);
    }
  }
  if (text.kind === "bert" && (text.pool === "eos" || text.hiddenStates || text.seesPads)) {
    refuse("its BERT must be read at [CLS], through its pooler or as a mean, pads masked: it is read otherwise");
  }
}

function checkLayers(params: AceLoraParams): void {
  const odd = namedTensors(params).keys().find((name) => NOT_EXPORTED.test(name));
  if (odd !== undefined) refuse(`"${odd}" is of a method whose layers are not exported`);
}

/** Projections that the exported operators compute. */
const EXPORTED_HEADS: readonly HeadKind[] = ["none", "linear", "biased", "mlp"];

async function readNumbers(tree: unknown): Promise<Numbers> {
  const values = new Map<Tensor, Float32Array>();
  for (const tensor of namedTensors(tree).values()) values.set(tensor, await tensor.data<"float32">());
  return (tensor) => values.get(tensor)!;
}

async function writePieces(path: string, pieces: Field): Promise<void> {
  await writeFileAtomicWith(path, async (file) => {
    for (const piece of pieces) await writeAll(file, piece);
  });
}

function imageModel(params: AceLoraParams, config: AceLoraConfig, numbers: Numbers): Field {
  const { embedding } = config.encoders;
  const vision = config.encoders.vision as VitConfig; // checkTowers() has seen to it
  const { trunk, head } = params.vision as { trunk: VitTrunk; head?: LinearParams };
  const emitter: Emitter = { graph: onnxGraph(), numbers };
  const { graph } = emitter;
  const { imageSize, patchSize, width, heads, epsilon, activation } = vision;
  const pixels = graph.input("pixel_values", "float32", ["batch", 3, imageSize, imageSize]);
  const kernel = graph.constant(convolutionKernel(numbers(trunk.patchEmbed.weight), width, patchSize), [
    width,
    3,
    patchSize,
    patchSize,
  ]);
  const operands = [pixels, kernel, ...(trunk.patchEmbed.bias ? [weight(emitter, trunk.patchEmbed.bias)] : [])];
  const sides = { kernel_shape: [patchSize, patchSize], strides: [patchSize, patchSize] } satisfies Attributes;
  const maps = reshape(emitter, graph.op("Conv", operands, sides), 0, width, -1); // [B, D, N]
  const patches = graph.op("Transpose", [maps], { perm: [0, 2, 1] });
  const joined = trunk.clsToken ? withCls(emitter, trunk.clsToken, { pixels, patches, width }) : patches;
  const placed = graph.op("Add", [joined, weight(emitter, trunk.posEmbed)]);
  const input = trunk.normPre ? layerNorm(emitter, trunk.normPre, placed, epsilon) : placed;
  const hgnn = params.hgnn?.image;
  const options: BlocksOptions = { heads, epsilon, activation, order: "pre", ...(hgnn ? { affinity: "logits" } : {}) };
  const { affinity, tokens } = imageTokens(emitter, trunk, input, options);
  const pooled = trunk.pooler ? graph.op("Tanh", [linear(emitter, trunk.pooler, tokens)]) : tokens;
  const count = (imageSize / patchSize) ** 2;
  const out = feature(emitter, head ? linear(emitter, head, pooled) : pooled, affinity, { hgnn, config, count });
  graph.output(out, "image_features", ["batch", embedding]);
  return graph.write(describe("image", config));
}

/** The CLS token before each image's patches. */
function withCls(
  emitter: Emitter,
  cls: Tensor,
  { pixels, patches, width }: { pixels: Value; patches: Value; width: number },
): Value {
  const { graph } = emitter;
  const batch = graph.op("Slice", [
    graph.op("Shape", [pixels]),
    graph.constant([0], [1], "int64"),
    graph.constant([1], [1], "int64"),
  ]);
  const shape = graph.op("Concat", [batch, graph.constant([1, width], [2], "int64")], { axis: 0 });
  return graph.op("Concat", [graph.op("Expand", [weight(emitter, cls), shape]), patches], { axis: 1 });
}

/** The tokens after the blocks, the one that is read first, and the affinity. */
function imageTokens(emitter: Emitter, trunk: VitTrunk, input: Value, options: BlocksOptions): BlocksResult {
  const { affinity: _, ...rest } = options;
  const { tokens, affinity } = blocks(emitter, trunk.blocks, input, trunk.pool ? rest : options);
  const normed = layerNorm(emitter, trunk.norm, tokens, options.epsilon);
  if (trunk.pool) return attentionPool(emitter, trunk.pool, normed, options);
  return { tokens: normed, ...(affinity ? { affinity } : {}) };
}

/** `[D, (row, column, channel)]` as a convolution's `[D, channel, row, column]`. */
function convolutionKernel(values: Float32Array, width: number, side: number): Float32Array {
  const out = new Float32Array(values.length);
  const area = side * side;
  for (let d = 0, place = 0; d < width; d++) {
    for (let channel = 0; channel < 3; channel++) {
      for (let p = 0; p < area; p++) out[place++] = values[(d * area + p) * 3 + channel]!;
    }
  }
  return out;
}
