/** LayerNorm, GELU, dropout and AdamW: what is bound by memory. Sampled places are computed in float64. @module */
import type { Case } from "./row.ts";
import { runKernel, type Source } from "./inputs.ts";

/** Sizes of the cases. */
export interface Sizes {
  /** Images or texts. */
  batch: number;
  /** Tokens of an image. */
  tokens: number;
  /** Tokens of a text. */
  textTokens: number;
  /** Width of the model. */
  width: number;
  /** Width of the MLP. */
  hidden: number;
  /** Heads. */
  heads: number;
  /** LoRA rank. */
  rank: number;
  /** Trainable numbers. */
  trainable: number;
}

const EPSILON = 1e-6;

/** LayerNorm, forward and backward. */
export function layerNormCases(sizes: Sizes, source: Source): Case[] {
  const { width } = sizes;
  const rows = sizes.batch * sizes.tokens;
  const all = rows * width * 4;
  const make = () => {
    const x = source.numbers([rows, width], 3);
    const dy = source.numbers([rows, width]);
    const gain = source.numbers([width]);
    const bias = source.numbers([width]);
    const [y, mean, rstd] = runKernel("AceLayerNorm", { x: x.tensor, gain: gain.tensor, bias: bias.tensor }, {
      epsilon: EPSILON,
    });
    y!.dispose();
    const free = () => [x, dy, gain, bias].forEach((n) => n.tensor.dispose());
    return { x, dy, gain, bias, mean: mean!, rstd: rstd!, free };
  };
  const statistics = (x: Float32Array, row: number) => {
    const values = Array.from(x.subarray(row * width, (row + 1) * width));
    const mean = values.reduce((sum, v) => sum + v, 0) / width;
    const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / width;
    const rstd = 1 / Math.sqrt(variance + EPSILON);
    return { mean, rstd, hat: values.map((v) => (v - mean) * rstd) };
  };
  const shape = `[${rows}, ${width}]`;
  return [
    {
      op: "AceLayerNorm",
      shape,
      bytes: 2 * all,
      flops: 8 * rows * width,
      tolerance: 2e-5,
      prepare: () => {
        const made = make();
        const inputs = { x: made.x.tensor, gain: made.gain.tensor, bias: made.bias.tensor };
        return {
          run: () => runKernel("AceLayerNorm", inputs, { epsilon: EPSILON }),
          want: () =>
            source.places(rows, 8).flatMap((row) =>
              statistics(made.x.values, row).hat.map((hat, i) =>
                [0, row * width + i, hat * made.gain.values[i]! + made.bias.values[i]!] as [number, number, number]
              )
            ),
          free: () => [made.mean, made.rstd].forEach((t) => t.dispose()) ?? made.free(),
        };
      },
    },
    {
      op: "AceLayerNormGradX",
      shape,
      bytes: 3 * all,
      flops: 12 * rows * width,
      tolerance: 2e-5,
      prepare: () => {
        const made = make();
        const { mean, rstd } = made;
        const inputs = { dy: made.dy.tensor, x: made.x.tensor, gain: made.gain.tensor, mean, rstd };
        return {
          run: () => runKernel("AceLayerNormGradX", inputs),
          want: () =>
            source.places(rows, 8).flatMap((row) => {
              const { hat, rstd: r } = statistics(made.x.values, row);
              const g = hat.map((_, i) => made.dy.values[row * width + i]! * made.gain.values[i]!);
              const first = g.reduce((sum, v) => sum + v, 0) / width;
              const second = g.reduce((sum, v, i) => sum + v * hat[i]!, 0) / width;
              return g.map((v, i) =>
                [0, row * width + i, r * (v - first - hat[i]! * second)] as [number, number, number]
              );
            }),
          free: () => [mean, rstd].forEach((t) => t.dispose()) ?? made.free(),
        };
      },
    },
    {
      op: "AceLayerNormGradParams",
      shape,
      bytes: 2 * all,
      flops: 5 * rows * width,
      tolerance: 1e-6 * Math.sqrt(rows) + 2e-5,
      prepare: () => {
        const made = make();
        const { mean, rstd } = made;
        const inputs = { dy: made.dy.tensor, x: made.x.tensor, mean, rstd };
        return {
          run: () => runKernel("AceLayerNormGradParams", inputs),
          want: () => {
            const gain = new Float64Array(width);
            const bias = new Float64Array(width);
            for (let row = 0; row < rows; row++) {
              statistics(made.x.values, row).hat.forEach((hat, i) => {
                gain[i]! += made.dy.values[row * width + i]! * hat;
                bias[i]! += made.dy.values[row * width + i]!;
              });
            }
            return source.places(width, 16).flatMap((i) =>
              [[0, i, gain[i]!], [1, i, bias[i]!]] as [number, number, number][]
            );
          },
          free: () => [mean, rstd].forEach((t) => t.dispose()) ?? made.free(),
        };
      },
    },
  ];
}

