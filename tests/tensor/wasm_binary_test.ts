import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { erf } from "../../lib/tensor/kernels/gelu/cpu.ts";
import {
  binaryModule,
  compileImageProgram,
  compileKernels,
  hasDataSection,
  IMAGE_PROGRAMS,
  imageModule,
} from "../../lib/tensor/wasm/build.ts";
import { PLAIN, RELAXED } from "../../lib/tensor/wasm/kernels_binary.ts";
import { compileModules, instantiate } from "../../lib/tensor/wasm/module.ts";

/** Whether clang 16 and its linker can be run here. */
async function hasClang(): Promise<boolean> {
  if ((await Deno.permissions.query({ name: "run", command: "clang-16" })).state !== "granted") return false;
  try {
    return (await new Deno.Command("clang-16", { args: ["--version"], stdout: "null", stderr: "null" }).output())
      .success;
  } catch {
    return false;
  }
}

const clang = await hasClang();

Deno.test({
  name: `the binaries kept are what build.ts makes of their C${clang ? "" : " (skipped: clang-16 cannot be run here)"}`,
  ignore: !clang,
  fn: async () => {
    const [plain, relaxed] = [await compileKernels(false), await compileKernels(true)];
    assert(plain.toBase64() === PLAIN, "the plain binary is older than its source: run build.ts");
    assert(relaxed.toBase64() === RELAXED, "the relaxed binary is older than its source: run build.ts");
    const kept = await Deno.readTextFile(new URL("../../lib/tensor/wasm/kernels_binary.ts", import.meta.url));
    assertEquals(kept, binaryModule(plain, relaxed));
    for (const name of Object.keys(IMAGE_PROGRAMS) as (keyof typeof IMAGE_PROGRAMS)[]) {
      const kept = await Deno.readTextFile(new URL(`../../lib/image/${name}_binary.ts`, import.meta.url));
      assertEquals(kept, imageModule(name, await compileImageProgram(name)), `${name}.c`);
    }
  },
});

Deno.test("hasDataSection() finds a data section, and none in the kernels", () => {
  // magic, version, a memory section (id 5) of one page, a data section (id 11) of one byte at address 0
  const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 5, 3, 1, 0, 1];
  const data = [11, 7, 1, 0, 0x41, 0, 0x0b, 1, 42];
  assert(WebAssembly.validate(Uint8Array.from([...header, ...data])));
  assert(hasDataSection(Uint8Array.from([...header, ...data])));
  assert(!hasDataSection(Uint8Array.from(header)));
  assert(!hasDataSection(Uint8Array.fromBase64(PLAIN)));
  assert(!hasDataSection(Uint8Array.fromBase64(RELAXED)));
});

Deno.test("the plain and the relaxed binary give the same product up to rounding", () => {
  const relaxedWorks = WebAssembly.validate(Uint8Array.fromBase64(RELAXED));
  const [m, n, k] = [13, 21, 300];
  const results = [false, relaxedWorks].map((relaxed) => {
    const memory = new WebAssembly.Memory({ initial: 64, maximum: 65536 });
    const exports = instantiate(compileModules({ relaxed }), memory);
    const run = exports as unknown as Record<string, (...args: number[]) => number>;
    (exports["__stack_pointer"] as WebAssembly.Global).value = 65536;
    const [a, b, c, scratch] = [65536, 131072, 196608, 262144];
    const floats = new Float32Array(memory.buffer);
    for (let i = 0; i < m * k; i++) floats[a / 4 + i] = Math.sin(i);
    for (let i = 0; i < k * n; i++) floats[b / 4 + i] = Math.cos(3 * i);
    run["matmul"]!(1, 1, m, n, k, a, 0, 0, b, 0, 0, 0, c, 0, m, scratch);
    return floats.slice(c / 4, c / 4 + m * n);
  });
  results[0]!.forEach((v, i) => assert(Math.abs(v - results[1]![i]!) < 1e-4, `${i}: ${v} and ${results[1]![i]}`));
  assert(results[0]!.some((v) => Math.abs(v) > 1));
});

Deno.test("the plain and the relaxed binary both give GELU within 3e-7, its slope within 4e-7, and a softmax that sums to 1", () => {
  for (const relaxed of [false, WebAssembly.validate(Uint8Array.fromBase64(RELAXED))]) {
    const memory = new WebAssembly.Memory({ initial: 64, maximum: 65536 });
    const exports = instantiate(compileModules({ relaxed }), memory);
    const run = exports as unknown as Record<string, (...args: number[]) => number>;
    (exports["__stack_pointer"] as WebAssembly.Global).value = 65536;
    const floats = new Float32Array(memory.buffer);
    const [x, y, out, lse, scratch] = [65536, 131072, 160000, 170000, 262144];
    const [ones, slope] = [180000, 210000];
    for (let i = 0; i < 7001; i++) floats[x / 4 + i] = (i - 3500) / 437;
    floats.fill(1, ones / 4, ones / 4 + 7001);
    run["gelu"]!(x, y, 0, 7001);
    run["gelu_grad"]!(ones, x, slope, 0, 7001);
    for (let i = 0; i < 7001; i++) {
      const v = floats[x / 4 + i]!;
      const share = 0.5 * (1 + erf(v * Math.SQRT1_2));
      assertAlmostEquals(floats[y / 4 + i]!, v * share, 3e-7, `gelu(${v})`);
      const derivative = share + v * Math.exp(-v * v / 2) / Math.sqrt(2 * Math.PI);
      assertAlmostEquals(floats[slope / 4 + i]!, derivative, 4e-7, `gelu'(${v})`);
    }
    // Values of 1: the context is the sum of the probabilities.
    floats.fill(1, y / 4, y / 4 + 30);
    run["attention"]!(3, 10, 3, 1, 1, 0, x, x, y, 0, out, lse, 3, 0, 1, scratch);
    for (let i = 0; i < 9; i++) assert(Math.abs(floats[out / 4 + i]! - 1) < 1e-6);
  }
});
