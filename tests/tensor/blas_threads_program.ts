/**
 * Run by blas_test.ts: how many threads of this process the processors ran during products by a library, and during our own kernels,
 * by the time that Linux counts for each. Both on two threads; a library whose own threads ran beside ours would show as more.
 */
import * as tf from "@tensorflow/tfjs";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { layerNorm } from "../../lib/tensor/kernels/layer_norm/api.ts";

const { adapter } = await selectBackend({ backend: "wasm", wasm: { blas: Deno.args[0]!, threads: 2 } });

/** Hundredths of a second that each thread has had. */
async function times(): Promise<Map<string, number>> {
  const { stdout } = await new Deno.Command("sh", { args: ["-c", `cat /proc/${Deno.pid}/task/*/stat`] }).output();
  return new Map(
    new TextDecoder().decode(stdout).trimEnd().split("\n").map((line) => {
      const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
      return [line.split(" ")[0]!, Number(fields[11]) + Number(fields[12])];
    }),
  );
}

/** The shares of the time that threads had while something was done until a second of processors' time was spent. */
async function shares(work: () => tf.Tensor): Promise<number[]> {
  const before = await times();
  for (;;) {
    for (let i = 0; i < 20; i++) tf.dispose(work());
    const spent = [...await times()].map(([id, time]) => time - (before.get(id) ?? 0));
    const all = spent.reduce((a, b) => a + b, 0);
    if (all >= 100) return spent.map((time) => time / all).sort((a, b) => b - a);
  }
}

const [a, b] = [tf.randomNormal([512, 768]), tf.randomNormal([768, 1024])];
const [gain, bias] = [tf.ones([768]), tf.zeros([768])] as [tf.Tensor1D, tf.Tensor1D];
const products = await shares(() => tf.matMul(a, b));
const kernels = await shares(() => layerNorm(a, gain, bias, 1e-5));
console.log(JSON.stringify({ adapter, products, kernels }));
