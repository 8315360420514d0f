/**
 * How many programs one training step records (loss, gradients, AdamW), by kernel, and the bytes of the buffers they are bound to,
 * counted by a device that computes nothing. `deno run --allow-read --allow-env bench/gpu/dispatches.ts`
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { type AceLoraConfig, aceLoraModel, initAceLora, trainableTensors } from "../../lib/ace_lora.ts";
import { BIOMED_CLIP, MINI } from "../../lib/clip/architectures.ts";
import type { ClipConfig, VitConfig } from "../../lib/clip/config.ts";
import { buildClip, type ClipParams } from "../../lib/clip/params.ts";
import { ACE_LORA_HGNN } from "../../lib/hypergraph/ace_hgnn.ts";
import { ACE_LORA_LORA, type LoraPositions } from "../../lib/peft/lora/config.ts";
import { useDevice } from "../../lib/tensor/webgpu/init.ts";
import { adamw, initAdamw } from "../../lib/train/adamw.ts";
import { batchOf } from "../../lib/train/batch.ts";
import { packedGradients } from "../../lib/train/gradients.ts";
import { SMALL } from "../../tests/small_model.ts";
import { trainingStep } from "../counts.ts";
import { randomIds, randomPixels } from "../work.ts";
import { countingDevice, type GpuCounts } from "./counting_device.ts";

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

/** What one step gives a device, in all and by kernel. */
export interface StepDispatches extends GpuCounts {
  /** Dispatches of AdamW. */
  adamw: number;
  /** Dispatches by the name of the kernel that was called. */
  byKernel: Map<string, number>;
  /** Bytes bound by the name of the kernel that was called. */
  bytesByKernel: Map<string, number>;
}

/** Counts one training step of ACE-LoRA, the second: weights are on the device by then. */
export async function stepDispatches(options: StepDispatchesOptions = {}): Promise<StepDispatches> {
  const { encoders = NARROW, positions = "all", batch = 4, microBatch = batch, hgnn = true } = options;
  const { owned, counts } = countingDevice();
  const started = await useDevice(owned);
  if ("reason" in started) throw new Error(started.reason);
  await tf.setBackend("webgpu");
  tf.engine().startScope();
  try {
    const config: AceLoraConfig = {
      encoders,
      lora: { ...ACE_LORA_LORA, positions },
      ...(hgnn ? { hgnn: ACE_LORA_HGNN } : {}),
    };
    const params = await initAceLora(emptyClip(encoders), config);
    const state = initAdamw(trainableTensors(params));
    const step = async (): Promise<number> => {
      const [pixels, ids] = [randomPixels(encoders, batch), randomIds(encoders, batch)];
      const pairMask = tf.ones([batch, batch]) as tf.Tensor2D;
      const samples = batchOf({ pixels, ids, pairMask });
      const how = { layout: state.layout, seed: 1, microBatch };
      const { value, gradients } = await packedGradients(aceLoraModel(config), params, samples, how);
      const before = counts.dispatches;
      const next = adamw(state, trainableTensors(params), gradients, 1e-3);
      const after = counts.dispatches;
      tf.dispose([value, ...gradients, ...next.tensors.values(), ...next.state.first, ...next.state.second]);
      tf.dispose([pixels, ids, pairMask]);
      return after - before;
    };
    await step();
    const [byKernel, bytesByKernel] = [new Map<string, number>(), new Map<string, number>()];
    const undo = attribute(counts, (name, { dispatches, boundBytes }) => {
      byKernel.set(name, (byKernel.get(name) ?? 0) + dispatches);
      bytesByKernel.set(name, (bytesByKernel.get(name) ?? 0) + boundBytes);
    });
    const before = { ...counts };
    try {
      const adamw = await step();
      return { ...difference(counts, before), adamw, byKernel, bytesByKernel };
    } finally {
      undo();
    }
  } finally {
    tf.engine().endScope();
  }
}

/** Weights that take no memory here: they are made on the device. */
function emptyClip(config: ClipConfig): ClipParams {
  return buildClip(config, (_, shape) => tf.fill(shape, 0));
}

function difference(after: GpuCounts, before: GpuCounts): GpuCounts {
  return Object.fromEntries(
    Object.entries(after).map(([name, value]) => [name, value - before[name as keyof GpuCounts]]),
  ) as unknown as GpuCounts;
}

/** Wraps the registered kernels so that what each one gives the device is told; returns what takes it back. */
function attribute(counts: GpuCounts, tell: (kernelName: string, given: GpuCounts) => void): () => void {
  const kernels = tf.getKernelsForBackend("webgpu") as { kernelName: string; kernelFunc: tf.KernelFunc }[];
  const originals = kernels.map(({ kernelFunc }) => kernelFunc);
  let depth = 0;
  for (const kernel of kernels) {
    const run = kernel.kernelFunc;
    kernel.kernelFunc = (call) => {
      if (depth > 0) return run(call); // part of another kernel
      const before = { ...counts };
      depth++;
      try {
        return run(call);
      } finally {
        depth--;
        const given = difference(counts, before);
        if (given.dispatches > 0) tell(kernel.kernelName, given);
      }
    };
  }
  return () => kernels.forEach((kernel, i) => kernel.kernelFunc = originals[i]!);
}

/** A step whose dispatches and bytes have an aim. */
export interface CountedStep {
  /** What. */
  name: string;
  /** What is counted. */
  options: StepDispatchesOptions & { encoders: ClipConfig; batch: number };
  /** Most dispatches. */
  most: number;
}

/** The steps that the bench counts. */
export const COUNTED_STEPS: readonly CountedStep[] = [
  { name: "MINI training step, batch 64", options: { encoders: MINI, batch: 64 }, most: 300 },
  {
    name: "MINI training step, batch 64 in micro-batches of 16",
    options: { encoders: MINI, batch: 64, microBatch: 16 },
    most: 1200,
  },
  { name: "full training step, batch 64", options: { encoders: BIOMED_CLIP, batch: 64 }, most: 600 },
];

/** Bytes that a step moves at least, as FLOORS.md counts them. */
export function floorBytes({ options: { encoders, batch } }: CountedStep): number {
  const { weightBytes, activationBytes } = trainingStep("", encoders, batch);
  return weightBytes + activationBytes;
}

if (import.meta.main) {
  for (const step of COUNTED_STEPS) {
    const { dispatches, adamw, boundBytes, uploads, copies, byKernel, bytesByKernel } = await stepDispatches(
      step.options,
    );
    const floor = floorBytes(step);
    console.log(
      `${step.name}: ${dispatches} dispatches, ${adamw} of them AdamW; ${(boundBytes / 1e9).toFixed(2)} GB bound, ` +
        `${(boundBytes / floor).toFixed(2)} of the floor; ${uploads} uploads, ${copies} copies`,
    );
    const sorted = [...byKernel].sort((a, b) => b[1] - a[1]);
    for (const [name, count] of sorted) {
      const bytes = bytesByKernel.get(name)!;
      console.log(`  ${name} ${count}, ${(bytes / 1e6).toFixed(1)} MB, ${(bytes / floor).toFixed(3)} of the floor`);
    }
  }
}
