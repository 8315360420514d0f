import * as tf from "@tensorflow/tfjs";
import { assertEquals, assertThrows } from "@std/assert";
import { BIOMED_CLIP } from "../../lib/clip/architectures.ts";
import { cutTexts } from "../../lib/clip/towers/cut_texts.ts";
import { bottleneck } from "../../lib/nn/bottleneck.ts";
import { dropAfterFirst, dropExtra, extendMasks, insertAfterFirst } from "../../lib/nn/extra_tokens.ts";
import { linear, type LinearParams, mergeUpdates } from "../../lib/nn/linear.ts";
import { featureAdapter } from "../../lib/peft/clip_adapter/layer.ts";
import { doraUpdate } from "../../lib/peft/dora/layer.ts";
import { ia3Update } from "../../lib/peft/ia3/layer.ts";
import { PEFT_METHODS } from "../../lib/peft/methods.ts";
import { dropout } from "../../lib/tensor/kernels/dropout/api.ts";
import { normal } from "../../lib/tensor/init.ts";
import type { Tensor1D, Tensor2D, Tensor3D } from "../../lib/tensor/types.ts";
import { testOnBackends } from "../backends.ts";
import { assertClose } from "../close.ts";
import { SMALL } from "../small_model.ts";

const matrix = (rows: number[][]): Tensor2D => tf.tensor2d(rows) as Tensor2D;
const vector = (values: number[]): Tensor1D => tf.tensor1d(values) as Tensor1D;

testOnBackends("cutTexts() keeps each text's first tokens and its last one, at any length", async () => {
  const ids = tf.tensor2d(
    [[2, 7, 8, 9, 3], [2, 7, 8, 3, 0], [2, 7, 3, 0, 0], [2, 3, 0, 0, 0]],
    [4, 5],
    "int32",
  ) as Tensor2D;
  const real = tf.cast(tf.notEqual(ids, 0), "float32") as Tensor2D;
  const cut = async (length: number): Promise<number[]> => [...await cutTexts(ids, length, real).data()];
  assertEquals(await cut(5), [...await ids.data()]);
  assertEquals(await cut(9), [...await ids.data()]);
  assertEquals(await cut(4), [2, 7, 8, 3, 2, 7, 8, 3, 2, 7, 3, 0, 2, 3, 0, 0]);
  assertEquals(await cut(3), [2, 7, 3, 2, 7, 3, 2, 7, 3, 2, 3, 0]);
  assertEquals(await cut(2), [2, 3, 2, 3, 2, 3, 2, 3]);
  assertEquals(cutTexts(ids, 3, real).dtype, "int32");
  assertThrows(() => cutTexts(ids, 1, real), RangeError, "at least two of its tokens must stay: current value is 1");
});

testOnBackends(
  "insertAfterFirst() puts rows after token 0, dropAfterFirst() takes them out; masks and affinities alike",
  async () => {
    const x = tf.tensor3d([[[1, 1], [2, 2], [3, 3]], [[4, 4], [5, 5], [6, 6]]]) as Tensor3D;
    const wide = insertAfterFirst(x, matrix([[8, 8], [9, 9]]));
    assertEquals([...await tf.slice(wide, [0, 0, 0], [2, 5, 1]).data()], [1, 8, 9, 2, 3, 4, 8, 9, 5, 6]);
    assertEquals([...await dropAfterFirst(wide, 2).data()], [...await x.data()]);
    const { keyMask, read } = extendMasks({ keyMask: matrix([[1, 1, 0]]), read: matrix([[0, 1, 0]]) }, 2);
    assertEquals([...await keyMask!.data()], [1, 1, 1, 1, 0]);
    assertEquals([...await read!.data()], [0, 0, 0, 1, 0]);
    assertEquals(extendMasks({}, 2), {});
    const tokens = tf.slice(wide, [0, 0, 0], [1, 5, 2]) as Tensor3D;
    const ofFirst = dropExtra({ tokens, affinity: matrix([[5, 6, 7, 8]]) }, 2, {});
    assertEquals([...await ofFirst.tokens.data()], [1, 1, 2, 2, 3, 3]);
    assertEquals([...await ofFirst.affinity!.data()], [7, 8]);
    const ofRead = dropExtra({ tokens, affinity: matrix([[5, 6, 7, 8, 9]]) }, 2, { read: matrix([[0, 1, 0]]) });
    assertEquals([...await ofRead.affinity!.data()], [5, 8, 9]);
  },
);

testOnBackends("bottleneck() is x + up(relu(down x)) in numbers", async () => {
  const params = {
    down: { weight: matrix([[1, -1]]), bias: vector([0.5]) },
    up: { weight: matrix([[2], [3]]), bias: vector([0.1, 0.2]) },
  };
  // down: 3 - 1 + 0.5 = 2.5; up: 5.1, 7.7. Second row: 1 - 3 + 0.5 < 0: the biases alone.
  const y = bottleneck(params, matrix([[3, 1], [1, 3]]));
  await assertClose(y, matrix([[8.1, 8.7], [1.1, 3.2]]), 1e-6, "bottleneck");
});

