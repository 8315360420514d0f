/**
 * Linear layers with low-rank updates that share their input (a block's query, key and value):
 * `y_l = x W_lᵀ + b_l + scaling_l drop_l(x) A_lᵀ B_lᵀ`, and the gradient.
 *
 * Dispatches for L layers: forward 2; the gradient of all A and B 3, of x 1 more.
 *
 * @module
 */
import type { WebgpuBackend } from "../../webgpu/backend.ts";
import { output, sizeOf, type WebgpuCall, zeros } from "../../webgpu/call.ts";
import { runProgram } from "../../webgpu/run.ts";
import type { LoraAttributes } from "../attributes.ts";
import type { Info2D } from "../info.ts";
import type { KernelResult } from "../interface.ts";
import { dropOf, product } from "../linear/webgpu.ts";
import { multiplySeveral } from "../matmul/webgpu.ts";
import { planMatMul } from "../matmul/webgpu_plan.ts";
import type { LoraInputs, LoraMatrix } from "./inputs.ts";
import {
  loraColumns,
  loraDownProgram,
  loraGradLowProgram,
  loraGradMatricesProgram,
  type LoraGroup,
  loraRowBlock,
  loraSumsProgram,
} from "./webgpu_programs.ts";

const each = <Name extends LoraMatrix | "bias">(
  attrs: LoraAttributes,
  inputs: LoraInputs,
  name: Name,
): NonNullable<LoraInputs[`${Name}${number}`]>[] => attrs.scalings.map((_, l) => inputs[`${name}${l}`]!);

function groupOf(attrs: LoraAttributes, inputs: LoraInputs, rows: number): LoraGroup {
  const [rank, inSize] = inputs["loraA0"]!.shape;
  const [outSize] = inputs["loraB0"]!.shape;
  return { ...attrs, layers: attrs.scalings.length, rank, rows, inSize, outSize };
}

/** Whether several products of a group are one program: enough of them fit a stage, and a device is busy without split sums. */
function together(
  g: LoraGroup,
  buffers: number,
  { device }: WebgpuBackend,
  [n, k]: readonly [number, number],
): boolean {
  if (g.layers < 2 || buffers > device.limits.maxStorageBuffersPerShaderStage) return false;
  return planMatMul({ batch: g.layers, m: g.rows, n, k }, device.limits).splits === 1;
}

/** AceLoraLinear: 2 dispatches, or 1 and one a layer where a stage has too few buffers or the sums are better split. */
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
  const isBiased = inputs["bias0"] !== undefined;
  if (together(g, 2 + (isBiased ? 4 : 3) * g.layers, backend, [g.outSize, g.inSize])) {
    const results = attrs.scalings.map(() => output(backend, [g.rows, g.outSize]));
    multiplySeveral(backend, {
      shape: { batch: 1, m: g.rows, n: g.outSize, k: g.inSize },
      transposeB: true,
      bias: isBiased,
      epilogue: { lowRank: { rank: g.rank, stride: ranks, offset: 0, layout: "outputs" } },
      several: { count: g.layers, of: "results" },
    }, {
      inputs: [
        x,
        ...each(attrs, inputs, "weight"),
        ...(isBiased ? each(attrs, inputs, "bias") : []),
        low,
        ...each(attrs, inputs, "loraB"),
      ],
      outputs: results,
    });
    return [low, ...results];
  }
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
export function loraLinearGrad({ inputs, attrs, backend }: WebgpuCall<"AceLoraLinearGrad">): Info2D[] {
  const { x } = inputs;
  const g = groupOf(attrs, inputs, x.shape[0]!);
  const ranks = g.layers * g.rank;
  const shapes = [...each(attrs, inputs, "loraA"), ...each(attrs, inputs, "loraB")].map(({ shape }) => shape);
  if (sizeOf(x.shape) === 0) return [...shapes.map((shape) => zeros(backend, shape)), zeros(backend, [g.rows, ranks])];
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

/**
 * AceLoraLinearGradX: `Σ_l dy_l W_l + drop_l(dLow_l A_l)` in 1 dispatch, or one layer after the other on top of the last with a
 * dispatch each where a stage has too few buffers or the sums are better split.
 */
export function loraLinearGradX({ inputs, attrs, backend }: WebgpuCall<"AceLoraLinearGradX">): Info2D {
  const { dLow } = inputs;
  const g = groupOf(attrs, inputs, dLow.shape[0]!);
  const ranks = g.layers * g.rank;
  const drops = attrs.scalings.map((_, l) => dropOf({ rate: attrs.rates[l]!, seed: attrs.seeds[l]! }).drop);
  const lowRank = { rank: g.rank, stride: ranks, layout: "ranks" } as const;
  if (g.rows * g.inSize * g.outSize > 0 && together(g, 2 + 3 * g.layers, backend, [g.inSize, g.outSize])) {
    const dx = output(backend, [g.rows, g.inSize]);
    multiplySeveral(backend, {
      shape: { batch: 1, m: g.rows, n: g.inSize, k: g.outSize },
      transposeB: false,
      bias: false,
      epilogue: { lowRank: { ...lowRank, offset: 0, drops } },
      several: { count: g.layers, of: "terms" },
    }, {
      inputs: [
        ...each(attrs, inputs, "dy"),
        ...each(attrs, inputs, "weight"),
        dLow,
        ...each(attrs, inputs, "loraA"),
      ],
      outputs: [dx],
    });
    return dx;
  }
  let total: Info2D | undefined;
  for (let l = 0; l < g.layers; l++) {
    const next = product(backend, {
      a: inputs[`dy${l}`]!,
      b: inputs[`weight${l}`]!,
      transposeB: false,
      epilogue: {
        lowRank: { ...lowRank, offset: l * g.rank, drops: [drops[l]] },
        addend: total !== undefined,
      },
      rest: [dLow, inputs[`loraA${l}`]!, ...(total ? [total] : [])],
    });
    if (total) backend.disposeData(total.dataId);
    total = next;
  }
  return total!;
}
