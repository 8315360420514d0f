import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { linears } from "../../lib/nn/linear.ts";
import { joined } from "../../lib/nn/mlp.ts";
import { loraUpdate } from "../../lib/peft/lora/layer.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { attention } from "../../lib/tensor/kernels/attention/api.ts";
import { dropout } from "../../lib/tensor/kernels/dropout/api.ts";
import { gelu } from "../../lib/tensor/kernels/gelu/api.ts";
import { layerNorm } from "../../lib/tensor/kernels/layer_norm/api.ts";
import { layerNormStep } from "../../lib/tensor/kernels/layer_norm/wasm.ts";
import { geluStep } from "../../lib/tensor/kernels/mlp/wasm.ts";
import { chunkBounds, evenBounds } from "../../lib/tensor/wasm/chunks.ts";
import { initWasm } from "../../lib/tensor/wasm/init.ts";
import { addressOf, output, type WasmBackend, wasmKernels } from "../../lib/tensor/wasm/module.ts";
import type { PoolJob, ThreadPool } from "../../lib/tensor/wasm/pool.ts";
import { runRows } from "../../lib/tensor/wasm/rows.ts";
import { threadCount, threadPool } from "../../lib/tensor/wasm/threads.ts";
import { MAX_CHUNKS } from "../../lib/tensor/wasm/worker.ts";

/** The workers live as long as the process. */
const workers = { sanitizeResources: false, sanitizeOps: false };

const FORMS: readonly [boolean, boolean][] = [[false, false], [false, true], [true, false], [true, true]];

/** [m, k, n]: divided by rows, by columns, by either with few of the other; sums over several blocks of k. */
const PRODUCTS: readonly [number, number, number][] = [
  [1201, 800, 100],
  [130, 1540, 1030],
  [3, 900, 2050],
  [4, 4160, 96],
  [4160, 300, 4],
];

function uniform(shape: number[], seed: number): tf.Tensor {
  return tf.randomUniform(shape, -1, 1, "float32", seed);
}

/** Values of a kernel, in every form that is divided among threads, and of its gradients. */
const WORK: Readonly<Record<string, () => tf.Tensor[]>> = {
  "matMul()": () =>
    PRODUCTS.flatMap(([m, k, n]) =>
      FORMS.map(([ta, tb]) => {
        const a = uniform(ta ? [k, m] : [m, k], 1);
        return tf.fused.matMul({
          a: a as tf.Tensor2D,
          b: uniform(tb ? [n, k] : [k, n], 2) as tf.Tensor2D,
          transposeA: ta,
          transposeB: tb,
          bias: uniform([n], 3),
        });
      })
    ),
  "matMul() with rows of zeros": () => {
    const used = tf.cast(tf.greater(uniform([5003, 1], 4), 0), "float32");
    return [tf.matMul(tf.mul(uniform([5003, 96], 1), used) as tf.Tensor2D, uniform([96, 200], 2) as tf.Tensor2D)];
  },
  "matMul() of batches": () =>
    FORMS.flatMap(([ta, tb]) => {
      const a = uniform([7, 120, 120], 1);
      return [uniform([7, 120, 120], 2), uniform([1, 120, 120], 3)].map((b) => tf.matMul(a, b, ta, tb));
    }),
  "attention() and its gradients": () =>
    [false, true].flatMap((masked) => {
      const [batch, tokens, width] = masked ? [3, 150, 96] : [16, 50, 96];
      const x = [1, 2, 3].map((seed) => uniform([batch, tokens, width], seed));
      const keyMask = tf.less<tf.Tensor2D>(uniform([batch, tokens], 4), 0.5);
      const f = (q: tf.Tensor, k: tf.Tensor, v: tf.Tensor): tf.Tensor =>
        attention(q as tf.Tensor3D, k as tf.Tensor3D, v as tf.Tensor3D, { heads: 4, ...(masked ? { keyMask } : {}) });
      return [f(x[0]!, x[1]!, x[2]!), ...tf.grads(f)(x, uniform([batch, tokens, width], 5))];
    }),
  "gelu(), dropout() and additions, with gradients": () => {
    const x = uniform([501, 1031], 1);
    const f = (x: tf.Tensor): tf.Tensor => dropout(gelu(x), { rate: 0.3, seed: 7 });
    return [f(x), tf.grad(f)(x, uniform([501, 1031], 2)), tf.add(x, f(x)), tf.add(uniform([1031], 3), x)];
  },
  "linear layers with low-rank updates, and two with GELU, with gradients": () => {
    const [rows, width, hidden, rank] = [4003, 96, 200, 4];
    const inputs = [[rows, width], [hidden, width], [hidden], [rank, width], [hidden, rank], [width, hidden]].map((
      shape,
      i,
    ) => uniform(shape, i + 1));
    const f = (...all: tf.Tensor[]): tf.Tensor => {
      const [x, weight, bias, loraA, loraB, back] = all as [tf.Tensor2D, tf.Tensor2D, tf.Tensor1D, ...tf.Tensor2D[]];
      const update = loraUpdate({ loraA: loraA!, loraB: loraB!, scaling: 0.5, dropout: 0.2 });
      const [y] = linears([{ weight, bias, update }], x, [{ seed: 3 }]);
      const z = joined([{ weight, bias }, { weight: back! }], x, { drop: { rate: 0.1, seed: 2 }, addend: x })!;
      return tf.concat([y!, z], 1);
    };
    return [f(...inputs), ...tf.grads(f)(inputs, uniform([rows, hidden + width], 9))];
  },
  "layerNorm() with gradients": () => {
    const inputs = [uniform([4003, 96], 1), uniform([96], 2), uniform([96], 3)];
    const f = (x: tf.Tensor, gain: tf.Tensor, bias: tf.Tensor): tf.Tensor =>
      layerNorm(x, gain as tf.Tensor1D, bias as tf.Tensor1D, 1e-5);
    return [f(inputs[0]!, inputs[1]!, inputs[2]!), ...tf.grads(f)(inputs, uniform([4003, 96], 4))];
  },
};