testOnBackends(
  "linear() with (IA)^3 multiplies what goes in or what comes out, bias included; merged the same",
  async () => {
    const layer = { weight: matrix([[1, 2], [3, 4]]), bias: vector([1, -1]) };
    const x = matrix([[1, 1]]);
    const output: LinearParams = { ...layer, update: ia3Update({ factors: vector([10, 100]), side: "output" }) };
    assertEquals([...await linear(output, x).data()], [40, 600]); // (3 + 1) · 10, (7 - 1) · 100
    const input: LinearParams = { ...layer, update: ia3Update({ factors: vector([10, 100]), side: "input" }) };
    assertEquals([...await linear(input, x).data()], [211, 429]); // 10 + 200 + 1, 30 + 400 - 1
    for (const params of [output, input]) {
      await assertClose(
        linear(mergeUpdates(params), x),
        linear(params, x),
        1e-4,
        "merged",
      );
    }
  },
);

testOnBackends("linear() with DoRA in numbers, and with dropout on the input of both of its terms", async () => {
  const dora = {
    loraA: matrix([[1, 0]]),
    loraB: matrix([[0], [4]]),
    magnitude: vector([2, 10]),
    scaling: 0.5,
    dropout: 0,
  };
  const layer: LinearParams = { weight: matrix([[3, 4], [1, 4]]), bias: vector([1, 1]), update: doraUpdate(dora) };
  // W + ½ B A = [[3, 4], [3, 4]], lengths 5: rows [1.2, 1.6] and [6, 8].
  const x = matrix([[1, 0], [0, 1]]);
  await assertClose(linear(layer, x), matrix([[2.2, 7], [2.6, 9]]), 1e-5, "DoRA");
  await assertClose(mergeUpdates(layer).weight, matrix([[1.2, 1.6], [6, 8]]), 1e-6, "merged");
  const rows = normal([6, 2], 1, 1, "x") as Tensor2D;
  const dropped = dropout(rows, { rate: 0.5, seed: 7 }) as Tensor2D;
  const gain = vector([2 / 5, 2]);
  const base = (input: Tensor2D): tf.Tensor => tf.matMul(input, layer.weight, false, true);
  const low = tf.mul(tf.matMul(tf.matMul(dropped, dora.loraA, false, true), dora.loraB, false, true), 0.5);
  const update = tf.add(tf.mul(base(dropped), tf.sub(gain, 1)), tf.mul(low, gain));
  const expected = tf.add(tf.add(base(rows), layer.bias!), update) as Tensor2D;
  const noisy = { ...layer, update: doraUpdate({ ...dora, dropout: 0.5 }) };
  await assertClose(linear(noisy, rows, { seed: 7 }), expected, 1e-5, "dropout");
  await assertClose(linear(noisy, rows), linear(layer, rows), 0, "evaluation");
});

testOnBackends("featureAdapter() blends by the ratio in numbers", async () => {
  const params = { down: { weight: matrix([[1, 0]]) }, up: { weight: matrix([[0], [2]]) }, ratio: 0.5 };
  // A((0.6, 0.8)) = (0, 1.2); half and half: (0.3, 1), of length √1.09.
  const y = featureAdapter(params, matrix([[0.6, 0.8]]));
  await assertClose(y, matrix([[0.3 / Math.sqrt(1.09), 1 / Math.sqrt(1.09)]]), 1e-6, "blend");
  await assertClose(
    featureAdapter({ ...params, ratio: 0 }, matrix([[0.6, 0.8]])),
    matrix([[0.6, 0.8]]),
    1e-6,
    "ratio 0",
  );
});

Deno.test("PEFT_METHODS have the settings their sources give, at BiomedCLIP's size", () => {
  const settings = (name: keyof typeof PEFT_METHODS): Readonly<Record<string, unknown>> =>
    PEFT_METHODS[name](BIOMED_CLIP).settings;
  assertEquals(settings("coop"), { words: 16 });
  assertEquals(PEFT_METHODS.coop(SMALL).settings, { words: 3 });
  assertEquals(settings("vpt"), { prompts: 5 });
  assertEquals(settings("adapter"), { reduction: 16, encoders: ["image", "text"] });
  assertEquals(settings("clip-adapter"), { reduction: 4, ratio: 0.2, encoders: ["image"] });
  assertEquals(settings("ia3"), { targets: ["k", "v", "ffn"], encoders: ["image", "text"] });
  for (const name of ["lora", "rslora", "dora"] as const) {
    const { rank, alpha, dropout: rate, targets, rankStabilised } = settings(name);
    assertEquals([rank, alpha, rate, targets, rankStabilised], [4, 1, 0.1, ["q", "k", "v"], name === "rslora"]);
  }
  assertEquals(settings("ace-lora")["hgnn"], { topK: 5, hidden: 128, encoders: ["image", "text"] });
  for (const name of ["none", "full", "heads", "bitfit"] as const) assertEquals(settings(name), {});
});

Deno.test("PEFT_METHODS are keyed by their own names, each label once", () => {
  const methods = Object.entries(PEFT_METHODS).map(([key, make]) => ({ key, ...make(SMALL) }));
  assertEquals(methods.map(({ name }) => name), methods.map(({ key }) => key as typeof methods[number]["name"]));
  assertEquals(new Set(methods.map(({ label }) => label)).size, methods.length);
  assertEquals(methods.map(({ model }) => model.name), methods.map(({ label }) => label));
});
