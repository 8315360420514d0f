/**
 * Multi-head attention without the `[heads, N, N]` tensor, and its gradient.
 *
 * Dispatches: forward 1. Gradient 2 (dQuery with the rows' sums, dKey and dValue), one more with a mask on a device of only 8
 * storage buffers per program.
 *
 * @module
 */
import { output, sizeOf, type WebgpuCall, zeros } from "../../webgpu/call.ts";
import { runProgram } from "../../webgpu/run.ts";
import type { Info3D } from "../info.ts";
import type { KernelResult } from "../interface.ts";
import { attentionGradKeyProgram, attentionGradQueryProgram, attentionStatsProgram } from "./webgpu_backward.ts";
import { attentionProgram } from "./webgpu_forward.ts";
import type { AttentionShape } from "./webgpu_parts.ts";

function shapeOf(call: WebgpuCall<"AceAttention"> | WebgpuCall<"AceAttentionGrad">): AttentionShape {
  const { inputs: { query, key, keyMask }, attrs } = call;
  const [batch, queries, width] = query.shape;
  if (width % attrs.heads !== 0) {
    throw new TypeError(
      `Cannot run attention as query and key must be [B, N, heads * D]: current value is [${query.shape}] and ` +
        `[${key.shape}] with ${attrs.heads} heads`,
    );
  }
  return {
    batch,
    queries,
    keys: key.shape[1],
    heads: attrs.heads,
    depth: width / attrs.heads,
    scale: attrs.scale,
    causal: attrs.causal,
    mask: !keyMask ? "none" : keyMask.dtype === "float32" ? "f32" : "i32",
  };
}

/** AceAttention: 1 dispatch. */
export function attention(call: WebgpuCall<"AceAttention">): KernelResult<"AceAttention"> {
  const { inputs: { query, key, value, keyMask }, backend } = call;
  const shape = shapeOf(call);
  const rows: Info3D["shape"] = [shape.batch, shape.heads, shape.queries];
  if (sizeOf(query.shape) === 0 || sizeOf(key.shape) === 0) {
    return [zeros(backend, query.shape), zeros(backend, rows)];
  }
  const outputs: KernelResult<"AceAttention"> = [output(backend, query.shape), output(backend, rows)];
  const inputs = [query, key, value, ...(keyMask ? [keyMask] : [])];
  runProgram(backend, attentionProgram(shape), { inputs, outputs });
  return outputs;
}

/** AceAttentionGrad: 2 dispatches, one more with a mask on a device of 8 storage buffers. */
export function attentionGrad(call: WebgpuCall<"AceAttentionGrad">): KernelResult<"AceAttentionGrad"> {
  return attentionGradWithin(call, call.backend.device.limits.maxStorageBuffersPerShaderStage);
}

/** The gradient by programs of at most `storageBuffers` buffers each. */
export function attentionGradWithin(
  call: WebgpuCall<"AceAttentionGrad">,
  storageBuffers: number,
): KernelResult<"AceAttentionGrad"> {
  const { inputs: { dy, query, key, value, context, logSumExp, keyMask }, backend } = call;
  if (sizeOf(query.shape) === 0 || sizeOf(key.shape) === 0) {
    return [zeros(backend, query.shape), zeros(backend, key.shape), zeros(backend, value.shape)];
  }
  const shape = shapeOf(call);
  const mask = keyMask ? [keyMask] : [];
  const like = (tensor: Info3D): Info3D => output(backend, tensor.shape);
  const [dQuery, dKey, dValue] = [like(query), like(key), like(value)];
  const stats = output(backend, [shape.batch, shape.heads, shape.queries, 2]);
  if (mask.length + 8 <= storageBuffers) {
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
  runProgram(backend, attentionGradKeyProgram(shape), {
    inputs: [dy, query, key, value, stats, ...mask],
    outputs: [dKey, dValue],
  });
  backend.disposeData(stats.dataId);
  return [dQuery, dKey, dValue];
}
