/**
 * Linear layers with low-rank updates that share their input (a block's query, key and value):
 * `y_l = x W_lᵀ + b_l + scaling_l drop_l(x) A_lᵀ B_lᵀ`, and the gradient.
 *
 * Dispatches for L layers: forward 1 + L; the gradient of all A and B 3, of x L more.
 *
 * @module
 */
import type { WebgpuBackend } from "./backend.ts";
import { emptyOutput, kernel, type KernelConfig, output, sizeOf, type TensorInfo } from "./kernel.ts";
import { dropOf, product } from "./linear.ts";
import {
  loraColumns,
  loraDownProgram,
  loraGradLowProgram,
  loraGradMatricesProgram,
  type LoraGroup,
  loraRowBlock,
  loraSumsProgram,
} from "./lora_programs.ts";
import { runProgram } from "./run.ts";

/** Attributes of the kernels; one number a layer. */
export interface LoraAttrs {
  /** Factors of the updates. */
  scalings: readonly number[];
  /** Dropout of the updates' input. */
  rates: readonly number[];
  /** Seeds of the masks. */
  seeds: readonly number[];
}

type Inputs = Record<string, TensorInfo>;

const each = (attrs: LoraAttrs, inputs: Inputs, name: string): TensorInfo[] =>
  attrs.scalings.map((_, l) => inputs[`${name}${l}`]!);

function groupOf(attrs: LoraAttrs, inputs: Inputs, rows: number): LoraGroup {
  const [rank, inSize] = inputs["loraA0"]!.shape as [number, number];
  const outSize = inputs["loraB0"]!.shape[0]!;
  return { ...attrs, layers: attrs.scalings.length, rank, rows, inSize, outSize };
}

function forward(backend: WebgpuBackend, inputs: Inputs, attrs: LoraAttrs): TensorInfo[] {
  const x = inputs["x"]!;
  const g = groupOf(attrs, inputs, x.shape[0]!);
  const ranks = g.layers * g.rank;
  if (sizeOf(x.shape) === 0) {
    return [[g.rows, ranks], ...attrs.scalings.map(() => [g.rows, g.outSize])].map((s) => emptyOutput(backend, s));
  }
  const low = output(backend, [g.rows, ranks]);
  runProgram(backend, loraDownProgram(g), { inputs: [x, ...each(attrs, inputs, "loraA")], outputs: [low] });
  const results = attrs.scalings.map((_, l) =>
    product(backend, {
      a: x,
      b: inputs[`weight${l}`]!,
      transposeB: true,
      bias: inputs[`bias${l}`],
      epilogue: { lowRank: { rank: g.rank, stride: ranks, offset: l * g.rank, layout: "outputs" } },
      rest: [low, inputs[`loraB${l}`]!],
    })
  );
  return [low, ...results];
}

/** The gradients of every A, then every B, and of the low-rank products. */
function gradMatrices(backend: WebgpuBackend, inputs: Inputs, attrs: LoraAttrs): TensorInfo[] {
  const x = inputs["x"]!;
  const g = groupOf(attrs, inputs, x.shape[0]!);
  const ranks = g.layers * g.rank;
  const shapes = [...each(attrs, inputs, "loraA"), ...each(attrs, inputs, "loraB")].map(({ shape }) => shape);
  if (sizeOf(x.shape) === 0) return [...shapes, [g.rows, ranks]].map((shape) => emptyOutput(backend, shape));
  const dys = each(attrs, inputs, "dy");
  const dLow = output(backend, [g.rows, ranks]);
  runProgram(backend, loraGradLowProgram(g), { inputs: [...dys, ...each(attrs, inputs, "loraB")], outputs: [dLow] });
  const sums = output(backend, [Math.ceil(g.rows / loraRowBlock(g.rows)), 2 * ranks, loraColumns(g)]);
  runProgram(backend, loraSumsProgram(g), { inputs: [x, inputs["low"]!, dLow, ...dys], outputs: [sums] });
  const grads = shapes.map((shape) => output(backend, shape));
  runProgram(backend, loraGradMatricesProgram(g), { inputs: [sums], outputs: grads });
  backend.disposeData(sums.dataId);
  return [...grads, dLow];
}

/** `Σ_l dy_l W_l + drop_l(dLow_l A_l)`, one layer after the other on top of the last. */
function gradX(backend: WebgpuBackend, inputs: Inputs, attrs: LoraAttrs): TensorInfo {
  const dLow = inputs["dLow"]!;
  const g = groupOf(attrs, inputs, dLow.shape[0]!);
  const ranks = g.layers * g.rank;
  let total: TensorInfo | undefined;
  for (let l = 0; l < g.layers; l++) {
    const drop = dropOf({ rate: attrs.rates[l]!, seed: attrs.seeds[l]! });
    const next = product(backend, {
      a: inputs[`dy${l}`]!,
      b: inputs[`weight${l}`]!,
      transposeB: false,
      epilogue: {
        lowRank: { rank: g.rank, stride: ranks, offset: l * g.rank, layout: "ranks", ...drop },
        addend: total !== undefined,
      },
      rest: [dLow, inputs[`loraA${l}`]!, ...(total ? [total] : [])],
    });
    if (total) backend.disposeData(total.dataId);
    total = next;
  }
  return total!;
}

/** AceLoraLinear, AceLoraLinearGrad, AceLoraLinearGradX. */
export const loraKernels: readonly KernelConfig[] = [
  kernel<LoraAttrs>("AceLoraLinear", ({ inputs, attrs, backend }) => forward(backend, inputs, attrs)),
  kernel<LoraAttrs>("AceLoraLinearGrad", ({ inputs, attrs, backend }) => gradMatrices(backend, inputs, attrs)),
  kernel<LoraAttrs>("AceLoraLinearGradX", ({ inputs, attrs, backend }) => gradX(backend, inputs, attrs)),
];
