/** Linear layers, with low-rank updates and by two, on wasm: the bits of the single steps, and the cpu backend's numbers. */
import { assert, assertEquals } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { frozenLinear, linear, type LinearParams, linears } from "../../lib/nn/linear.ts";
import { joined, mlp } from "../../lib/nn/mlp.ts";
import { loraUpdate } from "../../lib/peft/lora/layer.ts";
import { dropout } from "../../lib/tensor/kernels/dropout/api.ts";
import { type FusedLoraLinear, fusedLoraLinear } from "../../lib/tensor/kernels/lora/api.ts";
import { gelu } from "../../lib/tensor/kernels/gelu/api.ts";
import type { Tensor, Tensor1D, Tensor2D } from "../../lib/tensor/types.ts";
import { initWasm } from "../../lib/tensor/wasm/init.ts";
import { normal } from "../../lib/tensor/init.ts";

type Layer = (...inputs: Tensor[]) => Tensor[];

/** Values, and gradients of a weighted sum. */
async function run(backend: string, shapes: readonly number[][], f: Layer): Promise<Float32Array[]> {
  await tf.setBackend(backend);
  const inputs = shapes.map((shape, i) => normal(shape, 1, i + 1, "input"));
  const sum = (...all: Tensor[]): tf.Scalar =>
    tf.addN(f(...all).map((y, i) => tf.sum(tf.mul(y, normal(y.shape, 1, 90 + i, "factor"))))) as tf.Scalar;
  const results = tf.tidy(() => [...f(...inputs), ...tf.grads(sum)(inputs)]);
  const values = await Promise.all(results.map((t) => t.data() as Promise<Float32Array>));
  tf.dispose([...results, ...inputs]);
  return values;
}

interface Case {
  name: string;
  shapes: number[][];
  fused: Layer;
  steps: Layer;
}

function loraCase([rows, inSize, outSize, rank]: readonly [number, number, number, number], isSeeded: boolean): Case {
  const layerOf = (inputs: Tensor[]): LinearParams & { update: ReturnType<typeof loraUpdate> } => {
    const [weight, bias, loraA, loraB] = inputs as [Tensor2D, Tensor1D, Tensor2D, Tensor2D];
    return { weight, bias, update: loraUpdate({ loraA, loraB, scaling: 0.7, dropout: 0.25 }) };
  };
  return {
    name: `linears() of [${rows}, ${inSize}] to ${outSize}, rank ${rank}, ${isSeeded ? "with" : "without"} dropout`,
    shapes: [[rows, inSize], [outSize, inSize], [outSize], [rank, inSize], [outSize, rank]],
    fused: (x, ...rest) => linears([layerOf(rest)], x!, [isSeeded ? { seed: 5 } : {}]),
    steps: (x, ...rest) => {
      const { update, ...layer } = layerOf(rest);
      return [update.method.apply(update, layer, x as Tensor2D, isSeeded ? 5 : undefined)];
    },
  };
}

/** Three layers on one input: gradients of the input and of all low-rank matrices, the layers' weights being constants. */
function together([rows, inSize, outSize, rank]: readonly [number, number, number, number]): Case {
  const layers = (lows: Tensor[]): FusedLoraLinear[] =>
    [0, 1, 2].map((l) => ({
      weight: normal([outSize, inSize], 1, 20 + l, "weight") as Tensor2D,
      bias: normal([outSize], 1, 20 + l, "bias") as Tensor1D,
      loraA: lows[2 * l] as Tensor2D,
      loraB: lows[2 * l + 1] as Tensor2D,
      scaling: 0.7 + l,
      rate: l === 1 ? 0 : 0.25,
      seed: l,
    }));
  return {
    name: `three layers of [${rows}, ${inSize}] to ${outSize} together`,
    shapes: [[rows, inSize], ...[0, 1, 2].flatMap(() => [[rank, inSize], [outSize, rank]])],
    fused: (x, ...lows) => fusedLoraLinear(x as Tensor2D, layers(lows)),
    steps: (x, ...lows) =>
      layers(lows).flatMap(({ weight, bias, loraA, loraB, scaling, rate, seed }) => {
        const update = loraUpdate({ loraA, loraB, scaling, dropout: rate });
        return linears([{ weight, bias: bias!, update }], x!, [{ seed }]);
      }),
  };
}

const DROP = { rate: 0.3, seed: 7 };

/** The result whole, or with rows of zeros among the others, which its gradient then has too. */
function partOf(y: Tensor): Tensor {
  const rows = y.shape[0]!;
  return rows < 64 ? y : tf.mul(y, tf.tensor2d(Array.from({ length: rows }, (_, i) => [i % 7 < 3 ? 0 : 1])));
}

