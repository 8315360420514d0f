import { assert, assertEquals } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { BIOMED_CLIP } from "../../lib/clip/architectures.ts";
import { type BlockParams, transformerBlock } from "../../lib/nn/transformer.ts";
import { initLora } from "../../lib/peft/lora/inject.ts";
import { ACE_LORA_LORA } from "../../lib/peft/lora/config.ts";
import { loraUpdate } from "../../lib/peft/lora/layer.ts";
import { gradientsOf } from "../../lib/tensor/gradients.ts";
import { attention } from "../../lib/tensor/kernels/attention/api.ts";
import { gelu } from "../../lib/tensor/kernels/gelu/api.ts";
import { layerNorm } from "../../lib/tensor/kernels/layer_norm/api.ts";
import { namedTensors } from "../../lib/tensor/params.ts";
import { normal } from "../../lib/tensor/init.ts";
import type { Scalar, Tensor, Tensor1D, Tensor2D, Tensor3D } from "../../lib/tensor/types.ts";
import { initWasm } from "../../lib/tensor/wasm/init.ts";
import type { WasmBackend } from "../../lib/tensor/wasm/module.ts";
import { initClip } from "../../lib/clip/params.ts";
import { testOnBackends } from "../backends.ts";

type Of = (...inputs: Tensor[]) => Tensor;

/** An operation, and the shapes of its inputs. */
type Example = readonly [name: string, shapes: number[][], f: Of];
const CASES: readonly Example[] = [
  ["add", [[3, 4], [3, 4]], (a, b) => tf.add(a, b)],
  ["add, broadcast", [[3, 4], [4]], (a, b) => tf.add(a, b)],
  ["sub, broadcast", [[3, 4], [3, 1]], (a, b) => tf.sub(a, b)],
  ["mul", [[3, 4], [3, 4]], (a, b) => tf.mul(a, b)],
  ["mul, broadcast", [[4], [3, 4]], (a, b) => tf.mul(a, b)],
  ["div", [[3, 4], [4]], (a, b) => tf.div(a, tf.add(tf.square(b), 1))],
  ["reshape", [[3, 4]], (a) => tf.mul(tf.reshape(a, [2, 6]), tf.reshape(a, [2, 6]))],
  ["expandDims", [[3, 4]], (a) => tf.square(tf.expandDims(a, 1))],
  ["slice", [[3, 4]], (a) => tf.square(tf.slice(a, [1, 0], [2, -1]))],
  ["pad", [[3, 4]], (a) => tf.square(tf.pad(a, [[1, 0], [0, 2]]))],
  ["sum", [[3, 4]], (a) => tf.square(tf.sum(a, 0))],
  ["mean", [[3, 4]], (a) => tf.square(tf.mean(a, 1))],
  ["concat", [[3, 4], [2, 4]], (a, b) => tf.square(tf.concat([a, b]))],
  ["addN", [[3, 4], [3, 4]], (a, b) => tf.square(tf.addN([a, b]))],
  ...([[false, false], [false, true], [true, false], [true, true]] as const).map(([ta, tb]): Example => [
    `matMul ${ta} ${tb}`,
    [ta ? [5, 3] : [3, 5], tb ? [4, 5] : [5, 4]],
    (a: Tensor, b: Tensor) => tf.matMul(a, b, ta, tb),
  ]),
  ["matMul, batches", [[2, 3, 5], [2, 5, 4]], (a, b) => tf.matMul(a, b)],
  ["layerNorm", [[3, 8], [8], [8]], (x, gain, bias) => layerNorm(x, gain as Tensor1D, bias as Tensor1D, 1e-5)],
  ["gelu", [[3, 4]], (x) => gelu(x)],
  [
    "attention",
    [[1, 5, 8], [1, 5, 8], [1, 5, 8]],
    (q, k, v) => attention(q as Tensor3D, k as Tensor3D, v as Tensor3D, { heads: 2 }),
  ],
];

/** Every choice of at least one of n things. */
function choices(n: number): number[][] {
  return Array.from(
    { length: 2 ** n - 1 },
    (_, i) => Array.from({ length: n }, (_, j) => j).filter((j) => (i + 1) >> j & 1),
  );
}

