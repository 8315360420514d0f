/** A perceptron of two layers: the activation, and its slope on the way back, are epilogues of the products. @module */
import { output, sizeOf, type WebgpuCall, zeros } from "../../webgpu/call.ts";
import type { Info2D } from "../info.ts";
import type { KernelResult } from "../interface.ts";
import { dropOf, product } from "../linear/webgpu.ts";
import { batchAxes, multiply } from "../matmul/webgpu.ts";

/** AceMlp: 2 dispatches. */
export function mlp({ inputs, attrs, backend }: WebgpuCall<"AceMlp">): KernelResult<"AceMlp"> {
  const { x, weight1, weight2, bias1, bias2 } = inputs;
  const { activation } = attrs;
  const addend = attrs.isResidual ? x : inputs.addend;
  const shape: Info2D["shape"] = [x.shape[0], weight1.shape[0]];
  const isArgumentKept = attrs.keep && activation !== "leaky-relu" && sizeOf(shape) > 0;
  const argument = isArgumentKept ? output(backend, shape) : undefined;
  const hidden = product(backend, {
    a: x,
    b: weight1,
    transposeB: true,
    bias: bias1,
    activation,
    epilogue: { keep: isArgumentKept },
    more: argument ? [argument] : [],
  });
  const y = product(backend, {
    a: hidden,
    b: weight2,
    transposeB: true,
    bias: bias2,
    epilogue: { ...dropOf(attrs), addend: addend !== undefined },
    rest: addend ? [addend] : [],
  });
  if (attrs.keep && !argument) return [y, hidden];
  backend.disposeData(hidden.dataId);
  return argument ? [y, argument] : [y];
}

/** AceMlpGradHidden: 1 dispatch. */
export function mlpGradHidden({ inputs, attrs, backend }: WebgpuCall<"AceMlpGradHidden">): Info2D {
  const { dy, weight2, kept } = inputs;
  const epilogue = { slope: attrs.activation };
  return product(backend, { a: dy, b: weight2, transposeB: false, epilogue, rest: [kept] });
}

/** AceLinearGradParams: 1 dispatch. */
export function linearGradParams(
  { inputs, backend }: WebgpuCall<"AceLinearGradParams">,
): KernelResult<"AceLinearGradParams"> {
  const { dy, x } = inputs;
  const [[rows, outSize], inSize] = [dy.shape, x.shape[1]];
  if (rows * outSize * inSize === 0) return [zeros(backend, [outSize, inSize]), zeros(backend, [outSize])];
  const dBias = output(backend, [outSize]);
  const dWeight = multiply(backend, {
    shape: { batch: 1, m: outSize, n: inSize, k: rows },
    transposeA: true,
    transposeB: false,
    axes: batchAxes([], [])!,
    bias: false,
    activation: "linear",
    sums: true,
  }, { inputs: [dy, x], shape: [outSize, inSize], more: [dBias] });
  return [dWeight, dBias];
}
