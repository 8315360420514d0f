/**
 * Messages of a few rows of each sample through a bottleneck, and their gradients: one dispatch each. One workgroup handles a
 * sample and adds up what its rows give the hidden layer before the second layer, which is linear.
 *
 * @module
 */
import { lanes, output, sizeOf, type WebgpuCall } from "../../webgpu/call.ts";
import { add4, rowMain, workgroupSum } from "../../webgpu/rows.ts";
import { type GpuProgram, runProgram } from "../../webgpu/run.ts";
import type { KernelResult } from "../interface.ts";
import { activationCode } from "../matmul/webgpu_activation.ts";
import { messagesGradParamsProgram } from "./webgpu_params.ts";

const THREADS = 256;
/** Behind the hidden layer's sums, the sum of the weights and three numbers that keep vectors whole. */
const WEIGHT_SUM = 4;

/** Of one call. */
export interface MessagesSizes {
  /** Samples. */
  batch: number;
  /** Rows of a sample. */
  rows: number;
  /** Columns of x. */
  width: number;
  /** Columns between the layers. */
  hidden: number;
  /** Columns of the results. */
  outSize: number;
}

/** Every thread's share of a loop over `size`, in WGSL. */
const each = (i: string, size: string | number, body: string): string =>
  `for (var ${i} = lane; ${i} < ${size}u; ${i} += ${THREADS}u) { ${body} }`;

/** Program: x, weights and biases in turn (, incoming) to the results and what the hidden layer gave. */
export function messagesProgram(sizes: MessagesSizes, isWeighed: boolean): GpuProgram {
  const { batch, rows, width, hidden, outSize } = sizes;
  const [wide, narrow] = [lanes(width), lanes(hidden)];
  return {
    key: `AceMessages,${rows},${width},${hidden},${outSize},${isWeighed}`,
    inputs: [
      ["x", wide.type],
      ["weight1", wide.type],
      ["bias1", "f32"],
      ["weight2", narrow.type],
      ["bias2", "f32"],
      ...(isWeighed ? [["incoming", "f32"]] as const : []),
    ],
    outputs: [["y", "f32"], ["between", "f32"]],
    uniforms: { rows: { u32: batch }, steps: { u32: rows * width / wide.width } },
    workgroups: batch,
    code: () => messagesCode(sizes, isWeighed),
  };
}

function messagesCode({ rows, width, hidden, outSize }: MessagesSizes, isWeighed: boolean): string {
  const [wide, narrow] = [lanes(width), lanes(hidden)];
  const weight = isWeighed ? `incoming[row * ${rows}u + i]` : "1.0";
  const [steps, hiddenSteps] = [width / wide.width, hidden / narrow.width];
  return `
${activationCode("leaky-relu")}
var<workgroup> mixed: array<${narrow.type}, ${hiddenSteps}>;
${
    rowMain(
      `  ${
        each(
          "at",
          rows * hidden,
          `let begin = start + (at / ${hidden}u) * ${steps}u;
    let unit = at % ${hidden}u;
    var sum = ${wide.type}(0.0);
    for (var c = 0u; c < ${steps}u; c++) { sum += x[begin + c] * weight1[unit * ${steps}u + c]; }
    between[row * ${rows * hidden}u + at] = activate(${add4(wide.width, "sum")} + bias1[unit]);`,
        )
      }
  storageBarrier();
  workgroupBarrier();
  var weights = 0.0;
  for (var i = 0u; i < ${rows}u; i++) { weights += ${weight}; }
  ${
        each(
          "unit",
          hidden,
          `var sum = 0.0;
    for (var i = 0u; i < ${rows}u; i++) { sum += ${weight} * between[(row * ${rows}u + i) * ${hidden}u + unit]; }
    ${narrow.width === 4 ? "mixed[unit / 4u][unit % 4u]" : "mixed[unit]"} = sum;`,
        )
      }
  workgroupBarrier();
  ${
        each(
          "column",
          outSize,
          `var sum = ${narrow.type}(0.0);
    for (var c = 0u; c < ${hiddenSteps}u; c++) { sum += mixed[c] * weight2[column * ${hiddenSteps}u + c]; }
    y[row * ${outSize}u + column] = ${add4(narrow.width, "sum")} + weights * bias2[column];`,
        )
      }`,
      { threads: THREADS },
    )
  }`;
}

