/** One query's attention, averaged over heads, and its gradients: one dispatch each, in which one workgroup handles a sample. @module */
import { lanes, output, type WebgpuCall } from "../../webgpu/call.ts";
import { EXPONENTIALS } from "../../webgpu/exponentials.ts";
import { add4, rowMain, workgroupSum } from "../../webgpu/rows.ts";
import { type GpuProgram, runProgram } from "../../webgpu/run.ts";
import type { AffinityAttributes } from "../attributes.ts";
import type { Info3D } from "../info.ts";
import type { KernelResult } from "../interface.ts";

const THREADS = 256;

interface Sizes extends AffinityAttributes {
  /** Samples. */
  batch: number;
  /** Rows of the query, of which the first is read. */
  rows: number;
  /** Keys of a sample. */
  keys: number;
  /** Columns. */
  width: number;
}

function sizesOf(attrs: AffinityAttributes, query: Info3D, key: Info3D): Sizes {
  const [batch, rows, width] = query.shape;
  return { ...attrs, batch, rows, width, keys: key.shape[1] };
}

function uniforms({ batch, rows, keys, width, heads, scale, from }: Sizes): GpuProgram["uniforms"] {
  const steps = width / lanes(width / heads).width;
  return {
    rows: { u32: batch },
    queries: { u32: rows * steps },
    steps: { u32: steps },
    perHead: { u32: steps / heads },
    keys: { u32: keys },
    skip: { u32: from },
    scale: { f32: scale },
  };
}

/** Every thread's share of a loop over `size`, in WGSL. */
const each = (i: string, size: string, body: string): string =>
  `for (var ${i} = lane; ${i} < ${size}; ${i} += ${THREADS}u) { ${body} }`;

/** `groupMax(value, lane)` in WGSL: a maximum over the workgroup. */
const GROUP_MAX = `
fn groupMax(value: f32, lane: u32) -> f32 {
  workgroupBarrier();
  partial[lane] = value;
  workgroupBarrier();
  for (var half = ${THREADS / 2}u; half >= 1u; half = half / 2u) {
    if (lane < half) { partial[lane] = max(partial[lane], partial[lane + half]); }
    workgroupBarrier();
  }
  return partial[0];
}`;

/** A softmax over each head's scores, and the means of the heads. */
const softmaxCode = ({ heads }: Sizes): string => `
  storageBarrier();
  for (var head = 0u; head < ${heads}u; head++) {
    let at = start + head * params.keys;
    var top = probabilities[at];
    ${each("n", "params.keys", "top = max(top, probabilities[at + n]);")}
    let highest = groupMax(top, lane);
    var sum = 0.0;
    ${each("n", "params.keys", "let e = expOf(probabilities[at + n] - highest); sum += e; probabilities[at + n] = e;")}
    let total = groupSum(sum, lane);
    ${each("n", "params.keys", "probabilities[at + n] = probabilities[at + n] / total;")}
  }
  ${
  each(
    "n",
    "params.keys",
    `var mean = 0.0;
    for (var head = 0u; head < ${heads}u; head++) { mean += probabilities[start + head * params.keys + n]; }
    if (n >= params.skip) { affinity[outStart + n - params.skip] = mean / ${heads}.0; }`,
  )
}`;

function forwardProgram(size: Sizes, hasMask: boolean): GpuProgram {
  const { batch, width, heads, isSoftmax } = size;
  const { type, width: four } = lanes(width / heads);
  const masked = hasMask ? " + (keyMask[row * params.keys + n] - 1.0) * 1e9" : "";
  const store = isSoftmax
    ? "probabilities[start + i] = score;"
    : "if (n >= params.skip) { affinity[outStart + n - params.skip] = score; }";
  return {
    key: `AceAffinity,${heads},${four},${isSoftmax},${hasMask}`,
    inputs: [["query", type], ["key", type], ...(hasMask ? [["keyMask", "f32"]] as const : [])],
    outputs: [["affinity", "f32"], ...(isSoftmax ? [["probabilities", "f32"]] as const : [])],
    uniforms: uniforms(size),
    workgroups: batch,
    code: () =>
      (isSoftmax ? EXPONENTIALS + workgroupSum("f32", THREADS) + GROUP_MAX : "") + rowMain(
        `let first = row * params.queries;
  let keyStart = row * params.keys * params.steps;
  let outStart = row * (params.keys - params.skip);
  ${
          each(
            "i",
            `${heads}u * params.keys`,
            `let n = i % params.keys;
    let begin = (i / params.keys) * params.perHead;
    var sum = ${type}(0.0);
    for (var c = begin; c < begin + params.perHead; c++) {
      sum += query[first + c] * key[keyStart + n * params.steps + c];
    }
    let score = ${add4(four, "sum")} * params.scale${masked};
    ${store}`,
          )
        }${isSoftmax ? softmaxCode(size) : ""}`,
        { stride: `keys * ${heads}u`, threads: THREADS },
      ),
  };
}

