import { loraUpdate } from "../../lib/peft/lora/layer.ts";
import * as tf from "@tensorflow/tfjs";
import { assert, assertEquals } from "@std/assert";
import { fusedLinear } from "../../lib/tensor/kernels/linear/api.ts";
import { layerNormFork } from "../../lib/tensor/kernels/layer_norm/api.ts";
import { topKSoftmax } from "../../lib/tensor/kernels/top_k_softmax/api.ts";
import { packTensors, unpackTensors } from "../../lib/tensor/kernels/pack/api.ts";
import { dropout } from "../../lib/tensor/kernels/dropout/api.ts";
import { l2Normalise } from "../../lib/tensor/kernels/l2_normalise/api.ts";
import { infoNce } from "../../lib/losses/info_nce.ts";
import { linear, type LinearParams, linears } from "../../lib/nn/linear.ts";
import { joined, quickGelu } from "../../lib/nn/mlp.ts";
import { gelu } from "../../lib/tensor/kernels/gelu/api.ts";
import { canFuseMlp } from "../../lib/tensor/kernels/mlp/api.ts";
import type { Scalar, Tensor, Tensor1D, Tensor2D } from "../../lib/tensor/types.ts";
import { assertGpuLikeCpu, assertNear, gpuTest, randoms, tensor } from "./webgpu_support.ts";

for (const [m, k, n] of [[5, 7, 6], [33, 20, 12], [6, 515, 17], [3, 1030, 8]] as const) {
  gpuTest(
    `fusedLinear() of [${m}, ${k}] by [${n}, ${k}] adds bias, drops, adds a tensor, all in float64's numbers`,
    async () => {
      const [x, w, b, c] = [randoms(m * k, 1), randoms(n * k, 2), randoms(n, 3), randoms(m * n, 4)];
      const inputs = [tensor(x, [m, k]), tensor(w, [n, k]), tensor(b, [n]), tensor(c, [m, n])] as const;
      const [rate, seed] = [0.3, 77];
      const ones = tf.ones([m, n]);
      const masks = dropout(ones, { rate, seed });
      const mask = await masks.data();
      const y = fusedLinear(inputs[0] as Tensor2D, { weight: inputs[1] as Tensor2D, bias: inputs[2] as Tensor1D }, {
        rate,
        seed,
        addend: inputs[3] as Tensor2D,
      });
      const want = Float64Array.from({ length: m * n }, (_, at) => {
        const [row, column] = [Math.floor(at / n), at % n];
        let sum = b[column]!;
        for (let i = 0; i < k; i++) sum += x[row * k + i]! * w[column * k + i]!;
        return sum * mask[at]! + c[at]!;
      });
      await assertNear(y, want, 3e-6 * Math.sqrt(k / 16 + 1));
      tf.dispose([...inputs, ones, masks]);
    },
  );
}

gpuTest("linear() with dropout and a residual has the values and gradients of the single steps", async () => {
  await assertGpuLikeCpu([[2, 9, 12], [10, 12], [10], [2, 9, 10]], (x, weight, bias, addend) => [
    linear({ weight: weight as Tensor2D, bias: bias as Tensor1D }, x!, {
      drop: { rate: 0.4, seed: 3 },
      addend: addend!,
    }),
  ]);
  await assertGpuLikeCpu([[7, 12], [10, 12]], (x, weight) => [linear({ weight: weight as Tensor2D }, x!)]);
});