/** erf in float64 by its series, for |x| up to about 5. */
export function erf(x: number): number {
  let term = x, total = x;
  for (let k = 1; k < 200; k++) {
    term *= -x * x / k;
    total += term / (2 * k + 1);
  }
  return 2 / Math.sqrt(Math.PI) * total;
}

/** GELU, forward and backward; dropout; AdamW. */
export function elementwiseCases(sizes: Sizes, source: Source): Case[] {
  const hidden = [sizes.batch * sizes.tokens, sizes.hidden];
  const size = hidden[0]! * hidden[1]!;
  const phi = (x: number) => 0.5 * (1 + erf(x / Math.SQRT2));
  const density = (x: number) => Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
  const narrow = [sizes.batch * sizes.tokens, sizes.width];
  const adam = { learningRate: 1e-2, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1, step: 3 };
  return [
    {
      op: "AceGelu",
      shape: `[${hidden}]`,
      bytes: 8 * size,
      flops: 20 * size,
      tolerance: 1e-6,
      prepare: () => {
        const x = source.numbers(hidden, 4);
        return {
          run: () => runKernel("AceGelu", { x: x.tensor }),
          want: () => source.places(size, 512).map((i) => [0, i, x.values[i]! * phi(x.values[i]!)]),
          free: () => x.tensor.dispose(),
        };
      },
    },
    {
      op: "AceGeluGrad",
      shape: `[${hidden}]`,
      bytes: 12 * size,
      flops: 25 * size,
      tolerance: 1e-6,
      prepare: () => {
        const [x, dy] = [source.numbers(hidden, 4), source.numbers(hidden)];
        return {
          run: () => runKernel("AceGeluGrad", { dy: dy.tensor, x: x.tensor }),
          want: () =>
            source.places(size, 512).map((i) => {
              const v = x.values[i]!;
              return [0, i, dy.values[i]! * (phi(v) + v * density(v))];
            }),
          free: () => [x, dy].forEach((n) => n.tensor.dispose()),
        };
      },
    },
    {
      op: "AceDropout",
      shape: `[${narrow}]`,
      bytes: 8 * narrow[0]! * narrow[1]!,
      flops: 0,
      tolerance: 1e-6,
      prepare: () => {
        const x = source.numbers(narrow);
        const [rate, seed] = [0.25, 0x5eed];
        const hash = (i: number) => {
          let h = Math.imul(i, 0x9E3779B1) ^ seed;
          h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
          h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
          return (h ^ (h >>> 16)) >>> 0;
        };
        return {
          run: () => runKernel("AceDropout", { x: x.tensor }, { rate, seed }),
          want: () =>
            source.places(x.values.length, 512)
              .map((i) => [0, i, hash(i) >= rate * 2 ** 32 ? x.values[i]! / (1 - rate) : 0]),
          free: () => x.tensor.dispose(),
        };
      },
    },
    {
      op: "AceAdamw",
      shape: `[${sizes.trainable}]`,
      bytes: 28 * sizes.trainable,
      flops: 15 * sizes.trainable,
      tolerance: 2e-6,
      prepare: () => {
        const [p, g, m] = [0, 1, 2].map(() => source.numbers([sizes.trainable]));
        const v = source.numbers([sizes.trainable]);
        const squares = v.tensor.square();
        const inputs = { param: p!.tensor, grad: g!.tensor, m: m!.tensor, v: squares };
        return {
          run: () => runKernel("AceAdamw", inputs, adam),
          want: () =>
            source.places(sizes.trainable, 512).flatMap((i) => {
              const grad = g!.values[i]!;
              const first = adam.beta1 * m!.values[i]! + (1 - adam.beta1) * grad;
              const second = adam.beta2 * v.values[i]! ** 2 + (1 - adam.beta2) * grad ** 2;
              const root = Math.sqrt(second / (1 - adam.beta2 ** adam.step)) + adam.epsilon;
              const decayed = p!.values[i]! * (1 - adam.learningRate * adam.weightDecay);
              const next = decayed - adam.learningRate / (1 - adam.beta1 ** adam.step) * first / root;
              return [[0, i, next], [1, i, first], [2, i, second]] as [number, number, number][];
            }),
          free: () => [...[p!, g!, m!, v].map((n) => n.tensor), squares].forEach((t) => t.dispose()),
        };
      },
    },
  ];
}
