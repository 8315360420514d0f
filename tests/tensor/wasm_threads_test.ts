import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { initWasm } from "../../lib/tensor/wasm/init.ts";
import { addressOf, type WasmBackend, wasmKernels } from "../../lib/tensor/wasm/module.ts";
import { planRows, type Product, splitRows } from "../../lib/tensor/wasm/split.ts";
import { threadCount, threadPool } from "../../lib/tensor/wasm/threads.ts";

/** [m, k, n, transposeA, transposeB], all large enough to be split. */
const PRODUCTS: readonly [number, number, number, boolean, boolean][] = [
  [512, 768, 768, false, true],
  [513, 260, 1030, true, false],
  [509, 512, 515, true, true],
  [1200, 256, 700, false, false],
];

/** One product's operands and result in tfjs's memory, and how to free them. */
function operands([m, k, n, ta, tb]: (typeof PRODUCTS)[number]): { product: Product; c: tf.Tensor; free(): void } {
  const backend = tf.backend() as unknown as WasmBackend;
  const a = tf.randomUniform(ta ? [k, m] : [m, k], -1, 1, "float32", 1);
  const b = tf.randomUniform(tb ? [n, k] : [k, n], -1, 1, "float32", 2);
  const bias = tf.randomUniform([n], -1, 1, "float32", 3);
  const c = tf.fill([m, n], NaN); // so that a row nobody computes is seen
  const at = (x: tf.Tensor): number => addressOf(backend, x);
  const product = { m, k, n, ta: Number(ta), tb: Number(tb), a: at(a), b: at(b), bias: at(bias), c: at(c) };
  return { product, c, free: () => tf.dispose([a, b, bias, c]) };
}

/** A product's values, by all threads of the pool or by one. */
async function computed(shape: (typeof PRODUCTS)[number], split: boolean): Promise<Float32Array> {
  const backend = tf.backend() as unknown as WasmBackend;
  const { product: p, c, free } = operands(shape);
  const { run, scratch } = wasmKernels(backend);
  const work = scratch(run.gemm_scratch!());
  if (split) {
    // A worker that was late for the last product may still be at it on a busy machine.
    while (threadPool()!.busy()) await new Promise((resolve) => setTimeout(resolve, 5));
    assert(splitRows(backend, p, work), `a product of ${shape} is split`);
  } else run.matmul!(1, p.m, p.n, p.k, p.a, p.ta, 0, p.b, p.tb, 0, p.bias, p.c, 0, p.m, work);
  const values = await c.data() as Float32Array;
  free();
  return values;
}

Deno.test({
  name: "splitRows() on two and on three threads gives the bits of one thread, in every transpose form",
  // The workers live as long as the process.
  sanitizeResources: false,
  sanitizeOps: false,
  fn: async () => {
    await initWasm({ threads: 1 });
    await tf.setBackend("wasm");
    assertEquals(threadPool(), undefined);
    const one = await Promise.all(PRODUCTS.map((shape) => computed(shape, false)));
    for (const threads of [2, 3]) {
      await initWasm({ threads });
      assertEquals(threadPool()!.threads, threads);
      for (let repetition = 0; repetition < 5; repetition++) {
        for (const [i, shape] of PRODUCTS.entries()) assertEquals(await computed(shape, true), one[i]);
      }
    }
    await initWasm({ threads: 1 });
    assertEquals(threadPool(), undefined);
  },
});

Deno.test({
  name: "a chunk that fails in a worker is computed by the main thread",
  sanitizeResources: false,
  sanitizeOps: false,
  fn: async () => {
    await initWasm({ threads: 2 });
    const pool = threadPool()!;
    const done: [number, number][] = [];
    const fetched: [number, number][] = [];
    // Addresses past the end of the memory: the worker traps.
    const { finish } = pool.start({
      name: "matmul",
      args: [1, 300, 4096, 4096, 2 ** 31, 0, 0, 2 ** 31, 0, 0, 0, 2 ** 31],
      rows: 300,
      rowMs: () => 100,
      here: (first, rows) => {
        done.push([first, rows]);
      },
      fetch: (first, rows) => {
        fetched.push([first, rows]);
      },
    });
    await new Promise((resolve) => setTimeout(resolve, 200));
    finish();
    assertEquals(fetched, []);
    assertEquals(done.reduce((sum, [, rows]) => sum + rows, 0), 300);
    await initWasm({ threads: 1 });
  },
});

Deno.test({
  name: "a chunk whose worker is late is computed by the main thread, and no job is started before it ends",
  sanitizeResources: false,
  sanitizeOps: false,
  fn: async () => {
    await initWasm({ threads: 2 });
    const pool = threadPool()!;
    const { base } = pool;
    const done: number[] = [];
    // 256 rows, two chunks of some 10 ms each in the worker; the main thread waits no time at all.
    const { finish } = pool.start({
      name: "matmul",
      args: [1, 256, 1024, 1024, base, 0, 0, base + 2 ** 24, 0, 0, 0, base + 2 ** 25],
      rows: 256,
      rowMs: () => 0,
      here: (_first, rows) => {
        done.push(rows);
      },
      fetch: (_first, rows) => {
        done.push(rows);
      },
    });
    await new Promise((resolve) => setTimeout(resolve, 5));
    finish();
    assertEquals(done.reduce((a, b) => a + b), 256);
    for (let i = 0; pool.busy() && i < 500; i++) await new Promise((resolve) => setTimeout(resolve, 10));
    assertEquals(pool.busy(), false);
    await initWasm({ threads: 1 });
  },
});

Deno.test("workers do not keep the process alive, and need no permission", async () => {
  const here = new URL("../../", import.meta.url);
  const code = `
    import * as tf from "@tensorflow/tfjs";
    import { initWasm } from "${new URL("lib/tensor/wasm/init.ts", here)}";
    await initWasm({ threads: 2 });
    await tf.setBackend("wasm");
    const c = tf.matMul(tf.ones([512, 768]), tf.ones([768, 512]));
    console.log((await c.data())[7]);
  `;
  const run = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--deny-read", "--deny-env", "--deny-net", "-"],
    cwd: here,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = run.stdin.getWriter();
  await writer.write(new TextEncoder().encode(code));
  await writer.close();
  const timer = setTimeout(() => run.kill(), 30_000);
  const { stdout, stderr, success } = await run.output();
  clearTimeout(timer);
  assert(success, new TextDecoder().decode(stderr));
  assertEquals(new TextDecoder().decode(stdout).trim(), "768");
});

Deno.test("planRows() splits large products only, and gives the main thread the smaller part", () => {
  const shape = { ta: 0, tb: 0 };
  assertEquals(planRows({ ...shape, m: 50, n: 50, k: 16 }, 2), 0);
  assertEquals(planRows({ ...shape, m: 3200, n: 768, k: 4 }, 2), 0);
  const rows = planRows({ ...shape, m: 512, n: 3072, k: 768 }, 2);
  assert(rows > 256 && rows < 320, `${rows}`);
});

Deno.test("threadCount() refuses what is not a positive integer", async () => {
  for (const threads of [0, -1, 1.5, NaN]) {
    assertThrows(() => threadCount(threads), RangeError, `current value is ${threads}`);
  }
  await assertRejects(() => initWasm({ threads: 0 }), RangeError, "current value is 0");
  assertEquals(threadCount(3), 3);
});
