/**
 * AceMlp and its gradient by x, in one of two ways; both keep what is between the layers in the cache, to the same bits.
 * By mlp.c, GELU with a hidden layer so narrow that some hundred rows of it fit: its products pack the weights again for each such block,
 * which wide weights would not make up for, and its way back leaves rows of zeros out.
 * Everything else by the steps of wasm_steps.ts: some rows at a time through weights that a library has packed once, elsewhere and
 * where rows are zeros one product after the other.
 *
 * @module
 */
import { output, type WasmBackend, type WasmCall, wasmKernels } from "../../wasm/module.ts";
import { type Place, type RowJob, type RowStep, runRows } from "../../wasm/rows.ts";
import type { MlpActivation } from "../attributes.ts";
import type { Info1D, Info2D } from "../info.ts";
import type { KernelResult } from "../interface.ts";
import { finishLinear, maskOf } from "../linear/wasm.ts";
import { type LayerSteps, layerSteps } from "../linear/wasm_steps.ts";
import { isDividedByLibrary } from "../matmul/wasm.ts";

const SLOPE = 0.2;

/** The widest hidden layer of which some hundred rows stay in the cache. */
const MOST_HIDDEN = 1024;
const LEAST_ROWS = 64;
/** A rough speed of one thread, which only decides on threads. */
const FLOP_PER_MS = 4e7;

interface Layers {
  rows: number;
  sizes: readonly [inSize: number, hidden: number, outSize: number];
  /** Whether mlp.c is used. */
  isChained: boolean;
}

function layersOf(
  backend: WasmBackend,
  { rows, weight1, weight2, activation }: {
    rows: number;
    weight1: Info2D;
    weight2: Info2D;
    activation: MlpActivation;
  },
): Layers {
  const [[hidden, inSize], outSize] = [weight1.shape, weight2.shape[0]];
  const isChained = activation === "gelu" && hidden <= MOST_HIDDEN && rows >= LEAST_ROWS &&
    !isDividedByLibrary(backend);
  return { rows, sizes: [inSize, hidden, outSize], isChained };
}

/** Runs a function of mlp.c. */
function runChained(
  backend: WasmBackend,
  { rows, sizes: [inSize, hidden, outSize] }: Layers,
  job: Pick<RowJob, "name" | "args" | "results">,
): void {
  runRows(backend, {
    ...job,
    rows,
    milliseconds: 2 * rows * hidden * (inSize + outSize) / FLOP_PER_MS,
    least: LEAST_ROWS,
    isEven: wasmKernels(backend).blas !== undefined,
    scratchBytes: wasmKernels(backend).run["mlp_scratch"]!(outSize, hidden),
  });
}

/** AceMlp, of GELU and leaky ReLU. */
export function mlp({ inputs, attrs, backend }: WasmCall<"AceMlp">): KernelResult<"AceMlp"> {
  const { x, weight1, weight2, bias1, bias2, addend } = inputs;
  const layers = layersOf(backend, { rows: x.shape[0], weight1, weight2, activation: attrs.activation });
  if (layers.isChained) {
    const y = output(backend, [layers.rows, layers.sizes[2]]);
    const kept = attrs.keep ? [output(backend, [layers.rows, layers.sizes[1]])] : [];
    const after = [bias2 ?? 0, ...maskOf(attrs), addend ?? 0];
    const args = [...layers.sizes, x, weight1, bias1 ?? 0, weight2, ...after, kept[0] ?? 0, y];
    runChained(backend, layers, { name: "mlp", args, results: [y, ...kept] });
    return [y, ...kept];
  }
  const steps = layerSteps(backend, [x], [[weight1, true], [weight2, true]]);
  const product = steps.multiply(x);
  const width = weight1.shape[0];
  let hidden = product;
  if (attrs.activation === "leaky-relu") {
    steps.finish({ name: "linear_leaky_relu", args: [width, bias1 ?? 0, SLOPE, product], results: [product] });
  } else {
    if (attrs.keep) hidden = output(backend, product.shape);
    const results = attrs.keep ? [product, hidden] : [product];
    steps.finish({ ...geluStep(width, bias1, product, hidden), results });
  }
  const y = finishLinear(steps, steps.multiply(hidden), { ...attrs, bias: bias2, addend });
  steps.run();
  if (attrs.keep && hidden === product) return [y, product];
  backend.disposeData(hidden.dataId);
  return attrs.keep ? [y, product] : [y];
}

/** `product += bias`, and its GELU, rows of such a width. */
export function geluStep(width: number, bias: Info1D | undefined, product: Place, hidden: Place): RowStep {
  return { name: "linear_gelu", args: [width, bias ?? 0, product, hidden] };
}

type GradInputs = WasmCall<"AceMlpGradX">["inputs"];

/** The gradient of what is between the layers, in the product's place. */
function gradHidden(
  steps: LayerSteps,
  { dy, kept }: Pick<GradInputs, "dy" | "kept">,
  activation: MlpActivation,
): Info2D {
  const product = steps.multiply(dy);
  const [name, args] = activation === "leaky-relu"
    ? ["leaky_relu_grad", [product, kept, SLOPE, product]] as const
    : ["gelu_grad", [product, kept, product]] as const;
  steps.finish({ name, args, perRow: product.shape[1], results: [product] });
  return product;
}

/** AceMlpGradHidden. */
export function mlpGradHidden({ inputs, attrs, backend }: WasmCall<"AceMlpGradHidden">): Info2D {
  const steps = layerSteps(backend, [inputs.dy], [[inputs.weight2, false]]);
  const grad = gradHidden(steps, inputs, attrs.activation);
  steps.run();
  return grad;
}

/** AceMlpGradX. */
export function mlpGradX({ inputs, attrs, backend }: WasmCall<"AceMlpGradX">): Info2D {
  const { dy, weight1, weight2, kept } = inputs;
  const layers = layersOf(backend, { rows: dy.shape[0], weight1, weight2, activation: attrs.activation });
  if (layers.isChained) {
    const dx = output(backend, [layers.rows, layers.sizes[0]]);
    const args = [...layers.sizes, dy, weight1, weight2, kept, dx];
    runChained(backend, layers, { name: "mlp_grad_x", args, results: [dx] });
    return dx;
  }
  const steps = layerSteps(backend, [dy], [[weight2, false], [weight1, false]]);
  const between = gradHidden(steps, inputs, attrs.activation);
  const dx = steps.multiply(between);
  steps.run();
  backend.disposeData(between.dataId);
  return dx;
}
