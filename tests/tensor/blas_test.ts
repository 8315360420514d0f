/** Products by a system library in a process with --allow-ffi: float64's numbers in every form, and the refusals. */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";

const CONFIG = fromFileUrl(new URL("../../deno.json", import.meta.url));
const PROGRAM = fromFileUrl(new URL("./blas_program.ts", import.meta.url));

async function run(blas: string, permissions: readonly string[] = ["--allow-ffi"]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--config", CONFIG, ...permissions, PROGRAM, blas],
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

const first = await run("auto");
const adapter = first.code === 0 ? JSON.parse(first.stdout).adapter as string : "";
const ready = /OpenBLAS|MKL|BLIS|Accelerate/.test(adapter);

Deno.test({
  name: `products by ${ready ? adapter.split(", ").slice(2).join(", ") : "a BLAS library"} have float64's numbers${
    ready ? "" : " (skipped: no library)"
  }`,
  ignore: !ready,
  fn: () => {
    const { largest, products, repeated } = JSON.parse(first.stdout);
    assert(products >= 10 && largest < 2e-6, first.stdout);
    assertEquals(repeated, true); // the same bits from run to run
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
