/** Layer normalisation, plainly. @module */
import { type CpuCall, result, sizeOf, valuesOf } from "../../cpu/call.ts";
import type { TensorInfo } from "../info.ts";
import type { KernelResult } from "../interface.ts";

/** AceLayerNorm: `y = (x - mean) rstd gain + bias` per row; also mean and rstd `[rows]`. */
export function layerNorm(call: CpuCall<"AceLayerNorm">): KernelResult<"AceLayerNorm"> {
  const { inputs, attrs } = call;
  const [x, gain, bias] = [valuesOf(call, inputs.x), valuesOf(call, inputs.gain), valuesOf(call, inputs.bias)];
  const width = inputs.gain.shape[0]!;
  const rows = width ? sizeOf(inputs.x.shape) / width : 0;
  const y = new Float32Array(rows * width);
  const mean = new Float32Array(rows);
  const rstd = new Float32Array(rows);
  for (let i = 0; i < rows; i++) {
    let sum = 0;
    for (let j = 0; j < width; j++) sum += x[i * width + j]!;
    const mu = sum / width;
    let squares = 0;
    for (let j = 0; j < width; j++) squares += (x[i * width + j]! - mu) ** 2;
    const r = 1 / Math.sqrt(squares / width + attrs.epsilon);
    for (let j = 0; j < width; j++) y[i * width + j] = (x[i * width + j]! - mu) * r * gain[j]! + bias[j]!;
    mean[i] = mu;
    rstd[i] = r;
  }
  return [result(call, inputs.x.shape, y), result(call, [rows], mean), result(call, [rows], rstd)];
}

/** AceLayerNormGradX: `dx = rstd (g - mean(g) - n mean(g n))` with `g = dy gain`, n the normalised x. */
export function layerNormGradX(call: CpuCall<"AceLayerNormGradX">): TensorInfo {
  const { inputs } = call;
  const [dy, x, gain] = [valuesOf(call, inputs.dy), valuesOf(call, inputs.x), valuesOf(call, inputs.gain)];
  const [mean, rstd] = [valuesOf(call, inputs.mean), valuesOf(call, inputs.rstd)];
  const width = inputs.gain.shape[0]!;
  const dx = new Float32Array(sizeOf(inputs.x.shape));
  for (let i = 0; i < mean.length; i++) {
    let sum = 0;
    let dot = 0;
    for (let j = 0; j < width; j++) {
      const g = dy[i * width + j]! * gain[j]!;
      sum += g;
      dot += g * (x[i * width + j]! - mean[i]!) * rstd[i]!;
    }
    for (let j = 0; j < width; j++) {
      const n = (x[i * width + j]! - mean[i]!) * rstd[i]!;
      dx[i * width + j] = rstd[i]! * (dy[i * width + j]! * gain[j]! - sum / width - n * dot / width);
    }
  }
  return result(call, inputs.x.shape, dx);
}

/** AceLayerNormGradParams: `dGain = sum over rows of dy n`, `dBias = sum of dy`. */
export function layerNormGradParams(call: CpuCall<"AceLayerNormGradParams">): KernelResult<"AceLayerNormGradParams"> {
  const { inputs } = call;
  const [dy, x] = [valuesOf(call, inputs.dy), valuesOf(call, inputs.x)];
  const [mean, rstd] = [valuesOf(call, inputs.mean), valuesOf(call, inputs.rstd)];
  const width = inputs.x.shape.at(-1)!;
  const dGain = new Float64Array(width);
  const dBias = new Float64Array(width);
  for (let i = 0; i < mean.length; i++) {
    for (let j = 0; j < width; j++) {
      const index = i * width + j;
      dGain[j]! += dy[index]! * (x[index]! - mean[i]!) * rstd[i]!;
      dBias[j]! += dy[index]!;
    }
  }
  return [result(call, [width], Float32Array.from(dGain)), result(call, [width], Float32Array.from(dBias))];
}
