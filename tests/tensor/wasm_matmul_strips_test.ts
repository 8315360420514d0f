import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { CHUNK_DEPTH, compileStrips, FLAG, stripImports, TILES } from "../../lib/tensor/wasm/matmul_strips.ts";
import { compileModules } from "../../lib/tensor/wasm/module.ts";
import { productBits } from "./wasm_products.ts";

const byPanels = await productBits(0);

/** Whether V8 has the flag and the processor what it needs. */
async function canJoin(): Promise<boolean> {
  if (Deno.build.arch !== "x86_64" || Deno.build.os !== "linux") return false;
  if ((await Deno.permissions.query({ name: "run" })).state !== "granted") return false;
  // Deno itself reads /proc only with all permissions.
  return (await new Deno.Command("grep", { args: ["-qw", "avx2", "/proc/cpuinfo"] }).output()).success;
}

const joins = await canJoin();
const flagged = (name: string): { name: string; ignore: boolean } => ({
  name: name + (joins ? "" : " (skipped: not an x86-64 Linux with AVX2)"),
  ignore: !joins,
});

/** Runs wasm_products.ts, all code by the optimising compiler. */
async function runProducts(args: string[], env: Record<string, string>): Promise<{ trace: string; result: string }> {
  const script = new URL("wasm_products.ts", import.meta.url).pathname;
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", ...args, script],
    env,
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  const lines = new TextDecoder().decode(stdout).trimEnd().split("\n");
  return { result: lines.pop()!, trace: lines.join("\n") };
}

const EAGER = "--no-liftoff,--no-wasm-lazy-compilation";

Deno.test("products by strips have the bits of those by panels", async () => {
  assertEquals(await productBits(128), byPanels);
  assertEquals(await productBits(256), byPanels);
});

Deno.test({
  ...flagged("with V8's flag the bits are the same, and every strip is made of 256-bit instructions"),
  fn: async () => {
    const flags = `${FLAG},${EAGER}`;
    const { trace, result } = await runProducts(
      ["--allow-env=DENO_V8_FLAGS", `--v8-flags=--trace-wasm-revectorize`],
      { DENO_V8_FLAGS: flags },
    );
    const { bits, adapter } = JSON.parse(result);
    assertEquals(bits, byPanels);
    assertStringIncludes(adapter, "256-bit");
    // B's loads and the multiply-adds of a strip are joined: so many instructions for each term.
    const joined = [...trace.matchAll(/Decided to vectorize, (\d+) revectorizable nodes/g)].map(([, n]) => Number(n));
    for (const [width, rows] of TILES[256]) {
      const least = CHUNK_DEPTH * (rows + 1) * width / 8;
      assert(joined.some((n) => n >= least), `no strip of ${width} columns was joined: ${joined}`);
    }
    assert(joined.length >= TILES[256].length, `${joined}`);
  },
});

Deno.test({
  ...flagged("without the permission to read DENO_V8_FLAGS products are by panels"),
  fn: async () => {
    const { result } = await runProducts([], { DENO_V8_FLAGS: FLAG });
    assert(!JSON.parse(result).adapter.includes("256-bit"));
  },
});

Deno.test("selectBackend() takes the wasm backend's options", async () => {
  const { adapter } = await selectBackend({ backend: "wasm", wasm: { threads: 1, wide: true } });
  assertStringIncludes(adapter, "256-bit");
  const a = tf.range(0, 24 * 32).reshape<tf.Tensor2D>([24, 32]);
  const c = tf.matMul(a, tf.eye(32));
  assertEquals(await c.data(), await a.data());
  tf.dispose([a, c]);
});

Deno.test("compileStrips() makes none where the engine refuses them", () => {
  const { validate } = WebAssembly;
  WebAssembly.validate = () => false; // as an engine without several memories would
  try {
    assertEquals(compileStrips(128, true), undefined);
  } finally {
    WebAssembly.validate = validate;
  }
  assertEquals(compileStrips(128, true)?.bits, 128);
});

Deno.test("stripImports() gives functions that do nothing where there are no strips or no room for their memory", () => {
  const { module, strips } = compileModules();
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 65536 });
  const none = stripImports(module, undefined, memory);
  assertEquals(none.bits, 0);
  const { Memory } = WebAssembly;
  WebAssembly.Memory = class {
    constructor() {
      throw new RangeError("no room");
    }
  } as never;
  try {
    assertEquals(stripImports(module, strips, memory).bits, 0);
  } finally {
    WebAssembly.Memory = Memory;
  }
  const { strip, bits } = stripImports(module, strips, memory);
  assertEquals(bits, 128);
  assertEquals(Object.keys(strip).toSorted(), Object.keys(none.strip).toSorted());
});