/** Program: dy, what the hidden layer gave, incoming, the second layer to the gradients of the hidden layer and of incoming, and the sums. */
export function messagesGradProgram({ batch, rows, hidden, outSize }: MessagesSizes): GpuProgram {
  return {
    key: `AceMessagesGrad,${rows},${hidden},${outSize}`,
    inputs: [["dy", "f32"], ["hidden", "f32"], ["incoming", "f32"], ["weight2", "f32"], ["bias2", "f32"]],
    outputs: [["dHidden", "f32"], ["dIncoming", "f32"], ["between", "f32"]],
    uniforms: { rows: { u32: batch }, steps: { u32: rows * hidden } },
    workgroups: batch,
    code: () => `
${activationCode("linear", "leaky-relu")}
${workgroupSum("f32", THREADS)}
var<workgroup> back: array<f32, ${hidden}>;
${
      rowMain(
        `  var along = 0.0;
  ${each("column", outSize, `along += dy[row * ${outSize}u + column] * bias2[column];`)}
  let biased = groupSum(along, lane);
  var weights = 0.0;
  for (var i = 0u; i < ${rows}u; i++) { weights += incoming[row * ${rows}u + i]; }
  ${
          each(
            "unit",
            hidden,
            `var sum = 0.0;
    for (var column = 0u; column < ${outSize}u; column++) {
      sum += dy[row * ${outSize}u + column] * weight2[column * ${hidden}u + unit];
    }
    back[unit] = sum;
    var mean = 0.0;
    for (var i = 0u; i < ${rows}u; i++) {
      let weight = incoming[row * ${rows}u + i];
      let value = hidden[start + i * ${hidden}u + unit];
      mean += weight * value;
      dHidden[start + i * ${hidden}u + unit] = weight * sum * slope(value);
    }
    between[row * ${hidden + WEIGHT_SUM}u + unit] = mean;`,
          )
        }
  if (lane < ${WEIGHT_SUM}u) { between[row * ${hidden + WEIGHT_SUM}u + ${hidden}u + lane] = weights; }
  workgroupBarrier();
  ${
          each(
            "i",
            rows,
            `var sum = biased;
    for (var unit = 0u; unit < ${hidden}u; unit++) { sum += back[unit] * hidden[start + i * ${hidden}u + unit]; }
    dIncoming[row * ${rows}u + i] = sum;`,
          )
        }`,
        { threads: THREADS },
      )
    }`,
  };
}

/** AceMessages: 1 dispatch. */
export function messages({ inputs, backend }: WebgpuCall<"AceMessages">): KernelResult<"AceMessages"> {
  const { x, weight1, bias1, weight2, bias2, incoming } = inputs;
  const [batch, width, hidden, outSize] = [x.shape[0]!, x.shape.at(-1)!, weight1.shape[0]!, weight2.shape[0]!];
  const rows = sizeOf(x.shape) / (batch * width);
  const outputs: KernelResult<"AceMessages"> = [
    output(backend, [batch, outSize]),
    x.shape.length === 3 ? output(backend, [batch, rows, hidden]) : output(backend, [batch, hidden]),
  ];
  const size = { batch, rows, width, hidden, outSize };
  runProgram(backend, messagesProgram(size, incoming !== undefined), {
    inputs: [x, weight1, bias1, weight2, bias2, ...(incoming ? [incoming] : [])],
    outputs,
  });
  return outputs;
}

/** AceMessagesGrad: 1 dispatch. */
export function messagesGrad({ inputs, backend }: WebgpuCall<"AceMessagesGrad">): KernelResult<"AceMessagesGrad"> {
  const { dy, hidden: kept, incoming, weight2, bias2 } = inputs;
  const [batch, rows, hidden] = kept.shape;
  const outputs: KernelResult<"AceMessagesGrad"> = [
    output(backend, kept.shape),
    output(backend, incoming.shape),
    output(backend, [batch, hidden + WEIGHT_SUM]),
  ];
  const program = messagesGradProgram({ batch, rows, width: 0, hidden, outSize: dy.shape[1]! });
  runProgram(backend, program, { inputs: [dy, kept, incoming, weight2, bias2], outputs });
  return outputs;
}

/** AceMessagesGradParams: 1 dispatch for both layers. */
export function messagesGradParams(
  { inputs, backend }: WebgpuCall<"AceMessagesGradParams">,
): KernelResult<"AceMessagesGradParams"> {
  const { dy, between, dHidden, x } = inputs;
  const [batch, outSize] = dy.shape;
  const [width, hidden, stride] = [x.shape.at(-1)!, dHidden.shape.at(-1)!, between.shape.at(-1)!];
  const rows = sizeOf(dHidden.shape) / (batch * hidden);
  const outputs: KernelResult<"AceMessagesGradParams"> = [
    output(backend, [hidden, width]),
    output(backend, [hidden]),
    output(backend, [outSize, hidden]),
    output(backend, [outSize]),
  ];
  const program = messagesGradParamsProgram({
    first: { terms: batch * rows, m: hidden, n: width, stride: width },
    second: { terms: batch, m: outSize, n: hidden, stride },
  });
  runProgram(backend, program, { inputs: [dHidden, x, dy, between], outputs });
  return outputs;
}
