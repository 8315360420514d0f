/** Libraries that are wrong in one way each, compiled for the test: each is refused by name, with what is wrong. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { NATIVE, runBlas, runProgram } from "./blas_run.ts";
import { compileLibrary } from "./c_library.ts";

const compile = (path: string, flags: readonly string[]): Promise<boolean> =>
  compileLibrary("./blas_shim.c", path, ["-nostdlib", ...flags]);

const folder = await Deno.makeTempDir({ prefix: "ace-blas-" });
addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
const isLinux = Deno.build.os === "linux";
const ready = isLinux && await compile(join(folder, "right.so"), ["-DBATCH_SCALE=1.0f"]);
const options = { ignore: !ready };
const skipped = ready ? "" : " (skipped: no C compiler)";

/** What came of products by a library that was compiled so. */
async function outcome(name: string, ...flags: string[]) {
  const path = join(folder, `${name}.so`);
  assert(await compile(path, flags));
  return { path, ...await runBlas(path) };
}

/** Words of the refusal of a library that was compiled so; it must name the file. */
async function refusal(name: string, ...flags: string[]): Promise<string> {
  const { path, code, stdout, stderr } = await outcome(name, ...flags);
  assert(code !== 0 && stderr.includes(`BlasError: Cannot use "${path}" as `), stdout + stderr);
  return stderr;
}

Deno.test(`openBlas() takes a library that is right, also by its batches${skipped}`, options, async () => {
  for (const flags of [["-DBATCH_SCALE=1.0f"], [], ["-DSCALE=1.00002f"]]) {
    const { path, code, stdout, stderr } = await outcome("accepted", ...flags);
    assertEquals(code, 0, stderr);
    const { adapter, largest } = JSON.parse(stdout);
    assert(adapter.includes(path), adapter);
    assert(flags.includes("-DSCALE=1.00002f") ? largest > 1e-5 : largest < 2e-6, stdout); // it was the library's
  }
});

Deno.test(`matMul() uses a packed weight only where a product by it has the same bits${skipped}`, options, async () => {
  for (const [scale, used] of [["1.0f", 36], ["1.0000002f", 0]] as const) {
    const path = join(folder, `packing${used}.so`);
    assert(await compile(path, [`-DPACKED_SCALE=${scale}`]));
    const { stdout, stderr } = await runProgram("./blas_packed_program.ts", [path], NATIVE);
    assert(stdout !== "", stderr);
    const { found, agreed, differing } = JSON.parse(stdout);
    assertEquals([found, agreed, differing], [36, used, 0]);
  }
});

Deno.test(
  `attention() by a library's exponentials has float64's numbers; wrong ones are refused${skipped}`,
  options,
  async () => {
    const path = join(folder, "exponentials.so");
    assert(await compile(path, ["-DEXP_SCALE=1.0f"]));
    const { stdout, stderr } = await runProgram("./blas_attention_program.ts", [path], NATIVE);
    assert(stdout !== "", stderr);
    const { largest, exps, times, isSame } = JSON.parse(stdout);
    assert(largest < 2e-6, stdout);
    assertEquals([exps, isSame], [3 * times, true]);
    const told = await refusal("inexact", "-DEXP_SCALE=1.001f");
    assert(told.includes("as its exponentials must be right: e^0 is 1.001"), told);
    const place = await refusal("misplaced", "-DEXP_SCALE=1.0f", "-DGREATEST=-1");
    assert(place.includes("as its greatest number must be right: its index is 98 where 99 is"), place);
  },
);

Deno.test(`openBlas() refuses sums of rows that are off by a thousandth${skipped}`, options, async () => {
  const told = await refusal("sums", "-DSUMS_SCALE=1.001f");
  assert(told.includes("as its sums must be right: one is -"), told);
});

Deno.test(`openBlas() refuses integers of 64 bits, whoever made the library${skipped}`, options, async () => {
  for (const flags of [[], ["-DBATCH_SCALE=1.0f"]]) {
    const told = await refusal("wide", "-DINTEGER=long long", ...flags);
    assert(told.includes("as its integers must have 32 bits: it reads 64"), told);
  }
});

Deno.test(
  `openBlas() refuses products that differ by a thousandth, in any form or in batches${skipped}`,
  options,
  async () => {
    for (const flag of ["-DSCALE=1.001f", "-DTRANSPOSED_SCALE=1.001f", "-DBATCH_SCALE=1.001f"]) {
      const told = await refusal("wrong", flag);
      const [, value, expected] = /products must be right: one is (\S+) where (\S+) is/.exec(told)!.map(Number);
      const off = Math.abs(value! - expected!) / Math.max(1, Math.abs(expected!));
      assert(off > 1e-4 && off < 2e-3, told);
    }
  },
);

Deno.test(`openBlas() refuses a library without cblas_sgemm${skipped}`, options, async () => {
  const told = await refusal("other", "-Dcblas_sgemm=dgemm_");
  assert(told.includes("as a BLAS library with cblas_sgemm: "), told);
});

Deno.test(`auto passes a wrong library by and takes the next${skipped}`, options, async () => {
  const wide = "-DINTEGER=long long";
  for (const name of ["libmkl_rt.so.3", "libmkl_rt.so.2", "libmkl_rt.so", "libopenblas.so.0"]) {
    assert(await compile(join(folder, name), [name.includes("mkl") ? "-DSCALE=1.001f" : wide]));
  }
  assert(await compile(join(folder, "libopenblas.so"), []));
  const { stdout, stderr } = await runBlas("auto", NATIVE, { LD_LIBRARY_PATH: folder });
  assert(JSON.parse(stdout).adapter.includes("libopenblas.so,"), stdout + stderr);
});
