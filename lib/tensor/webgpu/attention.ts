/**
 * Multi-head attention without the `[heads, N, N]` tensor, and its gradient.
 *
 * Dispatches: forward 1. Gradient 3 (dQuery with the rows' sums, dKey, dValue), 2 for heads up to 32 wide, one more
 * with a mask on a device of only 8 storage buffers per program.
 *
 * @module
 */
import {
  attentionGradKeyProgram,
  attentionGradQueryProgram,
  attentionStatsProgram,
  type KeyGradients,
} from "./attention_backward.ts";
import { attentionProgram } from "./attention_forward.ts";
import type { AttentionShape } from "./attention_parts.ts";
import type { WebgpuBackend } from "./backend.ts";
import { emptyOutput, kernel, type KernelConfig, output, sizeOf, type TensorInfo } from "./kernel.ts";
import { runProgram } from "./run.ts";

/** Widest head whose dKey and dValue are computed by one program. */
const WIDEST_JOINT_HEAD = 32;

/** Attributes of AceAttention and AceAttentionGrad. */
export interface AttentionAttrs {
  /** Heads: consecutive slices of the columns. */
  heads: number;
  /** Factor of the scores. */
  scale: number;
  /** Whether query i sees keys 0..i only. */
  causal: boolean;
}

function shapeOf(inputs: Record<string, TensorInfo>, attrs: AttentionAttrs): AttentionShape {
  const [query, key, mask] = [inputs["query"]!, inputs["key"]!, inputs["keyMask"]];
  const [batch, queries, width] = query.shape as [number, number, number];
  if (query.shape.length !== 3 || key.shape.length !== 3 || width % attrs.heads !== 0) {
    throw new TypeError(
      `Cannot run attention as query and key must be [B, N, heads * D]: current value is [${query.shape}] and ` +
        `[${key.shape}] with ${attrs.heads} heads`,
    );
  }
  return {
    batch,
    queries,
    keys: key.shape[1]!,
    heads: attrs.heads,
    depth: width / attrs.heads,
    scale: attrs.scale,
    causal: attrs.causal,
    mask: !mask ? "none" : mask.dtype === "float32" ? "f32" : "i32",
  };
}

/** Gradient of attention; `storageBuffers` is how many a program may bind. */
export function attentionGrad(
  backend: WebgpuBackend,
  call: { inputs: Record<string, TensorInfo>; attrs: AttentionAttrs; storageBuffers: number },
): TensorInfo[] {
  const { inputs } = call;
  const [dy, query, key, value] = [inputs["dy"]!, inputs["query"]!, inputs["key"]!, inputs["value"]!];
  const [context, logSumExp] = [inputs["context"]!, inputs["logSumExp"]!];
  if (sizeOf(query.shape) === 0 || sizeOf(key.shape) === 0) {
    return [query, key, value].map((tensor) => emptyOutput(backend, tensor.shape));
  }
  const shape = shapeOf(inputs, call.attrs);
  const mask = inputs["keyMask"] ? [inputs["keyMask"]] : [];
  const [dQuery, dKey, dValue] = [query, key, value].map((tensor) => output(backend, tensor.shape)) as [
    TensorInfo,
    TensorInfo,
    TensorInfo,
  ];
  const stats = output(backend, [shape.batch, shape.heads, shape.queries, 2]);
  if (mask.length + 8 <= call.storageBuffers) {
    runProgram(backend, attentionGradQueryProgram(shape, "output"), {
      inputs: [dy, query, key, value, context, logSumExp, ...mask],
      outputs: [dQuery, stats],
    });
  } else {
    runProgram(backend, attentionStatsProgram(shape), { inputs: [dy, context, logSumExp], outputs: [stats] });
    runProgram(backend, attentionGradQueryProgram(shape, "input"), {
      inputs: [dy, query, key, value, stats, ...mask],
      outputs: [dQuery],
    });
  }
  const turns: KeyGradients[] = shape.depth <= WIDEST_JOINT_HEAD ? ["both"] : ["value", "key"];
  for (const which of turns) {
    runProgram(backend, attentionGradKeyProgram(shape, which), {
      inputs: [dy, query, key, ...(which === "value" ? [] : [value]), stats, ...mask],
      outputs: which === "both" ? [dKey, dValue] : which === "key" ? [dKey] : [dValue],
    });
  }
  backend.disposeData(stats.dataId);
  return [dQuery, dKey, dValue];
}

/** AceAttention: 1 dispatch. AceAttentionGrad: 3 (2 for heads up to 32 wide). */
export const attentionKernels: readonly KernelConfig[] = [
  kernel<AttentionAttrs>("AceAttention", ({ inputs, attrs, backend }) => {
    const [query, key, value] = [inputs["query"]!, inputs["key"]!, inputs["value"]!];
    const shape = shapeOf(inputs, attrs);
    const rows = [shape.batch, shape.heads, shape.queries];
    if (sizeOf(query.shape) === 0 || sizeOf(key.shape) === 0) {
      return [emptyOutput(backend, query.shape), emptyOutput(backend, rows)];
    }
    const outputs = [output(backend, query.shape), output(backend, rows)];
    const mask = inputs["keyMask"] ? [inputs["keyMask"]] : [];
    runProgram(backend, attentionProgram(shape), { inputs: [query, key, value, ...mask], outputs });
    return outputs;
  }),
  kernel<AttentionAttrs>(
    "AceAttentionGrad",
    ({ inputs, attrs, backend }) =>
      attentionGrad(backend, {
        inputs,
        attrs,
        storageBuffers: backend.device.limits.maxStorageBuffersPerShaderStage,
      }),
  ),
];
