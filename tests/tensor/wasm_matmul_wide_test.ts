import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { CHUNK_DEPTHS, compileWide, FLAG, TILE_WIDTHS } from "../../lib/tensor/wasm/matmul_wide.ts";
import { productBits } from "./wasm_products.ts";

const narrow = await productBits(false);

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
  assertEquals(await productBits(true), narrow);
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
    assertEquals(bits, narrow);
    assertStringIncludes(adapter, "256-bit");
    // The sums' loads and stores, B's loads and the multiply-adds of a strip: 2 or more instructions for each term.
    const joined = [...trace.matchAll(/Decided to vectorize, (\d+) revectorizable nodes/g)].map(([, n]) => Number(n));
    for (const depth of CHUNK_DEPTHS) {
      for (const width of TILE_WIDTHS) {
        const least = depth * (3 * width / 8 + width / 8);
        assert(joined.some((n) => n >= least), `no strip of ${width} x ${depth} was joined: ${joined}`);
      }
    }
    assert(joined.length >= CHUNK_DEPTHS.length * TILE_WIDTHS.length, `${joined}`);
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

Deno.test("strips are off where the engine refuses them", () => {
  const { validate } = WebAssembly;
  WebAssembly.validate = () => false; // as an engine without several memories would
  try {
    assertEquals(compileWide(true, true).on, false);
  } finally {
    WebAssembly.validate = validate;
  }
  assertEquals(compileWide(true, true).on, true);
});

Deno.test("strips that are off need no second memory", () => {
  assertEquals(WebAssembly.Module.imports(compileWide(false, true).module), []);
  assertEquals(WebAssembly.Module.imports(compileWide(true, true).module).map(({ name }) => name), ["own", "memory"]);
});
