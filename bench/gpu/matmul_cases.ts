/** The products of a training step, by this package and by tfjs's own kernel, and a sweep over tiles. @module */
import * as tf from "@tensorflow/tfjs";
import type { WebgpuBackend } from "../../lib/tensor/webgpu/backend.ts";
import type { Tensor } from "../../lib/tensor/types.ts";
import { batchAxes } from "../../lib/tensor/kernels/matmul/webgpu.ts";
import { MATMUL_TILES, type MatMulTile, planMatMul } from "../../lib/tensor/kernels/matmul/webgpu_plan.ts";
import { matMulProgram } from "../../lib/tensor/kernels/matmul/webgpu_program.ts";
import { replacedKernel } from "../../lib/tensor/kernels/register.ts";
import { runProgram } from "../../lib/tensor/webgpu/run.ts";
import { runKernel, type Source } from "./inputs.ts";
import type { Case, Prepared } from "./row.ts";
import type { Sizes } from "./row_cases.ts";

interface Product {
  op: string;
  m: number;
  n: number;
  k: number;
  transposeA: boolean;
  transposeB: boolean;
}

/** The products of one block of the image tower, forward and backward, and of its LoRA. */
export function products(sizes: Sizes): Product[] {
  const rows = sizes.batch * sizes.tokens;
  const { width, hidden, rank } = sizes;
  const of = (op: string, m: number, n: number, k: number, transposeA = false, transposeB = false): Product => ({
    op,
    m,
    n,
    k,
    transposeA,
    transposeB,
  });
  return [
    of("linear x W", rows, width, width),
    of("linear x W^T", rows, width, width, false, true),
    of("MLP up x W^T", rows, hidden, width, false, true),
    of("MLP down x W^T", rows, width, hidden, false, true),
    of("MLP gradient dy W", rows, width, hidden),
    of("weight gradient dy^T x", width, width, rows, true, false),
    of("LoRA x A^T", rows, rank, width, false, true),
    of("LoRA h B^T", rows, width, rank, false, true),
    of("LoRA gradient of B, dy^T h", width, rank, rows, true, false),
    of("LoRA gradient of A, dh^T x", rank, width, rows, true, false),
    of("logits I T^T", sizes.batch, sizes.batch, 512, false, true),
  ];
}

function inputsOf(
  product: Product,
  source: Source,
): { a: Tensor; b: Tensor; want: Prepared["want"]; free: () => void } {
  const { m, n, k, transposeA, transposeB } = product;
  const a = source.numbers(transposeA ? [k, m] : [m, k]);
  const b = source.numbers(transposeB ? [n, k] : [k, n]);
  return {
    a: a.tensor,
    b: b.tensor,
    want: () =>
      source.places(m * n, 64).map((place) => {
        const [row, column] = [Math.floor(place / n), place % n];
        let sum = 0;
        for (let t = 0; t < k; t++) {
          sum += a.values[transposeA ? t * m + row : row * k + t]! *
            b.values[transposeB ? column * k + t : t * n + column]!;
        }
        return [0, place, sum];
      }),
    free: () => tf.dispose([a.tensor, b.tensor]),
  };
}

function caseOf(
  product: Product,
  implementation: string,
  prepare: (source: Source) => Prepared,
  source: Source,
): Case {
  const { m, n, k } = product;
  return {
    op: `matMul: ${product.op}`,
    implementation,
    shape: `${m} x ${k} x ${n}`,
    bytes: 4 * (m * k + k * n + m * n),
    flops: 2 * m * n * k,
    tolerance: 1e-6 * Math.sqrt(k) + 1e-6,
    prepare: () => prepare(source),
  };
}

/** Each product by this package and by tfjs. */
export function matMulCases(sizes: Sizes, source: Source, backend: WebgpuBackend): Case[] {
  return products(sizes).flatMap((product) => {
    const attrs = { transposeA: product.transposeA, transposeB: product.transposeB };
    const ours = caseOf(product, "ace-webgpu", (from) => {
      const { a, b, want, free } = inputsOf(product, from);
      return { run: () => runKernel("BatchMatMul", { a, b }, attrs), want, free };
    }, source);
    const theirs = caseOf(product, "tfjs-webgpu", (from) => {
      const { a, b, want, free } = inputsOf(product, from);
      const kernel = replacedKernel("webgpu", "BatchMatMul")!.kernelFunc;
      const run = () => {
        const info = kernel({ inputs: { a, b }, attrs, backend }) as tf.TensorInfo;
        return [tf.engine().makeTensorFromTensorInfo(info)];
      };
      return { run, want, free };
    }, source);
    return [ours, theirs];
  });
}

/** The big products with every tile that fits them, to choose by. */
export function tileSweep(sizes: Sizes, source: Source, backend: WebgpuBackend): Case[] {
  const limits = backend.device.limits;
  const tiles = Object.entries(MATMUL_TILES).filter(([name]) =>
    name !== "big" || limits.maxComputeWorkgroupStorageSize >= 18432
  );
  return products(sizes).filter(({ m, n }) => m > 16 && n > 16).flatMap((product) =>
    tiles.filter(([, tile]) => tile.threadsX > 4 && tile.threadsY > 4).map(([name, tile]) =>
      caseOf(product, `ace-webgpu, tile ${name}`, (from) => withTile(product, tile, { source: from, backend }), source)
    )
  );
}

function withTile(product: Product, tile: MatMulTile, given: { source: Source; backend: WebgpuBackend }): Prepared {
  const { backend } = given;
  const { m, n, k, transposeA, transposeB } = product;
  const { a, b, want, free } = inputsOf(product, given.source);
  const shape = { batch: 1, m, n, k };
  const tilesM = Math.ceil(m / (tile.threadsY * tile.rows));
  const tilesN = Math.ceil(n / (tile.threadsX * tile.columns));
  const plan = { ...planMatMul(shape, backend.device.limits), tile, tilesM, tilesN, splits: 1, splitDepth: k };
  const axes = batchAxes([], [])!;
  const program = matMulProgram({ shape, transposeA, transposeB, axes, bias: false, activation: "linear" }, plan);
  const run = () => {
    const result = backend.makeTensorInfo([m, n], "float32");
    runProgram(backend, program, { inputs: [a, b], outputs: [result] });
    return [tf.engine().makeTensorFromTensorInfo(result)];
  };
  return { run, want, free };
}
