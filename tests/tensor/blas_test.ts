/** Products by a system library in a process with --allow-ffi: float64's numbers in every form, and the refusals. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { NATIVE, runBlas as run, runProgram as start } from "./blas_run.ts";

/** The library that the environment names, as the native task does, else the first that is found. */
const LIBRARY = Deno.env.get("ACE_BLAS") || "auto";
const first = await run(LIBRARY);
const { adapter, packs } = first.code === 0
  ? JSON.parse(first.stdout) as { adapter: string; packs: boolean }
  : { adapter: "", packs: false };
const packing = packs ? "" : " (skipped: no library that packs)";
const ready = /OpenBLAS|MKL|BLIS|Accelerate/.test(adapter);

Deno.test({
  name: `products and convolutions by ${
    ready ? adapter.split(", ").slice(2).join(", ") : "a BLAS library"
  } have float64's numbers on all threads, after the permission was given up${ready ? "" : " (skipped: no library)"}`,
  ignore: !ready,
  fn: () => {
    const { largest, largestConv, products, repeated, isShared } = JSON.parse(first.stdout);
    assert(products >= 15 && largest < 2e-6 && largestConv < 2e-6, first.stdout);
    assertEquals(repeated, true); // the same bits from run to run
    assertEquals(isShared, true); // each thread of ours calls the library
  },
});

Deno.test({
  name: `attention() by a library has float64's numbers and the same bits on any threads${
    ready ? "" : " (skipped: no library)"
  }`,
  ignore: !ready,
  fn: async () => {
    const { stdout, stderr } = await start("./blas_attention_program.ts", [LIBRARY], NATIVE);
    assert(stdout !== "", stderr);
    const { largest, calls, products, exps, times, sums, near, isShared, isSame } = JSON.parse(stdout);
    assert(largest < 2e-6, stdout);
    assertEquals([calls, sums, isShared, isSame], [products, 2 * near, true, true]);
    assertEquals(exps, adapter.includes("MKL") ? 3 * times : 0);
  },
});

