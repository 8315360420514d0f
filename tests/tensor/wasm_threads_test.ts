import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { initWasm } from "../../lib/tensor/wasm/init.ts";
import { planRows } from "../../lib/tensor/wasm/split.ts";
import { threadCount, threadPool } from "../../lib/tensor/wasm/threads.ts";

/** [m, k, n, transposeA, transposeB], all large enough to be split. */
const PRODUCTS: readonly [number, number, number, boolean, boolean][] = [
  [512, 768, 768, false, true],
  [513, 260, 1030, true, false],
  [509, 512, 515, true, true],
  [1200, 256, 700, false, false],
];

async function products(): Promise<Float32Array[]> {
  const results = [];
  for (const [m, k, n, ta, tb] of PRODUCTS) {
    const a = tf.randomUniform(ta ? [k, m] : [m, k], -1, 1, "float32", 1) as tf.Tensor2D;
    const b = tf.randomUniform(tb ? [n, k] : [k, n], -1, 1, "float32", 2) as tf.Tensor2D;
    const bias = tf.randomUniform([n], -1, 1, "float32", 3);
    const c = tf.fused.matMul({ a, b, transposeA: ta, transposeB: tb, bias });
    results.push(await c.data() as Float32Array);
    tf.dispose([a, b, bias, c]);
  }
  return results;
}

Deno.test({
  name: "matMul() on two and on three threads gives the bits of one thread, in every transpose form",
  // The workers live as long as the process.
  sanitizeResources: false,
  sanitizeOps: false,
  fn: async () => {
    await initWasm({ threads: 1 });
    await tf.setBackend("wasm");
    assertEquals(threadPool(), undefined);
    const one = await products();
    for (const threads of [2, 3]) {
      await initWasm({ threads });
      const pool = threadPool()!;
      assertEquals(pool.threads, threads);
      let jobs = 0;
      const { start } = pool;
      pool.start = (job) => {
        jobs++;
        return start(job);
      };
      for (let repetition = 0; repetition < 5; repetition++) assertEquals(await products(), one);
      // How many are split depends on how busy the machine is.
      assert(jobs > 0 && jobs <= 5 * PRODUCTS.length, `${jobs}`);
    }
    await initWasm({ threads: 1 });
    assertEquals(threadPool(), undefined);
    assertEquals(await products(), one);
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
