/**
 * A linear layer with what follows it, `drop(x Wᵀ + b) + addend`, in one dispatch (two where the sums are split).
 *
 * @module
 */
import type { WebgpuBackend } from "../../webgpu/backend.ts";
import { type WebgpuCall, zeros } from "../../webgpu/call.ts";
import type { DropoutAttributes } from "../attributes.ts";
import type { Info1D, Info2D, TensorInfo } from "../info.ts";
import { batchAxes, multiply } from "../matmul/webgpu.ts";
import type { Epilogue, Finish } from "../matmul/webgpu_epilogue.ts";

/** One product with an epilogue. */
export interface Product {
  /** Rows, `[m, k]`. */
  a: Info2D;
  /** `[n, k]` with `transposeB`, else `[k, n]`. */
  b: Info2D;
  /** Whether `b` is `[n, k]`. */
  transposeB: boolean;
  /** `[n]`. */
  bias?: Info1D | undefined;
  /** Applied to the results last. @default {"linear"} */
  activation?: Finish["activation"];
  /** What else is done to the results. */
  epilogue?: Epilogue;
  /** The epilogue's tensors, in its order. */
  rest?: readonly TensorInfo[];
  /** The epilogue's outputs. */
  more?: readonly TensorInfo[];
}

/** Runs it. */
export function product(backend: WebgpuBackend, given: Product): Info2D {
  const { a, b, transposeB, bias, activation = "linear", epilogue = {}, rest = [], more = [] } = given;
  const [m, k] = a.shape;
  const n = b.shape[transposeB ? 0 : 1];
  if (m * n === 0) return zeros(backend, [m, n]);
  return multiply(backend, {
    shape: { batch: 1, m, n, k },
    transposeA: false,
    transposeB,
    axes: batchAxes([], [])!,
    bias: bias !== undefined,
    activation,
    epilogue,
  }, { inputs: [a, b, ...(bias ? [bias] : []), ...rest], shape: [m, n], more });
}

/** Dropout for an epilogue, or nothing for a rate of 0. */
export function dropOf(attrs: DropoutAttributes): { drop?: DropoutAttributes } {
  return attrs.rate > 0 ? { drop: { rate: attrs.rate, seed: attrs.seed } } : {};
}

/** AceLinear: 1 dispatch. */
export function linear({ inputs, attrs, backend }: WebgpuCall<"AceLinear">): Info2D {
  const { x, weight, bias, addend } = inputs;
  return product(backend, {
    a: x,
    b: weight,
    transposeB: true,
    bias,
    epilogue: { ...dropOf(attrs), addend: addend !== undefined },
    rest: addend ? [addend] : [],
  });
}

/** AceLinearGradX: 1 dispatch, or 2 where the sums are split. */
export function linearGradX({ inputs, backend }: WebgpuCall<"AceLinearGradX">): Info2D {
  const { dy, weight, addend } = inputs;
  return product(backend, { a: dy, b: weight, transposeB: false, epilogue: { addend: true }, rest: [addend] });
}
