/**
 * Run by blas_test.ts: transformer blocks by samples, by weights that got packed before: how many of them have other bits than layers one
 * by one, how many were computed so in each case, and of those that are to be computed in layers.
 */
import * as tf from "@tensorflow/tfjs";
import { type BlockParams, transformer, type TransformerOptions } from "../../lib/nn/transformer.ts";
import { loraUpdate } from "../../lib/peft/lora/layer.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { normal } from "../../lib/tensor/init.ts";
import type { Tensor1D, Tensor2D, Tensor3D } from "../../lib/tensor/types.ts";
import type { WasmBackend } from "../../lib/tensor/wasm/module.ts";
import { setThreads, threadPool } from "../../lib/tensor/wasm/threads.ts";

const [SAMPLES, TOKENS, WIDTH, HIDDEN, HEADS, RUNS] = [6, 65, 256, 1152, 4, 5];

const { adapter } = await selectBackend({ backend: "wasm", wasm: { blas: Deno.args[0]!, threads: 2 } });
const backend = tf.engine().findBackend("wasm") as unknown as WasmBackend;
await Deno.permissions.revoke({ name: "ffi" });

const whole = { isOn: true, count: 0 };
const kernel = tf.getKernel("AceBlock", "wasm")!;
tf.unregisterKernel("AceBlock", "wasm");
tf.registerKernel({
  ...kernel,
  kernelFunc(call) {
    const outputs = whole.isOn ? kernel.kernelFunc(call) as tf.TensorInfo[] : [];
    whole.count += outputs.length;
    return outputs;
  },
});

let seed = 0;
const vector = (size: number, mean = 0): Tensor1D =>
  tf.add(normal([size], 0.1, ++seed, "vector") as Tensor1D, mean) as Tensor1D;
const linear = (outSize: number, inSize: number) => ({
  weight: normal([outSize, inSize], 0.1, ++seed, "m") as Tensor2D,
  bias: vector(outSize),
});
const norm = () => ({ weight: vector(WIDTH, 1), bias: vector(WIDTH) });
const square = () => linear(WIDTH, WIDTH);
const block: BlockParams = {
  ...{ norm1: norm(), norm2: norm() },
  attention: { query: square(), key: square(), value: square(), output: square() },
  mlp: { fc1: linear(HIDDEN, WIDTH), fc2: linear(WIDTH, HIDDEN) },
};
const { query, ...others } = block.attention;
const unbiased: BlockParams = {
  ...block,
  attention: { ...others, query: { weight: query.weight } },
  mlp: { fc1: { weight: block.mlp.fc1.weight }, fc2: { weight: block.mlp.fc2.weight } },
};
const tokens = (samples: number, each = TOKENS): Tensor3D => normal([samples, each, WIDTH], 1, ++seed, "x") as Tensor3D;
const maskOf = (samples: number, each = TOKENS): Tensor2D =>
  tf.tensor2d(Float32Array.from({ length: samples * each }, (_, i) => i % each < 20 + i / each ? 1 : 0), [
    samples,
    each,
  ]);
const x = tokens(SAMPLES);
const pre: TransformerOptions = { heads: HEADS, epsilon: 1e-6, order: "pre" };
const post: TransformerOptions = { ...pre, order: "post" };
const run = (params: BlockParams, input: Tensor3D, options: TransformerOptions): Tensor3D =>
  transformer([params, params], input, options).tokens;

const bits = async (isWhole: boolean, ...args: Parameters<typeof run>): Promise<Int32Array> => {
  whole.isOn = isWhole;
  const result = run(...args);
  const values = await result.data() as Float32Array;
  result.dispose();
  return new Int32Array(values.slice().buffer);
};
const counts: Record<string, number> = {};
const differing: string[] = [];
const compare = async (name: string, ...args: Parameters<typeof run>): Promise<void> => {
  const layers = await bits(false, ...args);
  whole.count = 0;
  const result = await bits(true, ...args);
  counts[name] = whole.count;
  if (layers.some((value, i) => value !== result[i]) || result.every((value) => value === 0)) differing.push(name);
};
const packed = async (): Promise<void> => {
  for (let i = 0; i < RUNS; i++) await bits(false, block, x, pre);
};
const masked = { keyMask: maskOf(SAMPLES) };
const [many, odd, few] = [tokens(260), tokens(SAMPLES + 1), tokens(SAMPLES + 2, 60)];
const { numTensors } = tf.memory();
/** Every case with the threads that there are, and its number of blocks computed whole. */
const compareAll = async (threads: number): Promise<void> => {
  await packed();
  await compare(`pre, ${threads}`, block, x, pre);
  await compare(`post, masked, ${threads}`, block, x, { ...post, ...masked });
  await compare(`causal, masked, ${threads}`, block, x, { ...pre, ...masked, causal: true });
  await compare(`fewer biases, ${threads}`, unbiased, x, post);
  await compare(`several samples a part, ${threads}`, block, many, pre);
  await compare(`an odd number, ${threads}`, block, odd, pre);
  await compare(`short samples, ${threads}`, block, few, pre);
};
await compareAll(2);
threadPool()!.patience = 0; // every chunk of the worker is late, and computed again by the main thread elsewhere
for (let i = 0; i < 3; i++) await compare(`late ${i}`, block, x, { ...post, ...masked });
await setThreads(backend, 1);
await compareAll(1);
const leak = tf.memory().numTensors - numTensors;

// What the kernel does not have.
const lora = loraUpdate({
  loraA: normal([2, WIDTH], 0.1, ++seed, "a") as Tensor2D,
  loraB: normal([WIDTH, 2], 0.1, ++seed, "b") as Tensor2D,
  scaling: 1,
  dropout: 0,
});
const scale1 = vector(WIDTH);
const inLayers: [BlockParams, TransformerOptions][] = [
  [{ ...block, scale1 }, pre],
  [{ ...block, scale2: scale1 }, pre],
  [{ ...block, prompts: normal([2, WIDTH], 1, ++seed, "p") as Tensor2D }, { ...pre, activation: "quick-gelu" }],
  [{ ...block, attention: { ...block.attention, value: { ...block.attention.value, update: lora } } }, pre],
  [{ ...block, attention: { ...block.attention, norm: norm() } }, pre],
  [{ ...block, mlp: { ...block.mlp, gate: linear(HIDDEN, WIDTH) } }, pre],
  [block, { ...pre, activation: "quick-gelu" }],
  [block, { ...pre, activation: "gelu-tanh" }],
  [block, { ...pre, hiddenDropout: 0.1, seed: 1 }],
  [block, { ...pre, attentionDropout: 0.1, seed: 1 }],
];
whole.isOn = true;
whole.count = 0;
for (const [params, options] of inLayers) run(params, x, options).dispose();
transformer([block], x, { ...pre, clsOnly: true }).tokens.dispose();
tf.dispose(Object.values(transformer([block], x, { ...pre, affinity: "logits" })));
tf.tidy(() => tf.grad((input) => tf.sum(run(block, input as Tensor3D, pre)))(x)).dispose();
const unwanted = whole.count;
transformer([block], x, { ...pre, hiddenDropout: 0.1 }).tokens.dispose(); // in evaluation mode
console.log(JSON.stringify({ adapter, differing, counts, leak, unwanted, wanted: whole.count - unwanted }));
Deno.exit(0);
