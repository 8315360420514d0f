/**
 * How many programs one training step records (loss, gradients, AdamW), by kernel. Widths do not matter to it, so a
 * narrow model of the full depth is counted; the numbers of rows and columns decide only whether a few products are
 * split. `deno run --allow-read --allow-env bench/gpu/dispatches.ts`
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { type AceLoraConfig, aceLoraModel, initAceLora, trainableTensors } from "../../lib/ace_lora.ts";
import type { ClipConfig, VitConfig } from "../../lib/clip/config.ts";
import { initClip } from "../../lib/clip/params.ts";
import { ACE_LORA_HGNN } from "../../lib/hypergraph/ace_hgnn.ts";
import { ACE_LORA_LORA, type LoraPositions } from "../../lib/peft/lora/config.ts";
import type { WebgpuBackend } from "../../lib/tensor/webgpu/backend.ts";
import { initWebgpu } from "../../lib/tensor/webgpu/init.ts";
import { adamw, initAdamw } from "../../lib/train/adamw.ts";
import { batchOf } from "../../lib/train/batch.ts";
import { packedGradients } from "../../lib/train/gradients.ts";
import { SMALL } from "../../tests/small_model.ts";
import { randomIds, randomPixels } from "../work.ts";
import { countDispatches, startCounting } from "./measure.ts";

/** 12 + 12 layers, as deep as BiomedCLIP, 16 wide. */
export const NARROW: ClipConfig & { vision: VitConfig } = {
  ...SMALL,
  vision: { ...SMALL.vision, depth: 12 },
  text: { ...SMALL.text, depth: 12 },
};

/** Options of {@linkcode stepDispatches}. */
export interface StepDispatchesOptions {
  /** Sizes. @default {NARROW} */
  encoders?: ClipConfig;
  /** Which layers carry LoRA. @default {"all"} */
  positions?: LoraPositions;
  /** Pairs. @default {4} */
  batch?: number;
  /** Pairs encoded at a time. @default {the batch} */
  microBatch?: number;
  /** Whether ACE-HGNN takes part. @default {true} */
  hgnn?: boolean;
}

/** Dispatches of one step, in all and by kernel. */
export interface StepDispatches {
  /** All. */
  total: number;
  /** Of them AdamW's. */
  adamw: number;
  /** By the name of the kernel that was called. */
  byKernel: Map<string, number>;
}

/** Counts one training step of ACE-LoRA on the current backend, which must be webgpu. */
export async function stepDispatches(options: StepDispatchesOptions = {}): Promise<StepDispatches> {
  const { encoders = NARROW, positions = "all", batch = 4, microBatch = batch, hgnn = true } = options;
  const lora = { ...ACE_LORA_LORA, positions };
  const config: AceLoraConfig = { encoders, lora, ...(hgnn ? { hgnn: { ...ACE_LORA_HGNN, hidden: 4 } } : {}) };
  const backend = tf.backend() as unknown as WebgpuBackend;
  tf.engine().startScope();
  const params = await initAceLora(initClip(encoders, 1), config);
  const [pixels, ids, state] = [
    randomPixels(encoders, batch),
    randomIds(encoders, batch),
    initAdamw(trainableTensors(params)),
  ];
  const pairMask = tf.ones([batch, batch]) as tf.Tensor2D;
  const byKernel = new Map<string, number>();
  const undo = attribute(backend, byKernel);
  const stop = startCounting(backend);
  try {
    const batch = batchOf({ pixels, ids, pairMask });
    const how = { layout: state.layout, seed: 1, microBatch };
    const { gradients } = await packedGradients(aceLoraModel(config), params, batch, how);
    const adamwCount = countDispatches(backend, () => adamw(state, trainableTensors(params), gradients, 1e-3));
    const total = stop();
    await pixels.data();
    return { total, adamw: adamwCount, byKernel };
  } finally {
    stop();
    undo();
    tf.engine().endScope();
  }
}

/** Wraps the registered kernels so that each one's dispatches are added to the map; returns what takes it back. */
function attribute(backend: WebgpuBackend, byKernel: Map<string, number>): () => void {
  const kernels = tf.getKernelsForBackend("webgpu") as { kernelName: string; kernelFunc: tf.KernelFunc }[];
  const originals = kernels.map(({ kernelFunc }) => kernelFunc);
  let depth = 0;
  for (const kernel of kernels) {
    const run = kernel.kernelFunc;
    kernel.kernelFunc = (call) => {
      if (depth > 0) return run(call); // part of another kernel
      let result: ReturnType<typeof run>;
      depth++;
      try {
        const count = countDispatches(backend, () => result = run(call));
        if (count > 0) byKernel.set(kernel.kernelName, (byKernel.get(kernel.kernelName) ?? 0) + count);
      } finally {
        depth--;
      }
      return result!;
    };
  }
  return () => kernels.forEach((kernel, i) => kernel.kernelFunc = originals[i]!);
}

if (import.meta.main) {
  const found = await initWebgpu({ allowSoftware: true });
  if ("reason" in found) {
    console.error(`Cannot count dispatches: ${found.reason}`);
    Deno.exit(2);
  }
  await tf.setBackend("webgpu");
  for (const options of [{}, { positions: "top1" as const }, { hgnn: false }, { microBatch: 1 }]) {
    const { total, adamw, byKernel } = await stepDispatches(options);
    console.log(`${JSON.stringify(options)}: ${total} dispatches, ${adamw} of them AdamW`);
    const sorted = [...byKernel].sort((a, b) => b[1] - a[1]);
    console.log(sorted.slice(0, 12).map(([name, count]) => `  ${name} ${count}`).join("\n"));
  }
}
