/**
 * Where the time of a step goes: kernels and their shapes by total time, on the wasm backend; then the C functions beside their
 * bounds.
 *
 * `deno run --allow-read --allow-env [--allow-ffi] bench/profile.ts [mini|full] [batch] [step|image|text] [microBatch]`
 *
 * Times are of the kernel functions; what remains of the step is tfjs's own bookkeeping (tape, scopes, shapes).
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { selectBackend } from "../lib/tensor/backend.ts";
import { type KernelTime, measureRates, recordFunctions } from "./kernels.ts";
import { PACKED_RUNS } from "./measure.ts";
import { allowedLibrary, makeWork } from "./work.ts";

interface Entry {
  milliseconds: number;
  calls: number;
}

/** Wraps every kernel of the current backend so that its time is added up by name and shapes. */
function recordKernels(totals: Map<string, Entry>): void {
  const backend = tf.getBackend();
  let depth = 0;
  for (const kernel of tf.getKernelsForBackend(backend)) {
    const { kernelName, kernelFunc } = kernel;
    const timed: tf.KernelFunc = (call) => {
      const start = performance.now();
      depth++;
      const out = kernelFunc(call);
      depth--;
      if (depth > 0) return out; // part of another kernel
      const shapes = Object.values(call.inputs).filter((t) => t).map((t) => `[${(t as tf.TensorInfo).shape}]`).join(
        " ",
      );
      const key = `${kernelName} ${shapes}`;
      const entry = totals.get(key) ?? { milliseconds: 0, calls: 0 };
      totals.set(key, { milliseconds: entry.milliseconds + performance.now() - start, calls: entry.calls + 1 });
      return out;
    };
    tf.unregisterKernel(kernelName, backend);
    tf.registerKernel({ ...kernel, kernelFunc: timed });
  }
}

const [size = "mini", batch = size === "mini" ? "64" : "2", what = "step", micro] = Deno.args;
const { adapter } = await selectBackend({ backend: "wasm", wasm: allowedLibrary() });
const work = await makeWork({
  size: size as "mini" | "full",
  batch: Number(batch),
  ...(micro ? { microBatch: Number(micro) } : {}),
});
const run = { step: work.step, image: work.encodeImages, text: work.encodeTexts }[what as "step" | "image" | "text"];
for (let i = 0; i < PACKED_RUNS; i++) await run();
const plainStart = performance.now();
await run();
const plain = performance.now() - plainStart;
const rates = measureRates();
const functions = recordFunctions(rates);
const totals = new Map<string, Entry>();
recordKernels(totals);
await run();
totals.clear();
functions.clear();
const REPS = size === "mini" ? 5 : 1;
const start = performance.now();
for (let i = 0; i < REPS; i++) await run();
const total = (performance.now() - start) / REPS;
const row = (name: string, { milliseconds, calls }: Entry): string =>
  `${(milliseconds / REPS).toFixed(2).padStart(9)} ms ${String(calls / REPS).padStart(6)}x  ${name}`;
const byName = new Map<string, Entry>();
for (const [key, { milliseconds, calls }] of totals) {
  const name = key.split(" ")[0]!;
  const entry = byName.get(name) ?? { milliseconds: 0, calls: 0 };
  byName.set(name, { milliseconds: entry.milliseconds + milliseconds, calls: entry.calls + calls });
}
const sorted = (m: Map<string, Entry>): [string, Entry][] =>
  [...m].sort((a, b) => b[1].milliseconds - a[1].milliseconds);
const inKernels = [...totals.values()].reduce((sum, { milliseconds }) => sum + milliseconds, 0) / REPS;
console.log(adapter);
console.log(`${size}, batch ${batch}, ${what}: ${plain.toFixed(1)} ms plain, ${total.toFixed(1)} ms measured`);
console.log(`${inKernels.toFixed(1)} ms in kernels, the rest is tfjs's bookkeeping\n\nby kernel`);
for (const [name, entry] of sorted(byName).slice(0, 25)) console.log(row(name, entry));
console.log("\nby kernel and shapes");
for (const [name, entry] of sorted(totals).slice(0, 40)) console.log(row(name, entry));

/** A function's milliseconds of a run, its bound and the ratio of the two. */
function besideBound(name: string, { milliseconds, waited, calls, bound }: KernelTime): string {
  const columns = [milliseconds / REPS, bound / REPS, milliseconds / bound, waited / REPS, calls / REPS];
  return columns.map((value, i) => (i < 4 ? value.toFixed(2) : String(value)).padStart(9)).join("") + `  ${name}`;
}
const byFunction = [...functions].sort(([, a], [, b]) => b.milliseconds - a.milliseconds);
const all = byFunction.reduce(
  (sum, [, { milliseconds, waited, calls, bound }]) => ({
    milliseconds: sum.milliseconds + milliseconds,
    waited: sum.waited + waited,
    calls: sum.calls + calls,
    bound: sum.bound + (bound || 0),
  }),
  { milliseconds: 0, waited: 0, calls: 0, bound: 0 },
);
const giga = (perMs: number): string => (perMs / 1e6).toFixed(0);
console.log(
  `\nC functions; bounds by ${giga(rates.flop)} GFLOP/s in products, ${
    giga(rates.lanes)
  } G floats/s of other arithmetic, ` +
    `${giga(4 * rates.floats)} GB/s\n\n       ms    bound    ratio   waited    calls`,
);
for (const [name, entry] of [...byFunction.slice(0, 30), ["all", all] as const]) console.log(besideBound(name, entry));
