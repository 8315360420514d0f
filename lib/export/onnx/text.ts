/** The text tower as an ONNX graph. @module */
import { type AceLoraConfig, type AceLoraParams, textAffinityOf } from "../../ace_lora.ts";
import type { BertConfig, CausalTextConfig, ClipConfig, NoTextConfig, SiglipTextConfig } from "../../clip/config.ts";
import type { TextTowerParams } from "../../clip/towers/text.ts";
import type { Field } from "../../io/protobuf.ts";
import {
  blocks,
  type BlocksOptions,
  causalMask,
  type Emitter,
  layerNorm,
  linear,
  mlp,
  type Numbers,
  padMask,
  readFirst,
  sliceTokens,
  weight,
} from "./blocks.ts";
import { describe, feature } from "./feature.ts";
import { onnxGraph, type Value } from "./graph.ts";

/** The graph of `input_ids` to `text_features`. */
export function textModel(params: AceLoraParams, config: AceLoraConfig, numbers: Numbers): Field {
  const { embedding } = config.encoders;
  const text = config.encoders.text as Exclude<ClipConfig["text"], NoTextConfig>; // exportOnnx() has seen to it
  const emitter: Emitter = { graph: onnxGraph(), numbers };
  const { graph } = emitter;
  const { contextLength } = text;
  const ids = graph.input("input_ids", "int64", ["batch", contextLength]);
  const { trunk, head } = params.text;
  const words = graph.op("Gather", [weight(emitter, trunk.word), ids], { axis: 0 });
  const positions = graph.constant(numbers(trunk.position).subarray(0, contextLength * text.width), [
    contextLength,
    text.width,
  ]);
  const placed = graph.op("Add", [words, positions]);
  const hgnn = params.hgnn?.text;
  const affinity = hgnn ? { affinity: textAffinityOf(config) } : {};
  const result = text.kind === "bert"
    ? bertTokens(emitter, params.text, text, { ids, placed, ...affinity })
    : plainTokens(emitter, params.text, text, { ids, placed, ...affinity });
  const pooled = trunk.pooler ? graph.op("Tanh", [linear(emitter, trunk.pooler, result.tokens)]) : result.tokens;
  const projected = !head ? pooled : "fc1" in head ? mlp(emitter, head, pooled) : linear(emitter, head, pooled);
  const out = feature(emitter, projected, result.affinity, { hgnn, config, count: contextLength - 1 });
  graph.output(out, "text_features", ["batch", embedding]);
  return graph.write(describe("text", config));
}

interface TextInput extends Pick<BlocksOptions, "affinity"> {
  ids: Value;
  placed: Value;
}

function bertTokens(
  emitter: Emitter,
  { trunk }: TextTowerParams,
  config: BertConfig,
  { ids, placed, affinity: kind }: TextInput,
): { tokens: Value; affinity?: Value } {
  const { graph, numbers } = emitter;
  const { width, heads, epsilon } = config;
  const type = graph.constant(numbers(trunk.tokenType!).subarray(0, width), [width]);
  const input = layerNorm(emitter, trunk.norm, graph.op("Add", [placed, type]), epsilon);
  const { tokens, affinity } = blocks(emitter, trunk.layers, input, {
    heads,
    epsilon,
    activation: "gelu",
    order: "post",
    mask: padMask(emitter, ids),
    ...(kind ? { affinity: kind } : {}),
  });
  if (config.pool !== "mean") return { tokens, ...(affinity ? { affinity } : {}) };
  const real = graph.op("Cast", [graph.op("Not", [graph.op("Equal", [ids, graph.constant([0], [], "int64")])])], {
    to: 1,
  });
  const axis = graph.constant([1], [1], "int64");
  const sum = graph.op("MatMul", [graph.op("Unsqueeze", [real, axis]), tokens]); // [B, 1, D]
  const count = graph.op("Unsqueeze", [graph.op("ReduceSum", [real, axis], { keepdims: 1 }), axis]);
  const mean = graph.op("Div", [sum, count]);
  if (!affinity) return { tokens: mean };
  return { tokens: graph.op("Concat", [mean, sliceTokens(emitter, tokens, 1)], { axis: 1 }), affinity };
}

/** The token that is read, `[B, 1, D]`; all tokens with it in row 0, and its affinity, where one is asked for. */
function plainTokens(
  emitter: Emitter,
  { trunk }: TextTowerParams,
  config: CausalTextConfig | SiglipTextConfig,
  { ids, placed, affinity: kind }: TextInput,
): { tokens: Value; affinity?: Value } {
  const { graph } = emitter;
  const { contextLength, width, heads, epsilon, activation } = config;
  const searched = soughtIn(emitter, ids, config); // its largest is read
  const place = graph.op("ArgMax", [searched], { axis: 1, keepdims: 1 }); // the first of equals
  const depth = graph.constant([contextLength], [], "int64");
  const read = graph.op("OneHot", [place, depth, graph.constant([0, 1], [2])], { axis: -1 }); // [B, 1, N]
  const { tokens, affinity } = blocks(emitter, trunk.layers, placed, {
    heads,
    epsilon,
    activation,
    order: "pre",
    ...(config.kind === "clip" ? { mask: causalMask(emitter, contextLength) } : {}),
    ...(kind ? { affinity: kind, read } : {}),
  });
  const normed = layerNorm(emitter, trunk.norm, tokens, epsilon);
  if (!affinity) return { tokens: graph.op("MatMul", [read, normed]) };
  return readFirst(emitter, { tokens: normed, affinity }, place, { length: contextLength, width });
}

/** Numbers `[B, N]` of which the first largest stands where a text is read: at its end, or in a SigLIP's last place. */
function soughtIn({ graph }: Emitter, ids: Value, config: CausalTextConfig | SiglipTextConfig): Value {
  if (config.kind === "siglip") {
    const last = Array.from({ length: config.contextLength }, (_, i) => i === config.contextLength - 1 ? 1 : 0);
    const none = graph.op("Mul", [ids, graph.constant([0], [], "int64")]); // has the batch's size
    return graph.op("Add", [none, graph.constant(last, [last.length], "int64")]);
  }
  if (config.eotId === undefined) return ids;
  return graph.op("Cast", [graph.op("Equal", [ids, graph.constant([config.eotId], [], "int64")])], { to: 6 });
}
