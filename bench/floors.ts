/**
 * Writes bench/FLOORS.md: operations and bytes of each piece of work, counted from the configurations, and the time they
 * take at least on this processor, from rates measured here, and on a GPU, by formula.
 *
 * `deno run --allow-read --allow-env --allow-run --allow-sys=cpus,loadavg --allow-write=bench bench/floors.ts`
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { errorMessage } from "../lib/platform/error_message.ts";
import { selectBackend } from "../lib/tensor/backend.ts";
import { initWasm } from "../lib/tensor/wasm/init.ts";
import { writeFileAtomic } from "../lib/io/files.ts";
import { type Count, countAll } from "./counts.ts";
import { ours, takeTurns } from "./measure.ts";
import { contender, type Peer, startJavaScript, startTorch, startWide } from "./peers/peer.ts";
import { matmulPiece, peakRun } from "./pieces.ts";
import { gatherFacts } from "./record.ts";

interface Rate {
  name: string;
  threads: number;
  /** Operations a second. */
  rate: number;
}

/** Short, so that on a busy machine some turn runs without interruption. */
const [M, K, N] = [256, 768, 1536];

const WIDE = "this package, wasm, 256-bit products";

/** Operations a second in one product, of each library that can be started; the fastest turn, as load only adds. */
async function measureRates(peers: { torch?: Peer; javaScript?: Peer; wide?: Peer }): Promise<Rate[]> {
  await import("@tensorflow/tfjs-backend-wasm");
  const plain = tf.getKernel("BatchMatMul", "wasm");
  // Whatever the environment says: 256-bit products have a process of their own, and a library would need a permission.
  await selectBackend({ backend: "wasm", wasm: { wide: false, blas: "off" } });
  const own = tf.getKernel("BatchMatMul", "wasm");
  const flop = 2 * M * K * N;
  const piece = matmulPiece(M, K, N, [false, false]);
  const withKernel = (kernel: tf.KernelConfig, run: () => void): void => {
    tf.unregisterKernel("BatchMatMul", "wasm");
    tf.registerKernel(kernel);
    run();
  };
  plain.setupFunc?.(tf.backend());
  const out: Rate[] = [];
  for (const threads of navigator.hardwareConcurrency > 1 ? [1, 2] : [1]) {
    await initWasm({ threads });
    const peak = peakRun(flop / 96);
    const sides = [ours("this package, wasm", () => withKernel(own, piece.forward))];
    if (threads === 1) {
      sides.push(ours("wasm SIMD peak", peak.run));
      sides.push(ours("tfjs's own wasm kernel", () => withKernel(plain, piece.forward)));
    }
    const shape = { m: M, k: K, n: N };
    if (peers.wide) {
      sides.push(await contender(peers.wide, WIDE, { kind: "matmul", ...shape }, threads));
    }
    if (peers.torch) sides.push(await contender(peers.torch, "PyTorch", { kind: "matmul", ...shape }, threads));
    if (peers.javaScript) {
      sides.push(await contender(peers.javaScript, "jax-js, wasm", { kind: "jax-matmul", ...shape }, threads));
    }
    const turns = await takeTurns(sides, { warmUp: 10, least: 10, most: 200, seconds: 12 });
    for (const [name, { min }] of turns) out.push({ name, threads, rate: flop / (min / 1000) });
  }
  piece.dispose();
  return out;
}

const giga = (x: number): string => {
  const g = x / 1e9;
  return g >= 100 ? g.toFixed(0) : g >= 1 ? g.toFixed(1) : g.toPrecision(2);
};
const mebi = (x: number): string => {
  const m = x / 2 ** 20;
  return m >= 100 ? m.toFixed(0) : m.toPrecision(2);
};
const seconds = (s: number): string => s >= 1 ? `${s.toPrecision(3)} s` : `${(s * 1000).toPrecision(3)} ms`;
const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [row(head), row(head.map((_, i) => i === 0 ? "---" : "---:")), ...rows.map(row)].join("\n");

async function optional(start: () => Promise<Peer>): Promise<Peer | undefined> {
  try {
    return await start();
  } catch (error) {
    console.error(`left out: ${errorMessage(error)}`);
    return undefined;
  }
}

const torch = await optional(startTorch);
const javaScript = await optional(startJavaScript);
const wide = await optional(startWide);
const rates = await measureRates({
  ...(torch ? { torch } : {}),
  ...(javaScript ? { javaScript } : {}),
  ...(wide ? { wide } : {}),
});
const facts = await gatherFacts();
Object.assign(facts.versions, torch?.versions, javaScript?.versions);
for (const started of [torch, javaScript, wide]) await started?.close();

