/** AceMlp and the gradient of what is between its layers, by products and linear.c. @module */
import * as tf from "@tensorflow/tfjs";
import { output, type WasmCall } from "../../wasm/module.ts";
import { runElements } from "../../wasm/rows.ts";
import type { KernelResult, TensorInfo } from "../interface.ts";
import { finishLinear, finishRows } from "../linear/wasm.ts";
import { multiply } from "../matmul/wasm.ts";

const SLOPE = 0.2;

/** AceMlp, of GELU and leaky ReLU. */
export function mlp({ inputs, attrs, backend }: WasmCall<"AceMlp">): KernelResult<"AceMlp"> {
  const { x, weight1, weight2, bias1, bias2, addend } = inputs;
  const product = multiply(backend, x, weight1, { transposeA: false, transposeB: true });
  const width = weight1.shape[0]!;
  let hidden = product;
  if (attrs.activation === "leaky-relu") {
    finishRows(backend, { name: "linear_leaky_relu", args: [width, bias1 ?? 0, SLOPE, product], results: [product] });
  } else {
    if (attrs.keep) hidden = output(backend, product.shape);
    finishRows(backend, {
      name: "linear_gelu",
      args: [width, bias1 ?? 0, product, hidden],
      results: attrs.keep ? [product, hidden] : [product],
    });
  }
  const result = multiply(backend, hidden, weight2, { transposeA: false, transposeB: true });
  const y = finishLinear(backend, result, { ...attrs, bias: bias2, addend });
  if (attrs.keep && hidden === product) return [y, product];
  backend.disposeData(hidden.dataId);
  return attrs.keep ? [y, product] : [y];
}

/** AceMlpGradHidden, in the product's place. */
export function mlpGradHidden({ inputs, attrs, backend }: WasmCall<"AceMlpGradHidden">): TensorInfo {
  const { dy, weight2, kept } = inputs;
  const product = multiply(backend, dy, weight2, { transposeA: false, transposeB: false });
  const size = tf.util.sizeFromShape(product.shape);
  const [name, args] = attrs.activation === "leaky-relu"
    ? ["leaky_relu_grad", [product, kept, SLOPE, product]] as const
    : ["gelu_grad", [product, kept, product]] as const;
  runElements(backend, { name, args, results: [product], size, perMs: 1e6, isInPlace: true });
  return product;
}