/** The bits of all results. */
async function bits(work: () => tf.Tensor[]): Promise<Uint32Array[]> {
  const results = tf.tidy(work);
  const out = await Promise.all(results.map(async (x) => new Uint32Array((await x.data()).buffer)));
  tf.dispose(results);
  return out;
}

/** Fails if two lists of bits differ; assertEquals would print a million of them. */
function assertSame(a: Uint32Array[], b: Uint32Array[], what: string): void {
  assertEquals(a.length, b.length);
  for (const [i, x] of a.entries()) {
    const at = x.findIndex((v, j) => v !== b[i]![j]);
    assert(at < 0, `${what}: result ${i} differs at ${at}`);
  }
}

/** Counts what a pool is given to do, and what came late. */
function watch(pool: ThreadPool): { jobs: number; late: number } {
  const counts = { jobs: 0, late: 0 };
  const { run } = pool;
  pool.run = (job) => {
    const late = run(job);
    if (late) counts.jobs++;
    if (late && late.length > 0) counts.late++;
    return late;
  };
  return counts;
}

for (const [name, work] of Object.entries(WORK)) {
  Deno.test({
    name: `${name}: two and three threads give the bits of one, in a hurry too`,
    ...workers,
    fn: async () => {
      await initWasm({ threads: 1 });
      await tf.setBackend("wasm");
      assertEquals(threadPool(), undefined);
      const one = await bits(work);
      const { numTensors } = tf.memory();
      for (const threads of [2, 3]) {
        await initWasm({ threads });
        const pool = threadPool()!;
        assertEquals(pool.threads, threads);
        const counts = watch(pool);
        // With no patience, whatever a worker has not finished when the main thread is through is computed twice.
        for (const patience of [1, 0, 0]) {
          pool.patience = patience;
          assertSame(await bits(work), one, `${threads} threads, patience ${patience}`);
        }
        assert(counts.jobs > 0, "no job was given to the workers");
      }
      assertEquals(tf.memory().numTensors, numTensors);
      await initWasm({ threads: 1 });
    },
  });
}

/** Two norms with a GELU between, of `samples` of 50 rows: what lies between them stands in buffers of each thread's own. */
function normsBySamples(x: tf.Tensor3D, gain: tf.Tensor1D, bias: tf.Tensor1D): tf.Tensor {
  const backend = tf.backend() as unknown as WasmBackend;
  const [samples, rows, width] = x.shape;
  const buffer = (own: number, floats: number) => ({ own, rowBytes: 4 * floats });
  const hidden = buffer(0, rows * width);
  const statistics = [buffer(hidden.rowBytes, rows), buffer(hidden.rowBytes + 4 * rows, rows)];
  const y = output(backend, x.shape);
  const perRow = rows;
  runRows(backend, {
    ...{ ...layerNormStep(x, gain, bias, 1e-6, [hidden, ...statistics]), perRow },
    then: [
      { ...geluStep(width, bias, hidden, hidden), perRow },
      { ...layerNormStep(hidden, gain, bias, 1e-6, [y, ...statistics]), perRow },
    ],
    ...{ results: [y], rows: samples, chunk: 1, milliseconds: 10 },
    scratchBytes: 100, // of a function that needs some
    ownBytes: hidden.rowBytes + 8 * rows,
  });
  return tf.engine().makeTensorFromTensorInfo(y);
}

