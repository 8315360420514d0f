import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  attentionGradKeyProgram,
  attentionGradQueryProgram,
  attentionStatsProgram,
} from "../../lib/tensor/kernels/attention/webgpu_backward.ts";
import { attentionProgram } from "../../lib/tensor/kernels/attention/webgpu_forward.ts";
import type { AttentionShape } from "../../lib/tensor/kernels/attention/webgpu_parts.ts";
import { layerNormGradXProgram, layerNormProgram } from "../../lib/tensor/kernels/layer_norm/webgpu.ts";
import { l2NormaliseProgram } from "../../lib/tensor/kernels/l2_normalise/webgpu.ts";
import {
  loraDownProgram,
  loraGradLowProgram,
  loraGradMatricesProgram,
  type LoraGroup,
  loraSumsProgram,
} from "../../lib/tensor/kernels/lora/webgpu_programs.ts";
import { messagesGradProgram, messagesProgram } from "../../lib/tensor/kernels/messages/webgpu.ts";
import { messagesGradParamsProgram } from "../../lib/tensor/kernels/messages/webgpu_params.ts";
import { topKSoftmaxProgram } from "../../lib/tensor/kernels/top_k_softmax/webgpu.ts";
import { batchAxes } from "../../lib/tensor/kernels/matmul/webgpu.ts";
import { MATMUL_TILES } from "../../lib/tensor/kernels/matmul/webgpu_plan.ts";
import { matMulProgram } from "../../lib/tensor/kernels/matmul/webgpu_program.ts";
import { type GpuProgram, header } from "../../lib/tensor/webgpu/run.ts";
import { gpuTest } from "./webgpu_support.ts";

const ATTENTION: AttentionShape = {
  batch: 2,
  queries: 197,
  keys: 197,
  heads: 12,
  depth: 64,
  scale: 0.125,
  causal: false,
  mask: "f32",
};

const LORA: LoraGroup = {
  layers: 3,
  rank: 4,
  rows: 3152,
  inSize: 768,
  outSize: 768,
  scalings: [0.5, 0.5, 0.5],
  rates: [0.1, 0.1, 0.1],
  seeds: [1, 2, 3],
};

const MESSAGES = { batch: 64, rows: 6, width: 512, hidden: 128, outSize: 512 };

/** Programs of BiomedCLIP's shapes that must run on a device with WebGPU's smallest limits. */
function programs(): GpuProgram[] {
  const shape = ATTENTION;
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
    attentionGradKeyProgram(shape),
    attentionGradKeyProgram({ ...shape, depth: 32 }),
    attentionProgram({ ...shape, depth: 1920 }),
    ...products,
    matMulProgram({
      shape: { batch: 1, m: 512, n: 512, k: 512 },
      transposeA: false,
      transposeB: true,
      axes: batchAxes([], [])!,
      bias: true,
      activation: "linear",
      epilogue: {
        drop: { rate: 0.1, seed: 1 },
        lowRank: { rank: 4, stride: 12, offset: 4, layout: "outputs", drops: [{ rate: 0.1, seed: 2 }] },
        addend: true,
      },
    }, { tile: MATMUL_TILES.bigIn16KiB, tilesM: 1, tilesN: 1, splits: 1, splitDepth: 512 }),
    loraDownProgram(LORA),
    loraGradLowProgram(LORA),
    loraSumsProgram(LORA),
    loraGradMatricesProgram(LORA),
    loraDownProgram({ ...LORA, rank: 8 }),
    l2NormaliseProgram(4, 512, true),
    messagesProgram(MESSAGES, true),
    messagesGradProgram(MESSAGES),
    messagesGradParamsProgram({
      first: { terms: 384, m: 128, n: 512, stride: 512 },
      second: { terms: 64, m: 512, n: 128, stride: 132 },
    }),
    topKSoftmaxProgram({ rows: 4, columns: 256, k: 5, allowed: 256 }),
  ];
}

/** Bytes of the `var<workgroup>` declarations in some WGSL (wgpu does not check them against the limit). */
function workgroupBytes(code: string): number {
  const sizeOf = (type: string): number => {
    const array = /^array<(.*), (\d+)>$/.exec(type);
    if (array) return sizeOf(array[1]!) * Number(array[2]);
    return { "f32": 4, "u32": 4, "vec2<f32>": 8, "vec4<f32>": 16 }[type]!;
  };
  return [...code.matchAll(/var<workgroup> \w+: (.*?);/g)].reduce((sum, match) => sum + sizeOf(match[1]!), 0);
}

/** wgpu's complaint about a pipeline for the program, if it has one. */
async function complaint(device: GPUDevice, program: GpuProgram): Promise<string | undefined> {
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
  return (await device.popErrorScope())?.message;
}

gpuTest("every program fits WebGPU's default limits: 8 storage buffers, 16 KiB of workgroup memory", async () => {
  const adapter = (await navigator.gpu.requestAdapter())!;
  const device = await adapter.requestDevice(); // default limits, whatever the adapter could do
  assertEquals(device.limits.maxComputeWorkgroupStorageSize, 16384);
  assertEquals(device.limits.maxStorageBuffersPerShaderStage, 8);
  for (const program of programs()) {
    assertEquals(await complaint(device, program), undefined, program.key);
    const bytes = workgroupBytes(program.code());
    assert(bytes <= 16384, `${program.key} takes ${bytes} bytes`);
  }
  // The one that needs a ninth buffer is refused, so the check above can fail.
  const ninth = attentionGradQueryProgram({ ...ATTENTION, mask: "f32" }, "output");
  assertMatch(await complaint(device, ninth) ?? "", /storage|limit/i);
  device.destroy();
});
