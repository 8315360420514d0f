import { assert, assertEquals } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { CPU_KERNELS } from "../../lib/tensor/cpu/kernels.ts";
import { COMPOSED, type Kernels, TFJS } from "../../lib/tensor/kernels/interface.ts";
import { replacedKernel } from "../../lib/tensor/kernels/register.ts";
import { initWasm } from "../../lib/tensor/wasm/init.ts";
import { WASM_KERNELS } from "../../lib/tensor/wasm/kernels.ts";
import { WEBGPU_KERNELS } from "../../lib/tensor/webgpu/kernels.ts";
import { gpuTest } from "./webgpu_support.ts";

const TABLES = { cpu: CPU_KERNELS, wasm: WASM_KERNELS, webgpu: WEBGPU_KERNELS } as const;

type CpuBackend = Parameters<typeof CPU_KERNELS.AceGelu>[0]["backend"];

Deno.test("a table without a kernel, or with one of another form, is a type error", () => {
  const { AceGelu: _, ...rest } = CPU_KERNELS;
  // @ts-expect-error a kernel is missing
  const missing: Kernels<CpuBackend> = rest;
  // @ts-expect-error every backend has its own GELU
  const composed: Kernels<CpuBackend> = { ...CPU_KERNELS, AceGelu: COMPOSED };
  // @ts-expect-error a gradient is no forward kernel
  const other: Kernels<CpuBackend> = { ...CPU_KERNELS, AceGelu: CPU_KERNELS.AceGeluGrad };
  // @ts-expect-error no kernel of tf.js has this name
  const unknown: Kernels<CpuBackend> = { ...CPU_KERNELS, AceGeluGrad: TFJS };
  for (const table of [missing, composed, other, unknown]) assert(table !== CPU_KERNELS);
});

Deno.test("the tables name the same kernels in the same order", () => {
  for (const table of Object.values(TABLES)) assertEquals(Object.keys(table), Object.keys(CPU_KERNELS));
});

/** What is registered is what the table says. */
function checkRegistered(name: keyof typeof TABLES): void {
  for (const [kernel, entry] of Object.entries(TABLES[name])) {
    const registered: unknown = tf.getKernel(kernel, name);
    assertEquals(registered !== undefined, entry !== COMPOSED, `${name}, ${kernel}`);
    const isReplaced = !kernel.startsWith("Ace") && entry !== TFJS;
    assertEquals(replacedKernel(name, kernel) !== undefined, isReplaced, `${name}, ${kernel}`);
  }
}

Deno.test("registerKernels() registers what the tables of cpu and wasm say", async () => {
  await initWasm();
  checkRegistered("cpu");
  checkRegistered("wasm");
});

gpuTest("registerKernels() registers what the table of webgpu says", async () => {
  checkRegistered("webgpu");
  await Promise.resolve();
});
