/**
 * `deno task bench:gpu`: checks every fused WebGPU kernel against float64 on fresh random inputs and times it beside
 * its floor. Flags: `--tiny` (sizes for a software adapter), `--batch N`, `--sweep` (every tile of the product),
 * `--only TEXT` (cases whose name contains it), `--merge FILE` (rows of another implementation), `--out FILE`,
 * `--summary FILE` (a summary.json that the aims are merged into).
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { writeFileAtomic } from "../../lib/io/files.ts";
import type { WebgpuBackend } from "../../lib/tensor/webgpu/backend.ts";
import { currentDevice, initWebgpu } from "../../lib/tensor/webgpu/init.ts";
import { gpuAims, mergeAims } from "./aims.ts";
import { attentionCases } from "./attention_cases.ts";
import { measureFloors } from "./floors.ts";
import { makeSource, type Source } from "./inputs.ts";
import { matMulCases, tileSweep } from "./matmul_cases.ts";
import { measure } from "./measure.ts";
import type { Case, Row } from "./row.ts";
import { elementwiseCases, layerNormCases, type Sizes } from "./row_cases.ts";
import { stepCases } from "./step_cases.ts";

/** BiomedCLIP's sizes (ViT-B/16 and PubMedBERT), and sizes that a software adapter runs in seconds. */
const FULL: Sizes = {
  batch: 64,
  tokens: 197,
  textTokens: 256,
  width: 768,
  hidden: 3072,
  heads: 12,
  rank: 4,
  trainable: 969217,
};
const TINY: Sizes = {
  batch: 2,
  tokens: 17,
  textTokens: 20,
  width: 64,
  hidden: 256,
  heads: 4,
  rank: 4,
  trainable: 4099,
};

/**
 * What is measured, in order; last the whole training step and the encodings, which have no float64 values to check.
 */
const SECTIONS: readonly ((sizes: Sizes, source: Source, backend: WebgpuBackend) => Case[])[] = [
  layerNormCases,
  elementwiseCases,
  attentionCases,
  matMulCases,
  () => stepCases(Deno.args.includes("--tiny")),
];

function flag(name: string): string | undefined {
  const at = Deno.args.indexOf(`--${name}`);
  return at < 0 ? undefined : Deno.args[at + 1] ?? "";
}

async function main(): Promise<number> {
  const tiny = Deno.args.includes("--tiny");
  const found = await initWebgpu({ allowSoftware: tiny });
  if ("reason" in found) {
    console.error(`Cannot run the GPU benchmark: ${found.reason}${tiny ? "" : " (--tiny accepts a software adapter)"}`);
    return 2;
  }
  await tf.setBackend("webgpu");
  const backend = tf.backend() as unknown as WebgpuBackend;
  const sizes = { ...(tiny ? TINY : FULL) };
  if (flag("batch") !== undefined) sizes.batch = Number(flag("batch"));
  const seed = flag("seed") === undefined ? Date.now() % 2 ** 32 : Number(flag("seed"));
  const timing = tiny ? { leastSeconds: 0.05, samples: 3 } : {};
  console.log(`${found.adapter}, seed ${seed}, ${JSON.stringify(sizes)}`);
  const floors = await measureFloors(backend, { tiny, timing });
  console.log(
    `floors: ${(floors.bandwidth / 1e9).toFixed(1)} GB/s, ${(floors.float32 / 1e9).toFixed(1)} GFLOP/s, ` +
      `${(floors.dispatch * 1e6).toFixed(1)} us per small dispatch`,
  );
  const source = makeSource(seed);
  const sections = Deno.args.includes("--sweep") ? [...SECTIONS, tileSweep] : SECTIONS;
  const rows: Row[] = [];
  for (const section of sections) {
    for (const given of section(sizes, source, backend)) {
      const only = flag("only");
      if (only !== undefined && !given.op.toLowerCase().includes(only.toLowerCase())) continue;
      const row = await measure(backend, given, { floors, timing });
      rows.push(row);
      console.log(describe(row));
    }
  }
  const merge = flag("merge");
  if (merge !== undefined) rows.push(...(JSON.parse(await Deno.readTextFile(merge)) as { rows: Row[] }).rows);
  const wrong = rows.filter((row) => row.error !== null && !(row.error <= row.tolerance));
  const result = {
    adapter: found.adapter,
    software: found.software,
    limits: { ...limitsOf() },
    deno: Deno.version.deno,
    date: new Date().toISOString(),
    seed,
    sizes,
    floors,
    rows,
    aims: gpuAims(rows),
  };
  await writeFileAtomic(flag("out") ?? "results/bench/gpu.json", JSON.stringify(result, null, 2) + "\n");
  const summary = flag("summary");
  if (summary !== undefined) await mergeAims(summary, found.adapter, result.aims);
  for (const row of wrong) console.error(`WRONG ${row.op} ${row.shape}: error ${row.error} over ${row.tolerance}`);
  console.log(`${rows.length} rows, ${wrong.length} wrong`);
  return wrong.length === 0 ? 0 : 1;
}

function describe(row: Row): string {
  const rate = row.work.flops / (row.gpuMs || row.ms.median) / 1e6;
  return `${row.op.padEnd(38)} ${row.implementation.padEnd(24)} ${row.shape.padEnd(40)} ${row.ms.median} ms ` +
    `(${row.ms.min}-${row.ms.max}), device ${row.gpuMs ?? "?"} ms, ${row.floor.ratio} x floor, ${
      rate.toFixed(1)
    } GFLOP/s, ` +
    `${row.dispatches} dispatches, error ${row.error ?? "not checked"}`;
}

function limitsOf(): Record<string, number> {
  const limits = currentDevice()!.device.limits;
  return {
    maxBufferSize: limits.maxBufferSize,
    maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
    maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
    maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
  };
}

if (import.meta.main) Deno.exit(await main());
