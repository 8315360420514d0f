/** AceMlp and its gradient by x, by products and linear.c. @module */
import { output, type WasmCall } from "../../wasm/module.ts";
import type { KernelResult, TensorInfo } from "../interface.ts";
import { finishLinear } from "../linear/wasm.ts";
import { type LayerSteps, layerSteps } from "../linear/wasm_steps.ts";

const SLOPE = 0.2;

/** AceMlp, of GELU and leaky ReLU. */
export function mlp({ inputs, attrs, backend }: WasmCall<"AceMlp">): KernelResult<"AceMlp"> {
  const { x, weight1, weight2, bias1, bias2, addend } = inputs;
  const steps = layerSteps(backend, [x], [[weight1, true], [weight2, true]]);
  const product = steps.multiply(x);
  const width = weight1.shape[0]!;
  let hidden = product;
  if (attrs.activation === "leaky-relu") {
    steps.finish({ name: "linear_leaky_relu", args: [width, bias1 ?? 0, SLOPE, product], results: [product] });
  } else {
    if (attrs.keep) hidden = output(backend, product.shape);
    const results = attrs.keep ? [product, hidden] : [product];
    steps.finish({ name: "linear_gelu", args: [width, bias1 ?? 0, product, hidden], results });
  }
  const y = finishLinear(steps, steps.multiply(hidden), { ...attrs, bias: bias2, addend });
  steps.run();
  if (attrs.keep && hidden === product) return [y, product];
  backend.disposeData(hidden.dataId);
  return attrs.keep ? [y, product] : [y];
}

type GradInputs = WasmCall<"AceMlpGradX">["inputs"];

/** The gradient of what is between the layers, in the product's place. */
function gradHidden(
  steps: LayerSteps,
  { dy, kept }: Pick<GradInputs, "dy" | "kept">,
  activation: string,
): TensorInfo {
  const product = steps.multiply(dy);
  const [name, args] = activation === "leaky-relu"
    ? ["leaky_relu_grad", [product, kept, SLOPE, product]] as const
    : ["gelu_grad", [product, kept, product]] as const;
  steps.finish({ name, args, perRow: product.shape[1]!, results: [product] });
  return product;
}

/** AceMlpGradHidden. */
export function mlpGradHidden({ inputs, attrs, backend }: WasmCall<"AceMlpGradHidden">): TensorInfo {
  const steps = layerSteps(backend, [inputs.dy], [[inputs.weight2, false]]);
  const grad = gradHidden(steps, inputs, attrs.activation);
  steps.run();
  return grad;
}

/** AceMlpGradX. */
export function mlpGradX({ inputs, attrs, backend }: WasmCall<"AceMlpGradX">): TensorInfo {
  const { dy, weight1, weight2 } = inputs;
  const steps = layerSteps(backend, [dy], [[weight2, false], [weight1, false]]);
  const between = gradHidden(steps, inputs, attrs.activation);
  const dx = steps.multiply(between);
  steps.run();
  backend.disposeData(between.dataId);
  return dx;
}