function gradProgram(size: Sizes): GpuProgram {
  const { batch, width, heads, isSoftmax } = size;
  const { type, width: four } = lanes(width / heads);
  const slope = isSoftmax
    ? "probabilities[start + head * params.keys + n] * (given(row, n) - totals[head])"
    : "given(row, n)";
  const totals = `
  for (var head = 0u; head < ${heads}u; head++) {
    var sum = 0.0;
    ${each("n", "params.keys", "sum += probabilities[start + head * params.keys + n] * given(row, n);")}
    let total = groupSum(sum, lane);
    if (lane == 0u) { totals[head] = total; }
  }
  workgroupBarrier();`;
  return {
    key: `AceAffinityGrad,${heads},${four},${isSoftmax}`,
    inputs: [
      ["dy", "f32"],
      ["query", type],
      ["key", type],
      ...(isSoftmax ? [["probabilities", "f32"]] as const : []),
    ],
    outputs: [["dQuery", type], ["dKey", type]],
    uniforms: uniforms(size),
    workgroups: batch,
    code: () => `
fn given(row: u32, n: u32) -> f32 {
  if (n < params.skip) { return 0.0; }
  return dy[row * (params.keys - params.skip) + n - params.skip]${isSoftmax ? ` / ${heads}.0` : ""};
}
${isSoftmax ? `var<workgroup> totals: array<f32, ${heads}>;${workgroupSum("f32", THREADS)}` : ""}
${
      rowMain(
        `let first = row * params.queries;
  let keyStart = row * params.keys * params.steps;${isSoftmax ? totals : ""}
  ${
          each(
            "i",
            "params.keys * params.steps",
            `let n = i / params.steps;
    let c = i % params.steps;
    let head = c / params.perHead;
    dKey[keyStart + i] = ${slope} * params.scale * query[first + c];`,
          )
        }
  ${
          each(
            "i",
            "params.queries",
            `var sum = ${type}(0.0);
    if (i < params.steps) {
      let head = i / params.perHead;
      for (var n = 0u; n < params.keys; n++) {
        sum += ${slope} * key[keyStart + n * params.steps + i];
      }
    }
    dQuery[first + i] = sum * params.scale;`,
          )
        }`,
        { stride: `keys * ${heads}u`, threads: THREADS },
      )
    }`,
  };
}

/** AceAffinity: 1 dispatch. */
export function affinity({ inputs, attrs, backend }: WebgpuCall<"AceAffinity">): KernelResult<"AceAffinity"> {
  const { query, key, keyMask } = inputs;
  const size = sizesOf(attrs, query, key);
  const { batch, keys, heads, from, isSoftmax } = size;
  const outputs: KernelResult<"AceAffinity"> = [
    output(backend, [batch, keys - from]),
    output(backend, [batch, isSoftmax ? heads : 0, keys]),
  ];
  const tensors = [query, key, ...(keyMask ? [keyMask] : [])];
  const program = forwardProgram(size, keyMask !== undefined);
  runProgram(backend, program, { inputs: tensors, outputs: outputs.slice(0, program.outputs.length) });
  return outputs;
}

/** AceAffinityGrad: 1 dispatch. */
export function affinityGrad(
  { inputs, attrs, backend }: WebgpuCall<"AceAffinityGrad">,
): KernelResult<"AceAffinityGrad"> {
  const { dy, query, key, probabilities } = inputs;
  const outputs: KernelResult<"AceAffinityGrad"> = [output(backend, query.shape), output(backend, key.shape)];
  const tensors = [dy, query, key, ...(attrs.isSoftmax ? [probabilities] : [])];
  runProgram(backend, gradProgram(sizesOf(attrs, query, key)), { inputs: tensors, outputs });
  return outputs;
}
