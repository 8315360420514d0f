/**
 * AceLoraLinear and its gradients by products and lora.c: dropout's results are not stored, nor the updates alone. A row of `low` has
 * the low-rank products and, behind them, the masks, which are not computed again on the way back: a bit an element, a layer's in whole
 * words.
 *
 * @module
 */
import { output, type WasmBackend, type WasmCall, wasmKernels } from "../../wasm/module.ts";
import { type Inner, type RowJob, type RowStep, runRows } from "../../wasm/rows.ts";
import type { LoraAttributes } from "../attributes.ts";
import type { Info1D, Info2D, TensorInfo } from "../info.ts";
import type { KernelResult } from "../interface.ts";
import { maskOf } from "../linear/wasm.ts";
import { layerSteps } from "../linear/wasm_steps.ts";
import type { LoraInputs, LoraMatrix } from "./inputs.ts";

// Rough speeds of one thread, which only decide on threads.
const TERMS_PER_MS = 5e6;

/** The columns that a thread computes are a multiple of this. */
const LINES = 8;

/** Of x so many are read at a time, for the gradients of all A: they stay in L2. */
const CACHED_FLOATS = 393216;

/** Bits of a word of a mask. */
const WORD_BITS = 32;

/** A layer of the group: its tensors, numbers, and place among the low-rank products. */
interface Layer {
  scaling: number;
  mask: ReturnType<typeof maskOf>;
  /** Its tensor of that name, where the kernel has it. */
  tensor(name: LoraMatrix): Info2D;
  bias: Info1D | 0;
  /** Where its part of a tensor of low-rank products begins. */
  part(low: TensorInfo): Inner;
  /** Where its mask begins, 0: it has none. */
  words(low: TensorInfo): Inner | 0;
}

interface Group {
  layers: Layer[];
  rank: number;
  /** Of all layers together. */
  ranks: number;
  /** Numbers of a row of `low`. */
  stride: number;
  inSize: number;
  outSize: number;
  scratchBytes: number;
}

function groupOf(backend: WasmBackend, attrs: LoraAttributes, inputs: LoraInputs): Group {
  const [rank, inSize] = inputs["loraA0"]!.shape;
  const [outSize] = inputs["loraB0"]!.shape;
  const ranks = attrs.scalings.length * rank;
  const words = attrs.rates.some((rate) => rate > 0) ? Math.ceil(inSize / WORD_BITS) : 0;
  const layers = attrs.scalings.map((scaling, l): Layer => {
    const rate = attrs.rates[l]!;
    return {
      scaling,
      mask: maskOf({ rate, seed: attrs.seeds[l]! }),
      tensor: (name) => inputs[`${name}${l}`]!,
      bias: inputs[`bias${l}`] ?? 0,
      part: (of) => ({ of, floats: l * rank }),
      words: (of) => rate > 0 ? { of, floats: ranks + l * words } : 0,
    };
  });
  const scratchBytes = wasmKernels(backend).run["lora_scratch"]!(inSize, outSize, rank);
  return { layers, rank, ranks, stride: ranks + layers.length * words, inSize, outSize, scratchBytes };
}

/** AceLoraLinear. */
export function loraLinear({ inputs, attrs, backend }: WasmCall<"AceLoraLinear">): KernelResult<"AceLoraLinear"> {
  const { x } = inputs;
  const { layers, rank, stride, inSize, outSize, scratchBytes } = groupOf(backend, attrs, inputs);
  const low = output(backend, [x.shape[0]!, stride]);
  const steps = layerSteps(backend, [x], layers.map(({ tensor }) => [tensor("weight"), true]));
  const results = layers.map(({ tensor, bias, mask, scaling, part, words }) => {
    const y = steps.multiply(x);
    const [a, b] = [tensor("loraA"), tensor("loraB")];
    const args = [inSize, outSize, rank, x, ...mask, a, b, scaling, bias, part(low), words(low), stride, y];
    steps.finish({ name: "lora", args, results: [low, y], scratchBytes });
    return y;
  });
  steps.run();
  return [low, ...results];
}

/** AceLoraLinearGrad. */
export function loraLinearGrad(
  { inputs, attrs, backend }: WasmCall<"AceLoraLinearGrad">,
): KernelResult<"AceLoraLinearGrad"> {
  const { x, low } = inputs;
  const { layers, rank, ranks, stride, inSize, outSize, scratchBytes } = groupOf(backend, attrs, inputs);
  const rows = x.shape[0]!;
  const dLow = output(backend, [rows, ranks]);
  const dA = layers.map(() => output(backend, [rank, inSize]));
  const dB = layers.map(() => output(backend, [outSize, rank]));
  const terms = rows * rank * layers.length;
  const run = (
    steps: readonly RowStep[],
    width: number,
    job: Pick<RowJob, "rows" | "results"> & Partial<RowJob>,
  ): void => {
    const [first, ...then] = steps;
    runRows(backend, { ...first!, then, milliseconds: terms * width / TERMS_PER_MS, scratchBytes, ...job });
  };
  run(
    layers.map(({ tensor, scaling, part }) => ({
      name: "lora_grad_low",
      args: [outSize, rank, tensor("dy"), tensor("loraB"), scaling, part(dLow), ranks],
    })),
    outSize,
    { results: [dLow], rows, isInPlace: true },
  );
  run(
    layers.map(({ mask: [, , scale], part, words }, l) => ({
      name: "lora_grad_a",
      args: [rows, inSize, rank, part(dLow), ranks, x, words(low), stride, scale, dA[l]!],
    })),
    inSize,
    { results: dA, rows: inSize, grain: LINES, chunk: CACHED_FLOATS / rows },
  );
  run(
    layers.map(({ tensor, part }, l) => ({
      name: "lora_grad_b",
      args: [rows, outSize, rank, tensor("dy"), part(low), stride, dB[l]!],
    })),
    outSize,
    { results: dB, rows: outSize, grain: LINES, isEven: true },
  );
  return [...dA, ...dB, dLow];
}

/** AceLoraLinearGradX: the last layer's first, as the single steps add them. */
export function loraLinearGradX({ inputs, attrs, backend }: WasmCall<"AceLoraLinearGradX">): Info2D {
  const { dLow, low } = inputs;
  const { layers, rank, ranks, stride, inSize } = groupOf(backend, attrs, inputs);
  const backwards = layers.toReversed();
  const dys = backwards.map(({ tensor }) => tensor("dy"));
  const steps = layerSteps(backend, dys, backwards.map(({ tensor }) => [tensor("weight"), false]));
  const products: Info2D[] = [];
  for (const { tensor, mask: [, , scale], part, words } of backwards) {
    const product = steps.multiply(tensor("dy"));
    products.push(product);
    const dx = products[0]!;
    const args = [inSize, rank, part(dLow), ranks, tensor("loraA"), words(low), stride, scale, product, dx];
    steps.finish({ name: "lora_grad_x", args, results: [dx] });
  }
  steps.run();
  const [dx, ...others] = products;
  for (const { dataId } of others) backend.disposeData(dataId);
  return dx!;
}