for (
  const [layers, rank, rows, inSize, outSize] of [[3, 4, 11, 16, 16], [3, 4, 300, 16, 16], [1, 3, 9, 7, 13], [
    2,
    5,
    270,
    10,
    4,
  ], [1, 8, 6, 12, 12]] as const
) {
  for (const seeded of [true, false]) {
    gpuTest(
      `linears(): ${layers} layers, rank ${rank}, [${rows}, ${inSize}] to ${outSize}, ${
        seeded ? "with" : "without"
      } dropout, as in single steps`,
      async () => {
        const each = [[outSize, inSize], [outSize], [rank, inSize], [outSize, rank]];
        const shapes = [[rows, inSize], ...Array.from({ length: layers }, () => each).flat()];
        await assertGpuLikeCpu(shapes, (x, ...rest) => {
          const params = Array.from({ length: layers }, (_, l): LinearParams => {
            const [weight, bias, loraA, loraB] = rest.slice(l * 4) as [Tensor2D, Tensor1D, Tensor2D, Tensor2D];
            return {
              weight,
              bias,
              update: loraUpdate({ loraA, loraB, scaling: 0.5 + l, dropout: l === 1 ? 0 : 0.25 }),
            };
          });
          return linears(params, x!, params.map((_, l) => seeded ? { seed: 5 + l } : {}));
        }, { tolerance: 8e-6 });
      },
    );
  }
}

gpuTest("linears() computes layers that are not alike, and ranks too large to fuse, one by one", async () => {
  await assertGpuLikeCpu([[5, 8], [6, 8], [3, 8], [6, 3], [6, 8]], (x, w, a, b, other) => {
    const update = loraUpdate({ loraA: a as Tensor2D, loraB: b as Tensor2D, scaling: 2, dropout: 0 });
    return linears([{ weight: w as Tensor2D, update }, { weight: other as Tensor2D }], x!, [{}, {}]);
  });
  await assertGpuLikeCpu([[5, 8], [6, 8], [30, 8], [6, 30]], (x, w, a, b) => {
    const update = loraUpdate({ loraA: a as Tensor2D, loraB: b as Tensor2D, scaling: 0.1, dropout: 0 });
    return linears([{ weight: w as Tensor2D, update }], x!, [{}]);
  });
});

gpuTest("layerNormFork() adds the residual's gradient to LayerNorm's", async () => {
  for (const shape of [[3, 4, 12], [5, 7]]) {
    const width = shape.at(-1)!;
    await assertGpuLikeCpu([shape, [width], [width]], (x, gain, bias) => {
      const [normed, same] = layerNormFork(x!, gain as Tensor1D, bias as Tensor1D, 1e-6);
      return [normed, tf.tanh(same)];
    });
  }
});

gpuTest("l2Normalise() has the values and gradients of the single steps, rows of zeros included", async () => {
  await assertGpuLikeCpu([[4, 3, 12]], (x) => [l2Normalise(x!)]);
  await assertGpuLikeCpu([[6, 7]], (x) => [l2Normalise(tf.mul(x!, tf.tensor2d([1, 1e-3, 50, 0, 1, 1], [6, 1])))]);
});

for (const [rows, columns, k] of [[3, 9, 3], [4, 197, 5], [2, 64, 1], [3, 4, 6]] as const) {
  gpuTest(`topKSoftmax() keeps ${k} of ${columns} as the single steps do, with ties and few allowed`, async () => {
    await assertGpuLikeCpu([[rows, columns]], (x) => [topKSoftmax(x!, k).weights]);
    const allowed = Float32Array.from({ length: columns }, (_, i) => i % 3 === 1 ? 1 : 0);
    await assertGpuLikeCpu([[rows, columns]], (x) => {
      const some = tf.tensor2d(allowed, [1, columns]);
      return [topKSoftmax(tf.round(x!), k, some).weights, topKSoftmax(x!, k, tf.tile(some, [rows, 1])).weights];
    });
    const values = randoms(rows * columns, 8).map(Math.round); // many ties
    const places: number[][] = [];
    for (const backend of ["cpu", "webgpu"]) {
      await tf.setBackend(backend);
      const x = tensor(values, [rows, columns]);
      const { weights, indices } = topKSoftmax(x, k);
      assertEquals(indices.shape, [rows, Math.min(k, columns)]);
      places.push([...await indices.data()]);
      tf.dispose([x, weights, indices]);
    }
    assertEquals(places[1], places[0]);
  });
}

