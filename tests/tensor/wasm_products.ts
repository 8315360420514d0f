/**
 * Products by the C kernels in a memory of their own, and their bits. Run as a program, it prints those by the strips of
 * matmul_strips.ts, and which backend this process would choose.
 *
 * @module
 */
import { selectBackend } from "../../lib/tensor/backend.ts";
import { mulberry32 } from "../../lib/tensor/random.ts";
import { compileModules, instantiate } from "../../lib/tensor/wasm/module.ts";

/** Batch, rows, terms, columns: of the models, and with every kind of remainder. */
const SIZES: readonly (readonly [number, number, number, number])[] = [
  [1, 197, 768, 96],
  [2, 197, 64, 197],
  [2, 197, 197, 64],
  [1, 20, 3072, 48],
  [3, 50, 16, 50],
  [2, 65, 24, 65],
  [1, 13, 97, 25],
  [1, 12, 16, 24],
  [1, 64, 800, 8],
  [1, 193, 1000, 205],
  [1, 20, 48, 32],
  [1, 14, 112, 31],
  [1, 15, 176, 776],
  [1, 400, 96, 40],
  [1, 9, 5, 11],
  [1, 30, 33, 41],
  [1, 12, 20, 821],
  [1, 400, 24, 1000],
];

/**
 * The products, in the four transpose forms, with and without a bias.
 *
 * @param strips By which strips; 0: by panels.
 * @returns By name, the bits' SHA-256.
 */
export async function productBits(strips: 0 | 128 | 256): Promise<Record<string, string>> {
  const memory = new WebAssembly.Memory({ initial: 256, maximum: 65536 });
  const exports = instantiate(compileModules({ strips }), memory);
  (exports["__stack_pointer"] as WebAssembly.Global).value = 131072;
  const run = exports as unknown as Record<string, (...args: number[]) => number>;
  const floats = new Float32Array(memory.buffer);
  const bits: Record<string, string> = {};
  for (const [batch, m, k, n] of SIZES) {
    const random = mulberry32(m * k + n);
    const a = 131072;
    const b = a + 4 * batch * m * k;
    const bias = b + 4 * batch * k * n;
    const c = bias + 4 * n;
    const scratch = c + 4 * batch * m * n;
    if (scratch + run["gemm_scratch"]!() > memory.buffer.byteLength) throw new RangeError("the memory is too small");
    for (let i = a / 4; i < c / 4; i++) floats[i] = 2 * random() - 1;
    for (const [ta, tb, first] of [[0, 0, 0], [0, 1, bias], [1, 0, bias], [1, 1, 0]] as const) {
      floats.fill(NaN, c / 4, scratch / 4 + 8);
      run["matmul"]!(
        batch > 1 ? 0 : 1,
        batch,
        m,
        n,
        k,
        a,
        ta,
        0,
        b,
        tb,
        0,
        first,
        c,
        0,
        batch > 1 ? batch : m,
        scratch,
      );
      const product = floats.slice(c / 4, scratch / 4);
      if (!product.every(Number.isFinite)) throw new Error(`${[batch, m, k, n]}: a value was not written`);
      const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", product));
      bits[`${batch} x ${m}x${k}x${n} ${ta}${tb}`] = hash.toHex();
    }
  }
  return bits;
}

if (import.meta.main) {
  const { adapter } = await selectBackend({ backend: "wasm" });
  console.log(`\n${JSON.stringify({ bits: await productBits(256), adapter })}`);
}
