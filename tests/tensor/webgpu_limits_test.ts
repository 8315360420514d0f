import { assertEquals } from "@std/assert";
import {
  attentionGradKeyProgram,
  attentionGradQueryProgram,
  attentionStatsProgram,
} from "../../lib/tensor/webgpu/attention_backward.ts";
import { attentionProgram } from "../../lib/tensor/webgpu/attention_forward.ts";
import type { AttentionShape } from "../../lib/tensor/webgpu/attention_parts.ts";
import { layerNormGradXProgram, layerNormProgram } from "../../lib/tensor/webgpu/layer_norm.ts";
import { batchAxes } from "../../lib/tensor/webgpu/matmul.ts";
import { MATMUL_TILES } from "../../lib/tensor/webgpu/matmul_plan.ts";
import { matMulProgram } from "../../lib/tensor/webgpu/matmul_wgsl.ts";
import { type GpuProgram, header } from "../../lib/tensor/webgpu/run.ts";
import { gpuTest } from "./webgpu_support.ts";

/** Programs of BiomedCLIP's shapes that must run on a device with WebGPU's smallest limits. */
function programs(): GpuProgram[] {
  const shape: AttentionShape = {
    batch: 2,
    queries: 197,
    keys: 197,
    heads: 12,
    depth: 64,
    scale: 0.125,
    causal: false,
    mask: "f32",
  };
  const products = Object.entries(MATMUL_TILES).filter(([name]) => name !== "big").flatMap(([, tile]) =>
    [false, true].map((transposed) =>
      matMulProgram({
        shape: { batch: 1, m: 512, n: 512, k: 512 },
        transposeA: transposed,
        transposeB: transposed,
        axes: batchAxes([], [])!,
        bias: true,
        activation: "relu",
      }, { tile, tilesM: 1, tilesN: 1, splits: 1, splitDepth: 512 })
    )
  );
  return [
    layerNormProgram(4, 768, 1e-6),
    layerNormGradXProgram(4, 768),
    attentionProgram(shape),
    attentionStatsProgram(shape),
    attentionGradQueryProgram({ ...shape, mask: "none" }, "output"),
    attentionGradQueryProgram(shape, "input"),
    attentionGradKeyProgram(shape, "key"),
    attentionGradKeyProgram(shape, "value"),
    attentionGradKeyProgram({ ...shape, depth: 32 }, "both"),
    attentionProgram({ ...shape, depth: 1920 }),
    ...products,
  ];
}

gpuTest("every program fits WebGPU's default limits: 8 storage buffers, 16 KiB of workgroup memory", async () => {
  const adapter = (await navigator.gpu.requestAdapter())!;
  const device = await adapter.requestDevice(); // default limits, whatever the adapter could do
  assertEquals(device.limits.maxComputeWorkgroupStorageSize, 16384);
  assertEquals(device.limits.maxStorageBuffersPerShaderStage, 8);
  for (const program of programs()) {
    device.pushErrorScope("validation");
    const types: GPUBufferBindingType[] = [
      ...program.inputs.map(() => "read-only-storage" as const),
      ...program.outputs.map(() => "storage" as const),
      "uniform",
    ];
    const layout = device.createBindGroupLayout({
      entries: types.map((type, binding) => ({ binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } })),
    });
    device.createComputePipeline({
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: {
        module: device.createShaderModule({ code: `${header(program)}\n${program.code()}` }),
        entryPoint: "main",
      },
    });
    assertEquals((await device.popErrorScope())?.message, undefined, program.key);
  }
  device.destroy();
});