gpuTest("packTensors() and unpackTensors() keep every bit, on any backend, without a program on webgpu", async () => {
  const shapes = [[3, 5], [1], [], [0, 2], [2, 2, 2]];
  for (const backend of ["cpu", "webgpu"]) {
    await tf.setBackend(backend);
    const parts = shapes.map((shape, i) => tensor(randoms(tf.util.sizeFromShape(shape), i + 1), shape));
    const flat = packTensors(parts);
    assert(flat.size >= 25 && flat.size <= 28);
    const back = unpackTensors(flat, shapes);
    for (const [i, part] of back.entries()) {
      assertEquals(part.shape, shapes[i]);
      assertEquals([...await part.data()], [...await parts[i]!.data()]);
    }
    tf.dispose([...parts, flat, ...back]);
  }
});

for (const activation of ["gelu", "quick-gelu", "leaky-relu"] as const) {
  for (const [m, k, h, n] of [[5, 7, 9, 6], [33, 20, 12, 8], [6, 515, 17, 5]] as const) {
    gpuTest(
      `fusedMlp() with ${activation} of [${m}, ${k}] by ${h} and ${n}, and all gradients, as in steps`,
      async () => {
        for (const trained of [false, true]) {
          await assertGpuLikeCpu([[m, k], [h, k], [h], [n, h], [n], [m, n]], (x, w1, b1, w2, b2, addend) => {
            const layers = [{ weight: w1, bias: b1 }, { weight: w2, bias: b2 }] as [LinearParams, LinearParams];
            const [drop, act] = [{ rate: 0.3, seed: 7 }, { activation, trained }];
            if (canFuseMlp()) return [joined(layers, x!, { ...act, drop, addend: addend! })!];
            const middle = linear(layers[0], x!);
            const f = { gelu, "quick-gelu": quickGelu, "leaky-relu": (t: Tensor) => tf.leakyRelu(t, 0.2) }[activation];
            return [linear(layers[1], f(middle), { drop, addend: addend! })];
          }, { scale: 0.5, tolerance: 5e-6, label: `trained ${trained}` });
        }
      },
    );
  }
}

for (const [m, k, h] of [[5, 7, 9], [33, 20, 12], [6, 8, 520]] as const) {
  gpuTest(`fusedMlp() of [${m}, ${k}] by ${h} that adds its own input, and all gradients, as in steps`, async () => {
    for (const trained of [false, true]) {
      await assertGpuLikeCpu([[m, k], [h, k], [h], [k, h], [k]], (x, w1, b1, w2, b2) => {
        const layers = [{ weight: w1, bias: b1 }, { weight: w2, bias: b2 }] as [LinearParams, LinearParams];
        const rest = { drop: { rate: 0.3, seed: 7 }, addend: x! };
        if (canFuseMlp()) return [joined(layers, x!, { activation: "gelu", trained, ...rest })!];
        return [linear(layers[1], gelu(linear(layers[0], x!)), rest)];
      }, { scale: 0.5, tolerance: 5e-6, label: `trained ${trained}` });
    }
  });
}

for (const [size, width, isMasked] of [[5, 7, false], [70, 16, true], [2, 3, false]] as const) {
  gpuTest(
    `infoNce() of ${size} pairs, ${isMasked ? "some" : "none"} removed, and its gradients as in steps`,
    async () => {
      const mask = Float32Array.from({ length: size * size }, (_, i) => i % (size + 1) === 0 || i % 7 !== 3 ? 1 : 0);
      await assertGpuLikeCpu([[size, width], [size, width], []], (image, text, scale) => {
        const options = isMasked ? { pairMask: tf.tensor2d(mask, [size, size]) as Tensor2D } : {};
        return [infoNce(image as Tensor2D, text as Tensor2D, scale as Scalar, options)];
      });
    },
  );
}
