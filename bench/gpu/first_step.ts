/**
 * The bench's group of a WebGPU run's first step, in which its programs are compiled, beside the tenth; with the programs compiled
 * before, as `fit` does while the first images are read, and without. Each on a new device, of MINI with one layer a tower: deeper
 * ones need the same programs. A driver may keep what it has compiled from process to process.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { type AceLoraConfig, aceLoraModel, initAceLora, trainableTensors } from "../../lib/ace_lora.ts";
import { MINI } from "../../lib/clip/architectures.ts";
import type { ClipConfig, VitConfig } from "../../lib/clip/config.ts";
import { initClip } from "../../lib/clip/params.ts";
import { ACE_LORA_HGNN } from "../../lib/hypergraph/ace_hgnn.ts";
import { ACE_LORA_LORA } from "../../lib/peft/lora/config.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { requestDevice } from "../../lib/tensor/webgpu/device.ts";
import { useDevice } from "../../lib/tensor/webgpu/init.ts";
import { adamw, initAdamw } from "../../lib/train/adamw.ts";
import { batchOf } from "../../lib/train/batch.ts";
import { compileStep } from "../../lib/train/compile_step.ts";
import { packedGradients } from "../../lib/train/gradients.ts";
import type { Bench } from "../groups.ts";
import { loadAverage } from "../record.ts";
import { randomIds, randomPixels } from "../work.ts";

const SIZE = 8;
const STEPS = 10;
const ENCODERS: ClipConfig & { vision: VitConfig } = {
  ...MINI,
  vision: { ...MINI.vision as VitConfig, depth: 1 },
  text: { ...MINI.text, depth: 1 },
};

/** Milliseconds of the compilation before the first step and of each step, on a new device; or why there is none. */
async function timeSteps(
  isAhead: boolean,
): Promise<{ adapter: string; ahead: number; steps: number[] } | { reason: string }> {
  const owned = await requestDevice({ allowSoftware: true });
  if ("reason" in owned) return owned;
  const started = await useDevice(owned);
  if ("reason" in started) return started;
  await tf.setBackend("webgpu");
  tf.engine().startScope();
  try {
    const config: AceLoraConfig = { encoders: ENCODERS, lora: ACE_LORA_LORA, hgnn: ACE_LORA_HGNN };
    const model = aceLoraModel(config);
    const params = await initAceLora(initClip(ENCODERS, 1), config);
    const tensors = trainableTensors(params);
    const state = initAdamw(tensors);
    const began = performance.now();
    if (isAhead) {
      const shapes = { imageSize: ENCODERS.vision.imageSize, contextLength: ENCODERS.text.contextLength };
      const how = { size: SIZE, microBatch: SIZE, isMasked: false, recompute: false, tensors, adamw: state };
      await compileStep(model, params, shapes, how);
    }
    const ahead = performance.now() - began;
    const samples = batchOf({ pixels: randomPixels(ENCODERS, SIZE), ids: randomIds(ENCODERS, SIZE) });
    const steps: number[] = [];
    for (let i = 0; i < STEPS; i++) {
      const began = performance.now();
      const { value, gradients } = await packedGradients(model, params, samples, { layout: state.layout, seed: i });
      const next = adamw(state, tensors, gradients, 1e-3);
      await next.state.first[0]!.data();
      steps.push(performance.now() - began);
      tf.dispose([value, ...gradients, ...next.tensors.values(), ...next.state.first, ...next.state.second]);
    }
    return { adapter: started.adapter, ahead, steps };
  } finally {
    tf.engine().endScope();
  }
}

/** Times the steps, with and without compiling ahead. */
export async function firstStepGroup(bench: Bench): Promise<void> {
  try {
    for (const isAhead of [true, false]) {
      const times = await timeSteps(isAhead);
      if ("reason" in times) return bench.onSkip("the first step on WebGPU", times.reason);
      const { adapter, ahead, steps } = times;
      await bench.onMeasurement("first-step", {
        name: `WebGPU, programs compiled ${isAhead ? "ahead" : "as they run"}, ${adapter}`,
        threads: 1,
        load: loadAverage(),
        times: {},
        ratios: {},
        more: { "ahead, ms": ahead, "first step, ms": steps[0]!, "tenth step, ms": steps.at(-1)! },
      });
    }
  } finally {
    await selectBackend({ backend: "wasm" });
  }
}
