/** AceAttention and its gradient for the wasm backend. @module */
import { addressOf, type KernelCall, output, type WasmBackend, wasmKernels, type WasmTensor } from "./module.ts";

interface AttentionAttributes {
  heads: number;
  scale: number;
  causal: boolean;
}

/** The probabilities of so many floats at most are computed before they are used: half a megabyte stays in L2. */
const BLOCK_FLOATS = 131072;

/** Addresses in one block of scratch: matmul's own, the key mask as words of all or no bits (0: no mask), the rest. */
function scratchFor(backend: WasmBackend, floats: number, keyMask?: WasmTensor) {
  const { run, scratch } = wasmKernels(backend);
  const gemm = run.gemm_scratch!();
  const maskLength = keyMask ? keyMask.shape[0]! * keyMask.shape[1]! : 0;
  const base = scratch(gemm + 4 * (maskLength + floats));
  if (keyMask) {
    const { buffer } = backend.wasm.asm.memory;
    const Values = { bool: Uint8Array, int32: Int32Array, float32: Float32Array }[keyMask.dtype] ?? Float32Array;
    const values = new Values(buffer, addressOf(backend, keyMask), maskLength);
    const words = new Int32Array(buffer, base + gemm, maskLength);
    for (let i = 0; i < maskLength; i++) words[i] = values[i] ? -1 : 0;
  }
  return { run, gemm: base, mask: keyMask ? base + gemm : 0, rest: base + gemm + 4 * maskLength };
}

/** AceAttention: context `[B, M, W]` and logSumExp `[B, heads, M]`. */
export function attention(
  call: KernelCall<"query" | "key" | "value" | "keyMask", AttentionAttributes>,
): WasmTensor[] {
  const { inputs: { query, key, value, keyMask }, backend, attrs: { heads, scale, causal } } = call;
  const [batch, m, width] = query.shape as [number, number, number];
  const n = key.shape[1]!;
  const out = [output(backend, [batch, m, width]), output(backend, [batch, heads, m])];
  const block = Math.min(m, Math.max(8, Math.floor(BLOCK_FLOATS / n)));
  const { run, gemm, mask, rest } = scratchFor(backend, block * n, keyMask as WasmTensor | undefined);
  const inputs = [query, key, value].map((t) => addressOf(backend, t));
  const outputs = out.map((t) => addressOf(backend, t));
  run.attention!(batch, m, n, width, heads, scale, Number(causal), ...inputs, mask, ...outputs, block, rest, gemm);
  return out;
}

/** AceAttentionGrad: `[dQuery, dKey, dValue]`. */
export function attentionGrad(
  call: KernelCall<"dy" | "query" | "key" | "value" | "context" | "logSumExp" | "keyMask", AttentionAttributes>,
): WasmTensor[] {
  const { inputs, backend, attrs: { heads, scale, causal } } = call;
  const { dy, query, key, value, context, logSumExp } = inputs;
  const [batch, m, width] = query.shape as [number, number, number];
  const n = key.shape[1]!;
  const out = [query, key, value].map((t) => output(backend, t.shape));
  const { run, gemm, mask, rest } = scratchFor(backend, 2 * m * n, inputs.keyMask as WasmTensor | undefined);
  const addresses = [dy, query, key, value, context, logSumExp].map((t) => addressOf(backend, t));
  const outputs = out.map((t) => addressOf(backend, t));
  const work = [rest, rest + 4 * m * n, gemm];
  run.attention_grad!(batch, m, n, width, heads, scale, Number(causal), ...addresses, mask, ...outputs, ...work);
  return out;
}