Deno.test({
  name: "a job's rows may pass through buffers of each thread's own, several rows a chunk, in a hurry too",
  ...workers,
  fn: async () => {
    await initWasm({ threads: 1 });
    await tf.setBackend("wasm");
    // More samples than a job has chunks, and fewer.
    const inputs = [MAX_CHUNKS + 50, 20].map((samples) => uniform([samples, 50, 32], samples) as tf.Tensor3D);
    const [gain, bias] = [uniform([32], 1), uniform([32], 2)] as [tf.Tensor1D, tf.Tensor1D];
    const norm = (x: tf.Tensor): tf.Tensor => layerNorm(x, gain, bias, 1e-6);
    const expected = await bits(() => inputs.map((x) => norm(gelu(tf.add(norm(x), bias)))));
    for (const threads of [1, 2, 3]) {
      await initWasm({ threads });
      for (const patience of [1, 0, 0]) {
        const pool = threads > 1 ? threadPool(1e3)! : undefined;
        if (pool) pool.patience = patience;
        assertSame(await bits(() => inputs.map((x) => normsBySamples(x, gain, bias))), expected, `${threads} threads`);
      }
    }
    tf.dispose([...inputs, gain, bias]);
    await initWasm({ threads: 1 });
  },
});

/** A product of [256, 1024] and [1024, 1024] in memory of its own, as a job of two chunks for one worker. */
function slowJob(): { job: Omit<PoolJob, "here" | "bounds">; free(): void } {
  const backend = tf.backend() as unknown as WasmBackend;
  const tensors = [tf.ones([256, 1024]), tf.ones([1024, 1024]), tf.zeros([256, 1024])];
  const [a, b, c] = tensors.map((x) => addressOf(backend, x)) as [number, number, number];
  return {
    job: {
      steps: [{ name: "matmul", args: [1, 1, 256, 1024, 1024, a, 0, 0, b, 0, 0, 0, c], own: [], perRow: 1 }],
      scratchBytes: wasmKernels(backend).run["gemm_scratch"]!(),
      rowMs: 0,
    },
    free: () => tf.dispose(tensors),
  };
}

/** A pool of two threads whose worker has begun, for which the main thread must come to rest. */
async function startedPool(): Promise<ThreadPool> {
  await initWasm({ threads: 2 });
  await tf.setBackend("wasm");
  const pool = threadPool()!;
  await pool.begun();
  return pool;
}