const CASES: readonly Case[] = [
  ...[[9, 12, 10, 4], [300, 16, 24, 4], [150, 40, 24, 4], [33, 7, 13, 3], [270, 96, 50, 6], [1, 8, 6, 1], [
    6,
    2100,
    9,
    4,
  ]].flatMap((
    sizes,
  ) => [true, false].map((isSeeded) => loraCase(sizes as [number, number, number, number], isSeeded))),
  together([300, 16, 24, 4]),
  together([70, 40, 24, 4]),
  {
    name: "linear() with dropout and a residual",
    shapes: [[19, 12], [10, 12], [10], [19, 10]],
    fused: (x, weight, bias, addend) => [
      linear({ weight: weight as Tensor2D, bias: bias as Tensor1D }, x!, { drop: DROP, addend: addend! }),
    ],
    steps: (x, weight, bias, addend) => {
      const y = frozenLinear({ weight: weight as Tensor2D, bias: bias as Tensor1D }, x as Tensor2D);
      return [tf.add(addend!, dropout(y, DROP))];
    },
  },
  ...(["gelu", "leaky-relu"] as const).flatMap((activation) =>
    ([[33, true], [33, false], [1300, true], [1300, false]] as const).map(([rows, trained]): Case => ({
      name: `two layers with ${activation} for ${rows} rows, ${trained ? "trained" : "frozen"}`,
      shapes: [[rows, 20], [13, 20], [13], [8, 13], [8], [rows, 8]],
      fused: (x, w1, b1, w2, b2, addend) => {
        const layers = [{ weight: w1, bias: b1 }, { weight: w2, bias: b2 }] as [LinearParams, LinearParams];
        return [partOf(joined(layers, x!, { activation, trained, drop: DROP, addend: addend! })!)];
      },
      steps: (x, w1, b1, w2, b2, addend) => {
        const [first, second] = [{ weight: w1, bias: b1 }, { weight: w2, bias: b2 }] as [LinearParams, LinearParams];
        const argument = frozenLinear(first, x as Tensor2D);
        const middle = activation === "gelu" ? gelu(argument) : tf.leakyRelu(argument, 0.2);
        return [partOf(tf.add(addend!, dropout(frozenLinear(second, middle), DROP)))];
      },
    }))
  ),
  {
    name: "two layers with gelu for 70 rows, with dropout, without biases and residual",
    shapes: [[70, 20], [13, 20], [8, 13]],
    fused: (x, w1, w2) => [
      joined([{ weight: w1 as Tensor2D }, { weight: w2 as Tensor2D }], x!, {
        activation: "gelu",
        trained: false,
        drop: DROP,
      })!,
    ],
    steps: (x, w1, w2) => {
      const middle = gelu(frozenLinear({ weight: w1 as Tensor2D }, x as Tensor2D));
      return [dropout(frozenLinear({ weight: w2 as Tensor2D }, middle), DROP)];
    },
  },
];

for (const { name, shapes, fused, steps } of CASES) {
  Deno.test(`${name} [wasm]: the bits of the single steps, and the cpu's numbers, with all gradients`, async () => {
    await initWasm({ threads: 1, blas: "off" });
    await tf.setBackend("wasm");
    const { numTensors } = tf.memory();
    const [got, single, cpu] = [
      await run("wasm", shapes, fused),
      await run("wasm", shapes, steps),
      await run("cpu", shapes, steps),
    ];
    assertEquals(tf.memory().numTensors, numTensors);
    for (const [i, values] of got.entries()) {
      assertEquals(values.findIndex((value, j) => value !== single[i]![j]), -1, `result ${i}`);
      const largest = cpu[i]!.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-3);
      const off = values.reduce((most, x, j) => Math.max(most, Math.abs(x - cpu[i]![j]!)), 0) / largest;
      assert(off < 8e-6, `result ${i} is off by ${off}`);
    }
  });
}

Deno.test("mlp() with the quick GELU, which no kernel of wasm has, takes single steps", async () => {
  const shapes = [[5, 7], [9, 7], [6, 9]];
  const f: Layer = (x, w1, w2) => [
    mlp({ fc1: { weight: w1 as Tensor2D }, fc2: { weight: w2 as Tensor2D } }, x!, { activation: "quick-gelu" }),
  ];
  await initWasm({ threads: 1, blas: "off" });
  const [got, want] = [await run("wasm", shapes, f), await run("cpu", shapes, f)];
  for (const [i, values] of got.entries()) {
    assert(values.every((x, j) => Math.abs(x - want[i]![j]!) < 1e-4), `result ${i}`);
  }
});
