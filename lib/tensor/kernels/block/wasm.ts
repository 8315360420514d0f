/**
 * AceBlock as one job whose rows are samples: each passes through all steps before the next one does, and each thread has its own, so that
 * what lies between the steps is one sample's a thread and is written over in the cache. The bits are those of the layers one by one.
 *
 * By weights that a library has packed, as any other product packs its right matrix anew for each sample.
 *
 * @module
 */
import { mapTuple } from "../../../platform/map_tuple.ts";
import { output, type WasmBackend, type WasmCall } from "../../wasm/module.ts";
import { type Own, type Place, type RowStep, runRows } from "../../wasm/rows.ts";
import { threadPool } from "../../wasm/threads.ts";
import { attentionStep, withMask } from "../attention/wasm.ts";
import { BLOCK_LAYERS, type BlockLayer } from "../attributes.ts";
import type { TensorInfo } from "../info.ts";
import type { KernelResult } from "../interface.ts";
import { layerNormStep } from "../layer_norm/wasm.ts";
import { linearStep } from "../linear/wasm.ts";
import { hasZeroRows } from "../matmul/wasm.ts";
import { LEAST_PACKED_ROWS, type ProductStep, productStep } from "../matmul/wasm_packed.ts";
import { geluStep } from "../mlp/wasm.ts";

type Inputs = WasmCall<"AceBlock">["inputs"];

/** Share of the threads' time that may be lost where one has a sample more than another; more would cost what the job gains. */
const MOST_IDLE = 0.02;

/** Buffers are at whole cache lines. */
const LINE_BYTES = 64;

/** Lays a thread's buffers one behind the other. */
class Buffers {
  bytes = 0;

  /** A buffer of so many floats a sample, at the end or over others. */
  take(floats: number, at = this.bytes): Own {
    const rowBytes = 4 * floats;
    this.bytes = Math.max(this.bytes, at + Math.ceil(rowBytes / LINE_BYTES) * LINE_BYTES);
    return { own: at, rowBytes };
  }
}

/** The products of the block, or undefined where one of them is not by a packed weight. */
function productsOf(
  backend: WasmBackend,
  rows: number,
  inputs: Inputs,
): ReadonlyMap<BlockLayer, ProductStep> | undefined {
  const products = new Map<BlockLayer, ProductStep>();
  for (const layer of BLOCK_LAYERS) {
    const product = productStep(backend, rows, inputs[`${layer}Weight`], true);
    if (!product) return undefined;
    products.set(layer, product);
  }
  return products;
}

/** Whether threads that get whole samples all have something to do to the end, more or less. */
function isDividedBySamples(samples: number): boolean {
  const threads = threadPool()?.threads ?? 1;
  return Math.ceil(samples / threads) * threads <= samples * (1 + MOST_IDLE);
}

/** AceBlock. */
export function block({ inputs, attrs, backend }: WasmCall<"AceBlock">): KernelResult<"AceBlock"> {
  const { x, keyMask } = inputs;
  const [samples, tokens, width] = x.shape;
  const rows = samples * tokens;
  if (tokens < LEAST_PACKED_ROWS || !isDividedBySamples(samples)) return [];
  const products = productsOf(backend, rows, inputs);
  if (!products || hasZeroRows(backend, { ...x, shape: [rows, width] })) return [];
  const y = output(backend, x.shape);
  const heads = attentionStep(backend, x, x, { ...attrs, scale: 1 / Math.sqrt(width / attrs.heads) });
  withMask(backend, keyMask, (mask) => {
    const buffers = new Buffers();
    const [first, ...then] = blockSteps({
      ...{ inputs, attrs, buffers, y },
      step: (layer, from, to) => products.get(layer)!.step(from, to),
      attend: (operands, results) => heads.step(operands, mask, results),
    });
    runRows(backend, {
      ...first!,
      ...{ then, results: [y], rows: samples, chunk: 1 },
      milliseconds: products.values().reduce((sum, { milliseconds }) => sum + milliseconds, 0),
      scratchBytes: Math.max(heads.scratchBytes, ...products.values().map(({ scratchBytes }) => scratchBytes)),
      ownBytes: buffers.bytes,
    });
  });
  return [y];
}

interface BlockParts extends Pick<WasmCall<"AceBlock">, "inputs" | "attrs"> {
  buffers: Buffers;
  y: TensorInfo;
  /** A layer's product. */
  step(layer: BlockLayer, from: Place, to: Place): RowStep;
  /** The attention. */
  attend(operands: readonly Place[], results: readonly Place[]): RowStep;
}

/** All steps in their order, of samples as rows. */
function blockSteps({ inputs, attrs, buffers, y, step, attend }: BlockParts): RowStep[] {
  const { x, gain1, offset1, gain2, offset2, fc1Weight } = inputs;
  const [, tokens, width] = x.shape;
  const { heads, epsilon, order } = attrs;
  const [hiddenWidth] = fc1Weight.shape;
  const statistics = [buffers.take(tokens), buffers.take(tokens)];
  const sums = buffers.take(heads * tokens);
  const [a, query, key, value] = mapTuple(["a", "query", "key", "value"], () => buffers.take(tokens * width));
  const hidden = buffers.take(tokens * hiddenWidth, key.own); // over key and value, which have been read by then

  const ofTokens = (...steps: (RowStep | undefined)[]): RowStep[] =>
    steps.flatMap((step) => step ? [{ ...step, perRow: tokens }] : []);
  const norm1 = (from: Place, to: Place): RowStep[] =>
    ofTokens(layerNormStep(from, gain1, offset1, epsilon, [to, ...statistics]));
  const norm2 = (from: Place, to: Place): RowStep[] =>
    ofTokens(layerNormStep(from, gain2, offset2, epsilon, [to, ...statistics]));
  const project = (layer: BlockLayer, from: Place, to: Place, addend?: Place): RowStep[] =>
    ofTokens(step(layer, from, to), linearStep(to, width, { bias: inputs[`${layer}Bias`], addend, rate: 0, seed: 0 }));
  const attention = (from: Place, to: Place): RowStep[] => [
    ...project("query", from, query),
    ...project("key", from, key),
    ...project("value", from, value),
    { ...attend([query, key, value], [a, sums]), perRow: heads },
    ...project("output", a, to, x),
  ];
  const perceptron = (from: Place, to: Place, addend: Place): RowStep[] => [
    ...ofTokens(step("fc1", from, hidden), geluStep(hiddenWidth, inputs.fc1Bias, hidden, hidden)),
    ...project("fc2", hidden, to, addend),
  ];
  const attended = query; // likewise
  return order === "pre"
    ? [...norm1(x, a), ...attention(a, attended), ...norm2(attended, a), ...perceptron(a, y, attended)]
    : [...attention(x, attended), ...norm1(attended, a), ...perceptron(a, attended, a), ...norm2(attended, y)];
}
