/** AceAttention by attention.c and its gradient by attention_grad.c. @module */
import { addressOf, allocate, output, type WasmBackend, type WasmCall, wasmKernels } from "../../wasm/module.ts";
import { type Place, type RowStep, runRows } from "../../wasm/rows.ts";
import type { AttentionAttributes } from "../attributes.ts";
import type { Info2D, Info3D } from "../info.ts";
import type { KernelResult } from "../interface.ts";

/** The probabilities of so many floats at most are computed before they are used: half a megabyte stays in L2. */
const BLOCK_FLOATS = 131072;

// Rough speeds of one thread, which only decide on threads.
const FLOP_PER_MS = 3e7;
const SCORES_PER_MS = 4e5;

/** Calls `run` with the address of the key mask as words of all or no bits; 0: no mask. */
export function withMask(backend: WasmBackend, keyMask: Info2D | undefined, run: (mask: number) => void): void {
  if (!keyMask) return run(0);
  const length = keyMask.shape[0] * keyMask.shape[1];
  // Whole vectors are read of it, the last beyond its end.
  const mask = allocate(backend, 4 * (length + 3));
  const buffer: ArrayBufferLike = backend.wasm.asm.memory.buffer;
  const address = addressOf(backend, keyMask);
  const values = keyMask.dtype === "bool"
    ? new Uint8Array(buffer, address, length)
    : keyMask.dtype === "int32"
    ? new Int32Array(buffer, address, length)
    : new Float32Array(buffer, address, length);
  const words = new Int32Array(buffer, mask, length);
  for (let i = 0; i < length; i++) words[i] = values[i] ? -1 : 0;
  run(mask);
  backend.wasm._free(mask);
}

/** What both directions share: sizes as arguments, and how the heads are divided among threads. */
function setUp(
  query: Pick<Info3D, "shape">,
  key: Pick<Info3D, "shape">,
  { heads, scale, causal }: AttentionAttributes,
) {
  const [batch, m, width] = query.shape;
  const n = key.shape[1];
  const rows = batch * heads;
  // Whole samples, where there are enough: the heads of one sample write to the same cache lines.
  const grain = batch >= 8 ? heads : 1;
  const milliseconds = (products: number): number =>
    batch * m * n * (2 * products * width / FLOP_PER_MS + heads / SCORES_PER_MS);
  const line = Math.ceil(n / 4) * 4; // scores stand in rows of whole vectors
  return { sizes: [m, n, width, heads, scale, Number(causal)], m, n, line, rows, grain, milliseconds };
}

/** The C function of AceAttention, whose rows are heads. */
export interface AttentionStep {
  /** From addresses of query, key and value to those of context and logSumExp; `mask` is that of {@linkcode withMask}. */
  step(operands: readonly Place[], mask: number, results: readonly Place[]): RowStep;
  /** Scratch that it needs. */
  scratchBytes: number;
}

/** Makes it for tensors of such shapes. */
export function attentionStep(
  backend: WasmBackend,
  query: Pick<Info3D, "shape">,
  key: Pick<Info3D, "shape">,
  attrs: AttentionAttributes,
): AttentionStep {
  const { sizes, m, n, line } = setUp(query, key, attrs);
  const block = Math.min(m, Math.max(8, Math.floor(BLOCK_FLOATS / n)));
  return {
    step: (operands, mask, results) => ({
      name: "attention",
      args: [...sizes, ...operands, mask, ...results, block],
    }),
    scratchBytes: wasmKernels(backend).run["attention_scratch"]!(block * (line + 1) + line),
  };
}

/** AceAttention: context `[B, M, W]` and logSumExp `[B, heads, M]`. */
export function attention(call: WasmCall<"AceAttention">): KernelResult<"AceAttention"> {
  const { inputs: { query, key, value, keyMask }, backend, attrs } = call;
  const { m, rows, grain, milliseconds } = setUp(query, key, attrs);
  const { step, scratchBytes } = attentionStep(backend, query, key, attrs);
  const results: KernelResult<"AceAttention"> = [
    output(backend, query.shape),
    output(backend, [query.shape[0], attrs.heads, m]),
  ];
  withMask(backend, keyMask, (mask) => {
    const job = step([query, key, value], mask, results);
    runRows(backend, { ...job, results, rows, grain, milliseconds: milliseconds(2), scratchBytes });
  });
  return results;
}

/** AceAttentionGrad: `[dQuery, dKey, dValue]`. */
export function attentionGrad(call: WasmCall<"AceAttentionGrad">): KernelResult<"AceAttentionGrad"> {
  const { inputs: { dy, query, key, value, context, logSumExp, keyMask }, backend, attrs } = call;
  const { sizes, m, n, rows, grain, milliseconds } = setUp(query, key, attrs);
  const results: KernelResult<"AceAttentionGrad"> = [
    output(backend, query.shape),
    output(backend, key.shape),
    output(backend, value.shape),
  ];
  const scratchBytes = wasmKernels(backend).run["attention_grad_scratch"]!(m, n, query.shape[2] / attrs.heads);
  withMask(backend, keyMask, (mask) => {
    const args = [...sizes, dy, query, key, value, context, logSumExp, mask, ...results];
    runRows(backend, {
      name: "attention_grad",
      args,
      results,
      rows,
      grain,
      milliseconds: milliseconds(5),
      scratchBytes,
    });
  });
  return results;
}
