/**
 * Matrix products on the wasm backend: ours against tfjs's own kernel, in each transpose form, and against the peak of
 * the processor's SIMD unit as a wasm program can reach it.
 *
 * `deno bench --allow-read bench/matmul_bench.ts`; a table of GFLOP/s is printed first.
 */
import * as tf from "@tensorflow/tfjs";
import { initWasm } from "../lib/tensor/wasm/init.ts";
import { compileModules, instantiate, wasmKernels } from "../lib/tensor/wasm/module.ts";

// tfjs's kernels, kept before ours take their place.
await import("@tensorflow/tfjs-backend-wasm");
const tfjsMatMul = tf.getKernel("BatchMatMul", "wasm");
await initWasm({ threads: 1, blas: "off" }); // a library that is named would need a permission
await tf.setBackend("wasm");
const ourMatMul = tf.getKernel("BatchMatMul", "wasm");

/** [name, batch, M, K, N] */
const SHAPES: readonly [string, number, number, number, number][] = [
  ["MLP up, 512 tokens", 1, 512, 768, 3072],
  ["MLP down, 512 tokens", 1, 512, 3072, 768],
  ["projection, 512 tokens", 1, 512, 768, 768],
  ["projection, one image", 1, 197, 768, 768],
  ["LoRA down", 1, 3200, 768, 4],
  ["LoRA up", 1, 3200, 4, 768],
  ["LoRA gradient", 1, 768, 3200, 4],
  ["scores, mini model", 256, 50, 16, 50],
  ["values, mini model", 256, 50, 50, 16],
  ["scores, ViT-B", 12, 197, 64, 197],
];
const FORMS: readonly [boolean, boolean][] = [[false, false], [false, true], [true, false], [true, true]];

function use(kernel: tf.KernelConfig): void {
  tf.unregisterKernel("BatchMatMul", "wasm");
  tf.registerKernel(kernel);
  kernel.setupFunc?.(tf.backend());
}

function operands([, batch, m, k, n]: (typeof SHAPES)[number], ta: boolean, tb: boolean): [tf.Tensor, tf.Tensor] {
  return [
    tf.randomUniform(ta ? [batch, k, m] : [batch, m, k], -1, 1, "float32", 1),
    tf.randomUniform(tb ? [batch, n, k] : [batch, k, n], -1, 1, "float32", 2),
  ];
}

/** The best of several runs, in milliseconds: other work on the machine can only add to it. */
function best(run: () => void, reps: number): number {
  let least = Infinity;
  for (let i = 0; i < reps; i++) {
    const start = performance.now();
    run();
    least = Math.min(least, performance.now() - start);
  }
  return least;
}

/** Twelve chains of multiply-add, 8 operations each per step. */
function peak(relaxed: boolean): number {
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 65536 });
  const exports = instantiate(compileModules({ relaxed }), memory);
  const run = exports["peak"] as (iterations: number, x: number) => number;
  for (let i = 0; i < 100; i++) run(1000, 0.9);
  return 1e6 * 12 * 8 / best(() => run(1e6, 0.9), 10) / 1e6;
}

const { relaxed } = wasmKernels(tf.backend() as never).modules;
const ceiling = peak(relaxed);
const times = relaxed ? `${ceiling.toFixed(1)} (relaxed), ${peak(false).toFixed(1)} (plain)` : ceiling.toFixed(1);
console.log(`SIMD peak, GFLOP/s, one thread: ${times}`);
console.log("GFLOP/s, best run; forms A B | A B' | A' B | A' B'; tfjs's own in brackets; share of the peak at the end");
for (const shape of SHAPES) {
  const [name, batch, m, k, n] = shape;
  const flop = 2 * batch * m * k * n;
  const reps = Math.max(4, Math.min(40, Math.round(4e8 / flop)));
  let share = Infinity;
  const cells = FORMS.map(([ta, tb]) => {
    const [a, b] = operands(shape, ta, tb);
    const [ours, theirs] = [ourMatMul, tfjsMatMul].map((kernel, i) => {
      use(kernel);
      return flop / best(() => tf.matMul(a, b, ta, tb).dispose(), i ? Math.min(reps, 3) : reps + 3) / 1e6;
    }) as [number, number];
    tf.dispose([a, b]);
    share = Math.min(share, ours / ceiling);
    return `${ours.toFixed(1).padStart(6)} (${theirs.toFixed(1).padStart(4)})`;
  });
  console.log(
    `${name.padEnd(24)} ${`${batch} x ${m}x${k}x${n}`.padEnd(18)} ${cells.join(" ")}  >= ${(share * 100).toFixed(0)} %`,
  );
}

const threads = navigator.hardwareConcurrency;
if (threads > 1) {
  await initWasm({ threads });
  console.log(`\nGFLOP/s with ${threads} threads, A B', best and median run`);
  use(ourMatMul);
  for (const shape of SHAPES.slice(0, 4)) {
    const [name, batch, m, k, n] = shape;
    const [a, b] = operands(shape, false, true);
    const times = Array.from({ length: 20 }, () => best(() => tf.matMul(a, b, false, true).dispose(), 1));
    times.sort((x, y) => x - y);
    const speed = (ms: number): string => (2 * batch * m * n * k / ms / 1e6).toFixed(1);
    console.log(`${name.padEnd(24)} ${speed(times[0]!)} ${speed(times[10]!)}`);
    tf.dispose([a, b]);
  }
  await initWasm({ threads: 1 });
}

for (const shape of SHAPES.slice(2, 6)) {
  for (const [ta, tb] of FORMS.slice(0, 3)) {
    const group = `${shape[0]} ${shape.slice(1).join("x")} ${ta ? "A'" : "A"} ${tb ? "B'" : "B"}`;
    for (const [name, kernel] of [["ours", ourMatMul], ["tfjs", tfjsMatMul]] as const) {
      Deno.bench(name, { group, baseline: name === "ours", n: 5 }, async (b) => {
        use(kernel);
        const [x, y] = operands(shape, ta, tb);
        b.start();
        const z = tf.matMul(x, y, ta, tb);
        b.end();
        await z.data();
        tf.dispose([x, y, z]);
      });
    }
  }
}