testOnBackends(
  "gradientsOf() has tf.js's bits for every choice of leaves, through operations and their neighbours",
  async () => {
    for (const [name, shapes, f] of CASES) {
      const inputs = shapes.map((shape, i) => normal(shape, 1, i + 1, name));
      for (const chosen of choices(inputs.length)) {
        const leaves = chosen.map((i) => inputs[i]!);
        // Behind and before what is looked at, operations that need the values that were kept.
        const loss = (...given: Tensor[]): Scalar =>
          tf.tidy(() => {
            const all = inputs.map((x, i) => tf.sin(chosen.includes(i) ? given[chosen.indexOf(i)]! : x));
            const y = f(...all);
            return tf.sum(tf.mul(y, tf.cos(y)));
          });
        const plain = tf.valueAndGrads(loss)(leaves);
        const { value, grads } = gradientsOf(() => loss(...leaves), leaves);
        const told = `${name} by ${chosen}`;
        assertEquals(await value.data(), await plain.value.data(), told);
        for (const [i, grad] of grads.entries()) assertEquals(await grad!.data(), await plain.grads[i]!.data(), told);
        tf.dispose([value, ...grads as Tensor[], plain.value, ...plain.grads]);
      }
      tf.dispose(inputs);
    }
  },
);

testOnBackends("gradientsOf() leaves nothing behind of operations that no leaf reaches", () => {
  const [x, frozen] = [normal([3, 4], 1, 1, "x"), normal([3, 4], 1, 2, "frozen")];
  const before = tf.memory().numTensors;
  const custom = tf.customGrad((x, save) => {
    (save as tf.GradSaveFunc)([x as Tensor]);
    return { value: tf.square(x as Tensor), gradFunc: (dy) => dy as Tensor };
  });
  const { value, grads } = gradientsOf(
    () => tf.tidy(() => tf.sum(tf.mul(custom(gelu(tf.square(frozen))), tf.sin(x))) as Scalar),
    [x],
  );
  tf.dispose([value, ...grads as Tensor[]]);
  assertEquals(tf.memory().numTensors, before);
  tf.dispose([x, frozen]);
  return Promise.resolve();
});

/** Bytes of wasm memory that `f` has allocated and not freed when it calls `mark`. */
function wasmBytes(f: (mark: () => void) => void): number {
  const { wasm } = tf.backend() as unknown as WasmBackend;
  const { _malloc, _free } = wasm;
  const sizes = new Map<number, number>();
  let marked = 0;
  wasm._malloc = (bytes) => {
    const address = _malloc(bytes);
    sizes.set(address, bytes);
    return address;
  };
  wasm._free = (address) => {
    sizes.delete(address);
    _free(address);
  };
  try {
    f(() => marked = [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0));
    return marked;
  } finally {
    Object.assign(wasm, { _malloc, _free });
  }
}

Deno.test("a block with LoRA on query, key and value keeps 14 numbers for each token and width, in training", async () => {
  await initWasm({ threads: 1, blas: "off" });
  await tf.setBackend("wasm");
  const [batch, tokens, width, heads] = [2, 197, 64, 4];
  const vision = { ...BIOMED_CLIP.vision, imageSize: 16, patchSize: 16, width, heads, mlpWidth: 4 * width, depth: 1 };
  const text = { ...BIOMED_CLIP.text, vocabularySize: 8, width: 8, heads: 1, mlpWidth: 8, depth: 1 };
  const base = initClip({ ...BIOMED_CLIP, vision, text } as typeof BIOMED_CLIP, 1).vision.trunk.blocks[0]!;
  const attention = { ...base.attention };
  for (const name of ["query", "key", "value"] as const) {
    attention[name] = { ...attention[name], update: loraUpdate(initLora(attention[name], ACE_LORA_LORA, 1, name)) };
  }
  const block: BlockParams = { ...base, attention };
  const x = normal([batch, tokens, width], 1, 1, "x") as Tensor3D;
  const leaves = [x, ...[...namedTensors(block)].filter(([name]) => /lora[AB]$/.test(name)).map(([, leaf]) => leaf)];
  for (const order of ["pre", "post"] as const) {
    const step = (mark: () => void): void => {
      const { value, grads } = gradientsOf(() =>
        tf.tidy(() => {
          const { tokens } = transformerBlock(block, x, { heads, epsilon: 1e-6, order, seed: 1, hiddenDropout: 0.1 });
          const loss = tf.sum(tokens) as Scalar;
          tokens.dispose();
          mark();
          return loss;
        }), leaves);
      tf.dispose([value, ...grads as Tensor2D[]]);
    };
    step(() => {}); // kernels have their scratch memory by now
    const numbers = wasmBytes(step) / 4 / (batch * tokens * width);
    assert(numbers <= 14, `${order}: ${numbers}`);
  }
  tf.dispose([x, ...namedTensors(block).values()]);
});