/** Blocks the main thread, so that a worker gets on with what it has. */
function block(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

Deno.test({
  name: "a chunk that fails in a worker is computed by the main thread",
  ...workers,
  fn: async () => {
    const pool = await startedPool();
    // Chunks are taken from the last one on, by both; those that failed are computed after the main thread's own.
    const bounds = Array.from({ length: 65 }, (_, i) => 5 * i);
    const failed = (done: number[]): boolean => done.some((first, i) => i > 0 && first > done[i - 1]!);
    let done: number[] = [];
    for (let tries = 0; tries < 100 && !failed(done); tries++) {
      done = [];
      const late = pool.run({
        // Addresses past the end of the memory: the worker traps.
        steps: [{
          name: "matmul",
          args: [1, 1, 320, 4096, 4096, 2 ** 31, 0, 0, 2 ** 31, 0, 0, 0, 2 ** 31],
          own: [],
          perRow: 1,
        }],
        bounds,
        scratchBytes: wasmKernels(tf.backend() as unknown as WasmBackend).run["gemm_scratch"]!(),
        rowMs: 100,
        here: (first) => {
          done.push(first);
          block(0.2);
        },
      });
      assertEquals(late, []);
      assertEquals([...done].sort((a, b) => a - b), bounds.slice(0, -1));
    }
    assert(failed(done), "no chunk failed in the worker");
    await initWasm({ threads: 1 });
  },
});

Deno.test({
  name: "a job of more numbers than a slot has is not begun",
  ...workers,
  fn: async () => {
    const pool = await startedPool();
    const { job, free } = slowJob();
    const steps = Array.from({ length: 20 }, () => job.steps[0]!);
    assertEquals(pool.run({ ...job, steps, bounds: [0, 255, 256], here: () => block(2) }), undefined);
    assertEquals(pool.late(), false);
    free();
    await initWasm({ threads: 1 });
  },
});

Deno.test({
  name: "a late chunk is reported, and memory is not freed until it ends",
  ...workers,
  fn: async () => {
    const pool = await startedPool();
    const { wasm } = tf.backend() as unknown as WasmBackend;
    pool.patience = 0;
    const { job, free } = slowJob();
    let late: readonly (readonly [number, number])[] = [];
    let [address, isAtIt] = [0, false];
    for (let i = 0; i < 1000 && !isAtIt; i++) {
      pool.settle();
      if (address) wasm._free(address);
      // As a rule the main thread takes the last chunk, of one row, and the worker the other meanwhile.
      late = pool.run({ ...job, bounds: [0, 255, 256], here: () => block(2) })!;
      address = wasm._malloc(1000);
      isAtIt = late[0]?.[1] === 255 && pool.late(); // the main thread may have waited for a processor
    }
    assert(isAtIt, "the worker was never late and still at it");
    assertEquals(late, [[0, 255]]);
    wasm._free(address);
    const next = wasm._malloc(1000);
    assert(!pool.late() || next !== address, "freed memory was given away while a worker may use it");
    pool.settle();
    assertEquals(pool.late(), false);
    wasm._free(next);
    free();
    await initWasm({ threads: 1 });
  },
});

Deno.test({
  name: "workers compute in memory by which tfjs's has grown since they started",
  ...workers,
  fn: async () => {
    const pool = await startedPool();
    const { asm, _malloc, _free } = (tf.backend() as unknown as WasmBackend).wasm;
    const work = (): tf.Tensor[] => [tf.matMul(uniform([700, 300], 1), uniform([700, 300], 2), true)];
    const before = await bits(work);
    // Twice what there is; then what it has left is taken too, so that the operands stand above.
    const size = asm.memory.buffer.byteLength;
    const pads = [_malloc(size)];
    while (pads.at(-1)! >>> 0 < size && pads.length < 10_000) pads.push(_malloc(2 ** 18));
    let [lowest, others] = [Infinity, 0];
    const { run } = pool;
    pool.run = (job) => {
      lowest = Math.min(lowest, ...job.steps[0]!.args.slice(-1));
      let rows = job.bounds.at(-1)!;
      const late = run({ ...job, here: (first, count) => (rows -= count, job.here(first, count)) });
      others += rows;
      return late;
    };
    for (let i = 0; i < 100 && others === 0; i++) assertSame(await bits(work), before, "after growth");
    assert(lowest > size, `${lowest} of ${size}`);
    assert(others > 0, "the workers computed no row");
    for (const address of pads) _free(address);
    await initWasm({ threads: 1 });
  },
});

Deno.test({
  name: "memory freed while a worker is late is freed in the end: training that is always late does not grow",
  ...workers,
  fn: async () => {
    const pool = await startedPool();
    const { memory } = (tf.backend() as unknown as WasmBackend).wasm.asm;
    pool.patience = 0;
    const counts = watch(pool);
    const round = (): void =>
      tf.tidy(() => {
        const x = tf.ones<tf.Rank.R2>([1024, 512]);
        for (let i = 0; i < 8; i++) tf.add(gelu(tf.matMul(x, x, true)), 1);
      });
    for (let i = 0; i < 5; i++) round();
    const before = memory.buffer.byteLength;
    for (let i = 0; i < 40; i++) round();
    assert(counts.late > 0, "no chunk was late");
    assert(memory.buffer.byteLength < before + 64 * 2 ** 20, `${before} to ${memory.buffer.byteLength} bytes`);
    await initWasm({ threads: 1 });
  },
});

/** Runs a program without any permission, and returns what it prints. */
async function runWithout(code: string): Promise<string> {
  const here = new URL("../../", import.meta.url);
  const run = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--deny-read", "--deny-env", "--deny-net", "-"],
    cwd: here,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = run.stdin.getWriter();
  await writer.write(new TextEncoder().encode(code.replaceAll("lib/", new URL("lib/", here).href)));
  await writer.close();
  const timer = setTimeout(() => run.kill(), 300_000);
  const { stdout, stderr, success } = await run.output();
  clearTimeout(timer);
  assert(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim();
}

Deno.test("workers do not keep the process alive, and need no permission", async () => {
  const printed = await runWithout(`
    import * as tf from "@tensorflow/tfjs";
    import { initWasm } from "lib/tensor/wasm/init.ts";
    await initWasm({ threads: 2 });
    await tf.setBackend("wasm");
    const c = tf.matMul(tf.ones([512, 768]), tf.ones([768, 512]));
    console.log((await c.data())[7]);
  `);
  assertEquals(printed, "768");
});

Deno.test("where a shared memory cannot be reserved, one thread computes in a memory of tfjs's own", async () => {
  const printed = await runWithout(`
    import * as tf from "@tensorflow/tfjs";
    import { initWasm } from "lib/tensor/wasm/init.ts";
    import { threadPool } from "lib/tensor/wasm/threads.ts";
    WebAssembly.Memory = class {
      constructor() {
        throw new RangeError("no room");
      }
    };
    await initWasm({ threads: 2 });
    await tf.setBackend("wasm");
    const c = tf.matMul(tf.ones([512, 768]), tf.ones([768, 512]));
    console.log((await c.data())[7], threadPool(1e6), tf.backend().wasm.asm.memory.buffer.constructor.name);
  `);
  assertEquals(printed, "768 undefined ArrayBuffer");
});

Deno.test("what tensors hand out is not shared", async () => {
  await initWasm({ threads: 1 });
  await tf.setBackend("wasm");
  const x = tf.add(tf.tensor1d([1, 2, 3]), 1);
  for (const values of [await x.data(), x.dataSync(), (await x.buffer()).values]) {
    assertEquals([values.buffer.constructor, values.byteLength], [ArrayBuffer, 12]);
  }
  x.dispose();
});

Deno.test("chunkBounds() covers all rows, the last chunk the largest, within the limits of the words", () => {
  for (const rows of [1, 3, 100, 1001, 4160, 10 ** 7]) {
    for (const threads of [2, 3, 8, 64]) {
      for (const [least, grain] of [[1, 1], [48, 4], [1000, 1024]] as const) {
        const bounds = chunkBounds(rows, least, grain, threads);
        const sizes = bounds.slice(1).map((end, i) => end - bounds[i]!);
        assertEquals([bounds[0], bounds.at(-1)], [0, rows]);
        assert(sizes.every((size) => size > 0) && sizes.length <= MAX_CHUNKS, `${sizes}`);
        // All but the first, which takes what is left, are whole grains of at least so many.
        assert(sizes.slice(1).every((size) => size % grain === 0 && size >= least), `${sizes}`);
        assert(sizes.slice(1).every((size, i) => i === 0 || size >= sizes[i]!), `${sizes}`);
      }
    }
  }
  assertEquals(chunkBounds(1000, 100, 1, 2), [0, 122, 236, 350, 675, 1000]);
});

Deno.test("evenBounds() gives each thread as many chunks of nearly one size", () => {
  assertEquals(evenBounds(1576, 208, 1), [0, 197, 394, 591, 788, 985, 1182, 1379, 1576]);
  assertEquals(evenBounds(1024, 208, 2), [0, 256, 512, 768, 1024]);
  assertEquals(evenBounds(100, 208, 1), [0, 100]);
  assertEquals(evenBounds(2, 1, 3), [0, 1, 2]);
  assertEquals(evenBounds(768, 499, 5, 8), [0, 152, 304, 464, 616, 768]); // whole eights
  assertEquals(evenBounds(20, 1, 5, 8), [0, 8, 16, 20]);
  assertEquals(evenBounds(10 ** 6, 1, 2).length, MAX_CHUNKS + 1);
});

Deno.test("threadCount() refuses what is not a positive integer", async () => {
  for (const threads of [0, -1, 1.5, NaN]) {
    assertThrows(() => threadCount(threads), RangeError, `current value is ${threads}`);
  }
  await assertRejects(() => initWasm({ threads: 0 }), RangeError, "current value is 0");
  assertEquals(threadCount(3), 3);
  // Not a reason to pass wasm over for something slower.
  await assertRejects(() => selectBackend({ backend: "wasm", wasm: { threads: 0 } }), RangeError, "current value is 0");
});
