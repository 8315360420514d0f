/**
 * Products by a system library where the processor says that it is one of AMD's: `auto` takes another library there, and the
 * libraries other kernels. Programs start with amd_cpuid.c, which answers for the processor.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { NATIVE, runBlas, runProgram } from "./blas_run.ts";
import { compileLibrary } from "./c_library.ts";

const folder = await Deno.makeTempDir({ prefix: "ace-amd-" });
addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
const library = join(folder, "amd_cpuid.so");
const compiled = Deno.build.os === "linux" && await compileLibrary("./amd_cpuid.c", library);

/** Variables of a program whose processor is of a family of AMD's. */
const as = (family: string): Record<string, string> => ({ LD_PRELOAD: library, AMD_FAMILY: family });

/** What a program finds the processor to have. */
async function features(env: Record<string, string>): Promise<Record<string, boolean>> {
  const { stdout } = await runProgram("./processor_program.ts", [], NATIVE, env);
  return JSON.parse(stdout || "null") ?? {};
}

const here = await features({});
const told = compiled ? await features(as("zen3")) : {};
const ready = told["sse4a"] === true && here["sse4a"] === false;
const options = { ignore: !ready };
const skipped = ready ? "" : " (skipped: no C compiler, or a processor that cannot be told to be AMD's)";

const LIBRARY = Deno.env.get("ACE_BLAS") || "auto";
const found = ready && (await runBlas(LIBRARY)).stdout.includes('"isShared":true');

Deno.test(`the processor is AMD's where amd_cpuid.c says so${skipped}`, options, async () => {
  assertEquals(told, { ...here, avx512: false, sse4a: true });
  assertEquals(await features(as("zen4")), { ...here, sse4a: true });
});

Deno.test(`auto takes OpenBLAS before MKL on AMD's processors, MKL first on others${skipped}`, options, async () => {
  for (const name of ["libmkl_rt.so.3", "libopenblas.so.0"]) {
    assert(await compileLibrary("./blas_shim.c", join(folder, name), ["-nostdlib"]));
  }
  for (const [env, first] of [[{}, "libmkl_rt.so.3"], [as("zen3"), "libopenblas.so.0"]] as const) {
    const { stdout, stderr } = await runBlas("auto", NATIVE, { LD_LIBRARY_PATH: folder, ...env });
    assert(JSON.parse(stdout).adapter.includes(`${first}, `), stdout + stderr);
  }
});

for (const family of ["zen3", "zen4"]) {
  Deno.test({
    name: `products, attention, layers and frozen blocks by a library are right with its kernels for AMD's ${family}${
      found ? "" : skipped || " (skipped: no library)"
    }`,
    ignore: !found,
    fn: async () => {
      const answer = async (program: string): Promise<Record<string, unknown>> => {
        const { code, stdout, stderr } = await runProgram(program, [LIBRARY], NATIVE, as(family));
        assertEquals(code, 0, stderr);
        return JSON.parse(stdout);
      };
      const { largest, largestConv, repeated, adapter, packs } = await answer("./blas_program.ts");
      const wide = family === "zen4" && here["avx512"] ? /Cooperlake|SkylakeX|SapphireRapids|Zen/i : /Zen|Haswell/i;
      const core = /OpenBLAS/.test(`${adapter}`) ? wide : /MKL [\d.]+ \(instructions not named\)|BLIS [\d.]+ \(zen|./;
      assert(core.test(`${adapter}`), `${adapter}`);
      assert(Number(largest) < 2e-6 && Number(largestConv) < 2e-6, `${largest}, ${largestConv}`);
      assertEquals(repeated, true);
      const attention = await answer("./blas_attention_program.ts");
      assert(Number(attention["largest"]) < 2e-6, `${attention["largest"]}`);
      assertEquals(attention["isSame"], true);
      const { differing } = await answer("./blas_steps_program.ts");
      assertEquals((differing as number[]).slice(0, 3), [0, 0, 0]); // on one thread, 256-bit kernels have other last bits
      if (packs) assertEquals((await answer("./blas_block_program.ts"))["differing"], []);
    },
  });
}
