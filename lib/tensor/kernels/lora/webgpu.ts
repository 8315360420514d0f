/**
 * Linear layers with low-rank updates that share their input (a block's query, key and value):
 * `y_l = x W_lᵀ + b_l + scaling_l drop_l(x) A_lᵀ B_lᵀ`, and the gradient.
 *
 * Dispatches for L layers: forward 1 + L; the gradient of all A and B 3, of x L more.
 *
 * @module
 */
import { output, sizeOf, type WebgpuCall, zeros } from "../../webgpu/call.ts";
import { runProgram } from "../../webgpu/run.ts";
import type { KernelResult, LoraAttributes, TensorInfo } from "../interface.ts";
import { dropOf, product } from "../linear/webgpu.ts";
import {
  loraColumns,
  loraDownProgram,
  loraGradLowProgram,
  loraGradMatricesProgram,
  type LoraGroup,
  loraRowBlock,
  loraSumsProgram,
} from "./webgpu_programs.ts";

type Inputs = Readonly<Record<string, TensorInfo | undefined>>;

const each = (attrs: LoraAttributes, inputs: Inputs, name: "dy" | "loraA" | "loraB"): TensorInfo[] =>
  attrs.scalings.map((_, l) => inputs[`${name}${l}`]!);

function groupOf(attrs: LoraAttributes, inputs: Inputs, rows: number): LoraGroup {
  const [rank, inSize] = inputs["loraA0"]!.shape as [number, number];
  const outSize = inputs["loraB0"]!.shape[0]!;
  return { ...attrs, layers: attrs.scalings.length, rank, rows, inSize, outSize };
}

/** AceLoraLinear: 1 dispatch and one a layer. */
export function loraLinear({ inputs, attrs, backend }: WebgpuCall<"AceLoraLinear">): KernelResult<"AceLoraLinear"> {
  const { x } = inputs;
  const g = groupOf(attrs, inputs, x.shape[0]!);
  const ranks = g.layers * g.rank;
  if (sizeOf(x.shape) === 0) {
    const results = attrs.scalings.map(() => zeros(backend, [g.rows, g.outSize]));
    return [zeros(backend, [g.rows, ranks]), ...results];
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

/** AceLoraLinearGrad: 3 dispatches for all layers. */
export function loraLinearGrad({ inputs, attrs, backend }: WebgpuCall<"AceLoraLinearGrad">): TensorInfo[] {
  const { x } = inputs;
  const g = groupOf(attrs, inputs, x.shape[0]!);
  const ranks = g.layers * g.rank;
  const shapes = [...each(attrs, inputs, "loraA"), ...each(attrs, inputs, "loraB")].map(({ shape }) => shape);
  if (sizeOf(x.shape) === 0) return [...shapes, [g.rows, ranks]].map((shape) => zeros(backend, shape));
  const dys = each(attrs, inputs, "dy");
  const dLow = output(backend, [g.rows, ranks]);
  runProgram(backend, loraGradLowProgram(g), { inputs: [...dys, ...each(attrs, inputs, "loraB")], outputs: [dLow] });
  const sums = output(backend, [Math.ceil(g.rows / loraRowBlock(g.rows)), 2 * ranks, loraColumns(g)]);
  runProgram(backend, loraSumsProgram(g), { inputs: [x, inputs.low, dLow, ...dys], outputs: [sums] });
  const grads = shapes.map((shape) => output(backend, shape));
  runProgram(backend, loraGradMatricesProgram(g), { inputs: [sums], outputs: grads });
  backend.disposeData(sums.dataId);
  return [...grads, dLow];
}

/** AceLoraLinearGradX: `Σ_l dy_l W_l + drop_l(dLow_l A_l)`, one layer after the other on top of the last; a dispatch each. */
export function loraLinearGradX({ inputs, attrs, backend }: WebgpuCall<"AceLoraLinearGradX">): TensorInfo {
  const { dLow } = inputs;
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