const cores: Record<string, RegExp> = { MKL: /MKL [\d.]+ \((AVX|SSE)/, BLIS: /BLIS [\d.]+ \(\w+\)/ };
const [named] = Object.entries(cores).find(([name]) => adapter.includes(name)) ?? [];

Deno.test({
  name: `the backend's line says which processor's kernels the library uses, and a variable changes both${
    named === undefined ? " (skipped: no MKL or BLIS)" : ""
  }`,
  ignore: named === undefined,
  fn: async () => {
    assertMatch(adapter, cores[named!]!);
    if (named !== "MKL" || !adapter.includes("AVX")) return;
    const { stdout } = await run(LIBRARY, NATIVE, { MKL_CBWR: "COMPATIBLE" });
    assertMatch(JSON.parse(stdout).adapter, /\(instructions not named\)/);
  },
});

Deno.test({
  name: `matMul() of a weight that the library packed after some uses changes no bit on any threads${packing}`,
  ignore: packing !== "",
  fn: async () => {
    // Two threads share the weight's columns and one needs it whole, so both forms are packed, or they share rows, so one is.
    for (const [rows, uses] of [[101, 36], [201, named === "MKL" ? 36 : 42]]) {
      const { stdout, stderr } = await start("./blas_packed_program.ts", [LIBRARY, "", `${rows}`], NATIVE);
      assert(stdout !== "", stderr);
      const { found, agreed, differing } = JSON.parse(stdout);
      assertEquals([found, agreed, differing], [uses, uses, 0], `${rows} rows`);
    }
  },
});

Deno.test({
  name: `a weight that changes once it is packed, or takes another shape, is multiplied by as it is then${packing}`,
  ignore: packing !== "",
  fn: async () => {
    const { stdout, stderr } = await start("./blas_changed_program.ts", [LIBRARY], NATIVE);
    assert(stdout !== "", stderr);
    const { stale, packed } = JSON.parse(stdout);
    assertEquals(stale, []);
    assertEquals(packed, Array.from({ length: 6 }, () => [true, true])); // before each change and after it
  },
});

Deno.test({
  name: `no weight is packed where a GiB of memory would not be left, if the machine may be asked${packing}`,
  ignore: packing !== "",
  fn: async () => {
    const asks = [...NATIVE, "--allow-sys=systemMemoryInfo"];
    const foundWith = async (mebibytes: number, permissions: readonly string[]): Promise<number[]> => {
      const { stdout, stderr } = await start("./blas_packed_program.ts", [LIBRARY, `${mebibytes}`], permissions);
      assert(stdout !== "", stderr);
      const { found, differing } = JSON.parse(stdout);
      return [found, differing];
    };
    assertEquals(await foundWith(1024, asks), [0, 0]);
    assertEquals(await foundWith(1025, asks), [36, 0]);
    assertEquals(await foundWith(0, NATIVE), [36, 0]);
  },
});

Deno.test({
  name:
    `layers have the same bits and leave no tensor when their rows pass through all steps a chunk at a time, late workers or not${
      ready ? "" : " (skipped: no library)"
    }`,
  ignore: !ready,
  fn: async () => {
    const { stdout, stderr } = await start("./blas_steps_program.ts", [LIBRARY], NATIVE);
    assert(stdout !== "", stderr);
    const { differing, counts, leak } = JSON.parse(stdout);
    // The last is on one thread: 256-bit kernels, which pack nothing, have other last bits there.
    assertEquals([differing.slice(0, packs ? 4 : 3), leak], [Array(packs ? 4 : 3).fill(0), 0]);
    if (packing === "") assertEquals(counts.slice(1, 3), [13, 65]); // one of each product
  },
});

Deno.test({
  name:
    `a frozen transformer block by samples has the bits of its layers, late workers or not; what it does not know is left to them${packing}`,
  ignore: packing !== "",
  fn: async () => {
    const { stdout, stderr } = await start("./blas_block_program.ts", [LIBRARY], NATIVE);
    assert(stdout !== "", stderr);
    const { differing, leak, unwanted, wanted, counts } = JSON.parse(stdout);
    assertEquals([differing, leak, unwanted, wanted], [[], 0, 0, 1]);
    const inLayers = ["an odd number, 2", "short samples, 2", "short samples, 1"];
    for (const [name, count] of Object.entries(counts)) assertEquals(count, inLayers.includes(name) ? 0 : 2, name);
    assertEquals(Object.keys(counts).length, 17);
  },
});

Deno.test({
  name: `selectBackend() keeps the process alive until its workers have opened the library${
    ready ? "" : " (skipped: no library)"
  }`,
  ignore: !ready,
  fn: async () => { // nothing else does in these programs
    for (let i = 0; i < 3; i++) {
      const { code, stdout, stderr } = await start("./blas_alone_program.ts", [LIBRARY], NATIVE);
      assertEquals([code, JSON.parse(stdout || "{}").adapter], [0, adapter], stderr);
    }
  },
});

const counted = ready && Deno.build.os === "linux";

Deno.test({
  name: `two threads work during products by a library and during our own kernels, whatever it would start of itself${
    counted ? "" : " (skipped: no library, or not on Linux)"
  }`,
  ignore: !counted,
  fn: async () => {
    const names = ["OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "OMP_NUM_THREADS"];
    const env = Object.fromEntries(names.map((name) => [name, "4"]));
    const { stdout, stderr } = await start("./blas_threads_program.ts", [LIBRARY], [...NATIVE, "--allow-run=sh"], env);
    assert(stdout !== "", stderr);
    const { products, kernels } = JSON.parse(stdout) as Record<string, number[]>;
    for (const shares of [products!, kernels!]) assert(shares.filter((share) => share > 0.08).length <= 2, stdout);
  },
});

Deno.test("without --allow-ffi nothing is opened and nothing asked; off is off", async () => {
  for (const { stdout, code } of [await run("auto", []), await run("off")]) {
    assertEquals(code, 0);
    assert(!/OpenBLAS|MKL|BLIS|Accelerate/.test(JSON.parse(stdout).adapter));
  }
});

Deno.test("a library that is not there, or has no cblas_sgemm, is refused by name", async () => {
  const missing = await run("./no-such-blas.so");
  assert(missing.code !== 0 && missing.stderr.includes('Cannot use "./no-such-blas.so"'), missing.stderr);
  if (Deno.build.os !== "linux") return;
  const other = await run("libm.so.6");
  assert(other.code !== 0 && other.stderr.includes('Cannot use "libm.so.6" as a BLAS library'), other.stderr);
});

const { avx2 = false } = JSON.parse((await start("./processor_program.ts", [], NATIVE)).stdout) ?? {};
const reason = avx2 && adapter.includes("OpenBLAS") ? "" : " (skipped: no OpenBLAS, or no AVX2)";

Deno.test({
  name: `OpenBLAS uses AVX2 or more where the processor has it, unless the user names a core${reason}`,
  ignore: reason !== "",
  fn: async () => {
    assert(/\((Haswell|Zen|SkylakeX|Cooperlake|SapphireRapids)\)/i.test(adapter), adapter);
    const named = await run(LIBRARY, NATIVE, { OPENBLAS_CORETYPE: "Prescott" });
    assert(JSON.parse(named.stdout).adapter.includes("(Prescott)"), named.stdout);
  },
});

Deno.test("v8_flags.ts prints the flag for 256-bit products where they are there, beside the user's own", async () => {
  const program = "../../lib/tensor/wasm/v8_flags.ts";
  const flag = "--experimental-wasm-revectorize";
  const none = { DENO_V8_FLAGS: "--no-trace-gc" }; // V8's default: these tests run with the flag themselves, too
  const { stdout } = await start(program, [], NATIVE, none);
  assertEquals(stdout.trim().split(",").includes(flag), avx2);
  const own = await start(program, [], NATIVE, { DENO_V8_FLAGS: "--stack-size=900" });
  assertEquals(own.stdout.trim().split(","), ["--stack-size=900", ...(avx2 ? [flag] : [])]);
  assertEquals((await start(program, [], ["--allow-env=DENO_V8_FLAGS"], none)).stdout.trim(), "--no-trace-gc");
});
