/** AceBiasedAttention by biased_attention.c. @module */
import { output, type WasmCall, wasmKernels } from "../../wasm/module.ts";
import { runRows } from "../../wasm/rows.ts";
import type { Info3D } from "../info.ts";

// Rough speeds of one thread, which only decide on threads.
const FLOP_PER_MS = 2e7;
const SCORES_PER_MS = 3e5;

/** AceBiasedAttention. */
export function biasedAttention({ inputs, backend }: WasmCall<"AceBiasedAttention">): Info3D {
  const { query, key, value, bias } = inputs;
  const [batch, n, width] = query.shape;
  const [groups, heads] = bias.shape;
  const context = output(backend, query.shape);
  runRows(backend, {
    name: "biased_attention",
    args: [n, width, heads, 1 / Math.sqrt(width / heads), groups, query, key, value, bias, context],
    results: [context],
    rows: batch * heads,
    grain: batch >= 8 ? heads : 1, // as in attention: a sample's heads write to the same cache lines
    milliseconds: batch * n * n * (4 * width / FLOP_PER_MS + heads / SCORES_PER_MS),
    scratchBytes: wasmKernels(backend).run["attention_scratch"]!(n * (n + 4)),
  });
  return context;
}