const rateOf = (name: string, threads: number): number | undefined =>
  rates.find((r) => r.name === name && r.threads === threads)?.rate;
const peak = rateOf("wasm SIMD peak", 1)!;
const best = (who: string): number => Math.max(0, ...rates.filter(({ name }) => name === who).map(({ rate }) => rate));
const own = best("this package, wasm");
const joined = best(WIDE);
const peer = best("PyTorch");
const counts = countAll();
const cores = Math.min(2, facts.processors);

const text = `# Floors: what the work costs at least

Written by \`bench/floors.ts\`; do not edit. Operations are counted from the configurations in lib/clip/config.ts by
bench/counts.ts, a multiply-add as two. Only matrix products count as operations: LayerNorm, GELU, softmax and the rest are
under 1 % of them and show up as bytes. Bytes are float32, each activation written once and read once where it is used, each
weight read once for each pass, as fused kernels would; an unfused program moves several times as much.

${
  table(
    ["work", "operations, GFLOP", "in matrices of LoRA and ACE-HGNN", "weights read, MiB", "activations moved, MiB"],
    counts.map(({ name, flop, added, weightBytes, activationBytes }: Count) => [
      name,
      giga(flop),
      added === flop ? "all" : `${(100 * added / flop).toFixed(1)} %`,
      mebi(weightBytes),
      mebi(activationBytes),
    ]),
  )
}

A training step is forward, backward with respect to the activations (as much again: frozen weights have no gradient), the
attention's own backward (probabilities computed again: 2.5 times its forward) and the low-rank gradients. The backward pass ends
at the first trainable layer. Micro-batches cost one more forward pass for all
but the last, or for all where they are many: they are for memory.

## On this processor

${facts.adapter}, ${facts.processors} processors, load average ${facts.load?.toFixed(1) ?? "unknown"} when measured, ${
  Object.entries(facts.versions).map(([name, version]) => `${name} ${version}`).join(", ")
}.
Rates are those of the fastest turn of a ${M}x${K}x${N} product, the sides taking turns (other work on the machine only adds time):

${
  table(
    ["who", "threads", "GFLOP/s"],
    rates.map(({ name, threads, rate }) => [name, String(threads), giga(rate)]),
  )
}

The floor of any wasm program is operations / (${
  giga(peak)
} GFLOP/s x threads): its SIMD is 128 bits wide, but V8 can be asked
to join neighbouring instructions to 256-bit ones (lib/tensor/wasm/matmul_strips.ts), which doubles the peak for code it can join.${
  peer > 0
    ? ` PyTorch uses the processor's whole width (${
      facts.versions["torch"] ?? ""
    }), so its floor is lower: at equal shares of the peak it is ${
      (rateOf("PyTorch", 1)! / peak).toFixed(1)
    } times as fast a thread.`
    : ""
}

${
  table(
    [
      "work",
      `wasm SIMD peak, ${cores} threads`,
      "this package's matmul rate",
      ...(joined > 0 ? ["its rate with 256-bit products"] : []),
      ...(peer > 0 ? ["PyTorch's matmul rate"] : []),
    ],
    counts.map(({ name, flop }) => [
      name,
      seconds(flop / peak / cores),
      seconds(flop / own),
      ...(joined > 0 ? [seconds(flop / joined)] : []),
      ...(peer > 0 ? [seconds(flop / peer)] : []),
    ]),
  )
}

## On a GPU

With F its float32 rate and B its bandwidth, both as bench/gpu measures them, the floor is max(operations / F, bytes / B), weights
and activations together. For F in TFLOP/s and B in GB/s that is, in milliseconds:

${
  table(
    ["work", "operations / F", "bytes / B", "F = 10, B = 500", "F = 60, B = 4000"],
    counts.map(({ name, flop, weightBytes, activationBytes }) => {
      const bytes = weightBytes + activationBytes;
      const floor = (f: number, b: number): string => seconds(Math.max(flop / (f * 1e12), bytes / (b * 1e9)));
      const digits = (x: number): string => x >= 100 ? x.toFixed(0) : x.toPrecision(2);
      return [name, `${digits(flop / 1e9)} / F`, `${digits(bytes / 1e6)} / B`, floor(10, 500), floor(60, 4000)];
    }),
  )
}

A dispatch costs the processor 0.1 to 0.3 ms of recording at worst; the work above is bound by it wherever dispatches x that time
exceeds the floor, which at MINI size is always the case: keep dispatches below 1,000 a step.
`;
await writeFileAtomic("bench/FLOORS.md", text);
await new Deno.Command(Deno.execPath(), { args: ["fmt", "--quiet", "bench/FLOORS.md"] }).output();
console.log("wrote bench/FLOORS.md");
Deno.exit(0);
