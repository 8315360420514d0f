/**
 * Run by blas_test.ts: weights that change, in each way that a program can change one, once the library has packed them: which products
 * still have the old numbers, and how many products were by a packed weight before the change and after.
 */
import * as tf from "@tensorflow/tfjs";
import type { LowRank } from "../../lib/nn/linear.ts";
import { addLora } from "../../lib/peft/lora/merge.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { normal } from "../../lib/tensor/init.ts";
import type { Tensor2D } from "../../lib/tensor/types.ts";
import { addressOf, type WasmBackend, wasmKernels } from "../../lib/tensor/wasm/module.ts";
import { adamw, initAdamw } from "../../lib/train/adamw.ts";

const [ROWS, IN, OUT, USES] = [201, 256, 384, 5];

await selectBackend({ backend: "wasm", wasm: { blas: Deno.args[0]!, threads: 2 } });
const backend = tf.engine().findBackend("wasm") as unknown as WasmBackend;
const { packs } = wasmKernels(backend).blas!;
let found = 0;
if (packs) {
  const { find } = packs;
  packs.find = (matrix) => {
    const place = find(matrix);
    found += Number(place !== undefined);
    return place;
  };
}

let seed = 1;
const random = (rows: number, columns: number): Tensor2D => normal([rows, columns], 0.1, seed++, "m");
const inputs = new Map<number, Tensor2D>([[IN, random(ROWS, IN)], [OUT, random(ROWS, OUT)]]);
const product = (weight: Tensor2D): Tensor2D => tf.matMul(inputs.get(weight.shape[0])!, weight);

/** The largest difference between the product's first and last rows and float64's of the same weight. */
async function difference(weight: Tensor2D): Promise<number> {
  const [inner, columns] = weight.shape;
  const out = product(weight);
  const [own, w, x] = [await out.data(), await weight.data(), await inputs.get(inner)!.data()];
  out.dispose();
  let largest = 0;
  for (const row of [0, ROWS - 1]) {
    for (let j = 0; j < columns; j++) {
      let sum = 0;
      for (let p = 0; p < inner; p++) sum += x[row * inner + p]! * w[p * columns + j]!;
      largest = Math.max(largest, Math.abs(own[row * columns + j]! - sum));
    }
  }
  return largest;
}

/** A weight that was multiplied by until it was packed. */
function used(weight: Tensor2D): Tensor2D {
  for (let i = 0; i < USES; i++) product(weight).dispose();
  return weight;
}

/** A weight in the memory of one that was used and freed. */
function inFreedMemory(): Tensor2D {
  const values = random(OUT, IN);
  const old = used(random(OUT, IN));
  const place = addressOf(backend, old);
  old.dispose();
  const weight: Tensor2D = tf.mul(values, 1);
  if (addressOf(backend, weight) === place) return weight;
  throw new Error("Cannot test as freed memory must be given again: it is not");
}

const low = (): LowRank => ({ loraA: random(4, IN), loraB: random(OUT, 4), scaling: 1, dropout: 0 });

/** Each makes the weight as it is after the change. */
const changes: Record<string, () => Tensor2D> = {
  "a variable that is assigned": () => {
    const variable = tf.variable(random(OUT, IN)) as tf.Variable<tf.Rank.R2>;
    used(variable);
    variable.assign(random(OUT, IN));
    return variable;
  },
  "a tensor in freed memory": inFreedMemory,
  "the same numbers in another shape": () => {
    used(random(IN, OUT)); // products of this shape are known to agree
    return tf.reshape(used(random(OUT, IN)), [IN, OUT]);
  },
  "an adapter merged": () => addLora({ weight: used(random(OUT, IN)) }, low(), 1).weight,
  "another adapter in its place": () => {
    const first = low();
    const merged = addLora({ weight: used(random(OUT, IN)) }, first, 1);
    const back = addLora({ weight: used(merged.weight) }, first, -1);
    merged.weight.dispose();
    return addLora({ weight: used(back.weight) }, low(), 1).weight;
  },
  "a step of the optimiser": () => {
    const tensors = new Map([["weight", used(random(OUT, IN))]]);
    const next = adamw(initAdamw(tensors), tensors, new Map([["weight", random(OUT, IN)]]), 0.1);
    tf.dispose([...tensors.values()]);
    return next.tensors.get("weight") as Tensor2D;
  },
};

const stale: string[] = [];
const packed: [before: boolean, after: boolean][] = [];
for (const [name, change] of Object.entries(changes)) {
  let start = found;
  const weight = change();
  const before = found > start;
  start = found;
  let largest = 0;
  for (let i = 0; i < USES; i++) largest = Math.max(largest, await difference(weight));
  if (!(largest < 1e-5)) stale.push(name);
  packed.push([before, found > start]);
}
console.log(JSON.stringify({ stale, packed }));
Deno.exit(0);
